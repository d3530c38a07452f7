package plan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// What a hub is, and whether one goes, the live objects say and not the block that they
// stand in: the same objects may be a hub's, a chart's or a manifest's, under this name or
// another, here or there.

// A hubPlace is where a hub lives: what one block has in one namespace of a cluster.
type hubPlace struct {
	block              resource.Address
	cluster, namespace string
}

func placeOf(block resource.Address, id resource.ID) hubPlace {
	return hubPlace{block, id.Cluster, id.Namespace}
}

// isHub reports whether a block is a hub: it is called so, or runs one.
func (b *builder) isHub(block resource.Address) bool {
	if block.Kind == "hub" {
		return true
	}
	if b.hubs == nil {
		b.hubs = make(map[resource.Address]bool)
		for _, l := range b.orphans {
			b.hubs[l.Address.Block()] = b.hubs[l.Address.Block()] || runsHub(l.Component, l.ID, l.Object) || runsProxy(l.ID, l.Object)
		}
		for _, o := range b.observed {
			if d := o.Desired; o.Live != nil {
				b.hubs[d.Address.Block()] = b.hubs[d.Address.Block()] || runsHub(d.Component, d.ID, o.Live.Object) || runsProxy(d.ID, o.Live.Object)
			}
		}
	}
	return b.hubs[block]
}

// runsHub reports whether an object is the workload of a hub: by its component, by the
// labels that JupyterHub's chart gives a hub and its pods, or by what it runs.
func runsHub(component resource.Component, id resource.ID, o resource.Object) bool {
	return serves(id) && (component.Name == hubComponent || hasLabel(o, hubComponent, "component", "app.kubernetes.io/component") ||
		slices.ContainsFunc(containers(o), startsHub))
}

// runsProxy reports whether an object is the workload of the proxy of JupyterHub's
// chart, through which everybody's connection to a hub passes.
func runsProxy(id resource.ID, o resource.Object) bool {
	return serves(id) && hasLabel(o, proxyComponent, "component", "app.kubernetes.io/component") &&
		hasLabel(o, "jupyterhub", "app", "app.kubernetes.io/name")
}

// serves reports whether an object runs pods that are to stay.
func serves(id resource.ID) bool {
	return workloads[id.Kind] && id.Kind != "Job" && id.Kind != "CronJob"
}

// hasLabel reports whether a workload or its pods bear a value under one of the keys.
func hasLabel(o resource.Object, value string, keys ...string) bool {
	for _, labels := range [][]string{{"metadata", "labels"}, {"spec", "template", "metadata", "labels"}} {
		for _, key := range keys {
			if o.Text(append(slices.Clone(labels), key)...) == value {
				return true
			}
		}
	}
	return false
}

// hubImages end the names of the images that JupyterHub publishes with a hub in them.
var hubImages = []string{"jupyterhub/jupyterhub", "jupyterhub/k8s-hub"}

// startsHub reports whether a container runs JupyterHub.
func startsHub(c map[string]any) bool {
	for _, key := range []string{"command", "args"} {
		words, _ := c[key].([]any)
		if len(words) > 0 && path.Base(text(words[0])) == "jupyterhub" {
			return true
		}
	}
	name, _, _ := strings.Cut(text(c["image"]), "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name = name[:i]
	}
	return slices.ContainsFunc(hubImages, func(image string) bool { return name == image || strings.HasSuffix(name, "/"+image) })
}

// isHubWorkload reports whether a change is one of a hub's own workload.
func isHubWorkload(c *resource.Change) bool {
	o := c.Before
	if o == nil {
		o = c.After
	}
	return runsHub(c.Component, c.ID, o)
}

// leaves returns where hubs go: their workload, or their proxy's, lives there and is
// wanted no more.
func (b *builder) leaves() map[hubPlace]bool {
	if b.leaving == nil {
		b.leaving = make(map[hubPlace]bool)
		for id, l := range b.orphans {
			block := l.Address.Block()
			isProxy := serves(id) && (runsProxy(id, l.Object) || l.Component.Name == proxyComponent && b.isHub(block))
			if isProxy || runsHub(l.Component, id, l.Object) {
				b.leaving[placeOf(block, id)] = true
			}
		}
	}
	return b.leaving
}

// hubGoes reports whether the hub that an object belongs to goes: the one of its block
// in its namespace or, where that has none that stays, any of its block.
func (b *builder) hubGoes(c *resource.Change) bool {
	here := placeOf(c.Address.Block(), c.ID)
	if b.leaves()[here] {
		return true
	}
	for id, o := range b.observed {
		if d := o.Desired; id.Namespace != "" && placeOf(d.Address.Block(), id) == here && runsHub(d.Component, id, d.Object) {
			return false
		}
	}
	for place := range b.leaves() {
		if place.block == here.block && place.cluster == here.cluster {
			return true
		}
	}
	return false
}

// removesHub reports whether deleting an object is part of removing a hub. What lives
// decides: whatever took a hub's workload out of the config, all that its block has there
// goes with it. What is left of a hub whose block is gone is a hub's, too. A way back
// takes what its run made, but not from people.
func (b *builder) removesHub(c *resource.Change) bool {
	block := c.Address.Block()
	if c.Action != resource.Delete || resource.HookMark(c.Before) != "" || resource.IsRecord(c.Before) && !b.runs(block) {
		return false
	}
	if b.Back {
		return b.inUse(block) && b.hubGoes(c)
	}
	_, wanted := b.blocks[block]
	return !wanted && b.isHub(block) || b.hubGoes(c)
}

// inUse reports whether people may be on what a run made of a block: there are sessions,
// or nobody could count them, and, where nobody asked for the way back, a hub or proxy of
// it that answers them, or of which that is not known. Nobody has come by one that never
// was ready.
func (b *builder) inUse(block resource.Address) bool {
	maybe := b.sessionsOf(block) > 0 || b.uncounted(block) != ""
	if !maybe || b.Asked {
		return maybe
	}
	for id, l := range b.orphans {
		if l.Address.Block() != block || !serves(id) || !b.leaves()[placeOf(block, id)] {
			continue
		}
		_, isSaid := l.Object.Value("status")
		if ready, _ := l.Object.Value("status", "readyReplicas"); !isSaid || ready != nil && number(ready) > 0 {
			return true
		}
	}
	return false
}

// ceases reports whether a change makes something else of a hub's workload.
func (b *builder) ceases(c *resource.Change) bool {
	live := b.observed[c.ID].Live
	return c.Action != resource.Delete && live != nil && !b.Back && runsHub(live.Component, c.ID, live.Object) && !runsHub(c.Component, c.ID, b.observed[c.ID].Desired.Object)
}

// hubReason returns why a change that takes a hub away may not be made, or "".
func (b *builder) hubReason(c *resource.Change) string {
	block := c.Address.Block()
	if c.Action == resource.Delete && !b.removesHub(c) || c.Action != resource.Delete && !b.ceases(c) || b.named(c.Address, c.ID) {
		return ""
	}
	reason := b.deletedBy(block)
	if c.Action != resource.Delete {
		reason = "what is wanted in the place of this hub is none; " + reason
	}
	users, where := b.sessionsOf(block), "on this hub"
	if _, wanted := b.blocks[block]; wanted {
		users = max(users, b.sessionsIn(c.ID))
		if c.ID.Namespace != "" {
			where = "on the hub in namespace " + c.ID.Namespace
		}
	}
	switch unknown := b.uncounted(block); {
	case users > 0:
		return fmt.Sprintf("%s %s; %s", servers(users), where, reason)
	case unknown != "":
		return fmt.Sprintf("user servers %s cannot be counted: %s; %s", where, unknown, reason)
	}
	return reason
}
