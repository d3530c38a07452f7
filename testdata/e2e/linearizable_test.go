//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"hubcap/engine/lockmodel"
)

// A history notes every write that goes through it to the API server, holds some of them
// up, and carries them out also when whoever sent them has died meanwhile.
type history struct {
	transport http.RoundTripper
	host      string
	began     time.Time
	mu        sync.Mutex
	calls     []porcupine.Operation
}

func newHistory(t *testing.T) (*history, *proxy) {
	t.Helper()
	setUp(t)
	tlsConfig, err := rest.TLSConfigFor(rest.AnonymousClientConfig(site.config))
	if err != nil {
		t.Fatal(err)
	}
	h := &history{transport: &http.Transport{TLSClientConfig: tlsConfig, MaxIdleConnsPerHost: 64}, host: site.config.Host, began: time.Now()}
	p := &proxy{server: httptest.NewUnstartedServer(h)}
	p.server.EnableHTTP2 = true
	p.server.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	p.server.StartTLS()
	t.Cleanup(p.server.Close)
	return h, p
}

// ServeHTTP passes a request on, whole, and the answer.
func (h *history) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	from := time.Since(h.began)
	c, noted := callOf(r, body)
	if noted && !c.Lease && rand.IntN(4) == 0 { // late
		held := time.NewTimer(time.Duration(rand.IntN(2000)) * time.Millisecond)
		<-held.C
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	on, err := http.NewRequestWithContext(ctx, r.Method, h.host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	on.Header = r.Header.Clone()
	resp, err := h.transport.RoundTrip(on)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if noted {
		h.note(c, from, resp.StatusCode, answer)
	}
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer)
}

func (h *history) note(c lockmodel.Call, from time.Duration, status int, answer []byte) {
	a := lockmodel.Answer{Accepted: status < 300}
	if o, err := decoded(answer); err == nil && a.Accepted {
		a.Version = o.GetResourceVersion()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, porcupine.Operation{Input: c, Output: a, Call: int64(from), Return: int64(time.Since(h.began))})
}

// decoded returns an object as it goes over the wire: typed clients speak protobuf.
func decoded(text []byte) (metav1.Object, error) {
	o, err := runtime.Decode(scheme.Codecs.UniversalDeserializer(), text)
	if err != nil {
		return nil, err
	}
	return meta.Accessor(o)
}

// callOf returns what a request is to write: the lease, or one of the objects of the
// test, which are ConfigMaps that begin with "shared-".
func callOf(r *http.Request, body []byte) (lockmodel.Call, bool) {
	if r.Method == http.MethodGet || r.URL.Query().Get("dryRun") != "" {
		return lockmodel.Call{}, false
	}
	m, err := decoded(body)
	if err != nil {
		return lockmodel.Call{}, false
	}
	name := path.Base(r.URL.Path)
	switch lease, isLease := m.(*coordinationv1.Lease); {
	case isLease:
		var holder struct{ Run string }
		_ = json.Unmarshal([]byte(lease.Annotations["hubcap.dev/holder"]), &holder)
		return lockmodel.Call{
			Lease: true, Holder: *lease.Spec.HolderIdentity, Run: holder.Run, Object: "lease", Before: m.GetResourceVersion(), Creates: r.Method == http.MethodPost,
		}, true
	case r.Method == http.MethodPatch && strings.HasPrefix(name, "shared-"):
		var applied struct{ Run string }
		_ = json.Unmarshal([]byte(m.GetAnnotations()["hubcap.dev/applied"]), &applied)
		return lockmodel.Call{Run: applied.Run, Object: name, Before: m.GetResourceVersion(), Creates: m.GetResourceVersion() == "1"}, true
	}
	return lockmodel.Call{}, false
}

const sharedConfig = `
hubcap { name = "linear" }

variable "v" { default = "0" }

cluster "c" {}

manifest "shared" {
  objects = [for i in range(4) : {
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "shared-${i}", namespace = "default" }
    data       = { v = var.v }
  }]
}

manifest "slow" {
  object = {
    apiVersion = "apps/v1"
    kind       = "Deployment"
    metadata   = { name = "linear-slow", namespace = "default" }
    spec = {
      selector = { matchLabels = { app = "linear" } }
      template = {
        metadata = { labels = { app = "linear" }, annotations = { v = var.v, "sandbox.hubcap.dev/ready-after" = "2s" } }
        spec     = { containers = [{ name = "slow", image = "example.org/slow:1" }] }
      }
    }
  }
}

rollout "all" { order = [manifest.slow, manifest.shared] }
`

// Several runners on one cluster, which are killed and stopped at random, while requests
// come late: nobody writes without the lock, or on what it has not seen. One that was
// stopped for longer than its lease lasts writes nothing when it goes on.
func TestWritesAreLinearizable(t *testing.T) {
	h, p := newHistory(t)
	w := newWorld(t, "linear", "hubcap", map[string]string{"main.hcl": sharedConfig})
	w.proxy = p
	var runners sync.WaitGroup
	end := time.Now().Add(40 * time.Second)
	configs := []string{w.kubeconfig(applier), w.kubeconfig(applier), w.kubeconfig(applier)}
	for n, config := range configs {
		runners.Go(func() {
			for i := 0; time.Now().Before(end); i++ {
				r := w.beginWith(config, "apply", "--auto-approve", "--lock-timeout=5s", fmt.Sprintf("--var=v=%d-%d", n, i))
				r.meddle()
				<-r.done
			}
		})
	}
	runners.Wait()
	w.begin(applier, "resume").wait()
	w.hubcap(applier, 0, "apply", "--auto-approve", "--lock-timeout=1m", "--var=v=before")
	stopped := w.begin(applier, "apply", "--auto-approve", "--var=v=stopped")
	stopped.says("converging")
	if err := stopped.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.hubcap(applier, 0, "apply", "--auto-approve", "--var=v=after").has(t, "it is taken in", "unless that run turns out to be alive")
	if err := stopped.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if r := stopped.wait(); r.code != 130 || !strings.Contains(r.err, "the lock was lost") {
		t.Errorf("the one that was stopped for longer than its lease: %s", r)
	}
	w.hubcap(reader, 0, "plan", "--detailed-exitcode", "--var=v=after")
	h.check(t)
}

// meddle kills the process, or stops it for a while, or leaves it alone.
func (p *process) meddle() {
	for range 2 {
		wait := time.NewTimer(time.Duration(rand.IntN(2500)) * time.Millisecond)
		select {
		case <-p.done:
			return
		case <-wait.C:
		}
		switch rand.IntN(4) {
		case 0:
			_ = p.cmd.Process.Kill()
		case 1:
			_ = p.cmd.Process.Signal(syscall.SIGSTOP)
			held := time.NewTimer(time.Duration(rand.IntN(3000)) * time.Millisecond)
			<-held.C
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
		}
	}
}

func (h *history) check(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	runs, accepted, refused, leases := map[string]bool{}, 0, 0, 0
	for _, o := range h.calls {
		c := o.Input.(lockmodel.Call)
		runs[c.Run] = true
		switch {
		case c.Lease:
			leases++
		case o.Output.(lockmodel.Answer).Accepted:
			accepted++
		default:
			refused++
		}
	}
	t.Logf("%d runs: %d writes accepted, %d refused, %d of the lease", len(runs), accepted, refused, leases)
	if len(runs) < 6 || accepted < 20 || leases < len(runs) {
		t.Errorf("%d runs made %d writes, and %d of the lease: too few to show anything", len(runs), accepted, leases)
	}
	if result := porcupine.CheckOperationsTimeout(lockmodel.OneWriter, h.calls, time.Minute); result != porcupine.Ok {
		for _, o := range h.calls {
			t.Logf("%d–%d %+v %+v", o.Call/1e6, o.Return/1e6, o.Input, o.Output)
		}
		t.Errorf("the history of writes is not one of a single writer at a time: %s", result)
	}
	broken := slices.Clone(h.calls)
	for i, o := range broken { // the check itself: a write of another run than the lock's is found
		if c := o.Input.(lockmodel.Call); !c.Lease && o.Output.(lockmodel.Answer).Accepted {
			c.Run = "another"
			broken[i].Input = c
			break
		}
	}
	if porcupine.CheckOperationsTimeout(lockmodel.OneWriter, broken, time.Minute) == porcupine.Ok {
		t.Error("the check takes a write without the lock for sound")
	}
}
