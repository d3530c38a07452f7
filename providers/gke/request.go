package gke

import (
	"maps"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// A call is one request that changes one group of fields of a pool.
type call struct {
	verb   string // "": update; else the method after the colon
	fields resource.Object
	covers []leaf // what it changes
}

// calls returns the requests that bring the differing leaves of a pool to what
// want says, in the order in which they are to be made. gone are entries that
// want lacks and that are to go away.
func calls(want, live resource.Object, differ, gone []leaf) []call {
	byGroup := map[string][]leaf{}
	var order []string
	for _, l := range append(slices.Clone(differ), gone...) {
		key := string(rune('a' + l.groupOf()))
		if l.groupOf() == groupOther {
			key += strings.Join(strings.SplitN(l.field, ".", 3)[:min(2, strings.Count(l.field, ".")+1)], ".")
		}
		if byGroup[key] == nil {
			order = append(order, key)
		}
		byGroup[key] = append(byGroup[key], l)
	}
	slices.Sort(order)
	var made []call
	for _, key := range order {
		made = append(made, callFor(want, live, byGroup[key]))
	}
	return made
}

// callFor returns the request for leaves of one group.
func callFor(want, live resource.Object, group []leaf) call {
	c := call{covers: group, fields: resource.Object{}}
	switch group[0].groupOf() {
	case groupManagement:
		c.verb = "setManagement"
		c.fields["management"] = merged(want, live, "management", "autoRepair", "autoUpgrade")
	case groupAutoscaling:
		c.verb = "setAutoscaling"
		c.fields["autoscaling"] = autoscaling(want, live)
	case groupUpgrade:
		settings := merged(want, live, "upgradeSettings", "maxSurge", "maxUnavailable", "strategy", "blueGreenSettings")
		for _, number := range []string{"maxSurge", "maxUnavailable"} { // one that is left out is not kept
			if _, isSet := settings[number]; !isSet && settings["strategy"] != "BLUE_GREEN" {
				settings[number] = int64(0)
			}
		}
		c.fields["upgradeSettings"] = settings
	case groupDrain:
		c.fields["nodeDrainConfig"] = merged(want, live, "nodeDrainConfig",
			"graceTerminationDuration", "pdbTimeoutDuration", "respectPdbDuringNodePoolDeletion")
	case groupLabels:
		c.fields["labels"] = map[string]any{"labels": mergedMap(want, live, "labels", group)}
	case groupResourceLabels:
		c.fields["resourceLabels"] = map[string]any{"labels": mergedMap(want, live, "resourceLabels", group)}
	case groupTaints:
		c.fields["taints"] = map[string]any{"taints": mergedTaints(want, live, group)}
	case groupTags:
		c.fields["tags"] = map[string]any{"tags": mergedTags(want, live, group)}
	default:
		for _, l := range group {
			path := strings.Split(l.field, ".")
			if path[0] == "config" {
				path = path[1:]
			}
			top := path[0]
			v, isThere := want.Value("config", top)
			have, _ := live.Value("config", top)
			if !isThere {
				v, _ = want.Value(top)
				have, _ = live.Value(top)
			}
			c.fields[top] = over(v, have)
		}
	}
	return c
}

// over returns what want says, and what live has besides: a call replaces a part
// of the pool as a whole.
func over(want, live any) any {
	wm, isMap := want.(map[string]any)
	lm, wasMap := live.(map[string]any)
	if !isMap || !wasMap {
		return resource.CopyValue(want)
	}
	m := resource.CopyValue(lm).(map[string]any)
	for key, v := range wm {
		m[key] = over(v, lm[key])
	}
	return m
}

// merged returns the named fields of one part of the pool as want has them, or
// else as live has them: the call replaces the part as a whole.
func merged(want, live resource.Object, part string, fields ...string) map[string]any {
	m := map[string]any{}
	for _, field := range fields {
		if v, isThere := live.Value(part, field); isThere {
			m[field] = resource.CopyValue(v)
		}
		if v, isThere := want.Value(part, field); isThere {
			m[field] = resource.CopyValue(v)
		}
	}
	return m
}

// autoscaling returns the whole of the autoscaling that is wanted. Bounds for
// each zone and bounds in all exclude each other: those that are wanted put the
// others to zero.
func autoscaling(want, live resource.Object) map[string]any {
	perZone := []string{"minNodeCount", "maxNodeCount"}
	total := []string{"totalMinNodeCount", "totalMaxNodeCount"}
	m := merged(want, live, "autoscaling", append(append([]string{"enabled", "locationPolicy"}, perZone...), total...)...)
	enabled, _ := m["enabled"].(bool)
	if !enabled {
		return map[string]any{"enabled": false}
	}
	drop := total
	for _, field := range total {
		if v, _ := want.Value("autoscaling", field); canonical(v) != nil {
			drop = perZone
		}
	}
	for _, field := range drop {
		delete(m, field)
	}
	for _, field := range append(perZone, total...) {
		if _, isSet := m[field]; !isSet && !slices.Contains(drop, field) {
			m[field] = int64(0)
		}
	}
	return m
}

// mergedMap returns the entries of live, those of the group changed as want has
// them. Foreign entries stay.
func mergedMap(want, live resource.Object, name string, group []leaf) map[string]any {
	have, _ := live.Value("config", name)
	m := map[string]any{}
	if byKey, isMap := have.(map[string]any); isMap {
		m = maps.Clone(byKey)
	}
	wanted, _ := want.Value("config", name)
	byKey, _ := wanted.(map[string]any)
	for _, l := range group {
		if v, isWanted := byKey[l.entry]; isWanted && v != nil {
			m[l.entry] = v
		} else {
			delete(m, l.entry)
		}
	}
	return m
}

func mergedTaints(want, live resource.Object, group []leaf) []any {
	return mergedList(want, live, "taints", group, func(e any) string {
		t, _ := e.(map[string]any)
		return taintKey(t)
	})
}

func mergedTags(want, live resource.Object, group []leaf) []any {
	return mergedList(want, live, "tags", group, func(e any) string {
		tag, _ := e.(string)
		return tag
	})
}

// mergedList returns the elements of live without those of the group, and then
// those of the group that want has.
func mergedList(want, live resource.Object, name string, group []leaf, key func(any) string) []any {
	touched := map[string]bool{}
	for _, l := range group {
		touched[l.entry] = true
	}
	list := []any{}
	have, _ := live.Value("config", name)
	for _, e := range elements(have) {
		if !touched[key(e)] {
			list = append(list, e)
		}
	}
	wanted, _ := want.Value("config", name)
	for _, e := range elements(wanted) {
		if touched[key(e)] {
			list = append(list, e)
		}
	}
	return list
}

func elements(v any) []any {
	list, _ := v.([]any)
	return list
}

// complete fills in, for a pool that is to be made, what GKE would take for zero
// because something beside it is said, and what its autoscaler needs: it does not
// bring a new pool up to its minimum by itself.
func complete(o resource.Object) {
	for _, d := range []struct {
		part, field string
		value       any
	}{
		{"management", "autoRepair", true}, {"management", "autoUpgrade", true}, {"upgradeSettings", "maxSurge", int64(1)},
	} {
		part, isSet := o[d.part].(map[string]any)
		if _, isThere := part[d.field]; isSet && !isThere && part["strategy"] == nil {
			part[d.field] = d.value
		}
	}
	if _, isSet := o["initialNodeCount"]; isSet || o["autoscaling"] == nil {
		return
	}
	least, _ := o.Value("autoscaling", "minNodeCount")
	nodes, _ := least.(int64)
	if total, _ := o.Value("autoscaling", "totalMinNodeCount"); total != nil {
		all, _ := total.(int64)
		zones := int64(max(len(elements(o["locations"])), 1))
		nodes = (all + zones - 1) / zones
	}
	if nodes > 0 {
		o["initialNodeCount"] = nodes
	}
}
