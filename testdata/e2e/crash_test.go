//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hubcap/engine/journal"
)

// parts is a config of three components, one of them a node pool. Its version
// decides what every object says.
const parts = `
hubcap {
  name              = "%[1]s"
  journal_namespace = "%[1]s"
}

variable "version" {
  default = "1"
}

cluster "c" {
  project  = "hubcap-demo"
  location = "us-central1-a"
  name     = "binder"
  endpoint = "%[2]s"
}

manifest "settings" {
  namespace = "%[1]s-app"
  objects = [
    { apiVersion = "v1", kind = "Namespace", metadata = { name = "%[1]s-app" } },
    { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "settings" }, data = { version = var.version } },
    { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "only-${var.version}" }, data = { here = "yes" } },
    { apiVersion = "v1", kind = "Secret", metadata = { name = "secret" }, stringData = { password = "hush-%[1]s-${var.version}" } },
  ]
}

node_pool "%[1]s" {
  machine_type = "n2-standard-4"
  autoscaling {
    min = 0
    max = tonumber(var.version) + 2
  }
  labels = {
    owner   = "%[1]s"
    version = var.version
  }
}

manifest "web" {
  namespace = "%[1]s-app"
  object = {
    apiVersion = "apps/v1"
    kind       = "Deployment"
    metadata   = { name = "web" }
    spec = {
      replicas = 2
      selector = { matchLabels = { app = "web" } }
      template = {
        metadata = { labels = { app = "web" }, annotations = { "sandbox.hubcap.dev/ready-after" = "1s" } }
        spec = {
          terminationGracePeriodSeconds = 0
          containers = [{ name = "web", image = "example.org/web:${var.version}", resources = { requests = { cpu = "10m" } } }]
        }
      }
    }
  }
}
`

func newParts(t *testing.T, name string) *world {
	t.Helper()
	setUp(t)
	return newWorld(t, name, name, map[string]string{"main.hcl": fmt.Sprintf(parts, name, site.sandbox.GKEEndpoint)})
}

func of(version int) string { return "--var=version=" + strconv.Itoa(version) }

// records makes an apply and returns how many times it appended to its journal;
// what says only what could be seen as well waits for the next record.
func (w *world) records(args ...string) int {
	w.t.Helper()
	var mu sync.Mutex
	seen := 0
	w.proxy.hook(func(r *http.Response) {
		if r.Request.Method == http.MethodPatch && strings.Contains(r.Request.URL.Path, "/namespaces/"+w.journal+"/configmaps/hubcap-run-") {
			mu.Lock()
			seen++
			mu.Unlock()
		}
	})
	defer w.proxy.hook(nil)
	w.hubcap(applier, 0, append([]string{"apply", "--auto-approve", "--retry"}, args...)...)
	mu.Lock()
	defer mu.Unlock()
	return seen
}

// runs returns the journal as history tells it.
func (w *world) runs() []journal.Run {
	w.t.Helper()
	var told struct{ Runs []journal.Run }
	decode(w.t, w.hubcap(reader, 0, "history", "-o", "json").out, &told)
	return told.Runs
}

// killedAt begins an apply and kills it at the nth record that it appends to its
// journal: right after the API server has it, before hubcap hears of that; or, if
// unwritten, before the API server has it.
func (w *world) killedAt(n int, args ...string) {
	w.t.Helper()
	var mu sync.Mutex
	var seen int
	var p *process
	started := make(chan struct{})
	w.proxy.hook(func(r *http.Response) {
		if r.Request.Method != http.MethodPatch || !strings.Contains(r.Request.URL.Path, "/namespaces/"+w.journal+"/configmaps/hubcap-run-") {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen == n {
			<-started
			p.kill()
		}
	})
	defer w.proxy.hook(nil)
	p = w.begin(applier, append([]string{"apply", "--auto-approve", "--retry"}, args...)...)
	close(started)
	r := p.wait()
	mu.Lock()
	defer mu.Unlock()
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != syscall.SIGKILL {
		w.t.Fatalf("not killed at record %d: only %d were written: %s", n, seen, r)
	}
}

// isAt fails the test unless the world is what the config of that version wants,
// and nothing else: a plan of it is empty, and what bears the config's label is
// what the version has.
func (w *world) isAt(version int) {
	w.t.Helper()
	want := []string{}
	if version > 0 {
		w.hubcap(reader, 0, "plan", "--detailed-exitcode", of(version))
		want = []string{
			"ConfigMap only-" + strconv.Itoa(version), "ConfigMap settings", "Deployment web",
			"Namespace " + w.name + "-app", "Secret secret",
		}
	}
	var have []string
	for _, o := range w.owned() {
		if o.GetDeletionTimestamp() == nil {
			have = append(have, o.GetKind()+" "+o.GetName())
		}
	}
	slices.Sort(have)
	if version == 0 { // a namespace is never deleted by going back
		have = slices.DeleteFunc(have, func(s string) bool { return s == "Namespace "+w.name+"-app" })
	}
	if !slices.Equal(have, want) {
		w.t.Errorf("at version %d the config owns %v, want %v", version, have, want)
	}
	w.poolsAre(version)
}

func (w *world) poolsAre(version int) {
	w.t.Helper()
	var have []string
	for _, p := range pools(w.t) {
		if p.Config.Labels["owner"] == w.name {
			have = append(have, p.Config.Labels["version"])
		}
	}
	var want []string
	if version > 0 {
		want = []string{strconv.Itoa(version)}
	}
	if !slices.Equal(have, want) {
		w.t.Errorf("at version %d there are pools of the versions %v", version, have)
	}
}

// seeded returns a source of random numbers whose seed is in the log. The seed of
// a failure can be set again: HUBCAP_SEED.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("HUBCAP_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HUBCAP_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// pick returns n different records of 1 to all, in random order.
func pick(random *rand.Rand, n, all int) []int {
	records := random.Perm(all)[:min(n, all)]
	for i := range records {
		records[i]++
	}
	return records
}

// TestKilled kills hubcap at random records of its journal. Resuming ends in what
// was desired, rolling back in what was before, and planning and applying anew in
// what was desired.
func TestKilled(t *testing.T) {
	w := newParts(t, "crash")
	w.proxy = newProxy(t)
	random := seeded(t)
	w.hubcap(applier, 0, "apply", "--auto-approve", "--retry", of(1))
	w.isAt(1)
	all := w.records(of(2)) - 1 // without the last, after which there is nothing to resume
	w.isAt(2)
	at := 2
	for _, n := range pick(random, 5, all) {
		for _, way := range []struct {
			name string
			run  func(from, to int) (end int)
		}{
			{"resume", func(_, to int) int {
				w.hubcap(applier, 0, "resume")
				return to
			}},
			{"rollback", func(from, _ int) int {
				w.hubcap(applier, 0, "rollback", "--auto-approve")
				return from
			}},
			{"plan and apply", func(_, to int) int {
				w.applyAnew(of(to))
				return to
			}},
		} {
			ok := w.run(fmt.Sprintf("%s after record %d of %d", way.name, n, all+1), func(t *testing.T) {
				from, to := at, 3-at
				w.killedAt(n, of(to))
				at = way.run(from, to)
				w.isAt(at)
			})
			if !ok {
				t.FailNow()
			}
		}
	}
}

// applyAnew plans and applies after a run that was cut off. Where that had written
// everything there is nothing left to do, and the apply says that nobody has verified
// it: then resume goes on.
func (w *world) applyAnew(args ...string) {
	w.t.Helper()
	p := w.begin(reader, append([]string{"plan", "--detailed-exitcode"}, args...)...).wait()
	r := w.begin(applier, append([]string{"apply", "--auto-approve", "--retry"}, args...)...).wait()
	switch {
	case r.code == 6 && p.code == 0:
		r.has(w.t, "has not come to a good end")
		w.hubcap(applier, 0, "resume")
		w.hubcap(applier, 0, append([]string{"apply", "--auto-approve", "--retry"}, args...)...)
	case r.code != 0:
		w.t.Fatalf("after %s: %s", p, r)
	}
}

// TestKilledWhileMaking kills the very first apply, and one in the middle of an
// operation on a node pool.
func TestKilledWhileMaking(t *testing.T) {
	w := newParts(t, "making")
	w.proxy = newProxy(t)
	random := seeded(t)
	w.run("rollback of the first apply", func(t *testing.T) {
		w.killedAt(2+random.IntN(4), of(1))
		w.hubcap(applier, 0, "rollback", "--auto-approve")
		w.isAt(0)
	})
	w.run("in the middle of making a pool", func(t *testing.T) {
		w.killedInOperation(t, "POST", "nodePools$", 1)
		w.hubcap(applier, 0, "resume")
		w.isAt(1)
	})
	w.run("in the middle of changing a pool", func(t *testing.T) {
		w.killedInOperation(t, "PUT", "nodePools/", 2)
		w.hubcap(applier, 0, "rollback", "--auto-approve")
		w.isAt(1)
	})
}

// killedInOperation kills an apply while GKE is at an operation that it began, and
// lets the operation end afterwards.
func (w *world) killedInOperation(t *testing.T, method, path string, version int) {
	t.Helper()
	inject(t, fault{Method: method, Path: path, Kind: "stuck"})
	p := w.begin(applier, "apply", "--auto-approve", "--retry", of(version))
	await(t, soon, "the operation", func() string {
		if operations(t)["RUNNING"] > 0 {
			return ""
		}
		select {
		case <-p.done:
			t.Fatalf("ended early: %s", p.result())
		default:
		}
		return "no operation runs"
	})
	p.kill()
	emulator(t, "DELETE", "/_emulator/faults", nil)
	emulator(t, "POST", "/_emulator/release", nil)
}
