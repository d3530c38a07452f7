package plan

import (
	"slices"

	"hubcap/engine/resource"
)

// What a hub is, the live objects say and not the kind of the block that they stand in:
// the same objects may be a hub's, a chart's or a manifest's.

// isHub reports whether a block is a hub: it is called so, or runs one.
func (b *builder) isHub(block resource.Address) bool {
	if block.Kind == "hub" {
		return true
	}
	if b.hubs == nil {
		b.hubs = make(map[resource.Address]bool)
		for _, l := range b.orphans {
			b.hubs[l.Address.Block()] = b.hubs[l.Address.Block()] || runsHub(l.Component, l.ID, l.Object)
		}
		for _, o := range b.observed {
			if d := o.Desired; o.Live != nil {
				b.hubs[d.Address.Block()] = b.hubs[d.Address.Block()] || runsHub(d.Component, d.ID, o.Live.Object)
			}
		}
	}
	return b.hubs[block]
}

// runsHub reports whether an object is the workload of a hub: by its component, or by
// the labels that JupyterHub's chart gives a hub and its pods.
func runsHub(component resource.Component, id resource.ID, o resource.Object) bool {
	if !workloads[id.Kind] || id.Kind == "Job" || id.Kind == "CronJob" {
		return false
	}
	if component.Name == hubComponent {
		return true
	}
	for _, labels := range [][]string{{"metadata", "labels"}, {"spec", "template", "metadata", "labels"}} {
		for _, label := range []string{"component", "app.kubernetes.io/component"} {
			if o.Text(append(slices.Clone(labels), label)...) == hubComponent {
				return true
			}
		}
	}
	return false
}

// isHubWorkload reports whether a change is one of a hub's own workload.
func isHubWorkload(c *resource.Change) bool {
	o := c.Before
	if o == nil {
		o = c.After
	}
	return runsHub(c.Component, c.ID, o)
}

// hubGoes reports whether the hub that an object of a block belongs to is to go, although
// the block is there: its workload is wanted no more where the object is, or anywhere
// when it belongs to no namespace.
func (b *builder) hubGoes(c *resource.Change) bool {
	for id, l := range b.orphans {
		if l.Address.Block() == c.Address.Block() && id.Cluster == c.ID.Cluster && (c.ID.Namespace == "" || id.Namespace == c.ID.Namespace) && runsHub(l.Component, id, l.Object) {
			return true
		}
	}
	return false
}
