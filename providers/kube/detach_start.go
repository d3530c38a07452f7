package kube

import (
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// A HandoverStart is how far the Job of a detached run has come.
type HandoverStart struct {
	Started bool   // its pod runs, or has run
	Failed  bool   // it gets no pod, or none that can run, unless somebody does something
	Reason  string // why it has not started
}

// How often the Job of a detached run is looked at, and for how long.
const (
	handoverEvery    = time.Second
	handoverPatience = 30 * time.Second
)

// handoverTroubles are the reasons for which a container waits until somebody does
// something.
var handoverTroubles = []string{
	"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
	"RegistryUnavailable", "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff",
}

// AwaitStart waits until the Job that Hand made has started, until it is known why it
// does not, or for half a minute: pods may have to wait for a node.
func (c *Client) AwaitStart(ctx context.Context, h Handover) (HandoverStart, error) {
	deadline := time.Now().Add(handoverPatience)
	for {
		start, err := c.handoverStart(ctx, h)
		if err != nil || start.Started || start.Failed || !time.Now().Add(handoverEvery).Before(deadline) {
			return start, err
		}
		select {
		case <-ctx.Done():
			return start, ctx.Err()
		case <-time.After(handoverEvery):
		}
	}
}

func (c *Client) handoverStart(ctx context.Context, h Handover) (HandoverStart, error) {
	name := "hubcap-run-" + h.Run
	job, err := c.Typed.BatchV1().Jobs(h.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return HandoverStart{}, fmt.Errorf("look at job %s/%s: %w", h.Namespace, name, err)
	}
	pods, err := c.Typed.CoreV1().Pods(h.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "hubcap.dev/run=" + h.Run})
	if err != nil {
		return HandoverStart{}, fmt.Errorf("look at the pods of job %s/%s: %w", h.Namespace, name, err)
	}
	if job.Status.Succeeded+job.Status.Failed > 0 {
		return HandoverStart{Started: true}, nil
	}
	if i := slices.IndexFunc(job.Status.Conditions, isJobFailure); i >= 0 {
		return HandoverStart{Failed: true, Reason: reasonOf(job.Status.Conditions[i].Reason, job.Status.Conditions[i].Message)}, nil
	}
	start := HandoverStart{Reason: "its job has no pod yet"}
	for i := range pods.Items {
		if start = podStart(&pods.Items[i]); start.Started {
			return start, nil
		}
	}
	if len(pods.Items) == 0 {
		return c.noPod(ctx, h.Namespace, name, start), nil
	}
	return start, nil
}

func isJobFailure(c batchv1.JobCondition) bool {
	return (c.Type == batchv1.JobFailed || c.Type == batchv1.JobFailureTarget) && c.Status == corev1.ConditionTrue
}

// podStart is how far a pod has come.
func podStart(p *corev1.Pod) HandoverStart {
	for _, status := range p.Status.ContainerStatuses {
		w := status.State.Waiting
		switch {
		case status.State.Running != nil, status.State.Terminated != nil, status.RestartCount > 0:
			return HandoverStart{Started: true}
		case w != nil && slices.Contains(handoverTroubles, w.Reason):
			return HandoverStart{Failed: true, Reason: "its container cannot start: " + reasonOf(w.Reason, w.Message)}
		}
	}
	if p.Status.Phase == corev1.PodRunning || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return HandoverStart{Started: true}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return HandoverStart{Reason: "its pod waits for a node: " + reasonOf(c.Reason, c.Message)}
		}
	}
	return HandoverStart{Reason: "its pod has not started yet"}
}

// noPod says why a Job has no pod, as far as its events tell: a quota, an admission
// plugin, a missing service account. Who may not read events learns less.
func (c *Client) noPod(ctx context.Context, namespace, job string, start HandoverStart) HandoverStart {
	selector := fields.Set{"involvedObject.kind": "Job", "involvedObject.name": job}.AsSelector().String()
	events, err := c.Typed.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		start.Reason += fmt.Sprintf(" (its events could not be read: %v)", err)
		return start
	}
	for _, e := range slices.Backward(events.Items) {
		if e.InvolvedObject.Name == job && e.Type == corev1.EventTypeWarning && e.Reason == "FailedCreate" {
			return HandoverStart{Failed: true, Reason: "its job gets no pod: " + e.Message}
		}
	}
	return start
}

func reasonOf(reason, message string) string {
	if message == "" {
		return reason
	}
	return reason + ": " + message
}
