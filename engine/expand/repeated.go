package expand

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
)

// A keyedList is a list whose entries the API server tells apart by keys, and in which
// it takes an entry twice when an object is created or patched as Helm does, but not by
// server-side apply. Other lists with keys are refused twice either way.
type keyedList struct {
	name string
	keys []string
}

var (
	envList    = keyedList{"env", []string{"name"}}
	portList   = keyedList{"ports", []string{"containerPort", "protocol"}}
	pullList   = keyedList{"imagePullSecrets", []string{"name"}}
	aliasList  = keyedList{"hostAliases", []string{"ip"}}
	secretList = keyedList{"secrets", []string{"name"}} // of a ServiceAccount
)

// mergeRepeated leaves of entries that are in a list twice the one that counts for
// Kubernetes, the last, and warns of it. Of a port that has two names the one stays by
// which something of its namespace goes; when both are in use the list is left as it is,
// and the server refuses it.
func (e *expansion) mergeRepeated(desired []resource.Desired) hcl.Diagnostics {
	var diags hcl.Diagnostics
	var used map[[2]string]map[string]bool
	for i, d := range desired {
		if !repeats(d.Object) {
			continue
		}
		if used == nil {
			used = portNames(desired)
		}
		r := &repeated{used: used[[2]string{d.ID.Cluster, d.ID.Namespace}]}
		desired[i].Object = d.Object.Copy()
		r.object(desired[i].Object)
		for _, what := range r.said {
			at := e.rangeOf(d.Address.Block())
			diags = append(diags, warningAt(&at, "Entry that is there twice", fmt.Sprintf("%s: %s", d.Address, what)))
		}
	}
	return diags
}

// repeats reports whether any list of o has an entry twice. It changes nothing.
func repeats(o resource.Object) bool {
	found := false
	eachKeyed(o, func(holder map[string]any, l keyedList, _ string) {
		seen := map[string]bool{}
		for _, entry := range entries(holder[l.name]) {
			key := l.keyOf(entry)
			found, seen[key] = found || seen[key], true
		}
	})
	return found
}

type repeated struct {
	used map[string]bool // names by which ports are gone to
	said []string
}

func (r *repeated) object(o resource.Object) {
	eachKeyed(o, func(holder map[string]any, l keyedList, where string) {
		list, _ := holder[l.name].([]any)
		stays, stuck := map[string]int{}, map[string]bool{} // by key: the entry that counts; none can go
		for i, v := range list {
			entry, _ := v.(map[string]any)
			key := l.keyOf(entry)
			before, twice := stays[key]
			stays[key] = i
			if twice {
				stays[key] = r.choose(l, list, before, i)
				stuck[key] = stuck[key] || stays[key] < 0
				r.say(fmt.Sprintf("%s%s has %s more than once", where, l.name, key), stuck[key])
			}
		}
		kept := list[:0:0]
		for i, v := range list {
			entry, _ := v.(map[string]any)
			if key := l.keyOf(entry); stays[key] == i || stuck[key] {
				kept = append(kept, v)
			}
		}
		if len(kept) < len(list) {
			holder[l.name] = kept
		}
	})
}

// say notes what is there twice, once.
func (r *repeated) say(what string, stuck bool) {
	text := what + "; the last counts for Kubernetes, and is written alone (of ports the one by whose name something goes)"
	if stuck {
		text = what + ", and something goes by the name of each: server-side apply takes one alone"
	}
	if !slices.Contains(r.said, text) {
		r.said = append(r.said, text)
	}
}

// choose returns which of two entries with the same key stays; -1 when neither can go.
func (r *repeated) choose(l keyedList, list []any, first, second int) int {
	if l.name != portList.name {
		return second
	}
	if first < 0 {
		return -1
	}
	name := func(i int) string {
		entry, _ := list[i].(map[string]any)
		text, _ := entry["name"].(string)
		return text
	}
	one, two := name(first), name(second)
	switch {
	case one == two || !r.used[one]:
		return second
	case !r.used[two]:
		return first
	}
	return -1
}

// keyOf words the keys of an entry: "ONE", "8080/TCP".
func (l keyedList) keyOf(entry map[string]any) string {
	var parts []string
	for _, k := range l.keys {
		v := entry[k]
		if k == "protocol" && v == nil {
			v = "TCP"
		}
		parts = append(parts, fmt.Sprint(resource.Reveal(v)))
	}
	return strings.Join(parts, "/")
}

// eachKeyed hands every list of o that may hold an entry twice to visit, with where it is.
func eachKeyed(o resource.Object, visit func(holder map[string]any, l keyedList, where string)) {
	if o.Text("kind") == "ServiceAccount" {
		visit(o, pullList, "")
		visit(o, secretList, "")
	}
	spec := podSpecOf(o)
	if spec == nil {
		return
	}
	visit(spec, pullList, "")
	visit(spec, aliasList, "")
	for _, list := range []string{"initContainers", "containers"} {
		for _, c := range entries(spec[list]) {
			name, _ := c["name"].(string)
			visit(c, envList, "container "+name+": ")
			visit(c, portList, "container "+name+": ")
		}
	}
}

// podSpecOf returns the pods' part of a workload, or nil.
func podSpecOf(o resource.Object) map[string]any {
	paths := [][]string{{"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}}
	if o.Text("kind") == "Pod" {
		paths = [][]string{{"spec"}}
	}
	for _, path := range paths {
		v, _ := o.Value(path...)
		if spec, isTable := v.(map[string]any); isTable {
			return spec
		}
	}
	return nil
}

func entries(v any) []map[string]any {
	list, _ := v.([]any)
	var tables []map[string]any
	for _, e := range list {
		if table, isTable := e.(map[string]any); isTable {
			tables = append(tables, table)
		}
	}
	return tables
}

// portNames returns the texts by which objects go to ports, by cluster and namespace:
// of Services, probes, network policies and whatever else names one.
func portNames(desired []resource.Desired) map[[2]string]map[string]bool {
	names := map[[2]string]map[string]bool{}
	for _, d := range desired {
		at := [2]string{d.ID.Cluster, d.ID.Namespace}
		if names[at] == nil {
			names[at] = map[string]bool{}
		}
		gatherPorts(map[string]any(d.Object), names[at])
	}
	return names
}

func gatherPorts(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if text, isText := e.(string); isText && (key == "port" || key == "targetPort") {
				into[text] = true
			}
			gatherPorts(e, into)
		}
	case []any:
		for _, e := range v {
			gatherPorts(e, into)
		}
	}
}
