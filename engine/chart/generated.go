package chart

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// settle renders until the result is what the next run would render too, and
// marks what is left to chance.
//
// A chart that finds no live Secret draws its tokens at random, and where it
// draws the same token in two places (once into a Secret, once into a checksum)
// it draws twice. So the Secrets of the first pass are shown to a second one as
// if they were live. To tell what depends on chance, the same is done twice more
// with other draws: what differs does.
func (r *rendering) settle() ([]Object, error) {
	first, drawn, err := r.fixpoint(0)
	if err != nil || !drawn {
		return first, err
	}
	for number := 1; number <= 2; number++ {
		other, _, err := r.fixpoint(number)
		if err != nil {
			return nil, err
		}
		differs, err := r.mark(first, other)
		if err != nil {
			return nil, err
		}
		if !differs {
			// Something was drawn and not used: live Secrets decided.
			break
		}
	}
	return first, nil
}

// fixpoint renders, and renders again with the Secrets that it made, if it
// looked for them. drawn reports whether chance was asked at all.
func (r *rendering) fixpoint(number int) (objects []Object, drawn bool, err error) {
	d := &draw{number: number}
	v := newView(r.live, nil)
	objects, err = r.pass(d, v)
	if err != nil {
		return nil, false, err
	}
	made := r.secrets(objects)
	if !v.needs(made) {
		return objects, d.drawn, nil
	}
	objects, err = r.pass(d, newView(r.live, made))
	return objects, d.drawn, err
}

// secrets returns the Secrets among the objects, hooks included, by the query
// that would find them.
func (r *rendering) secrets(objects []Object) map[query]map[string]any {
	made := map[query]map[string]any{}
	for _, o := range objects {
		if o.Object.Text("apiVersion") == "v1" && o.Object.Text("kind") == "Secret" {
			made[secretQuery(o.Object, r.request.Namespace)] = o.Object.Copy()
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
		if isThere {
			m := marker{rendering: r}
			m.table(o.Object, twin, nameOf(o))
			differs = differs || m.differs
		}
	}
	return differs, nil
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
		m.rendering.warnings.add("%s depends on chance and is no text: it will look changed in every plan", at)
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
