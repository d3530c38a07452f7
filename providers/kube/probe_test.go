package kube

import (
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

func podWith(status corev1.ContainerStatus) *corev1.Pod {
	status.Name = "web"
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-1", UID: "web-1"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{status}}}
}

func waiting(reason string, restarts int32) corev1.ContainerStatus {
	return corev1.ContainerStatus{RestartCount: restarts, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
}

func TestContainerCause(t *testing.T) {
	for _, tc := range []struct {
		reason   string
		status   corev1.ContainerStatus
		says     string
		terminal bool
	}{
		{"runs", corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}, "", false},
		{"is being made", waiting("ContainerCreating", 0), "", false},
		{"cannot be pulled", waiting("ErrImagePull", 0), "ErrImagePull", true},
		{"lacks its secret", waiting("CreateContainerConfigError", 0), "CreateContainerConfigError", true},
		{"crashed once: what it depends on may have been late", waiting("CrashLoopBackOff", 1), "CrashLoopBackOff", false},
		{"crashed twice", waiting("CrashLoopBackOff", 2), "CrashLoopBackOff", true},
	} {
		c := containerCause(podWith(tc.status))
		if c == nil {
			if tc.says != "" {
				t.Errorf("a container that %s: no cause", tc.reason)
			}
			continue
		}
		if tc.says == "" || !strings.Contains(c.reason, tc.says) || c.terminal != tc.terminal {
			t.Errorf("a container that %s: %q, terminal %v", tc.reason, c.reason, c.terminal)
		}
	}
}

// Kubernetes gives a rollout ten minutes unless the author says otherwise. Only a
// deadline of the author's own ends a step before its time.
func TestProgressDeadline(t *testing.T) {
	live := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "hub", "namespace": "prod", "generation": int64(1)},
		"spec":     map[string]any{"replicas": int64(1), "progressDeadlineSeconds": int64(600)},
		"status": map[string]any{"observedGeneration": int64(1), "replicas": int64(1), "conditions": []any{
			map[string]any{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "hub has timed out progressing"},
		}},
	}}
	result, err := status.Compute(live)
	if err != nil || result.Status != status.FailedStatus {
		t.Fatalf("the status library says %v, %v", result, err)
	}
	for _, tc := range []struct {
		reason   string
		wanted   resource.Object
		terminal bool
	}{
		{"nobody wrote a deadline", resource.Object{"spec": map[string]any{"replicas": int64(1)}}, false},
		{"the author wrote one", resource.Object{"spec": map[string]any{"progressDeadlineSeconds": int64(600)}}, true},
	} {
		w, err := offline().workload(live, tc.wanted)
		if err != nil {
			t.Fatal(err)
		}
		h, err := w.settled(t.Context(), result, nil, nil)
		if err != nil || h.Ready || h.Terminal != tc.terminal || h.Reason == "" {
			t.Errorf("%s: %+v, %v; want terminal %v", tc.reason, h, err, tc.terminal)
		}
	}
}

func TestRestartsSince(t *testing.T) {
	p := offline()
	component := resource.Component{Name: "web"}
	p.noteBegan(component)
	began := metav1.NewTime(appliedAt)
	old := podWith(corev1.ContainerStatus{RestartCount: 5})
	old.CreationTimestamp = metav1.NewTime(appliedAt.Add(-time.Hour))
	crashed := podWith(corev1.ContainerStatus{RestartCount: 3, LastTerminationState: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(appliedAt.Add(time.Minute))},
	}})
	crashed.UID, crashed.CreationTimestamp = "web-2", old.CreationTimestamp
	fresh := podWith(corev1.ContainerStatus{RestartCount: 2})
	fresh.UID, fresh.CreationTimestamp = "web-3", began
	pods := []corev1.Pod{*old, *crashed, *fresh}
	if n, _ := p.restartsSince(run.Question{Component: component}, pods); n != 3 {
		t.Errorf("%d restarts, want the 1 that was seen of the old pod and the 2 of the new one", n)
	}
	pods[0].Status.ContainerStatuses[0].RestartCount = 7
	if n, worst := p.restartsSince(run.Question{Component: component}, pods); n != 5 || worst == "" {
		t.Errorf("%d restarts (%q), want 2 more", n, worst)
	}
	p.noteBegan(component) // the rollback of the same component
	if n, _ := p.restartsSince(run.Question{Component: component}, pods[:1]); n != 0 {
		t.Errorf("%d restarts in a new step", n)
	}
	another := offline() // a process that goes on with the run, or tries a gate, wrote nothing
	another.Now = func() time.Time { return appliedAt.Add(time.Hour) }
	for _, test := range []struct {
		reason string
		began  time.Time
		want   int
	}{
		{"from when the step began", appliedAt, 3},
		{"not from before that", appliedAt.Add(2 * time.Minute), 0},
	} {
		another.restart = nil
		if n, _ := another.restartsSince(run.Question{Component: component, Began: test.began}, []corev1.Pod{*crashed, *fresh}); n != test.want {
			t.Errorf("%s: %d restarts, want %d", test.reason, n, test.want)
		}
	}
}

// TestRestartsOfBatch asks about a whole block, whose components were written one
// after the other.
func TestRestartsOfBatch(t *testing.T) {
	p := offline()
	block := resource.Address{Kind: "hub", Name: "prod"}
	batch := resource.Component{Block: block}
	for _, name := range []string{"hub", "proxy"} {
		p.noteBegan(resource.Component{Block: block, Name: name})
	}
	p.Now = func() time.Time { return appliedAt.Add(time.Minute) } // when the bake begins
	crashed := podWith(corev1.ContainerStatus{RestartCount: 2})
	crashed.CreationTimestamp = metav1.NewTime(appliedAt.Add(time.Second))
	pods := []corev1.Pod{*crashed}
	if n, _ := p.restartsSince(run.Question{Component: batch}, pods); n != 2 {
		t.Errorf("%d restarts, want the 2 before the bake", n)
	}
	p.noteBegan(resource.Component{Block: block, Name: "hub"}) // the rollback
	if n, _ := p.restartsSince(run.Question{Component: batch}, pods); n != 0 {
		t.Errorf("%d restarts in a new step", n)
	}
	other := resource.Address{Kind: "hub", Name: "other"}
	for _, tc := range []struct {
		asked, of resource.Component
		want      bool
	}{
		{batch, resource.Component{Block: block, Name: "proxy"}, true},
		{batch, resource.Component{Block: other, Name: "proxy"}, false},
		{resource.Component{Block: block, Name: "hub"}, resource.Component{Block: block, Name: "proxy"}, false},
	} {
		if got := asksFor(tc.asked, tc.of); got != tc.want {
			t.Errorf("a question about %s is about %s: %v", tc.asked, tc.of, got)
		}
	}
}

func TestVerdict(t *testing.T) {
	check := plan.PodsCheck{MaxRestarts: 2, MaxPending: 1}
	for _, tc := range []struct {
		restarts, pending int
		want              run.Verdict
	}{{0, 0, run.Pass}, {2, 1, run.Pass}, {3, 0, run.Fail}, {0, 2, run.Fail}} {
		if s := judgePods(check, podCount{of: "3 pods", restarts: tc.restarts, pending: tc.pending}); s.Verdict != tc.want || s.Reason == "" {
			t.Errorf("%d restarts, %d pending: %+v", tc.restarts, tc.pending, s)
		}
	}
}

func invalid(causes ...metav1.StatusCause) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: 422, Reason: metav1.StatusReasonInvalid, Details: &metav1.StatusDetails{Causes: causes},
	}}
}

func TestImmutable(t *testing.T) {
	p := offline()
	live := stored(t, p, webDesired(t))
	d := webDesired(t, "app: web", "app: other", "web:1", "web:2")
	d.Object = p.prepare(d)
	c := &comparison{p: p, desired: d, live: live}
	c.measure()
	for _, tc := range []struct {
		reason string
		err    error
		want   string
	}{
		{"a field is named", invalid(metav1.StatusCause{Field: "spec.selector", Message: "Invalid value: {}: field is immutable"}), "spec.selector"},
		{"the whole spec is named", invalid(metav1.StatusCause{Field: "spec", Message: "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden"}), "spec.selector"},
		{"another refusal is among them", invalid(
			metav1.StatusCause{Field: "spec.selector", Message: "field is immutable"},
			metav1.StatusCause{Field: "spec.replicas", Message: "must be greater than or equal to 0"}), ""},
		{"it is only invalid", invalid(metav1.StatusCause{Field: "spec.replicas", Message: "must be greater than or equal to 0"}), ""},
		{"it is no refusal of fields", apierrors.NewConflict(schema.GroupResource{Resource: "deployments"}, "web", nil), ""},
	} {
		fields, ok := c.immutable(tc.err)
		if got := strings.Join(fields, ","); got != tc.want || ok != (tc.want != "") {
			t.Errorf("%s: %q, %v", tc.reason, got, ok)
		}
	}
}

// A guess shows what differs, and not how the config spells the rest.
func TestGuess(t *testing.T) {
	p := offline()
	live := stored(t, p, webDesired(t))
	setContainer(live, "imagePullPolicy", "Always")
	d := webDesired(t, "web:1", "web:2", "replicas: 1", "minReadySeconds: 5")
	d.Object = p.prepare(d)
	c := &comparison{p: p, desired: d, live: live, kind: &kind{}}
	c.measure()
	want := c.part(live)
	delete(want["spec"].(map[string]any), "replicas")
	want.Set(int64(5), "spec", "minReadySeconds")
	containers, _ := want.Value("spec", "template", "spec", "containers")
	containers.([]any)[0].(map[string]any)["image"] = "example.org/web:2"
	if got := c.merged(); !resource.Equal(map[string]any(got), map[string]any(want)) {
		t.Errorf("guessed %v\nwant %v", got, want)
	}
}

func TestWorkloadOwns(t *testing.T) {
	yes := true
	owned := func(kind, name string, uid types.UID) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: name, UID: uid, Controller: &yes}}}}
	}
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetName("web")
	u.SetUID("1")
	deployment := &workload{object: u, kind: deploymentKind}
	set := &workload{object: u, kind: statefulSetKind}
	for _, tc := range []struct {
		reason string
		w      *workload
		pod    *corev1.Pod
		owns   bool
	}{
		{"through its replica set", deployment, owned("ReplicaSet", "web-5d4", "9"), true},
		{"another's with the same labels", deployment, owned("ReplicaSet", "api-5d4", "9"), false},
		{"a pod made by hand", deployment, &corev1.Pod{}, false},
		{"directly", set, owned("StatefulSet", "web", "1"), true},
		{"an earlier set of the same name", set, owned("StatefulSet", "web", "0"), false},
	} {
		if got := tc.w.owns(tc.pod); got != tc.owns {
			t.Errorf("%s: %v", tc.reason, got)
		}
	}
}
