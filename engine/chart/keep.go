package chart

import (
	"reflect"
	"slices"

	"hubcap/engine/resource"
)

// What a template draws at each rendering, and does not look up, keeps its live value: else
// every plan would have another. The passes are made again with the live values in the
// place of what is drawn, so that what is made of a drawn value, such as the checksum
// of a file with one in it, is that of the live value, and moves when the file does.
//
// Which live value is that of which draw is found by where its text stands in the
// objects (see trace.go). What is drawn and cannot be found so (a text cut or digested
// first, the clock, a number) keeps its live value leaf by leaf, where the rest of the
// leaf is as rendered.

// A keeper finds the live values of what a rendering drew.
type keeper struct {
	rendering *rendering
	calls     []call
	live      map[string]map[string]any // objects by name
	leaves    []leaf                    // drawn, with a live counterpart or without
}

// A leaf is a text that depends on chance.
type leaf struct {
	text string
	live string
	has  bool // it has a live counterpart
}

// keep returns objects, of which d drew and v was the view of the last pass, with live
// values in the place of drawn ones. Others are renderings with other draws.
func (r *rendering) keep(objects []Object, others [][]Object, d *draw, v *view) ([]Object, error) {
	k := &keeper{rendering: r, calls: d.calls, live: map[string]map[string]any{}}
	if err := k.find(objects); err != nil || len(k.live) == 0 {
		return objects, err
	}
	given, traced := k.given()
	r.decoded = &decoded{} // the objects of the passes before are marked
	first := &draw{given: given}
	settled, err := r.pass(first, v)
	if err != nil {
		return nil, err
	}
	if !slices.EqualFunc(first.calls, k.calls, func(a, b call) bool { return a.name == b.name }) {
		return objects, nil // the chart decides by what it drew: nothing is comparable
	}
	var twins [][]Object
	for n := range others {
		varied := slices.Clone(first.calls)
		for i := range varied {
			if !traced[i] {
				varied[i].results = nil
			}
		}
		twin, err := r.pass(&draw{number: n + 1, given: varied}, v)
		if err != nil {
			return nil, err
		}
		twins = append(twins, twin)
	}
	clear(r.loose)
	kept := k.settle(settled, twins, k.isChance(traced))
	for _, other := range others {
		if _, err := r.mark(settled, other); err != nil {
			return nil, err
		}
	}
	for at := range kept {
		delete(r.loose, at)
	}
	return settled, nil
}

// find gathers what was drawn and its live counterparts: objects that hooks make are
// made anew each time. Leaves of Secrets come first.
func (k *keeper) find(objects []Object) error {
	for _, secrets := range []bool{true, false} {
		for _, o := range objects {
			if o.Hook != nil || secrets != (o.Object.Text("kind") == "Secret") || !isDrawn(map[string]any(o.Object)) && !k.isLoose(o) {
				continue
			}
			live, err := k.rendering.liveObject(o)
			if err != nil {
				return err
			}
			if live != nil {
				k.live[nameOf(o)] = live
			}
			k.gather(map[string]any(o.Object), live)
		}
	}
	return nil
}

func (k *keeper) gather(v, live any) {
	switch v := v.(type) {
	case map[string]any:
		table, _ := live.(map[string]any)
		for _, key := range sortedKeys(v) {
			k.gather(v[key], table[key])
		}
	case []any:
		for i, e := range v {
			k.gather(e, counterpart(v, i, live))
		}
	case resource.Sensitive:
		if v.Generated {
			text, has := live.(string)
			k.leaves = append(k.leaves, leaf{text: v.Reveal(), live: text, has: has})
		}
	}
}

// isLoose reports whether an object has a drawn leaf that is no text.
func (k *keeper) isLoose(o Object) bool {
	at := nameOf(o) + "."
	for loose := range k.rendering.loose {
		if len(loose) > len(at) && loose[:len(at)] == at {
			return true
		}
	}
	return false
}

// counterpart returns the item of a live list that is the one at i in list: by its
// name or, without one, by its place.
func counterpart(list []any, i int, live any) any {
	others, _ := live.([]any)
	table, _ := list[i].(map[string]any)
	if name, named := table["name"].(string); named {
		for _, other := range others {
			if o, _ := other.(map[string]any); o["name"] == name {
				return o
			}
		}
		return nil
	}
	if len(others) == len(list) {
		return others[i]
	}
	return nil
}

// liveObject returns an object as it lives, nil when it does not. It is no lookup of the
// chart's.
func (r *rendering) liveObject(o Object) (map[string]any, error) {
	if r.live.ask == nil {
		return nil, nil
	}
	q := secretQuery(o.Object, r.request.Namespace)
	apiVersion, kind := o.Object.Text("apiVersion"), o.Object.Text("kind")
	object, err := r.live.ask(apiVersion, kind, q.namespace, q.name)
	if err != nil {
		return nil, &LookupError{What: kind + " " + q.name + " in namespace " + q.namespace, Err: err}
	}
	plain, _ := resource.Reveal(object).(map[string]any)
	return plain, nil
}

// isDrawn reports whether a leaf of v depends on chance.
func isDrawn(v any) bool {
	drawn := false
	resource.MapLeaves(v, func(leaf any) any {
		s, isSensitive := leaf.(resource.Sensitive)
		drawn = drawn || isSensitive && s.Generated
		return leaf
	})
	return drawn
}

// isChance reports whether all that was not traced is chance alone: then a live value is
// as good as another. What is made of arguments may be that of other ones.
func (k *keeper) isChance(traced []bool) bool {
	for i, c := range k.calls {
		if !traced[i] && isMadeOf(c.name) {
			return false
		}
	}
	return true
}

// given returns the calls with live values for what was drawn, and which calls were
// traced into the objects: what these give is the same in all passes from now on.
func (k *keeper) given() (given []call, traced []bool) {
	found, traced := k.trace()
	given = slices.Clone(k.calls)
	for i := range given {
		if !traced[i] {
			continue
		}
		if texts := k.settledTexts(i, found); texts != nil {
			given[i].results = resultsOf(given[i].results, texts)
		} else if k.isDerived(i) {
			given[i].results = nil // its arguments may be others
		}
	}
	return given, traced
}

// resultsOf returns results with other texts in them.
func resultsOf(results []reflect.Value, texts []string) []reflect.Value {
	results = slices.Clone(results)
	v := reflect.New(results[0].Type()).Elem()
	v.Set(results[0])
	if v.Kind() == reflect.String {
		v.SetString(texts[0])
	} else {
		n := 0
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.String {
				f.SetString(texts[n])
				n++
			}
		}
	}
	results[0] = v
	return results
}
