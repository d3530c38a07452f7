//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// asked is a config whose Deployment is checked by people; its image and the
// addresses of those who are told are variables.
const asked = `
hubcap {
  name              = "%[1]s"
  journal_namespace = "%[1]s"
}

variable "image" {
  default = "example.org/app:1"
}

variable "hook" {
  sensitive = true
}

variable "grafana" {}

cluster "c" {}

manifest "room" {
  object = { apiVersion = "v1", kind = "Namespace", metadata = { name = "%[1]s-app" } }
}

manifest "app" {
  namespace = "%[1]s-app"
  object = {
    apiVersion = "apps/v1"
    kind       = "Deployment"
    metadata   = { name = "app" }
    spec = {
      selector = { matchLabels = { app = "app" } }
      template = {
        metadata = { labels = { app = "app" } }
        spec     = { containers = [{ name = "app", image = var.image }] }
      }
    }
  }
}

gate "look" {
  interval = "1s"
  manual {
    prompt = "is it well?"
  }
}

rollout "all" {
  order = [manifest.room, manifest.app]
  gates = [gate.look]
}

notify "hook" {
  webhook {
    url = var.hook
  }
}

notify "grafana" {
  grafana {
    url = var.grafana
  }
}
`

// A listener is told what runs do.
type listener struct {
	mu     sync.Mutex
	events []string
}

func (l *listener) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var body struct{ Event, Run, Text string }
	text, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(text, &body)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, body.Event)
}

func (l *listener) told() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.events, " ")
}

// newAsked makes the world of such a config, with a webhook that listens and a
// Grafana that hangs.
func newAsked(t *testing.T, name string) (*world, *listener) {
	t.Helper()
	w := newWorld(t, name, name, map[string]string{"main.hcl": fmt.Sprintf(asked, name)})
	l, hangs := &listener{}, make(chan struct{})
	hook := httptest.NewServer(l)
	grafana := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hangs:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(hangs); hook.Close(); grafana.Close() })
	w.vars = []string{"hook=" + hook.URL + "/secret-of-the-hook", "grafana=" + grafana.URL}
	w.hidden = append(w.hidden, "secret-of-the-hook")
	return w, l
}

// waitsForPeople waits until a run of w is at its manual gate, and returns its ID.
func (w *world) waitsForPeople() string {
	w.t.Helper()
	id := ""
	await(w.t, time.Minute, "a run that waits for people", func() string {
		maps, err := site.admin.CoreV1().ConfigMaps(w.journal).List(w.t.Context(), metav1.ListOptions{LabelSelector: "hubcap.dev/record=run"})
		if err != nil {
			return err.Error()
		}
		for _, cm := range maps.Items {
			text := fmt.Sprint(cm.Data)
			if strings.Contains(text, `"mark":"baking"`) && !strings.Contains(text, `"run finished"`) {
				id = strings.TrimPrefix(cm.Name, "hubcap-run-")
				return ""
			}
		}
		return "not there yet"
	})
	return id
}

// TestOrders tells runs that are under way what to do, from another process.
func TestOrders(t *testing.T) {
	w, told := newAsked(t, "orders")

	apply := w.begin(applier, "apply", "--auto-approve")
	first := w.waitsForPeople()
	watch := w.begin(reader, "status", "--watch", first)
	w.hubcap(applier, 0, "promote", "--reason", "looks well").has(t, "promote: told run "+first)
	if r := apply.wait(); r.code != 0 {
		t.Fatalf("promoted: %s", r)
	}
	if r := watch.wait(); r.code != 0 || !strings.Contains(r.out+r.err, "manifest.app") || !strings.Contains(r.out, "Done") {
		t.Errorf("watched: %s", r)
	}
	w.hubcap(reader, 0, "history", first).has(t, "looks well", "gate look pass")
	w.hubcap(reader, 0, "history", first, "-o", "markdown").has(t, "# Run "+first+": succeeded", "looks well", "| launches paused |")
	page := w.hubcap(reader, 0, "history", first, "-o", "html")
	page.has(t, "<!doctype html>", `class="bar baking"`)
	events := kubectl(t, "-n", "orders-app", "get", "events", "--field-selector", "involvedObject.name=app,reason=HubcapApplied", "-o", "jsonpath={.items[*].message}")
	if !strings.Contains(events, first) {
		t.Errorf("events on the Deployment: %q", events)
	}

	began := time.Now()
	apply = w.begin(applier, "apply", "--auto-approve", "--var=image=example.org/app:2")
	second := w.waitsForPeople()
	w.hubcap(applier, 0, "abort", second, "--reason", "wrong image")
	r := apply.wait()
	if r.code != 4 {
		t.Fatalf("aborted: %s", r)
	}
	r.has(t, "abort by ", "wrong image", "notify.grafana")
	t.Logf("a hanging Grafana and all: %s", time.Since(began).Round(time.Second))
	if image := kubectl(t, "-n", "orders-app", "get", "deployment", "app", "-o", "jsonpath={.spec.template.spec.containers[0].image}"); image != "example.org/app:1" {
		t.Errorf("after the abort the image is %s", image)
	}
	w.hubcap(applier, 9, "apply", "--auto-approve", "--var=image=example.org/app:2").has(t, "was rolled back by run "+second, "--retry")
	w.hubcap(applier, 1, "pause").has(t, "no run is under way")
	for _, kind := range []string{"started", "finished", "failed", "rolled_back"} {
		if !strings.Contains(told.told(), kind) {
			t.Errorf("the webhook was told %q, not of %s", told.told(), kind)
		}
	}

	apply = w.begin(applier, "apply", "--auto-approve", "--retry", "--var=image=example.org/app:2")
	third := w.waitsForPeople()
	w.hubcap(applier, 0, "promote", third)
	if r := apply.wait(); r.code != 0 {
		t.Fatalf("tried again: %s", r)
	}
	w.hubcap(reader, 0, "plan", "--detailed-exitcode", "--var=image=example.org/app:2")
}

// TestDetach hands a run over to a Job. Nothing runs a container here: the test
// is the kubelet, and starts the very program and arguments of the Job, with the
// Secret that it mounts; once it is killed, and starts it anew.
func TestDetach(t *testing.T) {
	w, told := newAsked(t, "detach")
	w.hubcap(applier, 64, "apply", "--auto-approve", "--detach").has(t, "--detach-image")
	handOver := []string{"apply", "--auto-approve", "--detach", "--detach-image", "registry.example.org/hubcap:1"}
	w.hubcap(applier, 6, handOver...).has(t, "its job gets no pod", "service account detach/hubcap", "hubcap resume")
	left, err := site.admin.BatchV1().Jobs("detach").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(left.Items) != 1 {
		t.Fatalf("%d jobs, %v", len(left.Items), err)
	}
	if _, err := site.admin.CoreV1().ServiceAccounts("detach").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "hubcap"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.hubcap(applier, 0, handOver...).has(t, "Handed over: run ", "hubcap status --watch")

	jobs, err := site.admin.BatchV1().Jobs("detach").List(t.Context(), metav1.ListOptions{})
	jobs.Items = slices.DeleteFunc(jobs.Items, func(j batchv1.Job) bool { return j.Name == left.Items[0].Name })
	if err != nil || len(jobs.Items) != 1 {
		t.Fatalf("%d jobs, %v", len(jobs.Items), err)
	}
	pod := jobs.Items[0].Spec.Template.Spec
	secret, err := site.admin.CoreV1().Secrets("detach").Get(t.Context(), pod.Volumes[0].Secret.SecretName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, secret.Data["config.json"], 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HUBCAP_DETACHED", file)
	w.dir = t.TempDir() // no config goes along
	w.vars = nil
	kubelet := func() *process {
		p := w.begin(applier, pod.Containers[0].Args...)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the pod said:\n%s%s", p.out, p.err)
			}
		})
		return p
	}

	dies := kubelet()
	id := w.waitsForPeople()
	dies.kill()
	lives := kubelet()
	if err := os.Unsetenv("HUBCAP_DETACHED"); err != nil {
		t.Fatal(err)
	}
	await(t, 2*time.Minute, "the run to be taken up again", func() string {
		maps, err := site.admin.CoreV1().ConfigMaps("detach").Get(t.Context(), "hubcap-run-"+id, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if n := strings.Count(fmt.Sprint(maps.Data), "resumed by"); n < 2 {
			return fmt.Sprintf("%d resumptions in the journal", n)
		}
		return ""
	})
	t.Setenv("HUBCAP_DETACHED", file)
	watch := w.begin(applier, "status", "--watch", id)
	w.hubcap(applier, 0, "promote", id)
	if r := lives.wait(); r.code != 0 {
		t.Fatalf("the Job's second pod: %s", r)
	}
	if r := watch.wait(); r.code != 0 {
		t.Errorf("watched: %s", r)
	}
	if !strings.Contains(told.told(), "finished") {
		t.Errorf("the detached run told %q", told.told())
	}
}

// TestKilledInBake kills a run while its step bakes: nothing is left to plan, and an
// apply is no success until somebody has gone on with that run, or back.
func TestKilledInBake(t *testing.T) {
	w, _ := newAsked(t, "bakecut")
	cut := func(image string) string {
		p := w.begin(applier, "apply", "--auto-approve", "--var=image="+image)
		id := w.waitsForPeople()
		p.kill()
		return id
	}
	first := cut("example.org/app:1")
	const image = "--var=image=example.org/app:1"
	w.hubcap(reader, 0, "plan", "--detailed-exitcode", image).has(t, "No changes", first)
	w.hubcap(applier, 6, "apply", "--auto-approve", image).has(t,
		"there is nothing to do, but run "+first, "is baking, gate look has not passed", "hubcap resume "+first)
	resume := w.begin(applier, "resume", image)
	await(t, time.Minute, "the end of resume", func() string {
		select {
		case <-resume.done:
			return ""
		default: // it may not listen yet
			return "promoted: " + w.begin(applier, "promote").wait().String()
		}
	})
	if r := resume.wait(); r.code != 0 {
		t.Fatalf("resumed: %s", r)
	}
	w.hubcap(applier, 0, "apply", "--auto-approve", image).has(t, "Nothing to do")

	second := cut("example.org/app:2")
	w.hubcap(applier, 6, "apply", "--auto-approve", "--var=image=example.org/app:2").has(t, second)
	w.hubcap(applier, 0, "rollback", "--auto-approve")
	w.hubcap(applier, 0, "apply", "--auto-approve", image).has(t, "Nothing to do")
}
