package chart

import (
	"cmp"
	"maps"
	"strings"
	"sync"

	"hubcap/engine/resource"
)

// A Lookup returns a live object, or nil when there is none. With an empty name
// it returns a list of them.
type Lookup func(apiVersion, kind, namespace, name string) (map[string]any, error)

// A query is one call of lookup.
type query struct{ apiVersion, kind, namespace, name string }

// An answer is what the live cluster said.
type answer struct {
	object map[string]any
	err    error
}

// live asks the cluster once per query and remembers, so that all passes of one
// render see the same cluster.
type live struct {
	ask Lookup

	mu      sync.Mutex
	answers map[query]answer
	failed  error // why the first query had no answer
}

// failure returns why a query had no answer, nil when all had one.
func (l *live) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

func newLive(ask Lookup) *live { return &live{ask: ask, answers: map[query]answer{}} }

func (l *live) get(q query) (map[string]any, error) {
	if l.ask == nil {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	known, isKnown := l.answers[q]
	if !isKnown {
		object, err := l.ask(q.apiVersion, q.kind, q.namespace, q.name)
		if err != nil {
			what := strings.TrimSpace(q.kind + " " + q.name)
			if q.namespace != "" {
				what += " in namespace " + q.namespace
			}
			err = &LookupError{What: what, Err: err}
			l.failed = cmp.Or(l.failed, err)
		}
		plain, _ := resource.Reveal(object).(map[string]any)
		known = answer{object: plain, err: err}
		l.answers[q] = known
	}
	return known.object, known.err
}

// hasSecrets reports whether a Secret was found.
func (l *live) hasSecrets() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for q, a := range l.answers {
		if q.apiVersion == "v1" && q.kind == "Secret" && len(a.object) > 0 {
			return true
		}
	}
	return false
}

// standIn returns the cluster with stand-ins in the place of what Secrets hold. It
// asks no more than l was asked, or asks l.
func (l *live) standIn() *live {
	return newLive(func(apiVersion, kind, namespace, name string) (map[string]any, error) {
		object, err := l.get(query{apiVersion, kind, namespace, name})
		if err != nil || object == nil || apiVersion != "v1" || kind != "Secret" {
			return object, err
		}
		out := copyTable(object)
		items, _ := out["items"].([]any)
		for _, secret := range append(items, out) {
			table, _ := secret.(map[string]any)
			if data := tableOf(table, "data"); data != nil {
				table["data"] = resource.MapLeaves(data, func(leaf any) any {
					if text, isText := leaf.(string); isText {
						return resource.StandIn(text)
					}
					return leaf
				})
			}
		}
		return out, nil
	})
}

// said returns the answers in a fixed order, for a digest.
func (l *live) said() []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]any, len(l.answers))
	for q, a := range l.answers {
		all[strings.Join([]string{q.apiVersion, q.kind, q.namespace, q.name}, "\x00")] = a.object
	}
	return []any{all}
}

// A view is the cluster as one pass sees it: what is live and, beneath it, the
// Secrets of an earlier pass. Only Secrets: with other kinds charts decide on
// what they find, and would find themselves.
type view struct {
	live    *live
	secrets map[query]map[string]any // of the earlier pass, by full query
	asked   map[query]bool
}

func newView(l *live, secrets map[query]map[string]any) *view {
	return &view{live: l, secrets: secrets, asked: map[query]bool{}}
}

// lookup is the template function. What it returns belongs to the template.
func (v *view) lookup(apiVersion, kind, namespace, name string) (map[string]any, error) {
	q := query{apiVersion, kind, namespace, name}
	v.asked[q] = true
	object, err := v.live.get(q)
	if err != nil {
		return nil, err
	}
	out := copyTable(object)
	if apiVersion != "v1" || kind != "Secret" {
		return out, nil
	}
	if name != "" {
		if own, isOwn := v.secrets[q]; isOwn {
			return beneath(out, own), nil
		}
		return out, nil
	}
	return v.list(out, namespace), nil
}

// list completes a live list of Secrets with those of the earlier pass.
func (v *view) list(found map[string]any, namespace string) map[string]any {
	items, _ := found["items"].([]any)
	var out []any
	present := map[query]bool{}
	for _, item := range items {
		object, _ := item.(map[string]any)
		q := secretQuery(object, namespace)
		present[q] = true
		if own, isOwn := v.secrets[q]; isOwn {
			object = beneath(object, own)
		}
		out = append(out, object)
	}
	for _, q := range sortedQueries(v.secrets) {
		if !present[q] && (namespace == "" || q.namespace == namespace) {
			out = append(out, copyTable(v.secrets[q]))
		}
	}
	if len(out) > 0 {
		if len(found) == 0 {
			found["apiVersion"], found["kind"] = "v1", "SecretList"
		}
		found["items"] = out
	}
	return found
}

// needs reports whether the pass that this view served looked for a Secret that
// the pass itself made, and that is not live with all its keys: then another
// pass would see more.
func (v *view) needs(made map[query]map[string]any) bool {
	for q := range v.asked {
		if q.apiVersion != "v1" || q.kind != "Secret" {
			continue
		}
		for own, secret := range made {
			if q.namespace != own.namespace && q.namespace != "" || q.name != own.name && q.name != "" {
				continue
			}
			there, err := v.live.get(own)
			if err != nil || there == nil {
				return true
			}
			have, _ := there["data"].(map[string]any)
			for key := range tableOf(secret, "data") {
				if _, isThere := have[key]; !isThere {
					return true
				}
			}
		}
	}
	return false
}

// beneath completes the live Secret with the keys that only own has.
func beneath(live, own map[string]any) map[string]any {
	if len(live) == 0 {
		return copyTable(own)
	}
	data := copyTable(tableOf(own, "data"))
	maps.Copy(data, tableOf(live, "data"))
	live["data"] = data
	return live
}

func tableOf(object map[string]any, key string) map[string]any {
	table, _ := object[key].(map[string]any)
	return table
}

// secretQuery returns the query that finds a Secret.
func secretQuery(object map[string]any, namespace string) query {
	meta := tableOf(object, "metadata")
	if ns, _ := meta["namespace"].(string); ns != "" {
		namespace = ns
	}
	name, _ := meta["name"].(string)
	return query{"v1", "Secret", namespace, name}
}
