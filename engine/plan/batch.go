package plan

import (
	"cmp"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// batch makes one step of the components of a block where its rollout says so:
// they restart once, together, and when they fail nobody knows by whose fault. What
// cannot be undone, and what has to be made before, stays a step of its own.
func (b *builder) batch(drafts []*draft) []*draft {
	var out []*draft
	into := make(map[*draft]*draft)
	for _, d := range drafts {
		last := len(out) - 1
		if last < 0 || !b.together(out[last], d) {
			out = append(out, d)
			continue
		}
		first := out[last]
		first.component.Name = ""
		first.changes = append(first.changes, d.changes...)
		first.needs = append(first.needs, d.needs...)
		into[d] = first
	}
	for _, d := range out {
		var needs []*draft
		for _, need := range d.needs {
			need = cmp.Or(into[need], need)
			if need != d && !slices.Contains(needs, need) {
				needs = append(needs, need)
			}
		}
		d.needs = needs
	}
	return out
}

// together reports whether two drafts that follow one another are one batch.
func (b *builder) together(x, y *draft) bool {
	r, has := b.rollout(x.component.Block)
	return has && r.Batch && x.phase == rollout && y.phase == rollout && x.cluster == y.cluster &&
		x.component.Block == y.component.Block && batched(x) && batched(y)
}

func batched(d *draft) bool {
	return d.component.Name != BackupComponent && d.hook == "" && !slices.ContainsFunc(d.changes, func(c resource.Change) bool {
		return c.Class >= resource.ClassOneWay || isPool(c.ID)
	})
}

// bisects reports whether the culprit of a batch that fails may be looked for: on
// the hubs of the first wave, and nowhere else.
func (b *builder) bisects(block resource.Address) bool {
	r, has := b.rollout(block)
	return has && r.Bisect && len(r.Order) > 0 && slices.Contains(r.Order[0], block)
}

// A Part is changes of a step that do without the rest of it.
type Part struct {
	Name    string // of its components: "hub", "hub, proxy"
	Changes []resource.Change
}

// Parts takes a step apart into what is independent of one another: changes of
// one component belong together, and so does a configuration with whoever reads
// it.
func (s Step) Parts() []Part {
	owner := make(map[resource.ID]int, len(s.Changes))
	group := make([]int, len(s.Changes))
	byName := make(map[string]int)
	for i, c := range s.Changes {
		owner[c.ID], group[i] = i, i
		if first, has := byName[c.Component.Name]; has {
			group[i] = first
		} else {
			byName[c.Component.Name] = i
		}
	}
	join := func(i, j int) {
		from, to := max(group[i], group[j]), min(group[i], group[j])
		for k := range group {
			if group[k] == from {
				group[k] = to
			}
		}
	}
	for i, c := range s.Changes {
		for _, id := range slices.Concat(c.Needs, readsOf(c)) {
			if j, here := owner[id]; here && !indifferent(c, s.Changes[j]) {
				join(i, j)
			}
		}
	}
	return s.partsOf(group)
}

// indifferent reports whether what changes of a configuration is nothing that the
// pods of c read, before or after: all components of a hub read something of one
// Secret, and most of them one key.
func indifferent(c, config resource.Change) bool {
	if config.Action != resource.Update || !isConfig(config.ID.Kind) || config.ID.Group != "" {
		return false
	}
	keys, reader := changedKeys(config), false
	for _, o := range []resource.Object{c.Before, c.After} {
		if o == nil {
			continue
		}
		for _, r := range reads(o) {
			if r.configID(c.ID) != config.ID {
				continue
			}
			if r.touches(keys) {
				return false
			}
			reader = true
		}
	}
	return reader
}

func (s Step) partsOf(group []int) []Part {
	var parts []Part
	at := make(map[int]int)
	for i, c := range s.Changes {
		n, known := at[group[i]]
		if !known {
			n = len(parts)
			at[group[i]] = n
			parts = append(parts, Part{})
		}
		parts[n].Changes = append(parts[n].Changes, c)
	}
	for n := range parts {
		var names []string
		for _, c := range parts[n].Changes {
			if !slices.Contains(names, c.Component.Name) {
				names = append(names, c.Component.Name)
			}
		}
		slices.Sort(names)
		parts[n].Name = strings.Join(names, ", ")
	}
	return parts
}
