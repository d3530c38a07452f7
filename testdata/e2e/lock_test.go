//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// slow is a config whose only Deployment takes as long to become ready as its
// variable says.
const slow = `
hubcap {
  name              = "%[1]s"
  journal_namespace = "%[1]s"
}

variable "takes" {
  default = "1s"
}

cluster "c" {}

manifest "first" {
  objects = [
    { apiVersion = "v1", kind = "Namespace", metadata = { name = "%[1]s-app" } },
    {
      apiVersion = "apps/v1"
      kind       = "Deployment"
      metadata   = { name = "slow", namespace = "%[1]s-app" }
      spec = {
        selector = { matchLabels = { app = "slow" } }
        template = {
          metadata = { labels = { app = "slow" }, annotations = { "sandbox.hubcap.dev/ready-after" = var.takes } }
          spec     = { containers = [{ name = "slow", image = "example.org/slow:1" }] }
        }
      }
    },
  ]
}

manifest "second" {
  namespace = "%[1]s-app"
  object    = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "second" }, data = { takes = var.takes } }
}

rollout "all" {
  order        = [manifest.first, manifest.second]
  step_timeout = "50s"
}
`

func newSlow(t *testing.T, name string) *world {
	t.Helper()
	return newWorld(t, name, name, map[string]string{"main.hcl": fmt.Sprintf(slow, name)})
}

// TestTwoAtOnce begins a second apply while one runs: it exits 8 once it has seen that the
// lock is renewed, and says who holds it. Afterwards the lock is free.
func TestTwoAtOnce(t *testing.T) {
	w := newSlow(t, "lock")
	first := w.begin(applier, "apply", "--auto-approve", "--var=takes=45s")
	first.says("converging")
	r := w.hubcap(applier, 8, "apply", "--auto-approve", "--var=takes=2s")
	lease, err := site.admin.CoordinationV1().Leases("hubcap").Get(t.Context(), "hubcap", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	r.has(t, "held by", "@"+host, w.runs()[0].ID)
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		t.Errorf("the lease names no holder: %v", lease.Spec)
	}
	w.hubcap(applier, 8, "rollback", "--auto-approve")
	w.hubcap(reader, 0, "status") // looking is free
	waiting := w.begin(applier, "apply", "--auto-approve", "--var=takes=1s", "--lock-timeout=1m")
	waiting.says("held by")
	if r := first.wait(); r.code != 0 {
		t.Errorf("the first: %s", r)
	}
	// What the second planned on was changed by the first meanwhile.
	if r := waiting.wait(); r.code != 7 && r.code != 0 {
		t.Errorf("the one that waited: %s", r)
	}
	w.hubcap(applier, 0, "apply", "--auto-approve", "--var=takes=1s")
	w.hubcap(reader, 0, "plan", "--detailed-exitcode", "--var=takes=1s")
}

// TestInterrupted stops an apply with Ctrl-C: it ends at the edge of its step with
// 130, and resume does the rest.
func TestInterrupted(t *testing.T) {
	w := newSlow(t, "interrupt")
	p := w.begin(applier, "apply", "--auto-approve", "--var=takes=8s")
	p.says("converging")
	p.interrupt()
	p.says("interrupted: no new step begins")
	r := p.wait()
	if r.code != 130 {
		t.Fatalf("exit code %d, want 130: %s", r.code, r)
	}
	r.has(t, "hubcap resume "+w.runs()[0].ID)
	if _, err := site.admin.CoreV1().ConfigMaps("interrupt-app").Get(t.Context(), "second", metav1.GetOptions{}); err == nil {
		t.Errorf("the second step was begun after the interrupt: %s", r)
	}
	w.hubcap(reader, 0, "status").has(t, w.runs()[0].ID)
	w.hubcap(applier, 0, "resume").has(t, "Done")
	w.hubcap(reader, 0, "plan", "--detailed-exitcode", "--var=takes=8s")
	w.hubcap(applier, 0, "resume") // nothing is left to do
}

// TestInterruptedTwice stops an apply with Ctrl-C twice: it ends at once, and
// rollback takes back what was begun.
func TestInterruptedTwice(t *testing.T) {
	w := newSlow(t, "twice")
	w.hubcap(applier, 0, "apply", "--auto-approve", "--var=takes=0s")
	p := w.begin(applier, "apply", "--auto-approve", "--var=takes=1h")
	p.says("converging")
	p.interrupt()
	p.says("interrupted: no new step begins")
	p.interrupt()
	if r := p.wait(); r.code != 130 {
		t.Fatalf("exit code %d, want 130: %s", r.code, r)
	}
	w.hubcap(applier, 0, "rollback", "--auto-approve")
	w.hubcap(reader, 0, "plan", "--detailed-exitcode", "--var=takes=0s")
	if r := w.hubcap(reader, 0, "history"); strings.Count(r.out, "rollback") != 1 {
		t.Errorf("history: %s", r)
	}
}
