package plan

import (
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// crdsComponent is made before the first hook, as the namespace is: hooks may need
// both.
const crdsComponent = "crds"

// lineups are the hooks that run in a plan, by block.
type lineups map[resource.Address]*lineup

// A lineup is the hooks of one block, as steps: before the block's own, and after.
type lineup struct{ before, after []*draft }

// hookDrafts makes steps of the hooks of every block that changes. It returns the
// changes that remain: an object that stays after its hook takes the hook's place
// among the others, and what earlier hooks left is removed only when it should not
// have stayed, or something else of its block changes too. Nothing that hooks made
// is ever brought back: it would run again.
func (b *builder) hookDrafts(changes []resource.Change) (lineups, []resource.Change) {
	changes, left := b.splitLeft(changes)
	changed := Changed(changes)
	all := make(lineups)
	running := make(map[resource.ID]bool)
	for block := range b.blocks {
		_, owed := b.Owed[block]
		if !changed[block] && !owed {
			continue
		}
		operation, l := b.operation(block), &lineup{}
		if changed[block] {
			l.before, changes = b.phaseDrafts(block, "pre-"+operation, changes)
		}
		l.after, _ = b.phaseDrafts(block, "post-"+operation, nil)
		all[block] = l
		for _, d := range slices.Concat(l.before, l.after) {
			for _, c := range d.changes {
				running[c.ID] = true
			}
		}
	}
	changes = b.removedHooks(all, changes, changed)
	changes = slices.DeleteFunc(changes, func(c resource.Change) bool {
		return running[c.ID] && c.Action == resource.Delete && resource.HookMark(c.Before) != ""
	})
	for _, c := range left {
		if !running[c.ID] && b.outlived(&c, changed[c.Component.Block]) {
			changes = append(changes, c)
		}
	}
	for i := range changes {
		if c := &changes[i]; c.Action == resource.Delete && resource.HookMark(c.Before) != "" {
			c.Hook, c.Before = &resource.Hook{Event: resource.HookMark(c.Before)}, bare(c.ID, c.Before)
		}
	}
	return all, changes
}

// Changed returns the blocks for which a chart's hooks run: those with more than a
// change of owner, of our own marks or records, or of what a hook left.
func Changed(changes []resource.Change) map[resource.Address]bool {
	changed := make(map[resource.Address]bool)
	for _, c := range changes {
		isRecord := resource.IsRecord(c.Before) || resource.IsRecord(c.After)
		left := c.Action == resource.Delete && resource.HookMark(c.Before) != ""
		if !isRecord && !left && (c.Action != resource.Update || slices.ContainsFunc(c.Fields, isTheirs)) {
			changed[c.Component.Block] = true
		}
	}
	return changed
}

// isTheirs reports whether a field is of the author's, and not a mark of ours.
func isTheirs(f resource.Field) bool { return !strings.Contains(f.Path, "hubcap.dev/") }

// operation says what happens to a block: "rollback" on the way back, "install" when
// nothing of it lives, or when what its installation ends with is still owed.
func (b *builder) operation(block resource.Address) string {
	if b.Back {
		return "rollback"
	}
	if !b.lives(block) || b.Owed[block] == "post-install" {
		return "install"
	}
	return "upgrade"
}

// removedHooks adds the hooks of blocks that are wanted no more, which are kept beside
// their objects. What keeps them goes last: while it is there, the hooks after the
// removal are owed. It returns the changes that remain.
func (b *builder) removedHooks(all lineups, changes []resource.Change, changed map[resource.Address]bool) []resource.Change {
	if b.Back {
		return changes
	}
	for _, record := range changes {
		block := record.Component.Block
		_, wanted := b.blocks[block]
		hooks := resource.RecordedHooks(record.Before)
		if wanted || record.Action != resource.Delete || len(hooks) == 0 {
			continue
		}
		l := &lineup{}
		if changed[block] {
			l.before = b.removalSteps(hooks, "pre-delete")
		}
		l.after = append(b.removalSteps(hooks, "post-delete"), b.hookDraft(record, "post-delete"))
		l.after[len(l.after)-1].changes = []resource.Change{record}
		all[block] = l
		running := map[resource.ID]bool{record.ID: true}
		for _, d := range slices.Concat(l.before, l.after) {
			d.phase = removals
			for _, c := range d.changes {
				running[c.ID] = true
			}
		}
		changes = slices.DeleteFunc(slices.Clone(changes), func(c resource.Change) bool { return running[c.ID] })
	}
	return changes
}

// removalSteps returns the steps of one event of a block that goes. None of what its
// hooks make stays: nobody would be left to remove it.
func (b *builder) removalSteps(hooks []resource.Desired, event string) []*draft {
	var some []resource.Desired
	for _, h := range hooks {
		if h.Hook.Event != event || !b.selects(h.Component) {
			continue
		}
		if !h.Hook.Deletes(resource.DeleteSucceeded) {
			own := *h.Hook
			own.Policies = append(slices.Clone(own.Policies), resource.DeleteSucceeded)
			h.Hook = &own
		}
		some = append(some, h)
	}
	if len(some) == 0 {
		return nil
	}
	slices.SortFunc(some, resource.CompareHooks)
	return b.hookSteps(some, nil, event)
}

// splitLeft splits off the deletions of what hooks left. On the way back they are
// deletions like any other, and so they are where a block is wanted no more.
func (b *builder) splitLeft(changes []resource.Change) (rest, left []resource.Change) {
	for _, c := range changes {
		_, wanted := b.blocks[c.Component.Block]
		if !b.Back && wanted && c.Action == resource.Delete && resource.HookMark(c.Before) != "" {
			left = append(left, c)
			continue
		}
		rest = append(rest, c)
	}
	return rest, left
}

// outlived reports whether what a hook left has to go: it should have gone when the
// hook succeeded, or the chart has the hook no more.
func (b *builder) outlived(c *resource.Change, changed bool) bool {
	if strings.Contains(c.Before.Text("metadata", "annotations", resource.AnnotationHookPolicy), resource.DeleteSucceeded) {
		c.Notes = append(c.Notes, "left by a hook that was cut off")
		return true
	}
	rendered := slices.ContainsFunc(b.Hooks, func(h resource.Desired) bool { return h.ID == c.ID })
	if rendered || !changed {
		return false
	}
	c.Notes = append(c.Notes, "left by a hook that the chart has no more")
	return true
}

// phaseDrafts returns the steps of one event of a block, and the changes without
// those that took a place in them.
func (b *builder) phaseDrafts(block resource.Address, event string, changes []resource.Change) ([]*draft, []resource.Change) {
	var hooks []resource.Desired
	for _, h := range b.Hooks {
		if h.Component.Block == block && h.Hook.Event == event && b.selects(h.Component) {
			hooks = append(hooks, h)
		}
	}
	if len(hooks) == 0 {
		return nil, changes
	}
	stays := make(map[resource.ID]resource.Change)
	changes = slices.DeleteFunc(slices.Clone(changes), func(c resource.Change) bool {
		d := b.observed[c.ID].Desired
		if c.Component.Block != block || c.Action == resource.Delete || d.Hook == nil || !d.Hook.Before() {
			return false
		}
		stays[c.ID] = c
		hooks = append(hooks, d)
		return true
	})
	slices.SortFunc(hooks, resource.CompareHooks)
	return b.hookSteps(hooks, stays, event), changes
}

// hookSteps puts hooks, in their order, into steps: one ends with each hook that is
// waited for, and the last deletes what is to go when all succeeded. stays are the
// changes of those that are objects like any other.
func (b *builder) hookSteps(hooks []resource.Desired, stays map[resource.ID]resource.Change, event string) []*draft {
	start := func() *draft { return b.hookDraft(hookChange(hooks[0]), event) }
	var drafts []*draft
	cleanup := start()
	open := false
	for _, h := range hooks {
		if !open {
			drafts = append(drafts, start())
		}
		last := drafts[len(drafts)-1]
		if c, stays := stays[h.ID]; stays {
			last.changes, open = append(last.changes, c), true
			continue
		}
		last.changes = append(last.changes, hookChange(h))
		if h.Hook.Deletes(resource.DeleteSucceeded) {
			cleanup.changes = append([]resource.Change{hookRemoval(h)}, cleanup.changes...)
		}
		open = !resource.Waits(h.ID)
	}
	if len(cleanup.changes) > 0 {
		drafts = append(drafts, cleanup)
	}
	return drafts
}

// hookDraft returns an empty step of hooks of the block, and in the cluster, that c
// is of.
func (b *builder) hookDraft(c resource.Change, event string) *draft {
	block := c.Component.Block
	return &draft{
		phase: rollout, group: b.group(block), component: resource.Component{Block: block, Name: resource.HooksComponent},
		cluster: c.ID.Cluster, origin: b.blocks[block], hook: event,
	}
}

// hookChange makes the object of a hook, after deleting what an earlier run left
// of it.
func hookChange(h resource.Desired) resource.Change {
	return resource.Change{
		ID: h.ID, Address: h.Address, Component: h.Component, Action: resource.Create, Class: resource.ClassHook,
		After: h.Object, Hook: h.Hook, Needs: h.Needs, Origin: h.Origin, Notes: []string{hookNote(h)},
	}
}

// hookNote says in one line what a hook is.
func hookNote(h resource.Desired) string {
	fate := "stays until it runs again"
	switch succeeded, failed := h.Hook.Deletes(resource.DeleteSucceeded), h.Hook.Deletes(resource.DeleteFailed); {
	case succeeded && failed:
		fate = "deleted when it has run"
	case succeeded:
		fate = "deleted when it succeeds"
	case failed:
		fate = "deleted when it fails"
	}
	return fmt.Sprintf("hook %s: %s (weight %d), %s", h.Hook.Event, h.Address.Object, h.Hook.Weight, fate)
}

// hookRemoval deletes the object of a hook that succeeded.
func hookRemoval(h resource.Desired) resource.Change {
	return resource.Change{
		ID: h.ID, Address: h.Address, Component: h.Component, Action: resource.Delete, Class: resource.ClassHook, Hook: h.Hook,
		Before: bare(h.ID, h.Object), Origin: h.Origin,
	}
}

// bare is what of a hook's object is enough to delete it: it is never brought back.
func bare(id resource.ID, o resource.Object) resource.Object {
	meta := map[string]any{"name": id.Name}
	if id.Namespace != "" {
		meta["namespace"] = id.Namespace
	}
	return resource.Object{"apiVersion": o.Text("apiVersion"), "kind": id.Kind, "metadata": meta}
}

// withHooks puts the steps of hooks around those of their blocks: before the first
// but for definitions of kinds, and after the last but for removals, which come
// when all blocks are done.
func withHooks(drafts []*draft, hooks lineups) []*draft {
	for _, block := range sortedBlocks(hooks) {
		l := hooks[block]
		first, last := span(drafts, block)
		if len(l.before) > 0 {
			pullNamespaces(drafts[first:], l.before)
		}
		for _, d := range slices.Concat(l.before, l.after) {
			if first < len(drafts) && drafts[first].component.Block == block {
				d.phase = drafts[first].phase
			}
		}
		drafts = slices.Insert(drafts, last, l.after...)
		drafts = slices.Insert(drafts, first, l.before...)
		drafts = slices.DeleteFunc(drafts, func(d *draft) bool { return len(d.changes) == 0 })
	}
	return drafts
}

// sortedBlocks returns the blocks that have hooks, in a fixed order.
func sortedBlocks(hooks lineups) []resource.Address {
	var blocks []resource.Address
	for block, l := range hooks {
		if len(l.before)+len(l.after) > 0 {
			blocks = append(blocks, block)
		}
	}
	slices.SortFunc(blocks, func(x, y resource.Address) int { return strings.Compare(x.String(), y.String()) })
	return blocks
}

// span returns the place of the first draft of a block that hooks come before, and
// the place behind the last that hooks come after. For a block without drafts both
// are behind all that is rolled out.
func span(drafts []*draft, block resource.Address) (first, last int) {
	for _, in := range []phase{rollout, removals} {
		first, last = -1, -1
		for i, d := range drafts {
			if d.component.Block != block || d.phase != in {
				continue
			}
			if last = i + 1; first < 0 && d.component.Name != crdsComponent {
				first = i
			}
		}
		if last > 0 {
			if first < 0 {
				first = last
			}
			return first, last
		}
	}
	end := slices.IndexFunc(drafts, func(d *draft) bool { return d.phase > rollout })
	if end < 0 {
		end = len(drafts)
	}
	return end, end
}

// pullNamespaces moves the creation of the namespaces that hooks lie in to the
// first step of the hooks, where it would come later.
func pullNamespaces(later, hooks []*draft) {
	lies := make(map[resource.ID]bool)
	for _, d := range hooks {
		for _, c := range d.changes {
			lies[resource.ID{Cluster: c.ID.Cluster, Kind: "Namespace", Name: c.ID.Namespace}] = true
		}
	}
	for _, d := range later {
		d.changes = slices.DeleteFunc(d.changes, func(c resource.Change) bool {
			if !lies[c.ID] || c.Action != resource.Create {
				return false
			}
			hooks[0].changes = append([]resource.Change{c}, hooks[0].changes...)
			return true
		})
	}
}
