package kube

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	ours "hubcap/engine/resource"
	"hubcap/engine/run"
)

// A Room answers guards on capacity: whether the pods that a step starts beside
// the old ones fit on the nodes there are, or an autoscaler may add nodes that they
// fit on. It goes by requests, node selectors, required node affinity, taints and
// priorities, as the scheduler does; affinities between pods are left out. It
// satisfies run.Watcher.
type Room struct {
	Client *Client

	// Pools reads the node pools, which say how far they may grow. Nil: the
	// autoscaler's status is all that is known.
	Pools func(ctx context.Context) (Pools, error)

	mu    sync.Mutex
	found *furnished
	asked time.Time
}

// roomFor is how long what was found on the nodes is good for: guards of steps side
// by side ask at the same time.
const roomFor = 3 * time.Second

// A furnished is what runs on the nodes, and how far they may become more.
type furnished struct {
	nodes      []*corev1.Node
	beds       []*bed // of the ready nodes
	pools      Pools
	priorities map[string]int32 // of the classes; nil: not to be read
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
	found, err := r.look(ctx)
	if err != nil {
		return run.Sample{}, err
	}
	s := found.seating(w.Ahead)
	for _, seat := range seats {
		seat.priority = found.priority(seat.pod.Spec.PriorityClassName)
		if !s.place(seat) {
			break
		}
	}
	switch {
	case s.missing == nil && len(s.added) == 0:
		return run.Sample{Verdict: run.Pass, Reason: fmt.Sprintf("there is room for %s", podsText(len(seats)))}, nil
	case s.missing == nil:
		return run.Sample{Verdict: run.Pass, Reason: fmt.Sprintf("there is room for %d of %s now; %s", s.placed, podsText(len(seats)), s.growth())}, nil
	case r.Pools != nil:
		return run.Sample{Verdict: run.Fail, Reason: s.shortage(len(seats))}, nil
	}
	return r.maybe(ctx, s)
}

// maybe answers for a cluster that is not asked how its pools may grow: its
// autoscaler may say by how much.
func (r *Room) maybe(ctx context.Context, s *seating) (run.Sample, error) {
	nodes, err := r.mayAdd(ctx)
	if err != nil {
		return run.Sample{}, err
	}
	if nodes > 0 {
		return run.Sample{Verdict: run.Pass, Reason: fmt.Sprintf("%s fits on no node now; the autoscaler may add %d", s.missing, nodes)}, nil
	}
	return run.Sample{Verdict: run.Fail, Reason: s.missing.String() + " fits on no node, and no autoscaler says that it may add one"}, nil
}

// A seat is what one pod needs.
type seat struct {
	of          string // the workload
	cpu, memory int64  // milli-cores, bytes
	priority    int32
	pod         *corev1.Pod // as its template has it
}

func (s *seat) String() string {
	return fmt.Sprintf("a pod of %s with %dm cpu and %s memory", s.of, s.cpu, resource.NewQuantity(s.memory, resource.BinarySI))
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
	pod := &corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}
	s := seat{of: c.ID.Kind + "/" + c.ID.Name, pod: pod}
	s.cpu, s.memory = requests(pod)
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

// A seating is the placing of pods, one after the other: on the nodes there are, on
// those that were added for pods before, on one more of a pool that may grow.
type seating struct {
	beds    []*bed
	pools   []*growing
	fresh   []*bed
	added   map[string]int // nodes by pool
	placed  int            // pods that need no new node
	seated  int            // pods in all
	missing *seat          // the first that fits nowhere
}

func (s *seating) place(x seat) bool {
	if x.take(s.beds) {
		s.placed, s.seated = s.placed+1, s.seated+1
		return true
	}
	if x.take(s.fresh) {
		s.seated++
		return true
	}
	for _, p := range s.pools {
		if p.nodes >= p.most {
			continue
		}
		if b := p.another(); x.take([]*bed{b}) {
			s.fresh = append(s.fresh, b)
			s.added[p.name]++
			p.nodes++
			s.seated++
			return true
		}
	}
	s.missing = &x
	return false
}

// growth says which pools have to become larger, and how far they may.
func (s *seating) growth() string {
	var parts []string
	for _, p := range s.pools {
		if n := s.added[p.name]; n > 0 {
			part := fmt.Sprintf("pool %s grows from %d to %d nodes, of at most %d", p.name, p.nodes-n, p.nodes, p.most)
			if p.like == nil {
				part += ", whose size is not known"
			}
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

// shortage says what there is no room for, and which pools it might have run in.
func (s *seating) shortage(wanted int) string {
	text := fmt.Sprintf("%s fits on no node", s.missing)
	if wanted > 1 {
		text += fmt.Sprintf(" (%d of %s have room)", s.seated, podsText(wanted))
	}
	var full []string
	for _, p := range s.pools {
		switch b := p.another(); {
		case !s.missing.mayRunOn(b.node):
		case s.missing.cpu > b.cpu || s.missing.memory > b.memory:
			full = append(full, fmt.Sprintf("a node of pool %s is too small for it", p.name))
		default:
			full = append(full, fmt.Sprintf("pool %s would have %d nodes, and has at most %d", p.name, p.nodes+1, p.most))
		}
	}
	if len(full) == 0 {
		return text + ", and no pool has nodes that it may run on"
	}
	return text + ": " + strings.Join(full, "; ")
}

// look returns what is on the nodes now.
func (r *Room) look(ctx context.Context) (*furnished, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.found != nil && time.Since(r.asked) < roomFor {
		return r.found, nil
	}
	now := time.Now()
	f := &furnished{priorities: r.classes(ctx)}
	if err := r.furnish(ctx, f); err != nil {
		return nil, err
	}
	if r.Pools != nil {
		var err error
		if f.pools, err = r.Pools(ctx); err != nil {
			return nil, err
		}
	}
	r.found, r.asked = f, now
	return f, nil
}

// priority returns the priority of a class's pods. Nothing gives way to those of a
// class that is not known.
func (f *furnished) priority(class string) int32 {
	value, isKnown := f.priorities[class]
	if class != "" && !isKnown {
		return math.MinInt32
	}
	return value
}

// classes returns the priorities of the classes that pods can have, or nil where
// they may not be read.
func (r *Room) classes(ctx context.Context) map[string]int32 {
	list, err := r.Client.Typed.SchedulingV1().PriorityClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	all := make(map[string]int32, len(list.Items))
	for _, c := range list.Items {
		all[c.Name] = c.Value
		if c.GlobalDefault {
			all[""] = c.Value
		}
	}
	return all
}
