package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	ours "hubcap/engine/resource"
)

// Pools are a cluster's node pools as the GKE API has them.
type Pools struct {
	Locations []string               // zones of the cluster, which a pool has unless it says otherwise
	ByName    map[string]ours.Object // as GKE spells them
}

// A growing is a node pool to which an autoscaler adds.
type growing struct {
	name  string
	nodes int // there are
	most  int // there may be, in all zones together
	like  *bed
	blank *corev1.Node // as one that is added would be, where there is none that it is like
}

// seating returns what pods can be placed on. ahead are changes of pools that are
// made before.
func (f *furnished) seating(ahead []ours.Change) *seating {
	s := &seating{added: map[string]int{}}
	for _, b := range f.beds {
		free := *b
		s.beds = append(s.beds, &free)
	}
	pools := maps.Clone(f.pools.ByName)
	for _, c := range ahead {
		if c.ID.Kind == ours.KindNodePool && c.After != nil && pools != nil {
			pools[c.ID.Name] = overlaid(pools[c.ID.Name], c.After)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		if p := f.growing(name, pools[name]); p != nil {
			s.pools = append(s.pools, p)
		}
	}
	return s
}

// overlaid returns an object with the fields of another over its own.
func overlaid(o, over map[string]any) map[string]any {
	out := maps.Clone(o)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range over {
		inner, isMap := v.(map[string]any)
		own, wasMap := out[k].(map[string]any)
		if isMap && wasMap {
			v = overlaid(own, inner)
		}
		out[k] = v
	}
	return out
}

// A poolShape is what counts of a pool.
type poolShape struct {
	Autoscaling struct {
		Enabled                         bool
		MaxNodeCount, TotalMaxNodeCount json.Number
	}
	Locations []string
	Config    struct {
		MachineType string
		Labels      map[string]string
		Taints      []struct{ Key, Value, Effect string }
	}
}

// countOf reads what GKE's JSON writes as a number or as a text; nothing is zero.
func countOf(n json.Number) int {
	f, _ := n.Float64()
	return int(f)
}

// growing returns a pool to which nodes may be added, or nil.
func (f *furnished) growing(name string, o ours.Object) *growing {
	text, err := json.Marshal(ours.Reveal(map[string]any(o)))
	if err != nil {
		return nil
	}
	var shape poolShape
	if err := json.Unmarshal(text, &shape); err != nil || !shape.Autoscaling.Enabled {
		return nil
	}
	zones := max(1, cmp.Or(len(shape.Locations), len(f.pools.Locations)))
	p := &growing{name: name, most: cmp.Or(countOf(shape.Autoscaling.TotalMaxNodeCount), countOf(shape.Autoscaling.MaxNodeCount)*zones)}
	for _, n := range f.nodes {
		if n.Labels[labelPool] == name {
			p.nodes++
		}
	}
	for _, b := range f.beds {
		if b.node.Labels[labelPool] == name {
			p.like = b
			break
		}
	}
	p.blank = shape.node(name)
	return p
}

// taintWords are the effects of taints as the GKE API spells them.
var taintWords = map[string]corev1.TaintEffect{
	"NO_SCHEDULE": corev1.TaintEffectNoSchedule, "PREFER_NO_SCHEDULE": corev1.TaintEffectPreferNoSchedule, "NO_EXECUTE": corev1.TaintEffectNoExecute,
}

// node returns a node as the pool's are, as far as its labels and taints go.
func (s poolShape) node(pool string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: maps.Clone(s.Config.Labels)}}
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	maps.Copy(n.Labels, map[string]string{
		labelPool: pool, corev1.LabelInstanceTypeStable: s.Config.MachineType,
		corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
	})
	for _, t := range s.Config.Taints {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: cmp.Or(taintWords[t.Effect], corev1.TaintEffect(t.Effect))})
	}
	return n
}

// another returns one node more of the pool. Of a pool without nodes it is not known
// how much they hold: one pod, whatever it asks for.
func (p *growing) another() *bed {
	if p.like != nil {
		return p.like.anew()
	}
	return &bed{node: p.blank, cpu: math.MaxInt64, memory: math.MaxInt64, pods: 1}
}

// autoscalerStatus is where the cluster autoscaler says how far it may go.
const autoscalerStatus = "cluster-autoscaler-status"

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
