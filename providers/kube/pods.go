package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"

	"hubcap/engine/resource"
)

const (
	scaleUpPatience = time.Minute // for the autoscaler to react to a pod that fits nowhere
	logLines        = 10
	eventLines      = 5
)

// A cause is why a pod does not come up.
type cause struct {
	pod       *corev1.Pod
	container string
	reason    string
	terminal  bool // waiting does not help
}

// hopelessWaits are the reasons of a waiting container that do not pass by
// waiting. CrashLoopBackOff is judged apart.
var hopelessWaits = map[string]bool{
	"ImagePullBackOff": true, "ErrImagePull": true, "InvalidImageName": true, "ErrImageNeverPull": true,
	"CreateContainerConfigError": true, "CreateContainerError": true, "RunContainerError": true,
}

// firstCause returns the worst visible trouble of the pods; nil when there is
// none.
func (p *Provider) firstCause(ctx context.Context, pods []corev1.Pod) *cause {
	var first *cause
	for i := range pods {
		c := containerCause(&pods[i])
		if c == nil {
			c = p.schedulingCause(ctx, &pods[i])
		}
		if c != nil && (first == nil || c.terminal && !first.terminal) {
			first = c
		}
	}
	return first
}

// containerCause looks at the containers. One crash may be a race with what the
// pod depends on; the second is the pod's own.
func containerCause(pod *corev1.Pod) *cause {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		waiting := c.State.Waiting
		if waiting == nil {
			continue
		}
		reason := waiting.Reason
		if waiting.Message != "" {
			reason += ": " + waiting.Message
		}
		switch {
		case hopelessWaits[waiting.Reason]:
			return &cause{pod: pod, container: c.Name, reason: fmt.Sprintf("container %s: %s (image %s)", c.Name, reason, c.Image), terminal: true}
		case waiting.Reason == "CrashLoopBackOff":
			return &cause{pod: pod, container: c.Name, reason: fmt.Sprintf("container %s: %s%s", c.Name, reason, lastExit(c)), terminal: c.RestartCount >= 2}
		}
	}
	return nil
}

func lastExit(c corev1.ContainerStatus) string {
	t := c.LastTerminationState.Terminated
	if t == nil {
		return ""
	}
	return fmt.Sprintf(", %d restarts, last exit %d (%s)", c.RestartCount, t.ExitCode, t.Reason)
}

// schedulingCause is terminal only when the autoscaler had its time and did
// nothing.
func (p *Provider) schedulingCause(ctx context.Context, pod *corev1.Pod) *cause {
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodScheduled || c.Status != corev1.ConditionFalse || c.Reason != corev1.PodReasonUnschedulable {
			continue
		}
		found := &cause{pod: pod, reason: "Unschedulable: " + c.Message}
		if p.now().Sub(c.LastTransitionTime.Time) < scaleUpPatience {
			return found
		}
		for _, e := range p.events(ctx, pod.Namespace, string(pod.UID)) {
			if e.Reason == "TriggeredScaleUp" {
				found.reason += "; nodes are being added"
				return found
			}
		}
		found.terminal = true
		found.reason += fmt.Sprintf("; no nodes were added within %s", scaleUpPatience)
		return found
	}
	return nil
}

// events returns the events about one object, the oldest first. What cannot be
// read is left out: events only explain.
func (p *Provider) events(ctx context.Context, namespace, uid string) []corev1.Event {
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	list, err := p.Client.Typed.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("involvedObject.uid", uid).String(),
	})
	if err != nil {
		return nil
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	return list.Items
}

func eventTime(e corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

// refusedPods adds to h why no pods could be made at all: a quota, an admission
// policy.
func (p *Provider) refusedPods(ctx context.Context, live *unstructured.Unstructured, h *resource.Health) {
	message := failedCreateCondition(live)
	if message == "" && live.GroupVersionKind().GroupKind() != deploymentKind {
		since := p.now().Add(-scaleUpPatience)
		for _, e := range p.events(ctx, live.GetNamespace(), string(live.GetUID())) {
			if e.Reason == "FailedCreate" && eventTime(e).After(since) {
				message = e.Message
			}
		}
	}
	if message == "" {
		return
	}
	h.Reason = "pods are refused: " + message
	// A missing service account may be on its way; a quota is not.
	h.Terminal = strings.Contains(message, "exceeded quota") ||
		strings.Contains(message, "forbidden") && !strings.Contains(message, "not found")
}

func failedCreateCondition(live *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		if m["type"] == "ReplicaFailure" && m["status"] == "True" {
			message, _ := m["message"].(string)
			return message
		}
	}
	return ""
}

// podDetails returns the last events and, as far as they can be had, the last log
// lines of a pod. container may be empty: then it is the first one that is not
// ready.
func (p *Provider) podDetails(ctx context.Context, pod *corev1.Pod, container string) []string {
	var details []string
	events := p.events(ctx, pod.Namespace, string(pod.UID))
	for _, e := range events[max(0, len(events)-eventLines):] {
		details = append(details, fmt.Sprintf("event %s %s: %s", e.Type, e.Reason, e.Message))
	}
	details = slices.Compact(details)
	if container == "" {
		container = unreadyContainer(pod)
	}
	for _, line := range p.logs(ctx, pod, container) {
		details = append(details, "log "+container+": "+line)
	}
	return details
}

// logs returns the last lines of the container's present run or, when it has
// none, of its last one.
func (p *Provider) logs(ctx context.Context, pod *corev1.Pod, container string) []string {
	if container == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, detailTimeout)
	defer cancel()
	for _, previous := range []bool{restarted(pod, container), false} {
		tail := int64(logLines)
		options := &corev1.PodLogOptions{Container: container, TailLines: &tail, Previous: previous}
		text, err := p.Client.Typed.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(ctx)
		if err == nil && len(text) > 0 {
			lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
			return lines[max(0, len(lines)-logLines):]
		}
	}
	return nil
}

func restarted(pod *corev1.Pod, container string) bool {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c.Name == container {
			return c.State.Running == nil && c.LastTerminationState.Terminated != nil
		}
	}
	return false
}

func unreadyContainer(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		if !c.Ready {
			return c.Name
		}
	}
	return ""
}

// firstUnready returns the first pod that is not ready, or is on its way out; nil
// when there is none.
func firstUnready(pods []corev1.Pod) *corev1.Pod {
	for i := range pods {
		if !isReady(&pods[i]) {
			return &pods[i]
		}
	}
	return nil
}

func isReady(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// waitingText says in a few words what a pod waits for.
func waitingText(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return "ends"
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c.State.Waiting != nil && c.State.Waiting.Reason != "" {
			return "container " + c.Name + ": " + c.State.Waiting.Reason
		}
	}
	if name := unreadyContainer(pod); name != "" {
		return "container " + name + " is not ready"
	}
	return "is " + strings.ToLower(string(pod.Status.Phase))
}

// podsText counts pods in words.
func podsText(n int) string {
	if n == 1 {
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}
