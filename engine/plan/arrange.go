package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/engine/graph"
	"hubcap/engine/resource"
)

// A phase is a stretch of the plan: room is made first and given back last.
type phase int

const (
	capacityUp phase = iota
	rollout
	removals
	capacityDown
)

// A draft is a step in the making.
type draft struct {
	phase     phase
	group     int // of the rollout; see builder.group
	component resource.Component
	rank      int // among the components of its block
	cluster   string
	origin    resource.Range
	changes   []resource.Change
	hook      string   // event; the changes are in their order then
	needs     []*draft // that make what this one cannot do without
}

// arrange puts the changes into steps and the steps into waves.
func (b *builder) arrange(changes []resource.Change) error {
	drafts := b.drafts(changes)
	slices.SortFunc(drafts, compareDrafts)
	drafts = pullForward(drafts)
	drafts, err := sortByNeeds(drafts)
	if err != nil {
		return err
	}
	drafts = withHooks(b.batch(drafts), b.hooks)
	b.warnOfOrder(drafts)
	names := b.waveNames(drafts)
	ids := make(map[*draft]StepID, len(drafts))
	for i, d := range drafts {
		step, err := b.step(d, i+1)
		if err != nil {
			return err
		}
		ids[d] = step.ID
		step.After = afters(d, ids)
		if i == 0 || names[i] != names[i-1] || d.phase == rollout && d.group != drafts[i-1].group {
			b.plan.Waves = append(b.plan.Waves, b.wave(d, names[i]))
		}
		last := len(b.plan.Waves) - 1
		b.plan.Waves[last].Steps = append(b.plan.Waves[last].Steps, step)
	}
	b.attachGates(drafts)
	b.attachGuards()
	return nil
}

func (b *builder) drafts(changes []resource.Change) []*draft {
	type key struct {
		phase     phase
		cluster   string
		component resource.Component
	}
	byKey := make(map[key]*draft)
	var drafts []*draft
	for _, c := range changes {
		k := key{phaseOf(c), c.ID.Cluster, c.Component}
		d := byKey[k]
		if d == nil {
			block := c.Component.Block
			d = &draft{phase: k.phase, group: b.group(block), component: k.component, rank: b.rank(k.component), cluster: k.cluster, origin: b.blocks[block]}
			byKey[k] = d
			drafts = append(drafts, d)
		}
		d.changes = append(d.changes, c)
	}
	return drafts
}

func phaseOf(c resource.Change) phase {
	switch {
	case isPool(c.ID) && lowers(c):
		return capacityDown
	case isPool(c.ID):
		return capacityUp
	case c.Action == resource.Delete:
		return removals
	}
	return rollout
}

func compareDrafts(x, y *draft) int {
	backwards := 1
	if x.phase == removals {
		backwards = -1 // what leans on others goes first
	}
	return cmp.Or(
		cmp.Compare(x.phase, y.phase),
		backwards*cmp.Compare(x.group, y.group),
		backwards*compareRanges(x.origin, y.origin),
		backwards*cmp.Compare(x.component.Block.String(), y.component.Block.String()),
		backwards*cmp.Compare(x.rank, y.rank),
		cmp.Compare(x.component.Name, y.component.Name),
		cmp.Compare(x.cluster, y.cluster),
	)
}

// pullForward moves a configuration into the first step whose pods cannot start
// without it, when that comes before its own, or start because of it: the two are
// made, checked and undone together.
func pullForward(drafts []*draft) []*draft {
	readers := findReaders(drafts)
	taken := make([][]resource.Change, len(drafts))
	for own, d := range drafts {
		if d.phase != rollout {
			continue
		}
		var stay []resource.Change
		for _, c := range d.changes {
			if first, has := readers.first(c); has && (first < own || first > own && c.Action == resource.Update && drafts[first].component.Block == d.component.Block) {
				taken[first] = append(taken[first], c)
				continue
			}
			stay = append(stay, c)
		}
		d.changes = stay
	}
	for i, d := range drafts {
		d.changes = append(d.changes, taken[i]...)
	}
	return slices.DeleteFunc(drafts, func(d *draft) bool { return len(d.changes) == 0 })
}

// readers are the places of the first drafts that cannot do without an object:
// because it does not exist yet, or because they are stamped with its content, or
// start anew and read what changes of it; and of the first draft of each block.
type readers struct {
	absent  map[resource.ID]int
	stamped map[resource.ID]int
	block   map[resource.Address]int
}

func findReaders(drafts []*draft) readers {
	r := readers{absent: make(map[resource.ID]int), stamped: make(map[resource.ID]int), block: make(map[resource.Address]int)}
	note := func(first map[resource.ID]int, id resource.ID, at int) {
		if _, known := first[id]; !known {
			first[id] = at
		}
	}
	changed := changedConfigs(drafts)
	for at, d := range drafts {
		if d.phase != rollout {
			continue
		}
		if _, known := r.block[d.component.Block]; !known {
			r.block[d.component.Block] = at
		}
		for _, w := range d.changes {
			if w.ID.Namespace != "" {
				note(r.absent, resource.ID{Cluster: w.ID.Cluster, Kind: "Namespace", Name: w.ID.Namespace}, at)
			}
			if renews(w) {
				for _, take := range reads(w.After) {
					if id := take.configID(w.ID); take.touches(changed[id]) {
						note(r.stamped, id, at)
					}
				}
			}
			for _, ref := range references(w.After) {
				id := ref.from(w.ID)
				note(r.absent, id, at)
				if stamped(w) {
					note(r.stamped, id, at)
				}
			}
		}
	}
	return r
}

// first returns the place of the first draft that needs its object to be as c
// makes it.
func (r readers) first(c resource.Change) (int, bool) {
	if c.Action == resource.Create {
		at, has := r.absent[c.ID]
		if begin, isKnown := r.block[c.Component.Block]; isClass(c.ID) && isKnown && (!has || begin < at) {
			return begin, true
		}
		return at, has
	}
	at, has := r.stamped[c.ID]
	return at, has && isConfig(c.ID.Kind)
}

// stamped reports whether the digest of a configuration changes on w's pods.
func stamped(w resource.Change) bool {
	return slices.ContainsFunc(w.Fields, func(f resource.Field) bool {
		return strings.HasPrefix(f.Path, `spec.template.metadata.annotations["checksum`)
	})
}

// sortByNeeds moves steps behind what they need, and otherwise keeps the order.
func sortByNeeds(drafts []*draft) ([]*draft, error) {
	var g graph.Graph[*draft]
	makes := make(map[resource.ID]*draft)
	crds := make(map[[3]string]*draft)
	for _, d := range drafts {
		g.Add(d)
		for _, c := range d.changes {
			if c.Action != resource.Delete {
				makes[c.ID] = d
			}
			if c.ID.Kind == "CustomResourceDefinition" && c.Action == resource.Create {
				crds[[3]string{c.ID.Cluster, c.After.Text("spec", "group"), c.After.Text("spec", "names", "kind")}] = d
			}
		}
	}
	for _, d := range drafts {
		for _, c := range d.changes {
			if crd := crds[[3]string{c.ID.Cluster, c.ID.Group, c.ID.Kind}]; crd != nil && crd != d {
				g.Edge(crd, d)
				d.needs = append(d.needs, crd)
			}
			for _, need := range c.Needs {
				if maker := makes[need]; maker != nil && maker != d && c.Action != resource.Delete {
					g.Edge(maker, d)
				}
			}
			for _, need := range readsOf(c) {
				if maker := makes[need]; maker != nil && maker != d {
					d.needs = append(d.needs, maker)
				}
			}
		}
	}
	sorted, err := g.Sort()
	if err != nil {
		return nil, fmt.Errorf("the steps need each other: %s", cyclePath(g.Cycle()))
	}
	for _, e := range calls(drafts, makes) {
		g.Edge(e[0], e[1])
	}
	if called, err := g.Sort(); err == nil { // in a circle something has to be made first
		sorted = called
	}
	return sorted, nil
}

// calls returns the drafts that make what the API server asks because of objects in
// others, each before such another.
func calls(drafts []*draft, makes map[resource.ID]*draft) [][2]*draft {
	var pairs [][2]*draft
	pair := func(maker, caller *draft) {
		if maker != nil && maker != caller {
			pairs = append(pairs, [2]*draft{maker, caller})
			caller.needs = append(caller.needs, maker)
		}
	}
	for _, d := range drafts {
		for _, c := range d.changes {
			for _, id := range callees(c.ID, c.After) {
				pair(makes[id], d)
				for _, maker := range drafts {
					if slices.ContainsFunc(maker.changes, func(w resource.Change) bool { return w.After != nil && answers(w, changeOf(makes[id], id)) }) {
						pair(maker, d)
					}
				}
			}
		}
	}
	return pairs
}

// changeOf returns the change of an object in d; the zero change when there is none.
func changeOf(d *draft, id resource.ID) resource.Change {
	if d != nil {
		for _, c := range d.changes {
			if c.ID == id {
				return c
			}
		}
	}
	return resource.Change{}
}

// readsOf returns what a change cannot be made or start without, its namespace
// included.
func readsOf(c resource.Change) []resource.ID {
	if c.Action == resource.Delete {
		return nil
	}
	ids := leansOn(c)
	if c.ID.Namespace != "" {
		ids = append(ids, resource.ID{Cluster: c.ID.Cluster, Kind: "Namespace", Name: c.ID.Namespace})
	}
	return ids
}

func cyclePath(drafts []*draft) string {
	names := make([]string, len(drafts))
	for i, d := range drafts {
		names[i] = d.component.String()
	}
	return strings.Join(names, " → ")
}

func (b *builder) step(d *draft, n int) (Step, error) {
	changes, err := sortChanges(d.changes)
	if err != nil {
		return Step{}, fmt.Errorf("step %s: %w", d.component, err)
	}
	if d.hook != "" {
		changes = d.changes
	}
	s := Step{
		ID:        StepID(fmt.Sprintf("%02d-%s", n, d.component)),
		Component: d.component,
		Cluster:   d.cluster,
		Impact:    sum(changes),
		Relies:    b.relies(changes),
		Changes:   changes,
		Hook:      d.hook,
		Timeout:   workloadTimeout,
		OnFailure: Rollback,
	}
	for _, c := range changes {
		s.Class = max(s.Class, c.Class)
		if isPool(c.ID) {
			s.Timeout = poolTimeout
		}
	}
	s.Timeout = max(s.Timeout, b.startup(s))
	if r, has := b.rollout(d.component.Block); has {
		if !isPoolBlock(d) || b.grouped(d.component.Block) { // what is said of all is not meant for machines
			s.Timeout = cmp.Or(r.StepTimeout, s.Timeout)
		}
		s.OnFailure, s.Extent = cmp.Or(r.OnFailure, s.OnFailure), r.Extent
		s.Bisect = b.bisects(d.component.Block) && len(s.Parts()) > 1
	}
	if s.Class == resource.ClassOneWay || b.Back {
		s.OnFailure, s.Extent, s.Bisect = Stop, "", false
	}
	s.Back = b.back(s)
	return s, nil
}

func isPoolBlock(d *draft) bool { return isPool(d.changes[0].ID) }

// attachGates gives the gates of its rollout to every step that restarts or
// starts something. In a block that is not whole yet the steps before the last that
// starts something go without: a gate cannot open while half of a new hub is missing.
func (b *builder) attachGates(drafts []*draft) {
	last := make(map[resource.Address]int) // step that starts something, by block
	for i, d := range drafts {
		if slices.ContainsFunc(d.changes, starts) {
			last[d.component.Block] = i
		}
	}
	i, controls := -1, b.controls()
	for w := range b.plan.Waves {
		for n := range b.plan.Waves[w].Steps {
			i++
			s := &b.plan.Waves[w].Steps[n]
			block := s.Component.Block
			r, has := b.rollout(block)
			if !has || drafts[i].phase == removals {
				continue
			}
			begins, isNew := slices.ContainsFunc(drafts[i].changes, starts), !b.works(block)
			if (begins || s.Class >= resource.ClassRestart) && (!isNew || i >= last[block]) {
				s.Gates = b.gatesFor(*s, r.Gates, controls[w], isNew)
			}
		}
	}
}

// lives reports whether anything of a block exists already, but for what it only
// made sure of.
func (b *builder) lives(block resource.Address) bool {
	return slices.ContainsFunc(b.Reading.Observations, func(o resource.Observation) bool {
		return o.Desired.Component.Block == block && o.Live != nil && o.Desired.Presence == resource.Managed && o.Desired.Hook == nil
	})
}

// cores are the components without which a block answers nobody, by the type of hub.
var cores = map[string][]string{"jupyterhub": {"hub"}, "binderhub": {"hub", "binder"}}

// works reports whether a block has been whole: some of its workloads live, and of a
// hub one of each component of its core. What an apply that failed has left of a first
// install has not.
func (b *builder) works(block resource.Address) bool {
	alive, wanted := make(map[string]bool), make(map[string]bool)
	for _, o := range b.Reading.Observations {
		d := o.Desired
		if d.Component.Block != block || d.Presence != resource.Managed || d.Hook != nil || !workloads[d.ID.Kind] {
			continue
		}
		wanted[d.Component.Name] = true
		if o.Live != nil {
			alive[d.Component.Name] = true
		}
	}
	site, _ := b.site(block)
	return len(alive) > 0 && !slices.ContainsFunc(cores[site.Type], func(name string) bool { return wanted[name] && !alive[name] })
}

func starts(c resource.Change) bool {
	return c.Action == resource.Create && workloads[c.ID.Kind] && c.Hook == nil && c.Component.Name != BackupComponent
}

func withDefaults(gates []Gate) []Gate {
	full := slices.Clone(gates)
	for i := range full {
		full[i].Interval = cmp.Or(full[i].Interval, 5*time.Second)
		full[i].Failures = max(full[i].Failures, 1)
	}
	return full
}

// kindRanks order the objects within a step: what pods read before the pods.
var kindRanks = map[string]int{
	"Namespace": 1, "CustomResourceDefinition": 2, "PriorityClass": 3, "RuntimeClass": 3, "StorageClass": 3, "ServiceAccount": 4,
	"Role": 5, "ClusterRole": 5, "RoleBinding": 6, "ClusterRoleBinding": 6, "Secret": 7, "ConfigMap": 8,
	"PersistentVolume": 9, "PersistentVolumeClaim": 10, "Service": 11, "NetworkPolicy": 12, "PodDisruptionBudget": 13,
	"HorizontalPodAutoscaler": 30, "Ingress": 31, "HTTPRoute": 31,
	"APIService": 40, "MutatingWebhookConfiguration": 41, "ValidatingWebhookConfiguration": 41,
}

func kindRank(kind string) int {
	if workloads[kind] {
		return 25
	}
	if r, known := kindRanks[kind]; known {
		return r
	}
	return 20
}

// sortChanges orders the changes of one step: configuration before its readers,
// deletions the other way round and last, and needs before what needs them.
func sortChanges(changes []resource.Change) ([]resource.Change, error) {
	sorted := slices.SortedFunc(slices.Values(changes), func(x, y resource.Change) int {
		xGoes, yGoes := x.Action == resource.Delete, y.Action == resource.Delete
		switch {
		case xGoes && !yGoes:
			return 1
		case yGoes && !xGoes:
			return -1
		}
		byRank := cmp.Compare(kindRank(x.ID.Kind), kindRank(y.ID.Kind))
		if xGoes {
			byRank = -byRank
		}
		return cmp.Or(byRank, cmp.Compare(x.ID.String(), y.ID.String()))
	})
	var g graph.Graph[resource.ID]
	byID := make(map[resource.ID]resource.Change, len(sorted))
	for _, c := range sorted {
		g.Add(c.ID)
		byID[c.ID] = c
	}
	for _, c := range sorted {
		for _, need := range c.Needs {
			if _, here := byID[need]; here && c.Action != resource.Delete {
				g.Edge(need, c.ID)
			}
		}
	}
	ids, err := g.Sort()
	if err != nil {
		return nil, err
	}
	ordered := make([]resource.Change, len(ids))
	for i, id := range ids {
		ordered[i] = byID[id]
	}
	return ordered, nil
}
