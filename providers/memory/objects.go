package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Read holds desired objects beside the live ones, as observe.Reader says.
func (w *World) Read(ctx context.Context, desired []resource.Desired) (resource.Reading, error) {
	var reading resource.Reading
	err := w.do(ctx, Call{Name: "read"}, func() error {
		wanted := make(map[resource.ID]bool, len(desired))
		for _, d := range desired {
			wanted[d.ID] = true
			reading.Observations = append(reading.Observations, w.observe(d))
		}
		for _, r := range w.state.Objects {
			if r.Owner != w.Owner || wanted[r.ID] {
				continue
			}
			if why := w.doubt(r); why != "" {
				reading.Unsealed = append(reading.Unsealed, w.unsealed(r, why))
				continue
			}
			reading.Orphans = append(reading.Orphans, *w.live(r, nil))
		}
		return nil
	})
	return reading, err
}

func (w *World) live(r *record, like resource.Object) *resource.Live {
	return &resource.Live{
		ID: r.ID, Address: r.Address, Component: r.Component, Owner: r.Owner,
		Object: r.hide(r.Object, like), Version: strconv.FormatInt(r.Version, 10),
		Applied: r.Stamp, Protected: isProtected(r.Object), Seal: r.Seal,
	}
}

// isProtected reports whether an object bears the mark of what no plan deletes.
func isProtected(o resource.Object) bool {
	return o.Text("metadata", "annotations", "hubcap.dev/protected") == "true" || o.Text("config", "resourceLabels", "hubcap-protected") == "true"
}

func (w *World) observe(d resource.Desired) resource.Observation {
	o := resource.Observation{Desired: d}
	r := w.state.index[d.ID]
	if w.Rejects != nil && w.Rejects(d.ID) != "" {
		if o.Refused = w.Rejects(d.ID); r != nil {
			o.Live = w.live(r, d.Object)
		}
		return o
	}
	if r == nil {
		o.Preview = d.Object
		return o
	}
	d.Object = resource.KeepSensitive(d.Object, r.Object)
	o.Desired = d
	want := plain(d.Object)
	o.Live = w.live(r, d.Object)
	if d.Presence == resource.Ensured {
		o.Same = true
		return o
	}
	if r.Owner != w.Owner {
		o.Refused = "it exists and is not this config's"
		if r.Owner != "" {
			o.Refused = "it belongs to the config " + r.Owner
		}
		return o
	}
	o.Unmoved = r.Stamp != nil && r.Stamp.Digest == resource.Digest(d.Object)
	o.Foreign = w.foreign(r, d.Object)
	if shrinks(r, want) {
		if !isGrown(r, want) {
			o.Refused = "a claim does not shrink"
			return o
		}
		o.Desired.Object, o.Foreign = w.withoutSize(r, d.Object, o.Foreign)
		want = plain(o.Desired.Object)
	}
	o.Seals = w.lacksSeal(r)
	if w.isSame(r, want) && !o.Seals {
		o.Same = true
		return o
	}
	o.Before = r.hide(project(r.Object, owned(r), want), d.Object)
	o.Preview = r.hide(project(w.admitted(d.ID, applied(r.Object, owned(r), want)), owned(r), want), d.Object)
	o.Replace = immutable(d.ID, o.Before, o.Preview)
	return o
}

// withoutMemory is o without what it remembers: it is written with the next write, and
// nothing is written for that.
func withoutMemory(o resource.Object) resource.Object {
	c := o.Copy()
	if notes, has := c.Value("metadata", "annotations"); has {
		delete(notes.(map[string]any), resource.AnnotationSensitive)
	}
	return c
}

// immutable returns the fields that cannot be changed in place, of those that
// differ.
func immutable(id resource.ID, before, after resource.Object) []string {
	path := []string{"spec", "selector"}
	if id.Kind == "PriorityClass" {
		path = []string{"value"}
	} else if !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, id.Kind) {
		return nil
	}
	was, _ := before.Value(path...)
	is, _ := after.Value(path...)
	if resource.Equal(resource.Reveal(was), resource.Reveal(is)) {
		return nil
	}
	return []string{strings.Join(path, ".")}
}

// foreign returns the fields that hubcap wrote and someone else changed.
func (w *World) foreign(r *record, like resource.Object) []resource.Foreign {
	var fields []resource.Foreign
	leaves(r.Applied, nil, func(path []string, v any) {
		live, _ := r.Object.Value(path...)
		if resource.Equal(live, v) {
			return
		}
		name := strings.Join(path, ".")
		by := r.Edits[name]
		f := resource.Foreign{Path: name, Manager: cmp.Or(by.Manager, "unknown"), Time: by.Time, Wanted: v, Live: live}
		marked, _ := like.Value(path...)
		hidden, _ := r.hide(r.Object, like).Value(path...)
		if resource.HasSensitive(marked) || resource.HasSensitive(hidden) || r.ID.Kind == "Secret" {
			f.Wanted, f.Live = resource.Secret(fmt.Sprint(v)), resource.Secret(fmt.Sprint(live))
		}
		fields = append(fields, f)
	})
	slices.SortFunc(fields, func(a, b resource.Foreign) int { return cmp.Compare(a.Path, b.Path) })
	return fields
}

// Look returns where an object stands between before and after, as run.Writer
// says.
func (w *World) Look(ctx context.Context, c resource.Change) (run.Sight, error) {
	var sight run.Sight
	err := w.do(ctx, Call{Name: "look", ID: c.ID}, func() error {
		sight = w.sight(ctx, c)
		return nil
	})
	return sight, err
}

func (w *World) sight(ctx context.Context, c resource.Change) run.Sight {
	if c.Hook != nil {
		return w.hookSight(ctx, c)
	}
	r := w.state.index[c.ID]
	if r == nil {
		switch {
		case c.Action == resource.Delete:
			return run.Sight{State: run.AtAfter}
		case c.Before == nil, c.Action == resource.Replace: // one that was cut off between its two halves
			return run.Sight{State: run.AtBefore}
		}
		return run.Sight{State: run.Elsewhere, Moved: "it was deleted"}
	}
	before, after := plain(c.Before), plain(c.After)
	sight := run.Sight{Version: strconv.FormatInt(r.Version, 10)}
	isOurs := c.Action != resource.Delete && resource.Equal(map[string]any(r.Applied), map[string]any(after)) && !(c.Seals && w.lacksSeal(r))
	if isOurs && (holds(r.Object, plain(c.Landed())) || w.stands(r, after)) {
		sight.State, sight.Image = run.AtAfter, image(c, r)
		return sight
	}
	if c.Before == nil {
		sight.State, sight.Moved = run.Elsewhere, "it exists by now"
		return sight
	}
	now := project(r.Object, before, after)
	path := differing(pruned(now), pruned(before), "")
	if path != "" && resource.Equal(map[string]any(r.Applied), map[string]any(before)) && w.stands(r, before) {
		path = ""
	}
	if path != "" {
		sight.State = run.Elsewhere
		sight.Moved = path
		if by := r.Edits[path]; by.Manager != "" {
			sight.Moved += " by " + by.Manager
		}
		return sight
	}
	sight.State = run.AtBefore
	return sight
}

// Write makes one change, as run.Writer says.
func (w *World) Write(ctx context.Context, c resource.Change, sight run.Sight) (run.Sight, error) {
	if c.Action == resource.Replace && c.Hook == nil { // two calls: a process can die in between
		var err error
		if sight, err = w.vacate(ctx, c, sight); err != nil || sight.State == run.AtAfter {
			return sight, err
		}
	}
	var answer run.Sight
	return answer, w.do(ctx, Call{Name: "write", ID: c.ID}, func() error {
		now := w.sight(ctx, c)
		if now.State == run.AtAfter {
			answer = now
			return nil
		}
		if now.State == run.Elsewhere || now.Version != sight.Version {
			return fmt.Errorf("write %s: %w: %s", c.ID, run.ErrMoved, cmp.Or(now.Moved, "written since"))
		}
		if c.Action != resource.Delete {
			err := w.put(ctx, c)
			answer = w.sight(ctx, c)
			return err
		}
		if r := w.state.index[c.ID]; r != nil && c.Hook == nil {
			if why := w.doubt(r); why != "" {
				return fmt.Errorf("write %s: it %s: hubcap deletes only what is its own", c.ID, why)
			}
		}
		w.delete(c.ID)
		answer = run.Sight{State: run.AtAfter}
		return nil
	})
}

// vacate deletes the object that c replaces, and returns what is to be seen then.
func (w *World) vacate(ctx context.Context, c resource.Change, sight run.Sight) (run.Sight, error) {
	var now run.Sight
	return now, w.do(ctx, Call{Name: "delete", ID: c.ID}, func() error {
		now = w.sight(ctx, c)
		if now.State == run.AtAfter || now.State == run.AtBefore && now.Version == "" {
			return nil
		}
		if now.State == run.Elsewhere || now.Version != sight.Version {
			return fmt.Errorf("write %s: %w: %s", c.ID, run.ErrMoved, cmp.Or(now.Moved, "written since"))
		}
		w.delete(c.ID)
		now = w.sight(ctx, c)
		return nil
	})
}

// isSame reports whether writing want would change nothing of r, its owner included.
func (w *World) isSame(r *record, want resource.Object) bool {
	if resource.Digest(owned(r)) == resource.Digest(want) {
		return w.stands(r, want) || w.stands(r, withoutMemory(want))
	}
	admitted := w.Admission != nil && resource.Equal(fieldsOf(r.Applied), fieldsOf(want))
	return admitted && resource.Equal(map[string]any(r.Object), map[string]any(w.admitted(r.ID, applied(r.Object, r.Applied, want))))
}

// fieldsOf returns o with the same value for every field.
func fieldsOf(o resource.Object) any {
	return resource.MapLeaves(o, func(any) any { return true })
}

// image returns the after-image of c, which made r; nil when that is as c wanted it.
func image(c resource.Change, r *record) resource.Object {
	if holds(r.Object, plain(c.After)) {
		return nil
	}
	return r.hide(project(r.Object, plain(c.After)), c.After)
}

// admitted returns o as it is stored.
func (w *World) admitted(id resource.ID, o resource.Object) resource.Object {
	if w.Admission == nil {
		return o
	}
	return w.Admission(id, o.Copy())
}

// stands reports whether writing want, which was written last, would change nothing:
// the object is as want says, or as admission makes it.
func (w *World) stands(r *record, want resource.Object) bool {
	return holds(r.Object, want) || resource.Equal(map[string]any(r.Object), map[string]any(w.admitted(r.ID, applied(r.Object, r.Applied, want))))
}

func (w *World) delete(id resource.ID) {
	delete(w.state.index, id)
	w.state.Objects = slices.DeleteFunc(w.state.Objects, func(r *record) bool { return r.ID == id })
}

func (w *World) put(ctx context.Context, c resource.Change) error {
	r := w.state.index[c.ID]
	if r == nil {
		r = &record{ID: c.ID}
		w.insert(r)
	}
	after := c.After.Copy()
	resource.RememberSensitive(after)
	_, remembered := resource.Remembered(after)
	if _, said := resource.Remembered(c.After); said != remembered {
		remembered = "" // the object cannot remember what was not written into it
	}
	want := plain(c.After)
	if c.Action == resource.Replace || c.Hook != nil {
		r.Object, r.Applied = nil, nil
	}
	w.state.Version++
	r.Object = w.admitted(c.ID, applied(r.Object, owned(r), want))
	r.Applied, r.Version = want, w.state.Version
	r.Owner, r.Address, r.Component, r.Edits = w.Owner, c.Address, c.Component, nil
	r.Stamp = &resource.Applied{Digest: resource.Digest(c.After), Run: run.ID(ctx), Time: w.now(), Sensitive: remembered}
	w.polled[c.ID] = 0
	return w.seal(r)
}

// insert adds a record in the order of IDs, so that files do not jump about.
func (w *World) insert(r *record) {
	w.state.index[r.ID] = r
	at, _ := slices.BinarySearchFunc(w.state.Objects, r, func(a, b *record) int {
		return cmp.Compare(a.ID.String(), b.ID.String())
	})
	w.state.Objects = slices.Insert(w.state.Objects, at, r)
}

// Probe tells whether an object has settled: a workload when it was probed often
// enough and no image of its is broken.
func (w *World) Probe(ctx context.Context, c resource.Change) (resource.Health, error) {
	var health resource.Health
	err := w.do(ctx, Call{Name: "probe", ID: c.ID}, func() error {
		health = w.health(c)
		return nil
	})
	return health, err
}

func (w *World) health(c resource.Change) resource.Health {
	r := w.state.index[c.ID]
	switch {
	case c.Action == resource.Delete && r == nil:
		return resource.Health{Ready: true}
	case c.Action == resource.Delete:
		return resource.Health{Reason: "still there"}
	case r == nil:
		return resource.Health{Terminal: true, Reason: "it is gone"}
	case c.Hook != nil && !resource.Waits(c.ID):
		return resource.Health{Ready: true} // nothing waits for what does not end
	}
	text := ""
	leaves(r.Object, nil, func(_ []string, v any) { text += fmt.Sprint(v) + "\n" })
	for _, image := range w.Broken {
		if strings.Contains(text, image) {
			return resource.Health{Terminal: true, Reason: "ImagePullBackOff: " + image}
		}
	}
	if podSpec, runsPods := r.Object.Value("spec", "template"); runsPods && podSpec != nil && w.polled[c.ID] < w.Polls {
		w.polled[c.ID]++
		return resource.Health{Reason: "0 of 1 pods ready"}
	}
	return resource.Health{Ready: true}
}

// Sample asks Gate, as run.Sampler says.
func (w *World) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	g, c := q.Gate, q.Component
	sample := run.Sample{Verdict: run.Pass}
	err := w.do(ctx, Call{Name: "sample"}, func() error { return nil })
	if err == nil && w.Gate != nil { // which may look at the world, or change it
		sample = w.Gate(g, c)
	}
	return sample, err
}

// Count returns the people at some places, as engine.Census says.
func (w *World) Count(ctx context.Context, at resource.Places) (resource.Census, error) {
	census := resource.Census{PerNamespace: map[string]int{}}
	err := w.do(ctx, Call{Name: "count"}, func() error {
		for _, n := range at.Namespaces {
			census.PerNamespace[n] = w.state.Census.PerNamespace[n]
			census.Sessions += census.PerNamespace[n]
		}
		if at.Pools {
			census.PerPool, census.PoolsUnknown = maps.Clone(w.state.Census.PerPool), w.state.Census.PoolsUnknown
		}
		if at.Carriers {
			census.Carriers = maps.Clone(w.state.Census.Carriers)
		}
		return nil
	})
	return census, err
}

// Denied returns the changes of kinds that were forbidden, as engine.Checker says.
func (w *World) Denied(ctx context.Context, changes []resource.Change) ([]string, error) {
	var lines []string
	err := w.do(ctx, Call{Name: "denied"}, func() error {
		for _, c := range changes {
			if w.state.Denied[c.ID.Kind] {
				lines = append(lines, fmt.Sprintf("%s %s", c.Action, c.ID))
			}
		}
		return nil
	})
	return lines, err
}
