//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fleet is four hubs that are rolled out in three waves.
const fleet = `
hubcap {
  name              = "waves"
  journal_namespace = "waves"
}

cluster "c" {}

variable "image" {
  default = "registry.example.org/hub:1"
}

variable "canary" {
  default = ""
}

hub "wave" {
  for_each  = ["a", "b", "c", "d"]
  chart     = "builtin:jupyterhub"
  namespace = "waves-${each.key}"
  labels    = each.key == "a" ? { tier = "canary" } : { tier = "production" }

  images = {
    hub = each.key == "a" && var.canary != "" ? var.canary : var.image
  }
}

gate "alive" {
  bake     = "2s"
  interval = "1s"

  pods {
    max_restarts = 0
  }
}

rollout "fleet" {
  order        = [{ labels = { tier = "canary" } }, "50%", "rest"]
  max_parallel = 2
  components   = ["hub", "proxy"]
  gates        = [gate.alive]
  step_timeout = "45s"
}
`

const frozen = `
guard "exams" {
  max_wait = "1m"
  interval = "1s"

  freeze {
    from   = "2020-01-01T00:00:00Z"
    until  = "%s"
    reason = "exams"
  }
}
`

const crowded = `
guard "people" {
  max_wait = "1s"
  interval = "1s"

  sessions {
    max = 0
  }
}

guard "room" {
  level = "hard"
  capacity {}
}
`

// TestStagedRollout rolls four hubs out: a canary, half of the others, the rest.
func TestStagedRollout(t *testing.T) {
	w := newWorld(t, "waves", "waves", map[string]string{"main.hcl": fleet})
	image := func(version string) string { return "--var=image=registry.example.org/hub:" + version }
	w.hubcap(applier, 0, "apply", "--auto-approve", image("1"))
	w.hubsRun(t, "1111")

	w.run("canary fails", func(t *testing.T) {
		w.hubcap(reader, 0, "plan", image("2")).has(t,
			"1. tier=canary: hub.wave[\"a\"]", "2. 50%: hub.wave[\"b\"], hub.wave[\"c\"]", "2 at once", "gates alive · bakes", "3. rest: hub.wave[\"d\"]")
		before := hubGenerations(t)
		r := w.hubcap(applier, 4, "apply", "--auto-approve", image("2"), "--var=canary=registry.example.org/hub:crash-1")
		r.has(t, `hub.wave["a"]/hub rolled back`, "CrashLoopBackOff")
		w.hubsRun(t, "1111")
		after := hubGenerations(t)
		for _, hub := range []string{"b", "c", "d"} {
			if before[hub] != after[hub] || strings.Contains(r.err, fmt.Sprintf(`hub.wave["%s"]/hub applying`, hub)) {
				t.Errorf("hub %s was touched although the canary failed", hub)
			}
		}
	})

	w.run("freeze holds", func(t *testing.T) {
		w.write("guards.hcl", fmt.Sprintf(frozen, "2099-01-01T00:00:00Z"))
		w.hubcap(reader, 0, "plan", image("2")).has(t, "held by guard.exams (soft): frozen until 2099-01-01 00:00 UTC: exams")
		w.hubcap(applier, 6, "apply", "--auto-approve", image("2")).has(t, "guard.exams: frozen until 2099-01-01", "hubcap resume")
		w.hubsRun(t, "1111")
		w.hubcap(applier, 64, "resume", image("2"), "--override=guard.exams")
		w.hubcap(applier, 0, "resume", image("2"), "--override=guard.exams", "--reason=agreed with the registrar").has(t, "guard.exams (overridden)")
		w.hubsRun(t, "2222")
		w.inOrder(t)
		w.hubcap(reader, 0, "history", w.runs()[len(w.runs())-1].ID).has(t, "guard.exams", "agreed with the registrar")
	})

	w.run("freeze ends", func(t *testing.T) {
		w.write("guards.hcl", fmt.Sprintf(frozen, time.Now().Add(20*time.Second).UTC().Format(time.RFC3339)))
		w.hubcap(applier, 0, "apply", "--auto-approve", image("3")).has(t, "waits since", "frozen until")
		w.hubsRun(t, "3333")
	})

	w.run("people hold", func(t *testing.T) {
		w.write("guards.hcl", crowded)
		site.sandbox.Apply(t, `
apiVersion: v1
kind: Pod
metadata: {name: jupyter-ada, namespace: waves-a, labels: {component: singleuser-server, app: jupyterhub}}
spec: {containers: [{name: notebook, image: "registry.example.org/notebook:1"}]}
`)
		w.hubcap(applier, 6, "apply", "--auto-approve", image("4")).has(t, "guard.people: 1 sessions, at most 0 are allowed")
		w.hubcap(applier, 9, "apply", "--auto-approve", image("4"), "--during-incident", "--reason=slow").has(t, "neither a revert")
		w.hubcap(applier, 0, "apply", "--auto-approve", image("2"), "--during-incident", "--reason=version 3 is slow").has(t, "guard.people (relaxed during the incident)")
		w.hubsRun(t, "2222")
	})
}

// hubsRun fails the test unless the four hubs run these versions.
func (w *world) hubsRun(t *testing.T, versions string) {
	t.Helper()
	for i, hub := range strings.Split("abcd", "") {
		d, err := site.admin.AppsV1().Deployments("waves-"+hub).Get(contextOf(t), "hub", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := "registry.example.org/hub:" + versions[i:i+1]
		if got := d.Spec.Template.Spec.Containers[0].Image; got != want || d.Status.ReadyReplicas != 1 {
			t.Errorf("hub %s runs %s with %d ready, want %s", hub, got, d.Status.ReadyReplicas, want)
		}
	}
}

func hubGenerations(t *testing.T) map[string]int64 {
	t.Helper()
	generations := map[string]int64{}
	for _, hub := range strings.Split("abcd", "") {
		d, err := site.admin.AppsV1().Deployments("waves-"+hub).Get(contextOf(t), "hub", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		generations[hub] = d.Generation
	}
	return generations
}

// inOrder fails the test unless the last run changed the canary first, b and c side
// by side then, and d last.
func (w *world) inOrder(t *testing.T) {
	t.Helper()
	runs := w.runs()
	began, ended := map[string]time.Time{}, map[string]time.Time{}
	for _, e := range runs[len(runs)-1].Entries {
		_, rest, isWave := strings.Cut(string(e.Step), `hub.wave["`)
		if !isWave {
			continue
		}
		hub := rest[:1]
		if _, seen := began[hub]; !seen && e.Mark == "applying" {
			began[hub] = e.Time
		}
		if e.Mark == "done" {
			ended[hub] = e.Time
		}
	}
	for _, pair := range []string{"ab", "ac", "bd", "cd"} {
		if first, then := pair[:1], pair[1:]; !began[then].After(ended[first]) {
			t.Errorf("hub %s began at %s, before hub %s was done at %s", then, began[then], first, ended[first])
		}
	}
	if !began["c"].Before(ended["b"]) {
		t.Errorf("hub c began at %s, when hub b was done at %s: they may be changed at once", began["c"], ended["b"])
	}
}
