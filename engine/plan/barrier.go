package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/resource"
)

// Some objects restart nothing and still shut people out: a NetworkPolicy that allows less
// than before, a quota that new pods do not fit in, a webhook that every new pod has to
// pass. They are judged by whom they reach, which is the live pods of hubs: where no hub
// lives yet they come together with it.

// otherBarriers are the kinds that cut connections by rules that hubcap does not read.
var otherBarriers = map[string]bool{
	"CiliumNetworkPolicy": true, "CiliumClusterwideNetworkPolicy": true, "GlobalNetworkPolicy": true,
	"AdminNetworkPolicy": true, "BaselineAdminNetworkPolicy": true,
}

// A needed is some pods that people need: of a hub, of what their connections pass through, or
// their own servers.
type needed struct {
	name   string
	labels map[string]any
	all    bool // there are no other labels
	class  resource.Class
}

// needed returns the pods that people need in a namespace where a hub lives; in all of a
// cluster where it is "".
func (b *builder) needed(cluster, namespace string) []needed {
	var all []needed
	note := func(id resource.ID, l resource.Live) {
		if id.Cluster != cluster || namespace != "" && id.Namespace != namespace || !serves(id) {
			return
		}
		class := restartClass(l.Component)
		switch {
		case runsHub(l.Component, id, l.Object):
			class = resource.ClassHub
		case runsProxy(id, l.Object):
			class = resource.ClassProxy
		case !essential(l.Component):
			return
		}
		labels, _ := l.Object.Value("spec", "template", "metadata", "labels")
		all = append(all, needed{l.Address.String(), asMap(labels), true, class})
	}
	for id, o := range b.observed {
		if o.Live != nil {
			note(id, *o.Live)
		}
	}
	for id, l := range b.orphans {
		note(id, l)
	}
	if len(all) > 0 || b.Census[cluster].PerNamespace[namespace] > 0 {
		all = append(all, needed{"users' servers", map[string]any{"app": "jupyterhub", "component": "singleuser-server"}, false, resource.ClassProxy})
	}
	slices.SortFunc(all, func(x, y needed) int { return strings.Compare(x.name, y.name) })
	return all
}

// barrierClass says what a change does by whom it shuts out, and why; the zero Class when
// it shuts out nobody.
func (b *builder) barrierClass(c *resource.Change) (class resource.Class, why string) {
	if c.ID.Kind == "NetworkPolicy" && (c.ID.Group == "" || c.ID.Group == "networking.k8s.io") {
		return b.isolationClass(c)
	}
	var what string
	switch {
	case c.Action == resource.Delete || c.Action == resource.Update && len(c.Fields) == 0:
		return 0, ""
	case c.ID.Kind == "NetworkPolicy" || otherBarriers[c.ID.Kind]:
		what = "whom it cuts off"
		class = resource.ClassProxy
	case c.ID.Kind == "ResourceQuota" && lowersQuota(c.Before, c.After), c.ID.Kind == "LimitRange" && narrowsRange(c.Before, c.After):
		what = "which pods it leaves no room for"
	case len(strictHooks(c.After)) > 0 && !slices.Equal(strictHooks(c.Before), strictHooks(c.After)):
		what = "which pods it keeps from starting"
	default:
		return 0, ""
	}
	pods := b.needed(c.ID.Cluster, c.ID.Namespace)
	if len(pods) == 0 {
		return 0, ""
	}
	return max(class, resource.ClassHub), "no rule says " + what + ": counted as a restart of " + neededNames(pods)
}

func neededNames(pods []needed) string {
	var all []string
	for _, c := range pods {
		all = append(all, c.name)
	}
	return few(all)
}

// lowersQuota reports whether a quota leaves, or may leave, less room than before.
func lowersQuota(before, after resource.Object) bool {
	was, _ := before.Value("spec")
	is, _ := after.Value("spec")
	for _, key := range []string{"scopes", "scopeSelector"} {
		if before != nil && !resource.Equal(asMap(was)[key], asMap(is)[key]) {
			return true
		}
	}
	had := asMap(asMap(was)["hard"])
	for key, v := range asMap(asMap(is)["hard"]) {
		if old, has := had[key]; !has || !resource.Equal(old, v) && !(quantity(v) >= quantity(old)) {
			return true
		}
	}
	return false
}

// narrowsRange reports whether a LimitRange has a limit that it had not.
func narrowsRange(before, after resource.Object) bool {
	was, _ := before.Value("spec", "limits")
	is, _ := after.Value("spec", "limits")
	return slices.ContainsFunc(elements(is), func(l map[string]any) bool {
		return !slices.ContainsFunc(elements(was), func(old map[string]any) bool { return resource.Equal(old, l) })
	})
}

// scales are the suffixes of quantities, the longer ones first.
var scales = []struct {
	suffix string
	factor float64
}{
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40}, {"Pi", 1 << 50},
	{"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"P", 1e15},
}

// quantity reads a quantity of Kubernetes; what it cannot read is below any.
func quantity(v any) float64 {
	s, factor := text(v), 1.0
	for _, scale := range scales {
		if n, has := strings.CutSuffix(s, scale.suffix); has {
			s, factor = n, scale.factor
			break
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return -1
	}
	return f * factor
}

// strictHooks returns the webhooks and admission policies of an object without which no
// pod starts: they are asked of pods, and what they do not answer is refused.
func strictHooks(o resource.Object) []string {
	var all []string
	list, _ := o.Value("webhooks")
	hooks := elements(list)
	if kind := o.Text("kind"); kind == "ValidatingAdmissionPolicy" || kind == "MutatingAdmissionPolicy" {
		spec, _ := o.Value("spec")
		hooks = []map[string]any{asMap(spec)}
	}
	for _, h := range hooks {
		match := asMap(h["matchConstraints"])
		rules := append(elements(h["rules"]), elements(match["resourceRules"])...)
		if h["failurePolicy"] == "Ignore" && h["matchConstraints"] == nil || !slices.ContainsFunc(rules, aboutPods) {
			continue
		}
		all = append(all, fmt.Sprint(h["name"], h["rules"], match, h["namespaceSelector"], h["objectSelector"], h["matchConditions"], h["validations"]))
	}
	return all
}

func aboutPods(rule map[string]any) bool {
	kinds, _ := rule["resources"].([]any)
	return slices.ContainsFunc(kinds, func(k any) bool { return k == "pods" || k == "*" || k == "*/*" })
}
