package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// ranks order the components within a block, by what the later ones lean on.
var ranks = map[string]int{
	"crds": 1, "namespace": 2, "rbac": 3, "network-policy": 4, "priorityclass": 5, "singleuser": 6,
	"user-scheduler": 10, proxyComponent: 11, "autohttps": 12, hubComponent: 12, binderComponent: 13,
	buildComponent: 14, "image-cleaner": 15, "user-placeholder": 16, "image-puller": 17, "ingress": 18,
}

const otherRank = 30

// rank returns the place of a component among those of its block. Components that
// a rollout names share out the places that they have among themselves, in its
// order.
func (b *builder) rank(c resource.Component) int {
	r, _ := b.rollout(c.Block)
	at := slices.Index(r.Components, c.Name)
	if at < 0 {
		return usualRank(c.Name) * spread
	}
	places := make([]int, len(r.Components))
	for i, name := range r.Components {
		places[i] = usualRank(name)
	}
	slices.Sort(places)
	return places[at]*spread + at
}

// spread keeps components apart that usually share a place.
const spread = 100

func usualRank(component string) int {
	if r, known := ranks[component]; known {
		return r
	}
	return otherRank
}

// group returns where the rollouts put a block: charts and manifests that no
// rollout names come first, hubs that none names last.
func (b *builder) group(block resource.Address) int {
	n := 1
	for _, r := range b.sortedRollouts() {
		for _, wave := range r.Order {
			if slices.Contains(wave, block) {
				return n
			}
			n++
		}
	}
	if block.Kind == "hub" {
		return n
	}
	return 0
}

func (b *builder) sortedRollouts() []Rollout {
	return slices.SortedFunc(slices.Values(b.Rollouts), func(x, y Rollout) int {
		return cmp.Compare(x.Address.String(), y.Address.String())
	})
}

// wave returns the wave that a step of d begins.
func (b *builder) wave(d *draft, name string) Wave {
	w := Wave{Name: name}
	if r, has := b.rollout(d.component.Block); has && d.phase == rollout && b.grouped(d.component.Block) {
		w.Rollout, w.MaxParallel = r.Address.String(), r.MaxParallel
	}
	return w
}

// groupName returns what the rollout calls the wave of a block, if it names it.
func (b *builder) groupName(block resource.Address) string {
	for _, r := range b.Rollouts {
		for i, wave := range r.Order {
			if i < len(r.Names) && slices.Contains(wave, block) {
				return r.Names[i]
			}
		}
	}
	return ""
}

// afters returns the steps that come before d and make what it cannot do without.
func afters(d *draft, ids map[*draft]StepID) []StepID {
	var after []StepID
	for _, n := range d.needs {
		if id, before := ids[n]; before && n != d && !slices.Contains(after, id) {
			after = append(after, id)
		}
	}
	slices.Sort(after)
	return after
}

// warnOfOrder tells where what steps need goes against the order of a rollout.
func (b *builder) warnOfOrder(drafts []*draft) {
	for i, d := range drafts {
		for _, before := range drafts[:i] {
			if d.phase != rollout || before.phase != rollout || before.group <= d.group || !b.grouped(d.component.Block) {
				continue
			}
			b.plan.Warnings = append(b.plan.Warnings, fmt.Sprintf("%s comes after %s although the rollout has it before: it, or what it needs, waits for that one",
				d.component, before.component))
		}
	}
}

// waveNames names the wave of each draft: the blocks of a group that a rollout
// put together share one.
func (b *builder) waveNames(drafts []*draft) []string {
	together := make(map[int][]string)
	for _, d := range drafts {
		block := d.component.Block.String()
		if d.phase == rollout && b.grouped(d.component.Block) && !slices.Contains(together[d.group], block) {
			together[d.group] = append(together[d.group], block)
		}
	}
	names := make([]string, len(drafts))
	for i, d := range drafts {
		switch d.phase {
		case capacityUp:
			names[i] = "node pools"
		case removals:
			names[i] = "removals"
		case capacityDown:
			names[i] = "capacity down"
		case rollout:
			names[i] = d.component.Block.String()
			shared := together[d.group]
			if name := b.groupName(d.component.Block); name != "" {
				names[i] = name
			} else if slices.Contains(shared, names[i]) {
				names[i] = strings.Join(shared, ", ")
			}
		}
	}
	return names
}

// grouped reports whether a rollout names the block.
func (b *builder) grouped(block resource.Address) bool {
	return slices.ContainsFunc(b.Rollouts, func(r Rollout) bool {
		return slices.ContainsFunc(r.Order, func(w []resource.Address) bool { return slices.Contains(w, block) })
	})
}

// rollout returns the rollout that a block belongs to: the one that names it, or
// else one that is about all.
func (b *builder) rollout(block resource.Address) (Rollout, bool) {
	var all *Rollout
	for _, r := range b.sortedRollouts() {
		if slices.ContainsFunc(r.Order, func(w []resource.Address) bool { return slices.Contains(w, block) }) {
			return r, true
		}
		if len(r.Order) == 0 && all == nil {
			all = &r
		}
	}
	if all == nil {
		return Rollout{}, false
	}
	return *all, true
}
