package plan

import (
	"fmt"
	"strings"

	"hubcap/engine/resource"
)

// isKept reports whether a chart says itself that an object of it stays.
func isKept(o resource.Object) bool {
	return o.Text("metadata", "annotations", "helm.sh/resource-policy") == "keep"
}

// isProtected reports whether the config that wrote a live object protected it.
func (b *builder) isProtected(c *resource.Change) bool {
	l, o := b.orphans[c.ID], b.observed[c.ID]
	if o.Live != nil {
		l = *o.Live
	}
	return l.Protected && !b.lifted(c.Address.Block()) && !isKept(l.Object)
}

// protection returns why a live object is neither deleted nor made anew, whoever is named,
// or "". What protects it is the mark that the config left on it, so that no later config
// takes it away and deletes at once. The way back of a step that failed takes what the
// step made, while nobody is there.
func (b *builder) protection(c *resource.Change) string {
	l, o := b.orphans[c.ID], b.observed[c.ID]
	if o.Live != nil {
		l = *o.Live
	}
	if takesNamespace(c) {
		blocks := b.livesIn(c.ID, func(l resource.Live) bool { return l.Protected && !b.lifted(l.Address.Block()) })
		if len(blocks) > 0 {
			return fmt.Sprintf("protected objects of %s live in it, and would go with it", strings.Join(blocks, ", "))
		}
	}
	switch {
	case !l.Protected:
		return ""
	case isKept(l.Object):
		return "its chart keeps it (helm.sh/resource-policy)"
	case !b.isProtected(c):
		return ""
	case b.Back && !b.Asked && !b.inUse(c.Address.Block()) && (!isPool(c.ID) || b.sessionsOn(c.ID) == 0 && b.Census[c.ID.Cluster].PoolsUnknown == ""):
		return ""
	}
	return fmt.Sprintf("protected: to delete it, first set protected = false in %s, and apply that", c.Address.Block())
}

// lifted reports whether a config that was applied protects a block no more: none of what
// it wants is protected, and something that it runs bears no mark. What it has not rendered
// since still bears one, and nothing takes that off.
func (b *builder) lifted(block resource.Address) bool {
	unmarked := false
	for id, o := range b.observed {
		if o.Desired.Address.Block() != block || o.Desired.Hook != nil {
			continue
		}
		if o.Desired.Protected && !isKept(o.Desired.Object) {
			return false
		}
		unmarked = unmarked || o.Live != nil && o.Live.Applied != nil && (serves(id) || isPool(id)) && !o.Live.Protected
	}
	for id, l := range b.orphans {
		unmarked = unmarked || l.Address.Block() == block && l.Applied != nil && serves(id) && !l.Protected && resource.HookMark(l.Object) == ""
	}
	return unmarked
}

// insists reports whether a deletion that may not be made for a reason was asked for: of
// a hub or a pool that a run made, by the way back from it; of what is protected, by its
// name or by a way back.
func (b *builder) insists(c *resource.Change, reason string) bool {
	return b.Back && (isPool(c.ID) || reason == b.hubReason(c)) || b.isProtected(c) && reason == b.protection(c) && (b.Back || b.named(c.Address, c.ID)) ||
		takesNamespace(c) && reason == b.protection(c) && b.named(c.Address, c.ID)
}
