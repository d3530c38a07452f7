package plan

import (
	"fmt"
	"slices"

	"hubcap/engine/resource"
)

// A read is what the pods of a workload take from a ConfigMap or a Secret.
type read struct {
	reference
	keys  []string // nil: all of it
	fixed bool     // taken once, at the start: environment, or a file mounted by sub-path
}

// touches reports whether any of the keys is read.
func (r read) touches(keys map[string]bool) bool {
	if r.keys == nil {
		return len(keys) > 0
	}
	return slices.ContainsFunc(r.keys, func(key string) bool { return keys[key] })
}

// reads returns what the pods of a workload read of configurations.
func reads(o resource.Object) []read {
	spec := podSpec(o)
	if spec == nil {
		return nil
	}
	all, fixed := []read{}, bySubPath(o)
	add := func(kind, name string, keys []string, fixed bool) {
		if name != "" {
			all = append(all, read{reference: reference{kind, name}, keys: keys, fixed: fixed})
		}
	}
	for _, v := range elements(spec["volumes"]) {
		volume, _ := v["name"].(string)
		name, keys := source(v["secret"], "secretName")
		add("Secret", name, keys, fixed[volume])
		name, keys = source(v["configMap"], "name")
		add("ConfigMap", name, keys, fixed[volume])
		projected, _ := v["projected"].(map[string]any)
		for _, s := range elements(projected["sources"]) {
			name, keys := source(s["secret"], "name")
			add("Secret", name, keys, fixed[volume])
			name, keys = source(s["configMap"], "name")
			add("ConfigMap", name, keys, fixed[volume])
		}
	}
	for _, c := range containers(o) {
		for _, e := range elements(c["env"]) {
			from, _ := e["valueFrom"].(map[string]any)
			for field, kind := range map[string]string{"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"} {
				ref, _ := from[field].(map[string]any)
				name, _ := ref["name"].(string)
				key, _ := ref["key"].(string)
				add(kind, name, []string{key}, true)
			}
		}
		for _, e := range elements(c["envFrom"]) {
			name, _ := source(e["secretRef"], "name")
			add("Secret", name, nil, true)
			name, _ = source(e["configMapRef"], "name")
			add("ConfigMap", name, nil, true)
		}
	}
	return all
}

// source returns the name of a configuration that a volume holds, and the keys of it
// when it holds not all.
func source(v any, field string) (name string, keys []string) {
	m, _ := v.(map[string]any)
	name, _ = m[field].(string)
	for _, item := range elements(m["items"]) {
		if key, isText := item["key"].(string); isText {
			keys = append(keys, key)
		}
	}
	return name, keys
}

// bySubPath returns the volumes of which some container mounts a part: such files
// are not renewed.
func bySubPath(o resource.Object) map[string]bool {
	volumes := make(map[string]bool)
	for _, c := range containers(o) {
		for _, m := range elements(c["volumeMounts"]) {
			name, _ := m["name"].(string)
			if m["subPath"] != nil || m["subPathExpr"] != nil {
				volumes[name] = true
			}
		}
	}
	return volumes
}

// changedKeys returns the keys of a configuration whose values change.
func changedKeys(c resource.Change) map[string]bool {
	changed := make(map[string]bool)
	for _, part := range []string{"data", "binaryData", "stringData"} {
		was, _ := c.Before.Value(part)
		is, _ := c.After.Value(part)
		before, _ := was.(map[string]any)
		after, _ := is.(map[string]any)
		for key, value := range after {
			if old, had := before[key]; !had || !resource.Equal(resource.Reveal(old), resource.Reveal(value)) {
				changed[key] = true
			}
		}
		for key := range before {
			if _, still := after[key]; !still {
				changed[key] = true
			}
		}
	}
	return changed
}

// stay are the kinds whose pods stay: what they read at their start they keep.
var stay = map[string]bool{"Deployment": true, "StatefulSet": true, "DaemonSet": true}

// renews reports whether a change makes the pods of a workload anew, or for the
// first time.
func renews(c resource.Change) bool {
	return stay[c.ID.Kind] && (c.Action == resource.Create || c.Action == resource.Replace || c.Action == resource.Update && touchesTemplate(&c))
}

// configID returns the identity of what a workload reads.
func (r read) configID(workload resource.ID) resource.ID {
	return resource.ID{Cluster: workload.Cluster, Kind: r.kind, Namespace: workload.Namespace, Name: r.name}
}

// unrestarted warns of workloads that read what changes and that nothing restarts:
// no digest of it stands on their pods.
func (b *builder) unrestarted(changes []resource.Change) {
	changed, renewed := changedConfigs([]*draft{{changes: changes}}), make(map[resource.ID]bool)
	for _, c := range changes {
		if renews(c) || c.Action == resource.Delete {
			renewed[c.ID] = true
		}
	}
	if len(changed) == 0 {
		return
	}
	for _, o := range b.Reading.Observations {
		if !stay[o.Desired.ID.Kind] || o.Live == nil || renewed[o.Desired.ID] {
			continue
		}
		fixed := make(map[resource.ID]bool)
		for _, r := range reads(o.Desired.Object) {
			if id := r.configID(o.Desired.ID); r.touches(changed[id]) {
				fixed[id] = fixed[id] || r.fixed
			}
		}
		for id, fixed := range fixed {
			b.plan.Warnings = append(b.plan.Warnings, fmt.Sprintf("%s/%s changes and %s is not restarted: %s",
				id.Kind, id.Name, o.Desired.Address, kept(fixed)))
		}
	}
}

// kept says what running pods keep of a configuration that changes.
func kept(fixed bool) string {
	if fixed {
		return "running pods keep the old configuration until they are made anew, since they read it only at their start"
	}
	return "running pods see its new files within minutes, and keep what they read at their start until they are made anew"
}

// changedConfigs returns the keys that change of each configuration.
func changedConfigs(drafts []*draft) map[resource.ID]map[string]bool {
	changed := make(map[resource.ID]map[string]bool)
	for _, d := range drafts {
		for _, c := range d.changes {
			if c.Action == resource.Update && isConfig(c.ID.Kind) && c.ID.Group == "" {
				changed[c.ID] = changedKeys(c)
			}
		}
	}
	return changed
}
