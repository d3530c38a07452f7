package chart

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"hubcap/engine/resource"
)

// settle renders until the result is what the next run would render too, and
// marks what is left to chance.
//
// A chart that finds no live Secret draws its tokens at random, and where it
// draws the same token in two places (once into a Secret, once into a checksum)
// it draws twice. So the Secrets of the first pass are shown to a second one as
// if they were live. To tell what depends on chance, the same is done once more
// with other draws, at the same time: what differs does. Where other draws may
// well come to the same, it is done a third time.
//
// What is drawn all the same, without a look at what is live, keeps its live value;
// see keep.go.
//
// A chart whose Secrets are live draws nothing, and is rendered once.
func (r *rendering) settle() ([]Object, error) {
	d, v := &draw{}, newView(r.live, nil)
	objects, err := r.pass(d, v)
	if err != nil || r.request.Draft {
		return objects, err
	}
	var twins []Object
	var twinErr error
	var twinning sync.WaitGroup
	twin := func() { twins, twinErr = r.fixpoint(&draw{number: 1}) }
	early := d.drawn
	if early {
		twinning.Go(twin)
	}
	objects, v, err = r.again(objects, d, v)
	twinning.Wait()
	if err != nil || !d.drawn {
		return objects, err
	}
	if !early {
		twin()
	}
	if twinErr != nil {
		return nil, twinErr
	}
	differs, err := r.mark(objects, twins)
	if err != nil || !differs && !d.narrow {
		return objects, err
	}
	others := [][]Object{twins}
	if d.narrow {
		thirds, err := r.fixpoint(&draw{number: 2})
		if err != nil {
			return nil, err
		}
		differsToo, err := r.mark(objects, thirds)
		// When nothing differs, something was drawn and not used: live Secrets decided.
		if err != nil || !differs && !differsToo {
			return objects, err
		}
		others = append(others, thirds)
	}
	objects, err = r.keep(objects, others, d, v)
	r.tellLoose()
	return objects, err
}

// tellLoose warns of what depends on chance and cannot be marked.
func (r *rendering) tellLoose() {
	for _, at := range sortedKeys(r.loose) {
		r.warnings.add("%s depends on chance and is no text: a saved plan that makes it is stale at once", at)
	}
}

// fixpoint renders, and renders again where that shows more.
func (r *rendering) fixpoint(d *draw) ([]Object, error) {
	v := newView(r.live, nil)
	objects, err := r.pass(d, v)
	if err != nil {
		return nil, err
	}
	objects, _, err = r.again(objects, d, v)
	return objects, err
}

// again renders with the Secrets among the objects of a pass, if that pass, which
// v served, looked for them. It returns the view of the last pass, too.
func (r *rendering) again(objects []Object, d *draw, v *view) ([]Object, *view, error) {
	made := r.secrets(objects)
	if !v.needs(made) {
		return objects, v, nil
	}
	v = newView(r.live, made)
	objects, err := r.pass(d, v)
	return objects, v, err
}

// secrets returns the Secrets among the objects, hooks included, by the query
// that would find them.
func (r *rendering) secrets(objects []Object) map[query]map[string]any {
	made := map[query]map[string]any{}
	for _, o := range objects {
		if o.Object.Text("apiVersion") == "v1" && o.Object.Text("kind") == "Secret" {
			made[secretQuery(o.Object, r.request.Namespace)] = resource.Reveal(map[string]any(o.Object)).(map[string]any)
		}
	}
	return made
}

// mark marks every leaf of objects that is another in other, and reports whether
// there is one. What cannot be marked and differs is an error when it is a name,
// else a warning.
func (r *rendering) mark(objects, other []Object) (differs bool, err error) {
	byName := map[string]resource.Object{}
	for _, o := range other {
		byName[nameOf(o)] = o.Object
	}
	for _, o := range objects {
		twin, isThere := byName[nameOf(o)]
		if !isThere && o.Hook == nil {
			return true, &TemplateError{File: o.Source, Cause: fmt.Sprintf(
				"draws at random which %s there is (%s), so that every plan would have another", o.Object.Text("kind"), o.Object.Text("metadata", "name"))}
		}
		if isThere && !same(o.Object, twin) {
			m := marker{rendering: r}
			m.table(o.Object, twin, nameOf(o))
			differs = differs || m.differs
		}
	}
	return differs, nil
}

// same reports whether two objects are one, as those of a template are that
// rendered one text in two passes.
func same(a, b resource.Object) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

// nameOf tells an object from the others of its render.
func nameOf(o Object) string {
	return strings.Join([]string{o.Object.Text("apiVersion"), o.Object.Text("kind"),
		o.Object.Text("metadata", "namespace"), o.Object.Text("metadata", "name")}, " ")
}

// A marker holds one object against its twin of another rendering.
type marker struct {
	rendering *rendering
	differs   bool
}

func (m *marker) table(table, other map[string]any, at string) {
	for key, value := range table {
		table[key] = m.value(value, other[key], at+"."+key)
	}
}

func (m *marker) value(value, other any, at string) any {
	switch value := value.(type) {
	case map[string]any:
		if twin, isTable := other.(map[string]any); isTable {
			m.table(value, twin, at)
			return value
		}
	case []any:
		if twin, isList := other.([]any); isList && len(twin) == len(value) {
			for i := range value {
				value[i] = m.value(value[i], twin[i], fmt.Sprintf("%s[%d]", at, i))
			}
			return value
		}
	case string:
		if value == other {
			return value
		}
		m.differs = true
		secret := resource.Secret(value)
		secret.Generated = true
		return secret
	case resource.Sensitive: // marked by the rendering before
		m.differs = true
		return value
	}
	if !resource.Equal(value, other) {
		m.differs = true
		m.rendering.loose[at] = true
	}
	return value
}

func sortedQueries(m map[query]map[string]any) []query {
	keys := make([]query, 0, len(m))
	for q := range m {
		keys = append(keys, q)
	}
	slices.SortFunc(keys, func(a, b query) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name))
	})
	return keys
}
