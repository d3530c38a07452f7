package kube

import (
	"strings"
	"testing"
	"testing/synctest"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

// TestAwaitStart holds that a Job which gets no pod, or none that can run, says so with
// the reason, and that one that may still start is not waited for without end.
func TestAwaitStart(t *testing.T) {
	pod := func(change func(*corev1.Pod)) runtime.Object {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "hubcap", Labels: map[string]string{"hubcap.dev/run": "a"}}}
		p.Status.Phase = corev1.PodPending
		change(p)
		return p
	}
	waiting := func(reason string) runtime.Object {
		return pod(func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "no such image"}}}}
		})
	}
	event := func(message string) runtime.Object {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Name: "e", Namespace: "hubcap"}, InvolvedObject: corev1.ObjectReference{Kind: "Job", Name: "hubcap-run-a"},
			Type: corev1.EventTypeWarning, Reason: "FailedCreate", Message: message,
		}
	}
	job := func(c ...batchv1.JobCondition) runtime.Object {
		return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "hubcap-run-a", Namespace: "hubcap"}, Status: batchv1.JobStatus{Conditions: c}}
	}
	tests := map[string]struct {
		objects []runtime.Object
		want    HandoverStart // of Reason a part
	}{
		"runs": {[]runtime.Object{job(), pod(func(p *corev1.Pod) { p.Status.Phase = corev1.PodRunning })}, HandoverStart{Started: true}},
		"has ended": {[]runtime.Object{job(), pod(func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}}
		})}, HandoverStart{Started: true}},
		"image":        {[]runtime.Object{job(), waiting("ImagePullBackOff")}, HandoverStart{Failed: true, Reason: "ImagePullBackOff: no such image"}},
		"config":       {[]runtime.Object{job(), waiting("CreateContainerConfigError")}, HandoverStart{Failed: true, Reason: "CreateContainerConfigError"}},
		"begins":       {[]runtime.Object{job(), waiting("ContainerCreating")}, HandoverStart{Reason: "has not started yet"}},
		"quota":        {[]runtime.Object{job(), event("exceeded quota: compute")}, HandoverStart{Failed: true, Reason: "exceeded quota"}},
		"account":      {[]runtime.Object{job(), event(`serviceaccount "hubcap" not found`)}, HandoverStart{Failed: true, Reason: "not found"}},
		"nothing told": {[]runtime.Object{job()}, HandoverStart{Reason: "no pod yet"}},
		"failed": {[]runtime.Object{job(batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "DeadlineExceeded"})},
			HandoverStart{Failed: true, Reason: "DeadlineExceeded"}},
		"no room": {[]runtime.Object{job(), pod(func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes"}}
		})}, HandoverStart{Reason: "waits for a node: Unschedulable: 0/3 nodes"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{Typed: fake.NewClientset(test.objects...)}
				got, err := c.AwaitStart(t.Context(), Handover{Run: "a", Namespace: "hubcap"})
				if err != nil || got.Started != test.want.Started || got.Failed != test.want.Failed || !strings.Contains(got.Reason, test.want.Reason) {
					t.Errorf("AwaitStart = %+v, %v; want %+v", got, err, test.want)
				}
			})
		})
	}
	if got, err := (&Client{Typed: fake.NewClientset()}).AwaitStart(t.Context(), Handover{Run: "a", Namespace: "hubcap"}); err == nil {
		t.Errorf("AwaitStart of no job = %+v, want an error", got)
	}
}
