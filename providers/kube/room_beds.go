package kube

import (
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podresource "k8s.io/component-helpers/resource"
	scheduling "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

// A bed is what one node has left.
type bed struct {
	node        *corev1.Node
	cpu, memory int64
	pods        int64
	yielding    []guest // pods on it that give way to those of higher priority
	daemons     guest   // what pods take that every node like it has
	daemonPods  int64
}

// A guest is what a pod takes of a node.
type guest struct {
	priority    int32
	cpu, memory int64
}

// requests returns what a pod asks for, as the scheduler counts it.
func requests(p *corev1.Pod) (cpu, memory int64) {
	all := podresource.PodRequests(p, podresource.PodResourcesOptions{})
	return all.Cpu().MilliValue(), all.Memory().Value()
}

// take gives the seat room on the first node that has it.
func (s seat) take(beds []*bed) bool {
	for _, b := range beds {
		cpu, memory, pods := b.left(s.priority)
		if cpu < s.cpu || memory < s.memory || pods < 1 || !s.mayRunOn(b.node) {
			continue
		}
		b.cpu, b.memory, b.pods = b.cpu-s.cpu, b.memory-s.memory, b.pods-1
		return true
	}
	return false
}

// left returns what a pod of that priority can have: placeholders give way to it.
func (b *bed) left(priority int32) (cpu, memory, pods int64) {
	cpu, memory, pods = b.cpu, b.memory, b.pods
	for _, g := range b.yielding {
		if g.priority < priority {
			cpu, memory, pods = cpu+g.cpu, memory+g.memory, pods+1
		}
	}
	return cpu, memory, pods
}

// mayRunOn reports whether the node takes such a pod, however full it is. An affinity
// that the API server would refuse matches nothing.
func (s *seat) mayRunOn(n *corev1.Node) bool {
	if n.Spec.Unschedulable {
		return false
	}
	if matches, err := nodeaffinity.GetRequiredNodeAffinity(s.pod).Match(n); err != nil || !matches {
		return false
	}
	_, isBarred := scheduling.FindMatchingUntoleratedTaint(klog.Background(), n.Spec.Taints, s.pod.Spec.Tolerations, func(t *corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	}, true)
	return !isBarred
}

// furnish reads the nodes, and what the ready ones have left. Pods that have ended
// need nothing.
func (r *Room) furnish(ctx context.Context, f *furnished) error {
	byName := map[string]*bed{}
	for o := (metav1.ListOptions{Limit: censusPage}); ; {
		list, err := r.Client.Typed.CoreV1().Nodes().List(ctx, o)
		if err != nil {
			return r.Client.explain("list", "nodes", err)
		}
		for i := range list.Items {
			n := &list.Items[i]
			f.nodes = append(f.nodes, n)
			if nodeReady(n) {
				byName[n.Name] = emptyBed(n)
				f.beds = append(f.beds, byName[n.Name])
			}
		}
		if o.Continue = list.Continue; o.Continue == "" {
			break
		}
	}
	for o := (metav1.ListOptions{Limit: censusPage, FieldSelector: "status.phase!=Succeeded,status.phase!=Failed"}); ; {
		list, err := r.Client.Typed.CoreV1().Pods(metav1.NamespaceAll).List(ctx, o)
		if err != nil {
			return r.Client.explain("list", "pods", err)
		}
		for i := range list.Items {
			if b := byName[list.Items[i].Spec.NodeName]; b != nil {
				b.host(&list.Items[i])
			}
		}
		if o.Continue = list.Continue; o.Continue == "" {
			return nil
		}
	}
}

// emptyBed is all that a node has.
func emptyBed(n *corev1.Node) *bed {
	a := n.Status.Allocatable
	return &bed{node: n, cpu: a.Cpu().MilliValue(), memory: a.Memory().Value(), pods: a.Pods().Value()}
}

// host takes off what a pod on the node needs.
func (b *bed) host(p *corev1.Pod) {
	cpu, memory := requests(p)
	b.cpu, b.memory, b.pods = b.cpu-cpu, b.memory-memory, b.pods-1
	switch priority := scheduling.PodPriority(p); {
	case slices.ContainsFunc(p.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "DaemonSet" }):
		b.daemons.cpu, b.daemons.memory, b.daemonPods = b.daemons.cpu+cpu, b.daemons.memory+memory, b.daemonPods+1
	case priority < 0: // a placeholder; what counts as much as people's servers is not evicted for a rollout
		b.yielding = append(b.yielding, guest{priority, cpu, memory})
	}
}

// anew returns an empty node as an autoscaler adds one like it.
func (b *bed) anew() *bed {
	n := b.node.DeepCopy()
	n.Name, n.Spec.Unschedulable = "", false
	n.Labels = maps.Clone(n.Labels)
	delete(n.Labels, corev1.LabelHostname)
	n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, func(t corev1.Taint) bool { return isOfOneNode(t.Key) })
	out := emptyBed(n)
	out.cpu, out.memory, out.pods = out.cpu-b.daemons.cpu, out.memory-b.daemons.memory, out.pods-b.daemonPods
	return out
}

// isOfOneNode reports whether a taint is about the state of one node, and not about
// all of its pool: an autoscaler that takes a node away bars it first.
func isOfOneNode(taint string) bool {
	switch taint {
	case "ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler":
		return true
	}
	return strings.HasPrefix(taint, "node.kubernetes.io/") || strings.HasPrefix(taint, "node.cloudprovider.kubernetes.io/")
}

func nodeReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}
