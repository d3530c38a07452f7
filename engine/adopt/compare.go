package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
)

// A Difference is one field in which what was written renders otherwise than
// Helm did. It holds no values.
type Difference struct {
	Object string // "Deployment/hub"; empty: of the values
	Path   []string
	What   string // "is another", "is new", "is missing"
}

// String returns the difference as people read it.
func (d Difference) String() string {
	where := strings.Join(d.Path, ".")
	if d.Object != "" {
		where = strings.TrimSuffix(d.Object+" "+where, " ")
	}
	return where + " " + d.What
}

// The marks that hubcap puts on every object, and Helm on its own.
var ownMarks = [][]string{
	{"metadata", "labels", "hubcap.dev/config"},
	{"metadata", "annotations", "hubcap.dev/address"}, {"metadata", "annotations", "hubcap.dev/component"},
	{"metadata", "annotations", "hubcap.dev/protected"}, {"metadata", "annotations", "hubcap.dev/applied"},
	{"metadata", "annotations", resource.AnnotationSensitive}, {"metadata", "annotations", resource.AnnotationSeal},
}

// Values compares values completed by a chart: those that a block gives, and
// those of the record.
func Values(block, record map[string]any) []Difference {
	var found []Difference
	differences(&found, nil, resource.Reveal(block), resource.Reveal(record))
	return found
}

// A Manifest is the objects that Helm recorded of a release, as YAML.
type Manifest struct {
	Namespace string
	Objects   resource.Sensitive
	Hooks     []resource.Sensitive // which Helm keeps apart
}

// A record is the objects of a manifest by name.
type record struct{ objects, hooks map[string]resource.Object }

func (m Manifest) read() (record, error) {
	r := record{objects: map[string]resource.Object{}, hooks: map[string]resource.Object{}}
	objects, err := chart.Objects("manifest", m.Objects.Reveal())
	if err != nil {
		return r, fmt.Errorf("read the recorded manifest: %w", err)
	}
	for _, o := range objects {
		r.objects[nameOf(o.Object, m.Namespace)] = o.Object
	}
	for _, text := range m.Hooks {
		hooks, err := chart.Objects("hook", text.Reveal())
		if err != nil {
			return r, fmt.Errorf("read a recorded hook: %w", err)
		}
		for _, o := range hooks {
			r.hooks[nameOf(o.Object, m.Namespace)] = o.Object
		}
	}
	return r, nil
}

// Rendered compares the objects of one block with the manifest that Helm
// recorded for a release. An object may be given in several renderings (without
// anything live, with what is live): a field differs when it does in all of
// them. What is drawn at random is no difference, nor are hubcap's marks, nor
// hooks that do not stay.
func Rendered(renderings [][]resource.Desired, manifest Manifest) ([]Difference, error) {
	want, err := manifest.read()
	if err != nil {
		return nil, err
	}
	var common map[string]Difference
	for _, desired := range renderings {
		found := map[string]Difference{}
		for _, d := range against(want, desired, manifest.Namespace) {
			found[d.String()] = d
		}
		if common == nil {
			common = found
			continue
		}
		maps.DeleteFunc(common, func(text string, _ Difference) bool { _, isToo := found[text]; return !isToo })
	}
	var out []Difference
	for _, text := range slices.Sorted(maps.Keys(common)) {
		out = append(out, common[text])
	}
	return out, nil
}

// against compares one rendering.
func against(want record, desired []resource.Desired, namespace string) []Difference {
	var found []Difference
	met := map[string]bool{}
	for _, d := range desired {
		if d.Presence == resource.Ensured || d.ID.Kind == "CustomResourceDefinition" {
			continue
		}
		name := nameOf(d.Object, namespace)
		met[name] = true
		among := want.objects
		if d.Hook != nil {
			among = want.hooks
		}
		was, isRecorded := among[name]
		if !isRecorded {
			found = append(found, Difference{Object: name, What: "is new"})
			continue
		}
		differencesOf(&found, name, d.Object, was)
	}
	for _, name := range slices.Sorted(maps.Keys(want.objects)) {
		if !met[name] && want.objects[name].Text("kind") != "CustomResourceDefinition" {
			found = append(found, Difference{Object: name, What: "is missing"})
		}
	}
	return found
}

func differencesOf(found *[]Difference, name string, desired, was resource.Object) {
	is := desired.Copy()
	for _, path := range ownMarks {
		remove(is, path)
	}
	was = was.Copy()
	chart.FoldStringData(was)
	for _, o := range []resource.Object{is, was} {
		remove(o, []string{"metadata", "namespace"}) // the name has it
		for _, table := range []string{"labels", "annotations"} {
			if v, _ := o.Value("metadata", table); v == nil || len(asTable(v)) == 0 {
				remove(o, []string{"metadata", table})
			}
		}
	}
	var own []Difference
	differences(&own, nil, map[string]any(is), map[string]any(was))
	for _, d := range own {
		d.Object = name
		*found = append(*found, d)
	}
}

// nameOf tells objects apart: "Deployment/hub", or "Deployment/other/hub" in
// another namespace than the release's.
func nameOf(o resource.Object, namespace string) string {
	name := o.Text("metadata", "name")
	if own := o.Text("metadata", "namespace"); own != "" && own != namespace {
		name = own + "/" + name
	}
	return o.Text("kind") + "/" + name
}

func remove(o resource.Object, path []string) {
	v, _ := o.Value(path[:len(path)-1]...)
	if table, isTable := v.(map[string]any); isTable {
		delete(table, path[len(path)-1])
	}
}

func asTable(v any) map[string]any {
	table, _ := v.(map[string]any)
	return table
}

// differences gathers where two trees differ, leaf by leaf.
func differences(found *[]Difference, path []string, is, was any) {
	if s, isSensitive := is.(resource.Sensitive); isSensitive {
		if s.Generated {
			return
		}
		is = s.Reveal()
	}
	switch a := is.(type) {
	case map[string]any:
		b, isTable := was.(map[string]any)
		if !isTable {
			break
		}
		for _, k := range slices.Sorted(maps.Keys(a)) {
			below := append(slices.Clone(path), k)
			v, isThere := b[k]
			switch {
			case isThere:
				differences(found, below, a[k], v)
			case !isDrawn(a[k]):
				*found = append(*found, Difference{Path: below, What: "is new"})
			}
		}
		for _, k := range slices.Sorted(maps.Keys(b)) {
			if _, isThere := a[k]; !isThere {
				*found = append(*found, Difference{Path: append(slices.Clone(path), k), What: "is missing"})
			}
		}
		return
	case []any:
		b, isList := was.([]any)
		if !isList || len(a) != len(b) {
			break
		}
		for i := range a {
			differences(found, append(slices.Clone(path), fmt.Sprint(i)), a[i], b[i])
		}
		return
	}
	if !resource.Equal(is, was) {
		*found = append(*found, Difference{Path: path, What: "is another"})
	}
}

func isDrawn(v any) bool {
	s, isSensitive := v.(resource.Sensitive)
	return isSensitive && s.Generated
}
