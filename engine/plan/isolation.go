package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// A NetworkPolicy isolates the pods that it selects, in one direction or both, and allows
// some connections of theirs. Several add up: what one of them allows is allowed.

// directions are those in which policies isolate, and where their rules name the peers.
var directions = []struct{ name, policyType, peers string }{{"ingress", "Ingress", "from"}, {"egress", "Egress", "to"}}

// An allowance is connections that a policy allows: from or to a peer, on a port. Nil
// stands for any.
type allowance struct{ peer, port map[string]any }

func (a allowance) String() string {
	peer, port := "anybody", "any port"
	if a.peer != nil {
		peer = peerWords(a.peer)
	}
	if p, has := a.port["port"]; has {
		port = "port " + text(p)
	}
	return port + " of " + peer
}

// peerWords says who a peer is.
func peerWords(peer map[string]any) string {
	if block := asMap(peer["ipBlock"]); block != nil {
		return text(block["cidr"])
	}
	var labels []string
	for _, selector := range []string{"namespaceSelector", "podSelector"} {
		for key, v := range asMap(asMap(peer[selector])["matchLabels"]) {
			labels = append(labels, key+"="+text(v))
		}
	}
	if len(labels) == 0 {
		return "some pods"
	}
	return "pods with " + strings.Join(sortedSet(labels), ", ")
}

func (a allowance) covers(o allowance) bool {
	return peerCovers(a.peer, o.peer) && portCovers(a.port, o.port)
}

func peerCovers(a, o map[string]any) bool {
	if a == nil || o != nil && resource.Equal(a, o) {
		return true
	}
	if o == nil {
		return false
	}
	if block := asMap(a["ipBlock"]); block != nil {
		return blockCovers(block, asMap(o["ipBlock"]))
	}
	if o["ipBlock"] != nil {
		return false
	}
	anywhere, isNamed := a["namespaceSelector"].(map[string]any)
	other, otherNamed := o["namespaceSelector"].(map[string]any)
	inNamespace := isNamed == otherNamed && (!isNamed || selectorCovers(anywhere, other)) || isNamed && len(anywhere) == 0
	return inNamespace && selectorCovers(asMap(a["podSelector"]), asMap(o["podSelector"]))
}

// blockCovers reports whether one block of addresses has all of another.
func blockCovers(a, o map[string]any) bool {
	outer, err := netip.ParsePrefix(text(a["cidr"]))
	inner, problem := netip.ParsePrefix(text(o["cidr"]))
	if err != nil || problem != nil || outer.Bits() > inner.Bits() || !outer.Contains(inner.Addr()) {
		return false
	}
	left, _ := o["except"].([]any)
	except, _ := a["except"].([]any)
	return !slices.ContainsFunc(except, func(e any) bool {
		out, err := netip.ParsePrefix(text(e))
		return err != nil || out.Overlaps(inner) && !slices.ContainsFunc(left, func(l any) bool {
			p, err := netip.ParsePrefix(text(l))
			return err == nil && p.Bits() <= out.Bits() && p.Contains(out.Addr())
		})
	})
}

// selectorCovers reports whether what one selector selects has all that another selects:
// it asks for nothing that the other does not ask for.
func selectorCovers(a, o map[string]any) bool {
	labels := asMap(o["matchLabels"])
	for key, v := range asMap(a["matchLabels"]) {
		if labels[key] != v {
			return false
		}
	}
	asked := elements(o["matchExpressions"])
	return !slices.ContainsFunc(elements(a["matchExpressions"]), func(e map[string]any) bool {
		return !slices.ContainsFunc(asked, func(other map[string]any) bool { return resource.Equal(e, other) })
	})
}

func portCovers(a, o map[string]any) bool {
	protocol := func(p map[string]any) string {
		if s := text(p["protocol"]); s != "" {
			return s
		}
		return "TCP"
	}
	if a == nil {
		return true
	}
	if o == nil || protocol(a) != protocol(o) {
		return false
	}
	if a["port"] == nil || text(a["port"]) == text(o["port"]) && o["endPort"] == nil {
		return true
	}
	from, to := portRange(a)
	first, last := portRange(o)
	return from > 0 && first > 0 && from <= first && last <= to
}

// portRange returns the first and the last port of a range; zero for one with a name.
func portRange(p map[string]any) (first, last float64) {
	first, last = number(p["port"]), number(p["endPort"])
	return first, max(first, last)
}

// isolates returns whether a policy isolates in a direction, and what it allows there.
func isolates(policy resource.Object, direction int) (is bool, allowed []allowance) {
	d := directions[direction]
	spec, _ := policy.Value("spec")
	rules := elements(asMap(spec)[d.name])
	types, isSaid := asMap(spec)["policyTypes"].([]any)
	switch {
	case policy == nil:
		return false, nil
	case isSaid:
		is = slices.Contains(types, any(d.policyType))
	default:
		is = d.name == "ingress" || len(rules) > 0
	}
	if !is {
		return false, nil
	}
	for _, rule := range rules {
		peers, ports := elements(rule[d.peers]), elements(rule["ports"])
		if len(peers) == 0 {
			peers = []map[string]any{nil}
		}
		if len(ports) == 0 {
			ports = []map[string]any{nil}
		}
		for _, peer := range peers {
			for _, port := range ports {
				allowed = append(allowed, allowance{peer, port})
			}
		}
	}
	return true, allowed
}

// isSelected reports whether a policy selects such pods, as far as their labels are
// known.
func (w needed) isSelected(policy resource.Object) bool {
	if policy == nil {
		return false
	}
	selector, _ := policy.Value("spec", "podSelector")
	for key, v := range asMap(asMap(selector)["matchLabels"]) {
		if is, has := w.labels[key]; has && is != v || !has && w.all {
			return false
		}
	}
	return !slices.ContainsFunc(elements(asMap(selector)["matchExpressions"]), func(e map[string]any) bool {
		is, has := w.labels[text(e["key"])]
		values, _ := e["values"].([]any)
		switch e["operator"] {
		case "In":
			return has && !slices.Contains(values, is) || !has && w.all
		case "NotIn":
			return has && slices.Contains(values, is)
		case "Exists":
			return !has && w.all
		case "DoesNotExist":
			return has
		}
		return false
	})
}

// isolation returns how a policy isolates such pods in a direction: not at all where it does
// not select it.
func (w needed) isolation(policy resource.Object, direction int) (is bool, allowed []allowance) {
	if !w.isSelected(policy) {
		return false, nil
	}
	return isolates(policy, direction)
}

// isolationOf is isolation by all policies of a view but one.
func (w needed) isolationOf(v view, except resource.ID, direction int) (is bool, allowed []allowance) {
	for id, o := range v {
		if id == except || id.Kind != "NetworkPolicy" || id.Namespace != except.Namespace {
			continue
		}
		also, more := w.isolation(o, direction)
		is, allowed = is || also, append(allowed, more...)
	}
	return is, allowed
}

// isolationClass says what a change of a NetworkPolicy does to the pods that people need.
func (b *builder) isolationClass(c *resource.Change) (class resource.Class, why string) {
	if c.Action == resource.Update && len(c.Fields) == 0 {
		return 0, ""
	}
	live, wanted := b.views(c.ID.Cluster)
	for _, w := range b.needed(c.ID.Cluster, c.ID.Namespace) {
		for i, d := range directions {
			was, allowed := w.isolation(c.Before, i)
			is, allows := w.isolation(c.After, i)
			others, _ := w.isolationOf(live, c.ID, i)
			stays, kept := w.isolationOf(wanted, c.ID, i)
			if !w.all {
				kept = nil // it may select others
			}
			var does resource.Class
			var text string
			switch lost := lostAllowances(allowed, slices.Concat(allows, kept)); {
			case is && !was && len(allows) == 0 && !others:
				does, text = resource.ClassOutage, fmt.Sprintf("leaves no %s to %s", d.name, w.name)
			case is && !was && (len(allows) == 0 || !others):
				does, text = w.class, fmt.Sprintf("no rule says what %s can do with only the %s that it allows: counted as a restart", w.name, d.name)
			case !was || !is && !stays || len(lost) == 0:
			case is && w.all:
				does, text = resource.ClassOutage, fmt.Sprintf("leaves less %s to %s: no longer %s", d.name, w.name, few(lost))
			default:
				does, text = w.class, fmt.Sprintf("no rule says what %s can do with less %s (no longer %s): counted as a restart", w.name, d.name, few(lost))
			}
			if does > class {
				class, why = does, text
			}
		}
	}
	return class, why
}

// lostAllowances returns what is not allowed any more.
func lostAllowances(before, after []allowance) []string {
	var lost []string
	for _, a := range before {
		if !slices.ContainsFunc(after, func(is allowance) bool { return is.covers(a) }) {
			lost = append(lost, a.String())
		}
	}
	return sortedSet(lost)
}
