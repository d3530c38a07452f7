package plan

import (
	"encoding/base64"

	"hubcap/engine/resource"
)

// decoded returns text without the base64 that the data of a Secret has.
func decoded(text string) string {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return text
	}
	return string(plain)
}

// A reference names an object of the same namespace.
type reference struct{ kind, name string }

// podSpec returns the pod spec of a workload, or nil.
func podSpec(o resource.Object) map[string]any {
	for _, path := range [][]string{
		{"spec", "template", "spec"},
		{"spec", "jobTemplate", "spec", "template", "spec"},
	} {
		if v, has := o.Value(path...); has {
			spec, _ := v.(map[string]any)
			return spec
		}
	}
	if o.Text("kind") == "Pod" {
		v, _ := o.Value("spec")
		spec, _ := v.(map[string]any)
		return spec
	}
	return nil
}

// containers returns all containers of a workload, the initial ones first.
func containers(o resource.Object) []map[string]any {
	spec := podSpec(o)
	return append(elements(spec["initContainers"]), elements(spec["containers"])...)
}

// elements returns the maps of a list.
func elements(v any) []map[string]any {
	list, _ := v.([]any)
	var maps []map[string]any
	for _, e := range list {
		if m, isMap := e.(map[string]any); isMap {
			maps = append(maps, m)
		}
	}
	return maps
}

// references returns what the pods of a workload cannot start without.
func references(o resource.Object) []reference {
	spec := podSpec(o)
	if spec == nil {
		return nil
	}
	var refs []reference
	add := func(kind string, holder any, key string) {
		m, _ := holder.(map[string]any)
		if name, isText := m[key].(string); isText && name != "" {
			refs = append(refs, reference{kind, name})
		}
	}
	add("ServiceAccount", spec, "serviceAccountName")
	for _, s := range elements(spec["imagePullSecrets"]) {
		add("Secret", s, "name")
	}
	for _, v := range elements(spec["volumes"]) {
		add("Secret", v["secret"], "secretName")
		add("ConfigMap", v["configMap"], "name")
		add("PersistentVolumeClaim", v["persistentVolumeClaim"], "claimName")
		projected, _ := v["projected"].(map[string]any)
		for _, s := range elements(projected["sources"]) {
			add("Secret", s["secret"], "name")
			add("ConfigMap", s["configMap"], "name")
		}
	}
	for _, c := range containers(o) {
		for _, e := range elements(c["env"]) {
			from, _ := e["valueFrom"].(map[string]any)
			add("Secret", from["secretKeyRef"], "name")
			add("ConfigMap", from["configMapKeyRef"], "name")
		}
		for _, e := range elements(c["envFrom"]) {
			add("Secret", e["secretRef"], "name")
			add("ConfigMap", e["configMapRef"], "name")
		}
	}
	return refs
}
