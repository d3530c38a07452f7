package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/engine/resource"
)

// Build makes the plan that carries out the changes: it leaves out what may not
// be touched, says what each change does to people, and puts the rest in order.
// The same input in any order gives the same plan. An error means that the input
// asks for what no plan may do, see [ErrEmptyConfig] and [ErrNoSuchAddress], or
// that the steps need each other in a circle.
func Build(in Input) (*Plan, error) {
	b := newBuilder(in)
	if err := b.refuseEmpty(); err != nil {
		return nil, err
	}
	if err := b.checkSelection(); err != nil {
		return nil, err
	}
	b.notice()
	b.keepUnsealed()
	changes := b.permit(b.withoutBackups(b.selected(in.Changes)))
	restarted := restarts(changes)
	for i := range changes {
		b.classify(&changes[i], restarted)
	}
	changes = b.backups(changes)
	for i := range changes {
		changes[i].Impact = b.impact(changes[i])
		noteOneWay(&changes[i])
	}
	b.hooks, changes = b.hookDrafts(changes)
	if err := b.arrange(changes); err != nil {
		return nil, err
	}
	b.unrestarted(changes)
	b.takeOver()
	b.versions(changes)
	b.reject()
	b.judge()
	b.warn()
	id, err := identify(b.plan, in.Mask)
	if err != nil {
		return nil, err
	}
	b.plan.ID = id
	return b.plan, nil
}

// A builder makes one plan.
type builder struct {
	Input
	plan     *Plan
	observed map[resource.ID]resource.Observation
	orphans  map[resource.ID]resource.Live
	gone     map[resource.Address]int  // see sessionsOf
	hubs     map[resource.Address]bool // see isHub
	leaving  map[hubPlace]bool         // see leaves

	rightless map[resource.ID]bool // changes that take from a hub what it launches servers by
	barring   map[resource.ID]bool // changes that cut off pods that people need
	said      []Verdict            // hubcap's own
	hooks     lineups
	blocks    map[resource.Address]resource.Range // wanted blocks, and where the first object comes from
}

func newBuilder(in Input) *builder {
	b := &builder{
		Input:    in,
		observed: make(map[resource.ID]resource.Observation, len(in.Reading.Observations)),
		orphans:  make(map[resource.ID]resource.Live, len(in.Reading.Orphans)),
		blocks:   make(map[resource.Address]resource.Range),

		rightless: make(map[resource.ID]bool),
		barring:   make(map[resource.ID]bool),
		plan: &Plan{
			FormatVersion: FormatVersion,
			Version:       in.Version,
			Config:        in.Config,
			Origin:        in.Origin,
			Commit:        in.Commit,
			Given:         in.Given,
			Created:       in.Created.UTC().Truncate(time.Microsecond),
			Scope:         Scope{Only: in.Only, Except: in.Except, Delete: in.Delete},
			Clusters:      slices.Clone(in.Clusters),
			Waves:         []Wave{},
			Unreadable:    slices.Clone(in.Reading.Unreadable),
			Warnings:      slices.Clone(in.Warnings),
			Outputs:       in.Outputs,
			Charts:        in.Charts,
		},
	}
	for _, o := range in.Reading.Observations {
		b.observed[o.Desired.ID] = o
		block := o.Desired.Address.Block()
		if old, known := b.blocks[block]; !known || before(o.Desired.Origin, old) {
			b.blocks[block] = o.Desired.Origin
		}
	}
	for _, l := range in.Reading.Orphans {
		b.orphans[l.ID] = l
	}
	slices.SortFunc(b.plan.Clusters, func(x, y Cluster) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortFunc(b.plan.Unreadable, func(x, y resource.Unreadable) int {
		return cmp.Or(cmp.Compare(x.What, y.What), cmp.Compare(x.Reason, y.Reason))
	})
	return b
}

// before orders places in files.
func before(a, b resource.Range) bool { return compareRanges(a, b) < 0 }

func compareRanges(a, b resource.Range) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// refuseEmpty refuses a config that asks for nothing of a cluster where objects
// of its own live, unless all of them were named for deletion.
func (b *builder) refuseEmpty() error {
	if b.Back {
		return nil
	}
	wanted := make(map[string]bool)
	for id := range b.observed {
		wanted[id.Cluster] = true
	}
	left, blocks := make(map[string]int), make(map[string][]string)
	for _, l := range b.orphans {
		if cluster := l.ID.Cluster; !wanted[cluster] && !b.named(l.Address, l.ID) {
			left[cluster]++
			blocks[cluster] = append(blocks[cluster], l.Address.Block().String())
		}
	}
	for _, c := range b.plan.Clusters {
		if n := left[c.Name]; n > 0 {
			return fmt.Errorf("cluster %s: %w (%d of them); %s", c.Name, ErrEmptyConfig, n, waysOut(sortedSet(blocks[c.Name])))
		}
	}
	return nil
}

// waysOut says how blocks are deleted by a config that asks for nothing.
func waysOut(blocks []string) string {
	const most = 3
	var removed, named []string
	for _, name := range blocks[:min(len(blocks), most)] {
		removed = append(removed, fmt.Sprintf("removed { from = %s }", name))
		named = append(named, fmt.Sprintf("--dangerous-delete '%s'", name))
	}
	more := ""
	if n := len(blocks) - most; n > 0 {
		more = fmt.Sprintf(", and likewise for %d more", n)
	}
	return fmt.Sprintf("if this is the right directory, name what is to be deleted: %s in the config, or %s%s", strings.Join(removed, " "), strings.Join(named, " "), more)
}

// checkSelection refuses a selection that names nothing: a misspelt name must
// not pass for "nothing to do".
func (b *builder) checkSelection() error {
	known := make(map[resource.Component]bool)
	for _, o := range b.Reading.Observations {
		known[o.Desired.Component] = true
		known[resource.Component{Block: o.Desired.Address.Block()}] = true
	}
	for _, l := range b.Reading.Orphans {
		known[l.Component] = true
		known[resource.Component{Block: l.Address.Block()}] = true
	}
	for _, h := range b.Hooks {
		known[h.Component] = true
	}
	for _, name := range append(slices.Clone(b.Only), b.Except...) {
		isKnown := false
		var names []string
		for c := range known {
			isKnown = isKnown || c.NamedBy(name)
			names = append(names, c.String())
		}
		if !isKnown {
			return fmt.Errorf("%w: %s (%s)", ErrNoSuchAddress, name, resource.Possible(name, names))
		}
	}
	return nil
}

// notice counts what is unchanged and gathers drift and refusals.
func (b *builder) notice() {
	for _, o := range b.Reading.Observations {
		d := o.Desired
		if !b.selects(d.Component) {
			continue
		}
		switch {
		case o.Refused != "":
			b.refuse(o)
		case o.Same, d.Presence == resource.Ensured && o.Live != nil:
			b.plan.Unchanged++
		}
		if len(o.Foreign) > 0 {
			b.plan.Drift = append(b.plan.Drift, Drift{Kind: driftKind(o), ID: d.ID, Address: d.Address, Fields: sortedForeign(o.Foreign)})
		}
		if applied, gone := b.Vanished[d.ID]; gone && o.Live == nil {
			b.plan.Drift = append(b.plan.Drift, deleted(d, applied))
		}
	}
	slices.SortFunc(b.plan.Drift, func(x, y Drift) int { return cmp.Compare(x.ID.String(), y.ID.String()) })
}

// deleted is the drift of an object that somebody deleted: nobody is named in what
// is left, and when it was there last is all that is known of the time.
func deleted(d resource.Desired, applied time.Time) Drift {
	there := "applied " + applied.UTC().Format(time.RFC3339)
	return Drift{Kind: Drifted, ID: d.ID, Address: d.Address, Fields: []resource.Foreign{{Path: "the whole object", Wanted: there, Live: "deleted"}}}
}

func (b *builder) refuse(o resource.Observation) {
	d := o.Desired
	b.plan.Refused = append(b.plan.Refused, Refused{ID: d.ID, Address: d.Address, Reason: o.Refused, Missing: o.Live == nil, Origin: d.Origin})
}

// driftKind tells drift from a conflict: whether the config moved too since the
// object was last applied.
func driftKind(o resource.Observation) DriftKind {
	if o.Unmoved {
		return Drifted
	}
	return Conflicted
}

func sortedForeign(fields []resource.Foreign) []resource.Foreign {
	sorted := slices.Clone(fields)
	slices.SortFunc(sorted, func(x, y resource.Foreign) int {
		return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Manager, y.Manager))
	})
	return sorted
}

// Selects reports whether a selection lets c through: what is named in only, or all
// when that is empty, but for what is named in except. See
// [resource.Component.NamedBy].
func Selects(only, except []string, c resource.Component) bool {
	if len(only) > 0 && !slices.ContainsFunc(only, c.NamedBy) {
		return false
	}
	return !slices.ContainsFunc(except, c.NamedBy)
}

// selects reports whether --only, --except and a saved plan let c through.
func (b *builder) selects(c resource.Component) bool {
	return Selects(b.Only, b.Except, c) && !slices.Contains(b.Without, c)
}

// keepUnsealed notes what bears this config's label and is not known to be its own.
func (b *builder) keepUnsealed() {
	for _, u := range b.Reading.Unsealed {
		b.plan.Kept = append(b.plan.Kept, Kept{ID: u.ID, Reason: u.Reason}) // the address on it is anybody's
	}
}

// selected returns copies of the changes that the selection lets through, in the
// order of their IDs, and notes the components that it leaves out.
func (b *builder) selected(changes []resource.Change) []resource.Change {
	var through []resource.Change
	for _, c := range changes {
		if b.selects(c.Component) {
			c.Notes = slices.Clone(c.Notes)
			through = append(through, c)
			continue
		}
		if name := c.Component.String(); !slices.Contains(b.plan.LeftOut, name) {
			b.plan.LeftOut = append(b.plan.LeftOut, name)
		}
	}
	slices.Sort(b.plan.LeftOut)
	slices.SortFunc(through, func(x, y resource.Change) int { return cmp.Compare(x.ID.String(), y.ID.String()) })
	return through
}

// named reports whether address, or its block, or the object itself was named
// for deletion: people's work goes by its whole name, never with all instances.
func (b *builder) named(address resource.Address, id resource.ID) bool {
	return slices.Contains(b.Removed, address.Block().String()) || slices.ContainsFunc(b.Delete, func(name string) bool {
		return name == address.String() || name == address.Block().String() || name == id.String()
	})
}

// warn tells what a person should know that stops nothing.
func (b *builder) warn() {
	planned := make(map[resource.ID]bool)
	for _, s := range b.plan.Steps() {
		for _, c := range s.Changes {
			planned[c.ID] = true
		}
	}
	for _, s := range b.plan.Steps() {
		for _, c := range s.Changes {
			for _, id := range leansOn(c) {
				if !planned[id] && b.missing(id) {
					b.plan.Warnings = append(b.plan.Warnings, fmt.Sprintf("%s needs %s, which does not exist and is left out", c.Address, id))
				}
			}
		}
	}
	if len(b.plan.LeftOut) > 0 {
		b.plan.Warnings = append(b.plan.Warnings, "left out by selection: "+strings.Join(b.plan.LeftOut, ", "))
	}
	slices.SortFunc(b.plan.Kept, func(x, y Kept) int { return cmp.Compare(x.ID.String(), y.ID.String()) })
	slices.SortFunc(b.plan.Refused, func(x, y Refused) int { return cmp.Compare(x.ID.String(), y.ID.String()) })
	slices.Sort(b.plan.Warnings)
	b.plan.Warnings = slices.Compact(b.plan.Warnings)
}

// leansOn returns what c cannot do without: what it needs, and what its pods read.
func leansOn(c resource.Change) []resource.ID {
	ids := slices.Clone(c.Needs)
	if c.After == nil {
		return ids
	}
	for _, ref := range references(c.After) {
		ids = append(ids, ref.from(c.ID))
	}
	return ids
}

// missing reports whether id is wanted and does not exist.
func (b *builder) missing(id resource.ID) bool {
	o, wanted := b.observed[id]
	return wanted && o.Live == nil
}
