package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	resourcehelper "k8s.io/component-helpers/resource"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"hubcap/providers/gke/emulator"
)

const (
	scaleEvery = 500 * time.Millisecond
	// settleFor is how long after a pool grew its new nodes get to take pods before it may grow again.
	settleFor = 2 * time.Second
)

// A fleet is the emulator as the autoscaler sees it.
type fleet interface {
	Pools() []emulator.Pool
	// SetNodes makes a pool have so many nodes in all, as an autoscaler does: without an operation.
	SetNodes(ctx context.Context, cluster emulator.ClusterRef, pool string, nodes int) error
}

// An autoscaler adds nodes to the pools that have autoscaling on: up to the pool's minimum, and for pods that
// the scheduler finds no room for and that a new node of the pool would take. It removes none.
type autoscaler struct {
	api   kubernetes.Interface
	fleet fleet
	grew  map[string]time.Time // by pool
}

func newAutoscaler(api kubernetes.Interface, f fleet) *autoscaler {
	return &autoscaler{api: api, fleet: f, grew: map[string]time.Time{}}
}

// run works until ctx is done.
func (a *autoscaler) run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(scaleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := a.scale(ctx, now); err != nil && ctx.Err() == nil {
				report(err)
			}
		}
	}
}

// scale makes one round.
func (a *autoscaler) scale(ctx context.Context, now time.Time) error {
	var growing []emulator.Pool
	settling := false
	for _, p := range a.fleet.Pools() {
		s, status := p.NodePool.Autoscaling, p.NodePool.Status
		if s == nil || !s.Enabled || status != "RUNNING" && status != "RUNNING_WITH_ERROR" {
			continue
		}
		lo, _ := bounds(p)
		switch {
		case p.Nodes < lo:
			if err := a.resize(ctx, p, lo, now); err != nil {
				return err
			}
			settling = true
		case now.Sub(a.grew[poolKey(p)]) < settleFor:
			settling = true
		default:
			growing = append(growing, p)
		}
	}
	if settling || len(growing) == 0 {
		return nil // the pods waiting now may find room on nodes that have just come
	}
	waiting, err := a.waiting(ctx)
	if err != nil || len(waiting) == 0 {
		return err
	}
	for _, p := range growing {
		if waiting, err = a.grow(ctx, p, waiting, now); err != nil {
			return err
		}
	}
	return nil
}

// waiting are the pods that the scheduler has found no room for, oldest first.
func (a *autoscaler) waiting(ctx context.Context) ([]*corev1.Pod, error) {
	list, err := a.api.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=,status.phase=Pending"})
	if err != nil {
		return nil, fmt.Errorf("list waiting pods: %w", err)
	}
	var pods []*corev1.Pod
	for i := range list.Items {
		p := &list.Items[i]
		if p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
		}) {
			pods = append(pods, p)
		}
	}
	slices.SortStableFunc(pods, func(x, y *corev1.Pod) int { return x.CreationTimestamp.Compare(y.CreationTimestamp.Time) })
	return pods, nil
}

// grow gives the pool as many nodes as the pods fill, within its maximum, and returns the pods left over.
func (a *autoscaler) grow(ctx context.Context, p emulator.Pool, pods []*corev1.Pod, now time.Time) ([]*corev1.Pod, error) {
	_, most := bounds(p)
	var rooms []corev1.ResourceList // what is free on each node to add
	var left []*corev1.Pod
	for _, pod := range pods {
		template, err := node(p, p.Nodes+len(rooms))
		if err != nil {
			return nil, err
		}
		if !accepts(template, pod) {
			left = append(left, pod)
			continue
		}
		needs := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
		needs[corev1.ResourcePods] = resource.MustParse("1")
		if slices.ContainsFunc(rooms, func(room corev1.ResourceList) bool { return take(room, needs) }) {
			continue
		}
		if p.Nodes+len(rooms) < most && take(template.Status.Allocatable, needs) {
			rooms = append(rooms, template.Status.Allocatable)
			continue
		}
		left = append(left, pod)
	}
	if len(rooms) == 0 {
		return left, nil
	}
	return left, a.resize(ctx, p, p.Nodes+len(rooms), now)
}

func (a *autoscaler) resize(ctx context.Context, p emulator.Pool, nodes int, now time.Time) error {
	a.grew[poolKey(p)] = now
	if err := a.fleet.SetNodes(ctx, p.Cluster, p.NodePool.Name, nodes); err != nil {
		return fmt.Errorf("scale pool %s to %d nodes: %w", p.NodePool.Name, nodes, err)
	}
	return nil
}

func poolKey(p emulator.Pool) string { return p.Cluster.String() + "/" + p.NodePool.Name }

// bounds are how few and how many nodes the pool may have in all; GKE's usual pair is for each zone.
func bounds(p emulator.Pool) (least, most int) {
	s, perZone := p.NodePool.Autoscaling, len(zones(p))
	if s.TotalMaxNodeCount > 0 {
		return int(s.TotalMinNodeCount), int(s.TotalMaxNodeCount)
	}
	return int(s.MinNodeCount) * perZone, int(s.MaxNodeCount) * perZone
}

// accepts says whether the scheduler would consider the node for the pod, resources apart.
func accepts(n *corev1.Node, pod *corev1.Pod) bool {
	matches, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(n)
	if err != nil || !matches {
		return false
	}
	_, refused := schedulinghelper.FindMatchingUntoleratedTaint(klog.Background(), n.Spec.Taints, pod.Spec.Tolerations,
		func(t *corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule }, false)
	return !refused
}

// take subtracts needs from room if all of it is there.
func take(room, needs corev1.ResourceList) bool {
	for name, need := range needs {
		if has := room[name]; has.Cmp(need) < 0 {
			return false
		}
	}
	for name, need := range needs {
		has := room[name]
		has.Sub(need)
		room[name] = has
	}
	return true
}
