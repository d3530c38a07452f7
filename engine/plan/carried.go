package plan

import (
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// What GKE labels and taints nodes with, by itself.
const labelNodePool = "cloud.google.com/gke-nodepool"

// carried returns the namespaces whose proxy runs, or may run, on the nodes of a
// pool: when the nodes go, everybody there is cut off.
func (b *builder) carried(pool resource.ID) []string {
	var namespaces []string
	for _, w := range b.carriers(pool) {
		if interrupts(w.Component) {
			namespaces = append(namespaces, w.ID.Namespace)
		}
	}
	return sortedSet(namespaces)
}

// carriers returns the workloads that hubs cannot do without and whose pods run on the
// nodes of a pool, as far as anybody has looked, or else may run there.
func (b *builder) carriers(pool resource.ID) []resource.Desired {
	shape, seen := b.shape(pool), b.Census[pool.Cluster].Carriers
	var all []resource.Desired
	for _, o := range b.Reading.Observations {
		d := o.Desired
		if o.Live == nil || d.ID.Cluster != pool.Cluster || !workloads[d.ID.Kind] || !essential(d.Component) {
			continue
		}
		isSeen := slices.Contains(seen[pool.Name], resource.Carrier{Namespace: d.ID.Namespace, Component: d.Component.Name})
		if isSeen || seen == nil && (shape.mayRun(o.Live.Object) || shape.mayRun(d.Object)) {
			all = append(all, d)
		}
	}
	return all
}

// carriedNote says what goes down with the nodes of a pool.
func carriedNote(carriers []resource.Desired) string {
	var names []string
	for _, d := range carriers {
		names = append(names, d.Component.String())
	}
	if names = sortedSet(names); len(names) > 4 {
		names = append(names[:4], fmt.Sprintf("%d more", len(names)-4))
	}
	return "its nodes run " + strings.Join(names, ", ")
}

// A nodeShape is what decides which pods a pool's nodes may run.
type nodeShape struct {
	labels map[string]string
	taints []map[string]any
}

// shape returns the labels and taints of a pool's nodes, live or else as wanted.
func (b *builder) shape(pool resource.ID) nodeShape {
	object := b.orphans[pool].Object
	if o, wanted := b.observed[pool]; wanted {
		object = o.Desired.Object
		if o.Live != nil {
			object = o.Live.Object
		}
	}
	s := nodeShape{labels: map[string]string{labelNodePool: pool.Name}}
	labels, _ := object.Value("config", "labels")
	for key, v := range asMap(labels) {
		s.labels[key], _ = resource.Reveal(v).(string)
	}
	taints, _ := object.Value("config", "taints")
	list, _ := taints.([]any)
	for _, t := range list {
		s.taints = append(s.taints, asMap(t))
	}
	return s
}

// mayRun reports whether the pods of a workload may be placed on such nodes. What
// only prefers other nodes may be.
func (s nodeShape) mayRun(workload resource.Object) bool {
	spec := resource.Object(podSpec(workload))
	for key, want := range asMap(spec["nodeSelector"]) {
		if s.labels[key] != resource.Reveal(want) {
			return false
		}
	}
	terms, _ := spec.Value("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	if list, _ := terms.([]any); len(list) > 0 && !slices.ContainsFunc(list, s.meets) {
		return false
	}
	list, _ := spec["tolerations"].([]any)
	return !slices.ContainsFunc(s.taints, func(taint map[string]any) bool {
		effect := taint["effect"]
		return effect != "PREFER_NO_SCHEDULE" && effect != "PreferNoSchedule" && !slices.ContainsFunc(list, func(t any) bool { return tolerates(asMap(t), taint) })
	})
}

// meets reports whether the nodes meet one term of a node affinity. A term that
// cannot be told is met.
func (s nodeShape) meets(term any) bool {
	list, _ := asMap(term)["matchExpressions"].([]any)
	return !slices.ContainsFunc(list, func(e any) bool {
		expression := asMap(e)
		key, _ := expression["key"].(string)
		values, _ := expression["values"].([]any)
		value, has := s.labels[key]
		among := slices.ContainsFunc(values, func(v any) bool { return v == value })
		switch expression["operator"] {
		case "In":
			return !has && isPoolLabel(key) || has && !among
		case "NotIn":
			return has && among
		case "DoesNotExist":
			return has
		case "Exists":
			return !has && isPoolLabel(key)
		}
		return false
	})
}

// isPoolLabel tells labels that a pool gives its nodes from those that every node
// has by itself, such as its zone.
func isPoolLabel(key string) bool {
	return !slices.Contains([]string{"kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "node.kubernetes.io/instance-type"}, key)
}

// tolerates reports whether a toleration is about a taint. Kubernetes and GKE spell
// effects differently: that a toleration names another effect is not relied on.
func tolerates(toleration, taint map[string]any) bool {
	key, hasKey := toleration["key"]
	if !hasKey || key == "" {
		return toleration["operator"] == "Exists"
	}
	return key == taint["key"] && (toleration["operator"] == "Exists" || toleration["value"] == taint["value"])
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
