package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// isRendered reports whether an object is a chart's or a hub's: the author does not have
// what is in it anywhere else.
func (b *builder) isRendered(address resource.Address) bool {
	return address.Kind == "chart" || b.isHub(address.Block())
}

// keptSecret returns why a Secret stays: what a chart drew at random is nowhere else,
// and may be the only key to a database that stays, too.
func (b *builder) keptSecret(c *resource.Change) string {
	if !holdsSecret(c) || !b.isRendered(c.Address) || resource.HookMark(c.Before) != "" || resource.IsRecord(c.Before) {
		return ""
	}
	if b.Back && !b.keepsClaim(c.Address.Block()) {
		return "" // the run made it, and nothing stays that it would be a key to
	}
	return "secrets of a chart are deleted only by name: they may be the only keys to what is kept"
}

// keepsClaim reports whether a volume claim of a block stays behind.
func (b *builder) keepsClaim(block resource.Address) bool {
	for id, l := range b.orphans {
		if id.Kind == "PersistentVolumeClaim" && l.Address.Block() == block {
			return true
		}
	}
	return false
}

// replaced reports whether a hub of a block goes while another comes under another
// name, in another namespace or of another release: that one starts empty.
func (b *builder) replaced(block resource.Address) bool { return b.successor(block) != nil }

// successor returns the hub that comes in the place of one that goes, nil when none
// does.
func (b *builder) successor(block resource.Address) *resource.Desired {
	goes := false
	for id, l := range b.orphans {
		goes = goes || l.Address.Block() == block && runsHub(l.Component, id, l.Object)
	}
	if !goes {
		return nil
	}
	for _, o := range b.Reading.Observations {
		d := o.Desired
		if o.Live == nil && d.Address.Block() == block && d.Hook == nil && runsHub(d.Component, d.ID, d.Object) {
			return &d
		}
	}
	return nil
}

// startsEmpty returns why a hub may not be made, or "": another one of the same block
// lives, and its database would stay behind.
func (b *builder) startsEmpty(c *resource.Change) string {
	block := c.Address.Block()
	if c.Action != resource.Create || b.Back || c.Hook != nil || !isHubWorkload(c) || !b.replaced(block) {
		return ""
	}
	var old []string
	for id, l := range b.orphans {
		if l.Address.Block() == block && (runsHub(l.Component, id, l.Object) || id.Kind == "PersistentVolumeClaim" && l.Component == c.Component) {
			old = append(old, id.String())
		}
	}
	text := fmt.Sprintf("an empty hub in the place of %s: its users, tokens and running servers are not known to it", strings.Join(sortedSet(old), ", "))
	if b.named(c.Address, c.ID) {
		c.Notes = append(c.Notes, text)
		return ""
	}
	return text + fmt.Sprintf("; keep its name, namespace and release, or name it: --dangerous-delete '%s'", block)
}

// undeclared notes the hubs that no block asks for and that stay.
func (b *builder) undeclared() {
	at := make(map[resource.Address]int)
	for _, k := range b.plan.Kept {
		block := k.Address.Block()
		if _, wanted := b.blocks[block]; wanted || !b.isHub(block) || b.Back || b.named(k.Address, k.ID) {
			continue
		}
		i, known := at[block]
		if !known {
			i = len(b.plan.Undeclared)
			at[block] = i
			b.plan.Undeclared = append(b.plan.Undeclared, Undeclared{Address: block, Sessions: b.sessionsOf(block)})
		}
		b.plan.Undeclared[i].Objects++
	}
	// What is left of a hub that was deleted by name is no hub any more.
	b.plan.Undeclared = slices.DeleteFunc(b.plan.Undeclared, func(u Undeclared) bool { return !b.runs(u.Address) })
	slices.SortFunc(b.plan.Undeclared, func(x, y Undeclared) int { return cmp.Compare(x.Address.String(), y.Address.String()) })
}

// runs reports whether anything of a block that is gone runs pods.
func (b *builder) runs(block resource.Address) bool {
	for id, l := range b.orphans {
		if workloads[id.Kind] && l.Address.Block() == block {
			return true
		}
	}
	return false
}

// deletedBy says how a hub is deleted.
func (b *builder) deletedBy(block resource.Address) string {
	text := fmt.Sprintf("hubs are deleted only by name: --dangerous-delete '%s'", block)
	if _, wanted := b.blocks[block]; !wanted && !b.Back && block.Kind == "hub" {
		text += fmt.Sprintf(", or removed { from = %s } in the config", block)
	}
	return text
}

// losesClaims returns why a StatefulSet may not be changed so, or "": the controller
// would delete the volume claims of its pods.
func (b *builder) losesClaims(c *resource.Change) string {
	if c.ID.Kind != "StatefulSet" || c.Before == nil {
		return ""
	}
	live := c.Before
	if o, wanted := b.observed[c.ID]; wanted && o.Live != nil {
		live = o.Live.Object
	}
	const how = "set it to Retain first"
	switch {
	case c.Action != resource.Update && deletesClaimsWhen(live, "whenDeleted"):
		return "its volume claims would go with it (persistentVolumeClaimRetentionPolicy.whenDeleted is Delete): " + how
	case c.Action == resource.Update && deletesClaimsWhen(c.After, "whenScaled") && lowersReplicas(c): // the controller sees both at once
		return "the volume claims of the pods that go would go with them (persistentVolumeClaimRetentionPolicy.whenScaled is Delete): " + how
	}
	return ""
}

// deletesClaimsWhen reports whether the controller of a StatefulSet deletes its volume
// claims: whenDeleted with it, or whenScaled with a pod of it.
func deletesClaimsWhen(o resource.Object, key string) bool {
	return o.Text("spec", "persistentVolumeClaimRetentionPolicy", key) == "Delete"
}

// dooms returns what volume claims of a StatefulSet will go with that stayed until now,
// or "".
func dooms(c *resource.Change) string {
	if c.ID.Kind != "StatefulSet" || c.Action == resource.Create || c.Action == resource.Delete {
		return ""
	}
	var with []string
	for _, at := range []struct{ key, what string }{{"whenDeleted", "it"}, {"whenScaled", "pods that are scaled away"}} {
		if deletesClaimsWhen(c.After, at.key) && !deletesClaimsWhen(c.Before, at.key) {
			with = append(with, fmt.Sprintf("%s (%s)", at.what, at.key))
		}
	}
	if len(with) == 0 {
		return ""
	}
	return "from now on its volume claims, and what is on them, are deleted with " + strings.Join(with, " and with ")
}

// replicasOf returns how many replicas are asked for; where none are, it is one.
func replicasOf(o resource.Object) float64 {
	v, has := o.Value("spec", "replicas")
	if !has || v == nil {
		return 1
	}
	return number(v)
}

func lowersReplicas(c *resource.Change) bool {
	changes := slices.ContainsFunc(c.Fields, func(f resource.Field) bool { return f.Path == "spec.replicas" && f.After != nil })
	return changes && replicasOf(c.After) < replicasOf(c.Before)
}

// deleteClass says what the deletion of an object does.
func (b *builder) deleteClass(c *resource.Change) resource.Class {
	_, keep := keptKind(c.ID)
	switch {
	case isPool(c.ID) && b.sessionsOn(c.ID) > 0:
		return resource.ClassDestructive
	case isPool(c.ID) && len(b.carriers(c.ID)) > 0:
		c.Notes = append(c.Notes, carriedNote(b.carriers(c.ID)))
		return resource.ClassNodeRolling
	case isPool(c.ID), resource.HookMark(c.Before) != "":
		return resource.ClassLive
	case b.removesHub(c) && isHubWorkload(c):
		c.Notes = append(c.Notes, "removes the hub; its volume claims and secrets stay")
		return resource.ClassDestructive
	case takesNamespace(c):
		c.Notes = append(c.Notes, b.namespaceNote(c.ID))
		return resource.ClassDestructive
	case keep, b.removesHub(c) && (workloads[c.ID.Kind] || routes[c.ID.Kind] || c.ID.Kind == "Service"):
		return resource.ClassDestructive
	case holdsSecret(c) && b.isRendered(c.Address) && !resource.IsRecord(c.Before):
		return resource.ClassDestructive
	case b.isStranded(c):
		return resource.ClassOutage
	case idle[c.Component.Name] && !routes[c.ID.Kind], c.ID.Kind == "Job", c.ID.Kind == "CronJob", c.ID.Kind == "Pod":
		return resource.ClassLive
	case workloads[c.ID.Kind], routes[c.ID.Kind], c.ID.Kind == "Service":
		return resource.ClassOutage
	}
	if class, is := madeClass(c); is {
		return class
	}
	if len(inPlace[c.ID.Kind])+len(forNewPods[c.ID.Kind]) > 0 {
		return resource.ClassLive
	}
	c.Impact.Unknown = true
	if isCustom(c.ID) {
		c.Notes = append(c.Notes, fmt.Sprintf("no rule says what the end of a %s does: what its controller deletes with it does not come back", c.ID.Kind))
		return resource.ClassOneWay
	}
	c.Notes = append(c.Notes, fmt.Sprintf("no rule says what the end of a %s does: counted as a restart", c.ID.Kind))
	return unknownClass(c.Component, c.ID.Kind)
}

// takesNamespace reports whether a change deletes a namespace, and with it everything
// that is in it, whosever it is.
func takesNamespace(c *resource.Change) bool {
	return c.ID.Kind == "Namespace" && c.ID.Within() != "" && (c.Action == resource.Delete || c.Action == resource.Replace)
}

// namespaceNote says what goes with a namespace.
func (b *builder) namespaceNote(id resource.ID) string {
	const text = "takes everything in it, volume claims and user servers too"
	if blocks := b.livesIn(id, func(resource.Live) bool { return true }); len(blocks) > 0 {
		return text + "; objects of " + strings.Join(blocks, ", ") + " live there"
	}
	return text
}

// livesIn returns the blocks of which an object of a kind lives in a namespace.
func (b *builder) livesIn(namespace resource.ID, is func(resource.Live) bool) []string {
	var blocks []string
	note := func(id resource.ID, block resource.Address, l resource.Live) {
		if id.Cluster == namespace.Cluster && id.Namespace == namespace.Name && is(l) {
			blocks = append(blocks, block.String())
		}
	}
	for id, o := range b.observed {
		if o.Live != nil {
			note(id, o.Desired.Address.Block(), *o.Live)
		}
	}
	for id, l := range b.orphans {
		note(id, l.Address.Block(), l)
	}
	return sortedSet(blocks)
}

// isStranded reports whether something cannot work without an object that goes, and
// notes why.
func (b *builder) isStranded(c *resource.Change) bool {
	why := b.stranded(c)
	if why != "" {
		c.Notes = append(c.Notes, why)
	}
	return why != ""
}

// scaleClass says what another number of replicas does.
func scaleClass(c *resource.Change) resource.Class {
	if c.Action != resource.Update || !lowersReplicas(c) {
		return resource.ClassLive
	}
	switch {
	case replicasOf(c.After) > 0 && interrupts(c.Component):
		return resource.ClassProxy
	case replicasOf(c.After) > 0, idle[c.Component.Name]:
		return resource.ClassLive
	}
	c.Notes = append(c.Notes, "is scaled to zero")
	return resource.ClassOutage
}
