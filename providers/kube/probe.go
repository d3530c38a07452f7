package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"hubcap/engine/resource"
)

// Probe tells whether the object of change has settled as wanted. For a workload
// that means pods: every one of the wanted template, with the wanted images and
// checksums, ready, and none of an old template left. A deleted object has
// settled when it is gone, and one of which only the owner changes (ClassAdopt)
// when its controller has seen that: nothing restarts for it, so pods that were in
// trouble before are none of its business.
func (p *Provider) Probe(ctx context.Context, change resource.Change) (resource.Health, error) {
	k, err := p.kindOf(change)
	if isNoKind(err) {
		if change.After == nil {
			return resource.Health{Ready: true}, nil
		}
		return resource.Health{Reason: "the server does not know its kind yet"}, nil
	}
	if err != nil {
		return resource.Health{}, p.Client.explain("probe", objectText(change.ID), err)
	}
	live, err := p.get(ctx, k, change.ID)
	if err != nil {
		return resource.Health{}, p.Client.explain("probe", objectText(change.ID), err)
	}
	if change.After == nil {
		return goneHealth(live), nil
	}
	if live == nil {
		return resource.Health{Terminal: change.Hook != nil, Reason: "it does not exist"}, nil
	}
	health := p.health
	if change.Hook != nil {
		health = p.hookHealth
	}
	h, err := health(ctx, change, live)
	if err != nil {
		return resource.Health{}, p.Client.explain("probe", objectText(change.ID), err)
	}
	h.Reason = p.scrub(h.Reason)
	for i, line := range h.Details {
		h.Details[i] = p.scrub(line)
	}
	return h, nil
}

func goneHealth(live *unstructured.Unstructured) resource.Health {
	if live == nil {
		return resource.Health{Ready: true}
	}
	if live.GetDeletionTimestamp() == nil {
		return resource.Health{Reason: "it is still there"}
	}
	return resource.Health{Reason: "it is being deleted" + finalizersText(live)}
}

// finalizersText says what holds a deletion up.
func finalizersText(live *unstructured.Unstructured) string {
	if live == nil || len(live.GetFinalizers()) == 0 {
		return ""
	}
	return " (waits for " + strings.Join(live.GetFinalizers(), ", ") + ")"
}

// The kinds that run pods.
var (
	deploymentKind  = schema.GroupKind{Group: "apps", Kind: "Deployment"}
	statefulSetKind = schema.GroupKind{Group: "apps", Kind: "StatefulSet"}
	daemonSetKind   = schema.GroupKind{Group: "apps", Kind: "DaemonSet"}
	jobKind         = schema.GroupKind{Group: "batch", Kind: "Job"}
	claimKind       = schema.GroupKind{Kind: "PersistentVolumeClaim"}
)

// runsPods are the kinds that keep pods running, whose template counts.
var runsPods = map[schema.GroupKind]bool{deploymentKind: true, statefulSetKind: true, daemonSetKind: true}

func (p *Provider) health(ctx context.Context, change resource.Change, live *unstructured.Unstructured) (resource.Health, error) {
	gk := live.GroupVersionKind().GroupKind()
	if gk == claimKind {
		return claimHealth(live), nil
	}
	result, err := status.Compute(live)
	if err != nil {
		return resource.Health{}, fmt.Errorf("compute status: %w", err)
	}
	if change.Class == resource.ClassAdopt && !runsPods[gk] {
		return resource.Health{Ready: true}, nil
	}
	switch gk {
	case deploymentKind, statefulSetKind, daemonSetKind:
		w, err := p.workload(live, change.Landed())
		if err != nil {
			return resource.Health{}, err
		}
		if change.Class == resource.ClassAdopt {
			return w.untouched(), nil
		}
		return w.health(ctx, result)
	case jobKind:
		return p.jobHealth(ctx, live, result)
	}
	return plainHealth(result), nil
}

// claimHealth takes a claim that waits as settled: many storage classes bind it
// only when a pod uses it, and then the pod shows what is wrong.
func claimHealth(live *unstructured.Unstructured) resource.Health {
	phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
	if phase == "Lost" {
		return resource.Health{Terminal: true, Reason: "its volume is lost"}
	}
	return resource.Health{Ready: true}
}

func plainHealth(result *status.Result) resource.Health {
	switch result.Status {
	case status.CurrentStatus:
		return resource.Health{Ready: true}
	case status.FailedStatus:
		return resource.Health{Terminal: true, Reason: result.Message}
	}
	return resource.Health{Reason: result.Message}
}

// jobHealth waits for a job's end, while the status library is content with its
// start.
func (p *Provider) jobHealth(ctx context.Context, live *unstructured.Unstructured, result *status.Result) (resource.Health, error) {
	if suspended, _, _ := unstructured.NestedBool(live.Object, "spec", "suspend"); suspended {
		return resource.Health{Ready: true}, nil
	}
	if result.Status == status.FailedStatus {
		h := resource.Health{Terminal: true, Reason: "the job failed: " + result.Message}
		w, err := p.workload(live, nil)
		if err != nil {
			return h, nil
		}
		pods, err := w.pods(ctx)
		if err == nil && len(pods) > 0 {
			h.Details = p.podDetails(ctx, &pods[len(pods)-1], "")
		}
		return h, nil
	}
	conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	if hasCondition(conditions, "Complete") {
		return resource.Health{Ready: true}, nil
	}
	w, err := p.workload(live, nil)
	if err != nil {
		return resource.Health{Reason: "the job has not ended"}, nil
	}
	pods, err := w.pods(ctx)
	if err != nil {
		return resource.Health{}, err
	}
	h := resource.Health{Reason: "the job has not ended, " + podsText(len(pods)) + " so far"}
	if c := p.firstCause(ctx, pods); c != nil {
		return p.caused(ctx, *c), nil
	}
	if len(pods) == 0 {
		p.refusedPods(ctx, live, &h)
	}
	return h, nil
}

func hasCondition(conditions []any, kind string) bool {
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		if m["type"] == kind && m["status"] == "True" {
			return true
		}
	}
	return false
}

// caused is the health of a workload one of whose pods will not come up.
func (p *Provider) caused(ctx context.Context, c cause) resource.Health {
	return resource.Health{
		Terminal: c.terminal,
		Reason:   fmt.Sprintf("pod %s: %s", c.pod.Name, c.reason),
		Details:  p.podDetails(ctx, c.pod, c.container),
	}
}

const detailTimeout = 3 * time.Second
