package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// annotationHelmHook is on every hook's object, whoever made it.
const annotationHelmHook = "helm.sh/hook"

// A hook's object is made anew each time, also when one just like it is there: what
// tells this run's from an earlier one's is the run noted beside it, and the event.

// judgeHook decides where the object of a hook stands. What an earlier run left, or
// Helm, counts as before. It makes no request.
func (p *Provider) judgeHook(ctx context.Context, change resource.Change, live *unstructured.Unstructured) run.Sight {
	goes := change.Action == resource.Delete
	if live == nil {
		if goes {
			return run.Sight{State: run.AtAfter}
		}
		return run.Sight{State: run.AtBefore}
	}
	s := run.Sight{State: run.AtBefore, Version: versionOf(live)}
	if why := p.noHook(live); why != "" {
		s.State, s.Moved = run.Elsewhere, why
		return s
	}
	last := applied(live)
	mine := last != nil && last.Run != "" && last.Run == run.ID(ctx) && live.GetAnnotations()[resource.AnnotationHook] == change.Hook.Event &&
		p.doubt(live, p.verifier()) == ""
	if live.GetDeletionTimestamp() != nil {
		if goes {
			s.State = run.AtAfter
		}
		return s
	}
	if mine && !goes {
		s.State = run.AtAfter
	}
	return s
}

// noHook returns why an object is not one that a hook of ours may delete, or "":
// hubcap or Helm made it as a hook, and no other config owns it.
func (p *Provider) noHook(live *unstructured.Unstructured) string {
	notes, owner := live.GetAnnotations(), live.GetLabels()[LabelConfig]
	switch {
	case owner != "" && owner != p.Owner:
		return "it belongs to the config " + owner
	case notes[resource.AnnotationHook] == "" && notes[annotationHelmHook] == "",
		owner == "" && notes[annotationHelmHook] == "", owner != "" && p.wroteAs(live) == "":
		return "it exists and is no hook's" + writtenBy(live)
	}
	return ""
}

// attemptHook makes the change of a hook once: what is left of an earlier run goes
// first, and is waited for.
func (p *Provider) attemptHook(ctx context.Context, change resource.Change) error {
	k, err := p.kindOf(change)
	if err != nil {
		return err
	}
	live, err := p.get(ctx, k, change.ID)
	if err != nil {
		return err
	}
	if live != nil {
		if err := p.removeHook(ctx, k, change, live); err != nil {
			return err
		}
	}
	if change.Action == resource.Delete {
		return nil
	}
	_, err = p.applyOnce(ctx, change, "")
	return err
}

func (p *Provider) removeHook(ctx context.Context, k *kind, change resource.Change, live *unstructured.Unstructured) error {
	if why := p.noHook(live); why != "" {
		return fmt.Errorf("%s: hubcap deletes only what hooks made", why)
	}
	uid, resourceVersion, background := live.GetUID(), live.GetResourceVersion(), metav1.DeletePropagationBackground
	if live.GetDeletionTimestamp() == nil {
		options := metav1.DeleteOptions{
			PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &resourceVersion},
		}
		err := p.resourceOf(k, change.ID.Namespace).Delete(ctx, change.ID.Name, options)
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	if change.Action == resource.Delete {
		return nil
	}
	return p.waitGone(ctx, k, change.ID, uid)
}

// hookHealth is the health of a hook's object, which is there. Jobs and pods have
// to end; of others nothing is waited for but that they exist.
func (p *Provider) hookHealth(ctx context.Context, change resource.Change, live *unstructured.Unstructured) (resource.Health, error) {
	switch {
	case !resource.Waits(change.ID):
		return resource.Health{Ready: true}, nil
	case change.ID.Kind == "Pod":
		return p.podHookHealth(ctx, live)
	}
	h, err := p.health(ctx, change, live)
	if err != nil || !h.Terminal {
		return h, err
	}
	if w, err := p.workload(live, nil); err == nil {
		if pods, err := w.pods(ctx); err == nil && len(pods) > 0 {
			h.Details = append(podEnds(&pods[len(pods)-1]), h.Details...)
		}
	}
	return h, nil
}

// podEnds says of every container of a pod that ended badly how it did.
func podEnds(pod *corev1.Pod) []string {
	var ends []string
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if end := c.State.Terminated; end != nil && end.ExitCode != 0 {
			line := fmt.Sprintf("pod %s: container %s exited with %d (%s)", pod.Name, c.Name, end.ExitCode, end.Reason)
			if end.Message != "" {
				line += ": " + end.Message
			}
			ends = append(ends, line)
		}
	}
	return ends
}

// podHookHealth waits for a pod's end.
func (p *Provider) podHookHealth(ctx context.Context, live *unstructured.Unstructured) (resource.Health, error) {
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &pod); err != nil {
		return resource.Health{}, fmt.Errorf("read pod: %w", err)
	}
	h := podEnd(&pod)
	switch {
	case h.Ready:
	case h.Terminal:
		h.Details = append(h.Details, p.podDetails(ctx, &pod, endedBadly(&pod))...)
	default:
		if c := p.firstCause(ctx, []corev1.Pod{pod}); c != nil {
			return p.caused(ctx, *c), nil
		}
	}
	return h, nil
}

// podEnd is the health of a pod that is to end, as its status says.
func podEnd(pod *corev1.Pod) resource.Health {
	switch pod.Status.Phase {
	case corev1.PodSucceeded:
		return resource.Health{Ready: true}
	case corev1.PodFailed:
		reason := "the pod failed"
		if pod.Status.Reason != "" {
			reason += ": " + strings.TrimSpace(pod.Status.Reason+" "+pod.Status.Message)
		}
		return resource.Health{Terminal: true, Reason: reason, Details: podEnds(pod)}
	}
	return resource.Health{Reason: "the pod has not ended, it is " + string(pod.Status.Phase)}
}

// endedBadly returns the first container of a pod that failed, or "".
func endedBadly(pod *corev1.Pod) string {
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c.State.Terminated != nil && c.State.Terminated.ExitCode != 0 {
			return c.Name
		}
	}
	return ""
}
