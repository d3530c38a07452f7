package kube

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	ours "hubcap/engine/resource"
	"hubcap/engine/run"
)

// autoscalerStatus is where the cluster autoscaler says how far it may go.
const autoscalerStatus = "cluster-autoscaler-status"

// A Room answers guards on capacity: whether the pods that a step starts beside
// the old ones fit on the nodes there are, or an autoscaler may add one. It goes
// by requests, node selectors and taints, as the scheduler does first; affinities
// are left out. It satisfies run.Watcher.
type Room struct{ Client *Client }

// A seat is what one pod needs.
type seat struct {
	of          string // the workload
	cpu, memory int64  // milli-cores, bytes
	selector    map[string]string
	tolerations []corev1.Toleration
}

// A bed is what one node has left.
type bed struct {
	node        *corev1.Node
	cpu, memory int64
	pods        int64
}

// Watch looks for room for the step of w.
func (r *Room) Watch(ctx context.Context, w run.Watching) (run.Sample, error) {
	if w.Guard.Capacity == nil {
		return run.Sample{}, errors.New("a guard on " + w.Guard.Check() + " cannot be answered by a cluster")
	}
	var seats []seat
	for _, c := range w.Step.Changes {
		more, err := seatsOf(c)
		if err != nil {
			return run.Sample{}, err
		}
		seats = append(seats, more...)
	}
	if len(seats) == 0 {
		return run.Sample{Verdict: run.Pass, Reason: "needs no more room than it has"}, nil
	}
	beds, err := r.beds(ctx)
	if err != nil {
		return run.Sample{}, err
	}
	for _, s := range seats {
		if s.take(beds) {
			continue
		}
		nodes, err := r.mayAdd(ctx)
		if err != nil {
			return run.Sample{}, err
		}
		need := fmt.Sprintf("a pod of %s with %dm cpu and %s memory", s.of, s.cpu, resource.NewQuantity(s.memory, resource.BinarySI))
		if nodes > 0 {
			return run.Sample{Verdict: run.Pass, Reason: fmt.Sprintf("%s fits on no node now; the autoscaler may add %d", need, nodes)}, nil
		}
		return run.Sample{Verdict: run.Fail, Reason: need + " fits on no node, and no autoscaler says that it may add one"}, nil
	}
	return run.Sample{Verdict: run.Pass, Reason: fmt.Sprintf("there is room for %s", podsText(len(seats)))}, nil
}

// seatsOf returns the pods that live beside the old ones while c is rolled out. A
// workload that stops its old pods first needs none.
func seatsOf(c ours.Change) ([]seat, error) {
	if c.Action == ours.Delete || c.After == nil || c.ID.Group != "apps" || c.ID.Kind != "Deployment" && c.ID.Kind != "StatefulSet" {
		return nil, nil
	}
	tree, _ := ours.Reveal(map[string]any(c.After)).(map[string]any)
	var d appsv1.Deployment // a StatefulSet's pods and replicas are spelt alike
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(tree, &d); err != nil && c.ID.Kind == "Deployment" {
		return nil, fmt.Errorf("read the pods of %s: %w", c.ID, err)
	}
	replicas := int32(1)
	if d.Spec.Replicas != nil {
		replicas = *d.Spec.Replicas
	}
	n := int(replicas)
	if c.Action != ours.Create {
		n = beside(d, replicas, c.ID.Kind)
	}
	s := seat{of: c.ID.Kind + "/" + c.ID.Name, selector: d.Spec.Template.Spec.NodeSelector, tolerations: d.Spec.Template.Spec.Tolerations}
	s.cpu, s.memory = requests(d.Spec.Template.Spec)
	return slices.Repeat([]seat{s}, n), nil
}

// beside returns how many new pods a rollout starts before it stops old ones.
func beside(d appsv1.Deployment, replicas int32, kind string) int {
	if kind != "Deployment" || d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType || replicas == 0 {
		return 0
	}
	surge := intstr.FromString("25%")
	if u := d.Spec.Strategy.RollingUpdate; u != nil && u.MaxSurge != nil {
		surge = *u.MaxSurge
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(&surge, int(replicas), true)
	if err != nil {
		return 1
	}
	return n
}

// requests adds up what the containers of a pod ask for; one that comes first
// counts when it asks for more than all others together.
func requests(p corev1.PodSpec) (cpu, memory int64) {
	for _, c := range p.Containers {
		cpu += c.Resources.Requests.Cpu().MilliValue()
		memory += c.Resources.Requests.Memory().Value()
	}
	for _, c := range p.InitContainers {
		cpu = max(cpu, c.Resources.Requests.Cpu().MilliValue())
		memory = max(memory, c.Resources.Requests.Memory().Value())
	}
	return cpu, memory
}

// take gives the seat room on the first node that has it.
func (s seat) take(beds []*bed) bool {
	for _, b := range beds {
		if b.cpu < s.cpu || b.memory < s.memory || b.pods < 1 || !s.mayRunOn(b.node) {
			continue
		}
		b.cpu, b.memory, b.pods = b.cpu-s.cpu, b.memory-s.memory, b.pods-1
		return true
	}
	return false
}

func (s seat) mayRunOn(n *corev1.Node) bool {
	if n.Spec.Unschedulable || !labels.SelectorFromSet(s.selector).Matches(labels.Set(n.Labels)) {
		return false
	}
	for i := range n.Spec.Taints {
		t := &n.Spec.Taints[i]
		isBar := t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
		if isBar && !slices.ContainsFunc(s.tolerations, func(tol corev1.Toleration) bool { return tolerates(tol, t) }) {
			return false
		}
	}
	return true
}

func tolerates(tol corev1.Toleration, t *corev1.Taint) bool {
	switch {
	case tol.Effect != "" && tol.Effect != t.Effect, tol.Key != "" && tol.Key != t.Key:
		return false
	case tol.Operator == corev1.TolerationOpExists:
		return true
	}
	return tol.Key != "" && tol.Value == t.Value
}

// beds returns what the ready nodes have left. Pods that have ended need nothing.
func (r *Room) beds(ctx context.Context) ([]*bed, error) {
	var beds []*bed
	byName := map[string]*bed{}
	for o := (metav1.ListOptions{Limit: censusPage}); ; {
		list, err := r.Client.Typed.CoreV1().Nodes().List(ctx, o)
		if err != nil {
			return nil, r.Client.explain("list", "nodes", err)
		}
		for i := range list.Items {
			n := &list.Items[i]
			if !nodeReady(n) {
				continue
			}
			b := &bed{node: n, cpu: n.Status.Allocatable.Cpu().MilliValue(), memory: n.Status.Allocatable.Memory().Value(), pods: n.Status.Allocatable.Pods().Value()}
			beds, byName[n.Name] = append(beds, b), b
		}
		if o.Continue = list.Continue; o.Continue == "" {
			break
		}
	}
	for o := (metav1.ListOptions{Limit: censusPage, FieldSelector: "status.phase!=Succeeded,status.phase!=Failed"}); ; {
		list, err := r.Client.Typed.CoreV1().Pods(metav1.NamespaceAll).List(ctx, o)
		if err != nil {
			return nil, r.Client.explain("list", "pods", err)
		}
		for i := range list.Items {
			if b := byName[list.Items[i].Spec.NodeName]; b != nil {
				cpu, memory := requests(list.Items[i].Spec)
				b.cpu, b.memory, b.pods = b.cpu-cpu, b.memory-memory, b.pods-1
			}
		}
		if o.Continue = list.Continue; o.Continue == "" {
			return beds, nil
		}
	}
}

func nodeReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// The autoscaler's status says for each group of nodes how large it is to be and
// may be, as text or, in newer versions, as YAML.
var (
	groupAsText = regexp.MustCompile(`cloudProviderTarget=(\d+) \(minSize=\d+, maxSize=(\d+)\)`)
	groupAsYAML = regexp.MustCompile(`(?s)cloudProviderTarget:\s*(\d+).{0,120}?maxSize:\s*(\d+)`)
)

// mayAdd returns how many nodes an autoscaler says that it may add.
func (r *Room) mayAdd(ctx context.Context) (int, error) {
	status, err := r.Client.Typed.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, autoscalerStatus, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return 0, nil
	case err != nil:
		return 0, r.Client.explain("read", "the autoscaler's status", err)
	}
	return headroom(status.Data["status"]), nil
}

func headroom(status string) int {
	groups := groupAsText.FindAllStringSubmatch(status, -1)
	if len(groups) == 0 {
		groups = groupAsYAML.FindAllStringSubmatch(status, -1)
	}
	nodes := 0
	for _, g := range groups {
		target, _ := strconv.Atoi(g[1])
		most, _ := strconv.Atoi(g[2])
		nodes += max(most-target, 0)
	}
	return nodes
}
