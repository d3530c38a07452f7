package kube

import (
	"encoding/json"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
)

// Charts write a digest of a pod's configuration on the pod, so that another
// configuration restarts it. On its first install Helm renders such a chart only
// once: where it draws a token at random it draws one into the Secret and others
// into the digests, so that these stand for no configuration at all. Every later
// rendering has other digests, and restarts the hub and the proxy for nothing.
//
// A take-over keeps such digests. Which ones, and what they would be by rendering,
// is noted on the object: as long as that is what is rendered, the configuration is
// what it was, and the digest stays. Nothing is guessed later on.

const checksumPrefix = "checksum/"

var templateNotes = []string{"spec", "template", "metadata", "annotations"}

// keepChecksums returns the i-th desired object with the digests that stay as they
// are live.
func (s *survey) keepChecksums(i int) resource.Desired {
	d, live := s.desired[i], s.live[i]
	if live == nil || d.Presence == resource.Ensured || d.GivesBack != nil {
		return d
	}
	have := checksums(resource.Object(live.Object))
	if len(have) == 0 {
		return d
	}
	known := map[string]string{}
	if note := live.GetAnnotations()[resource.AnnotationChecksums]; note != "" {
		_ = json.Unmarshal([]byte(note), &known) // what cannot be read notes nothing
	}
	if claim := s.p.claim(live, d); claim.from != nil && !claim.from.Again && s.onlyChecksums(d, live) {
		known = checksums(d.Object)
	}
	kept := map[string]string{}
	for name, rendered := range checksums(d.Object) {
		if is, has := have[name]; has && known[name] == rendered && is != rendered {
			kept[name] = rendered
		}
	}
	if len(kept) == 0 {
		return d
	}
	note, err := json.Marshal(kept)
	if err != nil {
		panic("kube: encode a map of texts: " + err.Error())
	}
	d.Object = d.Object.Copy()
	hides := false
	for name := range kept {
		path := append(templateNotes[:len(templateNotes):len(templateNotes)], name)
		var keep any = have[name]
		if rendered, _ := d.Object.Value(path...); resource.HasSensitive(rendered) {
			keep, hides = resource.Secret(have[name]), true
		}
		d.Object.Set(keep, path...)
	}
	var noted any = string(note)
	if hides {
		noted = resource.Secret(string(note))
	}
	d.Object.Set(noted, "metadata", "annotations", resource.AnnotationChecksums)
	resource.RememberSensitive(d.Object)
	return d
}

// checksums returns the digests on the pods of o.
func checksums(o resource.Object) map[string]string {
	notes, _ := o.Value(templateNotes...)
	all, _ := notes.(map[string]any)
	found := map[string]string{}
	for name, v := range all {
		if text, isText := resource.Reveal(v).(string); isText && strings.HasPrefix(name, checksumPrefix) {
			found[name] = text
		}
	}
	return found
}

// onlyChecksums reports whether the pods of d differ from the live ones in nothing
// but digests, and all configuration that they read is as it is live.
func (s *survey) onlyChecksums(d resource.Desired, live *unstructured.Unstructured) bool {
	want, _ := resource.Object(canonical(resource.Reveal(d.Object).(map[string]any))).Value("spec", "template")
	have, _ := resource.Object(live.Object).Value("spec", "template")
	if !covers(have, without(want)) {
		return false
	}
	for _, ref := range configsOf(want) {
		ref.Cluster, ref.Namespace = d.ID.Cluster, d.ID.Namespace
		i, wanted := s.byID[ref.ID]
		if !wanted {
			continue // not the config's to change
		}
		if s.live[i] == nil || s.hidden[i] || !sameConfig(s.desired[i].Object, s.live[i], ref.key) {
			return false
		}
	}
	return true
}

// without returns a copy of a pod template without its digests.
func without(template any) any {
	t, _ := template.(map[string]any)
	o := resource.Object(t).Copy()
	notes, _ := o.Value("metadata", "annotations")
	if m, isMap := notes.(map[string]any); isMap {
		maps.DeleteFunc(m, func(name string, _ any) bool { return strings.HasPrefix(name, checksumPrefix) })
	}
	return map[string]any(o)
}

// A configRef is a ConfigMap or Secret that pods read, or one key of it.
type configRef struct {
	resource.ID
	key string // empty: all of it
}

// configsOf returns the configuration that pods of a template read, wherever it
// stands: a reference is told by its field.
func configsOf(template any) []configRef {
	var refs []configRef
	var walk func(field string, v any)
	walk = func(field string, v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(field, e)
			}
		case map[string]any:
			name, _ := v["name"].(string)
			if field == "secret" && name == "" {
				name, _ = v["secretName"].(string)
			}
			key, _ := v["key"].(string)
			if kind := configFields[field]; kind != "" && name != "" {
				refs = append(refs, configRef{ID: resource.ID{Kind: kind, Name: name}, key: key})
			}
			for field, e := range v {
				walk(field, e)
			}
		}
	}
	walk("", template)
	return refs
}

var configFields = map[string]string{
	"secret": "Secret", "secretRef": "Secret", "secretKeyRef": "Secret",
	"configMap": "ConfigMap", "configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap",
}

// sameConfig reports whether a configuration, or one key of it, is as it is live.
func sameConfig(desired resource.Object, live *unstructured.Unstructured, key string) bool {
	for _, field := range []string{"data", "binaryData"} {
		want, _ := desired.Value(field)
		have := live.Object[field]
		if key != "" {
			want, have = entryOf(want, key), entryOf(have, key)
		}
		if !resource.Equal(emptyNil(resource.Reveal(want)), emptyNil(have)) {
			return false
		}
	}
	return true
}

func entryOf(v any, key string) any {
	m, _ := v.(map[string]any)
	return m[key]
}

// emptyNil makes nothing of a map without entries.
func emptyNil(v any) any {
	if m, isMap := v.(map[string]any); isMap && len(m) == 0 {
		return nil
	}
	return v
}
