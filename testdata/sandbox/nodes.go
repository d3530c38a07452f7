package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"hubcap/providers/gke/emulator"
)

// drainWithin is how long the pods of a node that is going may take before they are deleted by force. GKE
// waits up to an hour; nothing in the sandbox needs more than moments, unless a disruption budget forbids it.
const drainWithin = 5 * time.Second

// nodes makes the emulator's node pools real as Node objects. It is the emulator's NodeSink.
type nodes struct {
	api kubernetes.Interface
}

// Apply creates the nodes that are missing, takes away those too many (the highest numbers first), replaces
// those of another shape and gives the rest the pool's labels and taints.
func (n nodes) Apply(ctx context.Context, p emulator.Pool, count int) error {
	have, err := n.of(ctx, p)
	if err != nil {
		return err
	}
	for number := range count {
		want, err := node(p, number)
		if err != nil {
			return err
		}
		live, exists := have[want.Name]
		delete(have, want.Name)
		if exists && live.Annotations[shapeAnnotation] != want.Annotations[shapeAnnotation] {
			if err := n.remove(ctx, want.Name, n.evict); err != nil {
				return err
			}
			exists = false
		}
		if exists {
			err = n.update(ctx, want)
		} else {
			_, err = n.api.CoreV1().Nodes().Create(ctx, want, metav1.CreateOptions{FieldManager: "gke"})
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("make node %s: %w", want.Name, err)
		}
	}
	return n.removeAll(ctx, have, n.evict)
}

// Remove takes away all the pool's nodes. Like GKE, it pays no regard to disruption budgets unless the pool
// says so.
func (n nodes) Remove(ctx context.Context, p emulator.Pool) error {
	have, err := n.of(ctx, p)
	if err != nil {
		return err
	}
	if c := p.NodePool.NodeDrainConfig; c != nil && c.RespectPdbDuringNodePoolDeletion {
		return n.removeAll(ctx, have, n.evict)
	}
	return n.removeAll(ctx, have, n.delete)
}

// of finds the pool's nodes, by name.
func (n nodes) of(ctx context.Context, p emulator.Pool) (map[string]*corev1.Node, error) {
	list, err := n.api.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: poolLabel + "=" + p.NodePool.Name})
	if err != nil {
		return nil, fmt.Errorf("list nodes of pool %s: %w", p.NodePool.Name, err)
	}
	found := map[string]*corev1.Node{}
	for i := range list.Items {
		if live := &list.Items[i]; live.Annotations[clusterAnnotation] == p.Cluster.String() {
			found[live.Name] = live
		}
	}
	return found, nil
}

// update gives a node the labels and taints of the pool, and takes from it those that the pool no longer has.
// What others put on the node stays: other labels, and the taints that Kubernetes itself sets.
func (n nodes) update(ctx context.Context, want *corev1.Node) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := n.api.CoreV1().Nodes().Get(ctx, want.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		changed := live.DeepCopy()
		for key := range strings.SplitSeq(live.Annotations[labelsAnnotation], ",") {
			delete(changed.Labels, key)
		}
		maps.Copy(changed.Labels, want.Labels)
		changed.Annotations[labelsAnnotation] = want.Annotations[labelsAnnotation]
		changed.Spec.Taints = slices.DeleteFunc(changed.Spec.Taints, func(t corev1.Taint) bool {
			return !strings.HasPrefix(t.Key, "node.kubernetes.io/")
		})
		changed.Spec.Taints = append(changed.Spec.Taints, want.Spec.Taints...)
		_, err = n.api.CoreV1().Nodes().Update(ctx, changed, metav1.UpdateOptions{FieldManager: "gke"})
		return err
	})
}

// labelKeys joins the keys for labelsAnnotation.
func labelKeys(labels map[string]string) string {
	return strings.Join(slices.Sorted(maps.Keys(labels)), ",")
}

// A farewell asks a pod to leave its node: evict or delete.
type farewell func(context.Context, corev1.Pod) error

// removeAll closes all the nodes to new pods first, so that none moves from one to the next.
func (n nodes) removeAll(ctx context.Context, gone map[string]*corev1.Node, part farewell) error {
	names := slices.Sorted(maps.Keys(gone))
	slices.Reverse(names)
	cordon := []byte(`{"spec":{"unschedulable":true}}`)
	for _, name := range names {
		_, err := n.api.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, cordon, metav1.PatchOptions{FieldManager: "gke"})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("cordon node %s: %w", name, err)
		}
	}
	for _, name := range names {
		if err := n.remove(ctx, name, part); err != nil {
			return err
		}
	}
	return nil
}

// remove lets a node's pods go, within drainWithin, and deletes it with what is left on it.
func (n nodes) remove(ctx context.Context, name string, part farewell) error {
	drain, cancel := context.WithTimeout(ctx, drainWithin)
	err := n.drain(drain, name, part)
	cancel()
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err := n.api.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete node %s: %w", name, err)
	}
	left, err := n.podsOn(ctx, name)
	if err != nil {
		return err
	}
	now := int64(0)
	for _, pod := range left {
		err := n.api.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
	}
	return nil
}

// drain parts from the node's pods, other than those of DaemonSets, until none is left.
func (n nodes) drain(ctx context.Context, name string, part farewell) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		pods, err := n.podsOn(ctx, name)
		if err != nil {
			return err
		}
		pods = slices.DeleteFunc(pods, func(p corev1.Pod) bool {
			owner := metav1.GetControllerOf(&p)
			return owner != nil && owner.Kind == "DaemonSet"
		})
		if len(pods) == 0 {
			return nil
		}
		for _, pod := range pods {
			if err := part(ctx, pod); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// evict is nil as well when a disruption budget forbids the eviction for now.
func (n nodes) evict(ctx context.Context, pod corev1.Pod) error {
	err := n.api.PolicyV1().Evictions(pod.Namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
	})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsTooManyRequests(err) {
		return nil
	}
	return fmt.Errorf("evict pod %s/%s: %w", pod.Namespace, pod.Name, err)
}

func (n nodes) delete(ctx context.Context, pod corev1.Pod) error {
	err := n.api.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("delete pod %s/%s: %w", pod.Namespace, pod.Name, err)
}

func (n nodes) podsOn(ctx context.Context, name string) ([]corev1.Pod, error) {
	list, err := n.api.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + name})
	if err != nil {
		return nil, fmt.Errorf("list pods on node %s: %w", name, err)
	}
	return list.Items, nil
}
