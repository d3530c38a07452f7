//go:build e2e

package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// nodes makes the nodes that the pods of these tests run on.
func (b *bench) nodes() *bench {
	b.t.Helper()
	b.sandbox.Apply(b.t, `
apiVersion: v1
kind: Node
metadata: {name: kube-node, labels: {kubernetes.io/hostname: kube-node}}
`)
	return b
}

const webDeployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: %[2]d
  progressDeadlineSeconds: 600
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {checksum/config: "%[3]s"}}
    spec: {containers: [{name: web, image: "example.org/web:%[1]s"}]}`

func deploymentOf(tag string, replicas int, checksum string) string {
	return fmt.Sprintf(webDeployment, tag, replicas, checksum)
}

func isTerminal(h resource.Health) bool { return h.Terminal }

func TestRollout(t *testing.T) {
	b := newBench(t).makeNamespace().nodes()
	first := b.apply(b.desire("web", deploymentOf("1", 2, "a")))
	b.await(first, isSettled)

	// The new template has the same images and another checksum.
	second := b.apply(b.desire("web", deploymentOf("1", 2, "b")))
	b.await(second, isSettled)
	if out := b.kubectl("get", "pods", "-l", "app=web", "-o", `jsonpath={.items[*].metadata.annotations.checksum/config}`); out != "b b" {
		t.Errorf("settled with pods of checksums %q", out)
	}
	third := b.apply(b.desire("web", deploymentOf("notready", 2, "b")))
	seen := b.await(third, func(h resource.Health) bool {
		return strings.Contains(strings.Join(h.Details, ""), "container web is not ready")
	})
	if h := seen["Deployment/web"]; h.Ready || h.Terminal || h.Reason == "" {
		t.Errorf("a rollout that waits: %+v", h)
	}
}

// Pods of the old template that crash are no reason to give up the new one, even
// when the two templates have the same images and checksums.
func TestOldCrashesAreNotBlamed(t *testing.T) {
	b := newBench(t).makeNamespace().nodes()
	good := deploymentOf("1", 1, "a")
	bad := strings.Replace(good, "annotations: {", "annotations: {sandbox.hubcap.dev/fail-after: 100ms, ", 1)
	b.await(b.apply(b.desire("web", bad)), isTerminal)
	changes := b.apply(b.desire("web", good))
	b.await(changes, func(h resource.Health) bool {
		if h.Terminal {
			t.Errorf("the old pod is blamed: %+v", h)
		}
		return h.Ready || h.Terminal
	})
}

// Who looks at a change that somebody undid must not see it settled.
func TestUndoneIsNotSettled(t *testing.T) {
	b := newBench(t).makeNamespace().nodes()
	changes := b.apply(b.desire("web", deploymentOf("1", 1, "a")))
	b.await(changes, isSettled)
	b.kubectl("set", "image", "deployment/web", "web=example.org/web:other")
	b.await(changes, func(h resource.Health) bool {
		return !h.Ready && strings.Contains(h.Reason, "somebody changed the image")
	})
}

// A take-over restarts nothing, so what was in trouble before it is no reason to
// take it back: a hub whose pods do not come up, a job that failed. A change of
// the template is seen all the same.
func TestTakenOverIsNotBlamed(t *testing.T) {
	b := newBench(t).makeNamespace().nodes()
	const job = `
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: c, image: "example.org/c:fail"}]}}}`
	changes := b.apply(b.desire("web", deploymentOf("badimage", 1, "a")+job))
	b.await(changes, isTerminal)
	for i := range changes {
		changes[i].Class = resource.ClassAdopt
	}
	b.await(changes, isSettled)
	b.kubectl("set", "image", "deployment/web", "web=example.org/web:other")
	b.await(changes[:1], func(h resource.Health) bool { return !h.Ready })
}

func TestTerminalCauses(t *testing.T) {
	const set = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "example.org/web:%s"%s}]}}`
	const job = `apiVersion: batch/v1
kind: Job
metadata: {name: web}
spec:
  backoffLimit: 0
  template: {spec: {restartPolicy: Never, containers: [{name: web, image: "example.org/web:%s"}]}}`
	const quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none}\nspec: {hard: {pods: \"0\"}}\n---\n"
	for name, tc := range map[string]struct{ documents, want, detail, reason string }{
		"bad image":        {deploymentOf("badimage", 1, "a"), "ImagePullBackOff", "event Warning", "the registry will not get it by itself"},
		"crash":            {deploymentOf("crash", 1, "a"), "CrashLoopBackOff", "event Warning", "the second crash is the pod's own"},
		"bad image in set": {fmt.Sprintf(set, "badimage", ""), "ImagePullBackOff", "", "sets are like deployments"},
		"quota":            {quota + deploymentOf("1", 1, "a"), "exceeded quota", "", "no pod is made at all"},
		"quota for a set":  {quota + fmt.Sprintf(set, "1", ""), "exceeded quota", "", "a set tells it by events alone"},
		"failed job":       {fmt.Sprintf(job, "fail"), "the job failed", "", "backoffLimit is 0"},
		"fits on no node":  {fmt.Sprintf(set, "1", ", resources: {requests: {cpu: 5k}}"), "no nodes were added", "", "and no autoscaler works on it"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t).makeNamespace().nodes()
			if name == "fits on no node" { // let the minute pass
				b.p.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
			}
			changes := b.apply(b.desire("web", tc.documents))
			last := changes[len(changes)-1:]
			for _, c := range changes {
				if c.ID.Name == "web" {
					last = []resource.Change{c}
				}
			}
			for _, h := range b.await(last, isTerminal) {
				if !strings.Contains(h.Reason, tc.want) || h.Ready {
					t.Errorf("%s: %+v, want %q", tc.reason, h, tc.want)
				}
				if tc.detail != "" && !strings.Contains(strings.Join(h.Details, "\n"), tc.detail) {
					t.Errorf("details %q, want %q", h.Details, tc.detail)
				}
			}
		})
	}
}

// A pod that fits nowhere may be about to get a node.
func TestScaleUpIsWaitedFor(t *testing.T) {
	b := newBench(t).makeNamespace().nodes()
	changes := b.apply(b.desire("web", strings.Replace(deploymentOf("1", 1, "a"), `"example.org/web:1"`,
		`"example.org/web:1", resources: {requests: {cpu: 5k}}`, 1)))
	b.await(changes, func(h resource.Health) bool { return strings.Contains(h.Reason, "Unschedulable") && !h.Terminal })
	b.p.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	b.await(changes, isTerminal)
	pod := b.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name} {.items[0].metadata.uid}")
	podName, uid, _ := strings.Cut(pod, " ")
	b.sandbox.Apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Event
metadata: {name: scale-up, namespace: %s}
reason: TriggeredScaleUp
type: Normal
message: "pod triggered scale-up"
involvedObject: {kind: Pod, namespace: %[1]s, name: %s, uid: %s}
`, b.namespace, podName, uid))
	b.await(changes, func(h resource.Health) bool {
		return !h.Terminal && strings.Contains(h.Reason, "nodes are being added")
	})
}

func TestOthersSettle(t *testing.T) {
	b := newBench(t).makeNamespace().nodes()
	changes := b.apply(b.desire("web", `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: puller}
spec:
  selector: {matchLabels: {app: puller}}
  template: {metadata: {labels: {app: puller}}, spec: {tolerations: [{operator: Exists}], containers: [{name: c, image: "example.org/c:1"}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: set}
spec:
  serviceName: set
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: set}}
  template: {metadata: {labels: {app: set}}, spec: {containers: [{name: c, image: "example.org/c:1"}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: user-placeholder}
spec:
  serviceName: user-placeholder
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {component: user-placeholder}}
  template: {metadata: {labels: {component: user-placeholder}}, spec: {containers: [{name: pause, image: "example.org/pause:1", resources: {requests: {cpu: 5k}}}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "example.org/c:1"}]}}}
---
apiVersion: v1
kind: Service
metadata: {name: svc}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: db}
spec: {storageClassName: "", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: pdb}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: set}}}`))
	b.await(changes, isSettled)
	gone := b.changes(b.desire("web", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: db}\n"+
		"spec: {storageClassName: \"\", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"))
	for _, c := range gone {
		b.write(c)
	}
	b.await(gone, isSettled)
}

func TestSampler(t *testing.T) {
	b := newBench(t).makeNamespace().nodes()
	changes := b.apply(b.desire("web", deploymentOf("1", 1, "a")))
	b.await(changes, isSettled)
	component := changes[0].Component
	gate := plan.Gate{Name: "pods", Pods: &plan.PodsCheck{MaxRestarts: 1, MaxPending: 10}}
	sample := func(c resource.Component) run.Sample {
		t.Helper()
		s, err := b.p.Sample(t.Context(), run.Question{Gate: gate, Component: c})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := sample(component); s.Verdict != run.Pass {
		t.Errorf("quiet pods: %+v", s)
	}
	if s := sample(resource.Component{Block: component.Block, Name: "other"}); s.Verdict != run.Inconclusive {
		t.Errorf("a component without pods: %+v", s)
	}
	b.apply(b.desire("web", deploymentOf("crash", 1, "a")))
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(60 * time.Second)
	for s := sample(component); s.Verdict != run.Fail; s = sample(component) {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("crashing pods: %+v", s)
		}
	}
	gate.Pods = &plan.PodsCheck{Block: "hub.prod", MaxRestarts: 1000, MaxPending: 10}
	if s := sample(resource.Component{Block: component.Block, Name: "other"}); s.Verdict != run.Pass {
		t.Errorf("the whole block: %+v", s)
	}
}
