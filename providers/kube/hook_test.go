package kube

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// TestJudgeHook checks what counts as this run's hook, as an earlier one's, and as
// somebody else's object.
func TestJudgeHook(t *testing.T) {
	p := &Provider{Owner: "mine", Seals: fakeSeals{}, signing: fakeKey}
	id := resource.ID{Group: "batch", Kind: "Job", Name: "x"}
	ctx := run.WithID(context.Background(), "run-2")
	live := func(edit func(u *unstructured.Unstructured)) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "batch/v1", "kind": "Job", "metadata": map[string]any{"name": "x", "uid": "u", "resourceVersion": "7"}}}
		u.SetLabels(map[string]string{LabelConfig: "mine"})
		u.SetAnnotations(map[string]string{resource.AnnotationHook: "pre-upgrade", AnnotationApplied: `{"digest":"d","run":"run-2"}`})
		u.SetManagedFields([]metav1.ManagedFieldsEntry{fieldsEntry(t, "hubcap", metav1.ManagedFieldsOperationApply, fieldpath.NewSet())})
		if edit != nil {
			edit(u)
		}
		if err := p.sealed(ctx, id, u.Object); err != nil {
			t.Fatal(err)
		}
		return u
	}
	note := func(key, value string) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) {
			notes := u.GetAnnotations()
			notes[key] = value
			u.SetAnnotations(notes)
		}
	}
	copied := func(u *unstructured.Unstructured) *unstructured.Unstructured {
		u.SetName("y") // the seal is of x
		return u
	}
	helms := func(u *unstructured.Unstructured) {
		u.SetLabels(nil)
		u.SetAnnotations(map[string]string{annotationHelmHook: "pre-upgrade"})
	}
	going := func(u *unstructured.Unstructured) {
		now := metav1.Now()
		u.SetDeletionTimestamp(&now)
	}
	for _, test := range []struct {
		reason string
		action resource.Action
		live   *unstructured.Unstructured
		want   run.State
		moved  string
	}{
		{"nothing is there to run", resource.Create, nil, run.AtBefore, ""},
		{"nothing is there to delete", resource.Delete, nil, run.AtAfter, ""},
		{"this run made it", resource.Create, live(nil), run.AtAfter, ""},
		{"this run made it, and it is to go", resource.Delete, live(nil), run.AtBefore, ""},
		{"somebody made one that says so, to keep the hook from running", resource.Create, copied(live(nil)), run.AtBefore, ""},
		{"somebody made one with our label", resource.Create, live(func(u *unstructured.Unstructured) { u.SetManagedFields(nil) }), run.Elsewhere, "is no hook's"},
		{"an earlier run made one just like it", resource.Create, live(note(AnnotationApplied, `{"digest":"d","run":"run-1"}`)), run.AtBefore, ""},
		{"this run made it for another event", resource.Create, live(note(resource.AnnotationHook, "post-upgrade")), run.AtBefore, ""},
		{"it is being deleted, to be made anew", resource.Create, live(going), run.AtBefore, ""},
		{"it is being deleted, as it should", resource.Delete, live(going), run.AtAfter, ""},
		{"Helm left it", resource.Create, live(helms), run.AtBefore, ""},
		{"somebody's own", resource.Create, live(func(u *unstructured.Unstructured) { u.SetLabels(nil); u.SetAnnotations(nil) }), run.Elsewhere, "is no hook's"},
		{"somebody's own, to be deleted", resource.Delete, live(func(u *unstructured.Unstructured) { u.SetLabels(nil); u.SetAnnotations(nil) }), run.Elsewhere, "is no hook's"},
		{"an object that is kept", resource.Create, live(func(u *unstructured.Unstructured) { u.SetAnnotations(nil) }), run.Elsewhere, "is no hook's"},
		{"another config's hook", resource.Create, live(func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{LabelConfig: "theirs"}) }), run.Elsewhere, "config theirs"},
	} {
		change := resource.Change{Action: test.action, ID: id, Hook: &resource.Hook{Event: "pre-upgrade"}}
		got := p.judgeHook(ctx, change, test.live)
		if got.State != test.want || !strings.Contains(got.Moved, test.moved) {
			t.Errorf("%s: %+v, want state %d and %q", test.reason, got, test.want, test.moved)
		}
	}
	// Without a run there is nothing to tell an earlier one's from.
	change := resource.Change{Action: resource.Create, Hook: &resource.Hook{Event: "pre-upgrade"}}
	if got := p.judgeHook(context.Background(), change, live(note(AnnotationApplied, `{"digest":"d","run":""}`))); got.State != run.AtBefore {
		t.Errorf("a hook of no run = %+v, want it before", got)
	}
}

// TestPodEnd checks when a hook that is a pod has ended, and what is told of a bad
// end.
func TestPodEnd(t *testing.T) {
	pod := func(phase corev1.PodPhase, code int32) *corev1.Pod {
		p := podWith(corev1.ContainerStatus{})
		p.Status.Phase = phase
		if phase != corev1.PodRunning {
			p.Status.ContainerStatuses[0].State.Terminated = &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error", Message: "no such table"}
		}
		return p
	}
	evicted := pod(corev1.PodFailed, 0)
	evicted.Status.Reason, evicted.Status.Message = "Evicted", "the node was low on memory"
	for _, test := range []struct {
		reason          string
		pod             *corev1.Pod
		ready, terminal bool
		says            string
	}{
		{"runs and is ready, which is not enough", pod(corev1.PodRunning, 0), false, false, "it is Running"},
		{"succeeded", pod(corev1.PodSucceeded, 0), true, false, ""},
		{"failed", pod(corev1.PodFailed, 3), false, true, "container web exited with 3 (Error): no such table"},
		{"was evicted", evicted, false, true, "Evicted the node was low on memory"},
	} {
		h := podEnd(test.pod)
		if h.Ready != test.ready || h.Terminal != test.terminal || !strings.Contains(h.Reason+strings.Join(h.Details, " "), test.says) {
			t.Errorf("a pod that %s: %+v", test.reason, h)
		}
	}
	if got := endedBadly(pod(corev1.PodFailed, 3)); got != "web" {
		t.Errorf("ended badly: %q, want web", got)
	}
}
