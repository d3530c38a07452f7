package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/memory"
)

// hook is a hook of the hub for one event.
func hook(kind, name, image string, h resource.Hook) resource.Desired {
	d := object(kind, name, "hooks", map[string]any{"spec": map[string]any{
		"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": name, "image": image}}}},
	}})
	if kind == "Job" {
		d.ID.Group = "batch"
	}
	d.Hook = &h
	d.Object.Set(h.Event, "metadata", "annotations", resource.AnnotationHook)
	if len(h.Policies) > 0 {
		d.Object.Set(strings.Join(h.Policies, ","), "metadata", "annotations", resource.AnnotationHookPolicy)
	}
	return d
}

// hooks are those of a hub as the image puller has them, a migration between, and a
// notice after that stays.
func hooks(image string) []resource.Desired {
	var all []resource.Desired
	for _, event := range []string{"pre-install", "pre-upgrade"} {
		all = append(all,
			hook("Job", "awaiter", image, resource.Hook{Event: event, Weight: 10, Policies: []string{resource.DeleteSucceeded}}),
			hook("DaemonSet", "puller", image, resource.Hook{Event: event, Weight: -10, Policies: []string{resource.DeleteSucceeded}}),
			hook("Job", "migrate", image, resource.Hook{Event: event, Policies: []string{resource.DeleteSucceeded, resource.DeleteFailed}}),
		)
	}
	for _, event := range []string{"post-install", "post-upgrade"} {
		all = append(all,
			hook("Job", "notice", image, resource.Hook{Event: event}),
			hook("Job", "awaiter", image, resource.Hook{Event: event, Policies: []string{resource.DeleteFailed}}),
		)
	}
	return all
}

// hooked returns an engine over w that desires what desired returns, with hooks.
func hooked(w *memory.World, desired func() []resource.Desired, image string) *engine.Engine {
	e := newEngine(w, desired)
	e.WantHooks(desired, func() []resource.Desired { return hooks(image) })
	return e
}

// kept returns the objects of w without those of hooks.
func kept(w *memory.World) map[resource.ID]resource.Object {
	objects := w.Objects()
	maps.DeleteFunc(objects, func(_ resource.ID, o resource.Object) bool { return resource.HookMark(o) != "" })
	return objects
}

// left returns the names of the hooks' objects in w.
func left(w *memory.World) []string {
	var names []string
	for id, o := range w.Objects() {
		if mark := resource.HookMark(o); mark != "" {
			names = append(names, mark+" "+id.Name)
		}
	}
	slices.Sort(names)
	return names
}

// ran returns the hooks' objects that were written, in their order.
func ran(told []run.Event) []string {
	var all []string
	for _, e := range told {
		if m, made := e.(run.ChangeMade); made && m.Change.Hook != nil {
			all = append(all, fmt.Sprintf("%s %s %s", m.Change.Hook.Event, m.Change.Action, m.Change.ID.Name))
		}
	}
	return all
}

// TestHooks checks which hooks run when, in which order, and that a plan after them
// is empty.
func TestHooks(t *testing.T) {
	w := memory.New("prod", "default")
	e := hooked(w, first, "tool:1")
	told := events(e)
	apply(t, e)
	order := func(operation string) []string {
		return []string{
			"pre-" + operation + " create puller", "pre-" + operation + " create migrate", "pre-" + operation + " create awaiter",
			"pre-" + operation + " delete awaiter", "pre-" + operation + " delete migrate", "pre-" + operation + " delete puller",
			"post-" + operation + " create awaiter", "post-" + operation + " create notice",
		}
	}
	if diff := cmp.Diff(order("install"), ran(*told)); diff != "" {
		t.Errorf("hooks of an installation (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"post-install awaiter", "post-install notice"}, left(w)); diff != "" {
		t.Errorf("left of an installation (-want +got):\n%s", diff)
	}
	for _, image := range []string{"tool:1", "tool:2"} { // a hook that changes changes nothing by itself
		if p := mustPlan(t, hooked(w, first, image)); !p.Empty() {
			t.Errorf("plan after the installation has steps %v", stepIDs(p))
		}
	}
	e = hooked(w, next, "tool:1")
	told = events(e)
	apply(t, e)
	if diff := cmp.Diff(order("upgrade"), ran(*told)); diff != "" {
		t.Errorf("hooks of an upgrade (-want +got):\n%s", diff)
	}
	if p := mustPlan(t, e); !p.Empty() {
		t.Errorf("plan after the upgrade has steps %v", stepIDs(p))
	}
	if diff := cmp.Diff(wanted(next()), kept(w)); diff != "" {
		t.Errorf("world after the upgrade (-want +got):\n%s", diff)
	}
	undo(t, e)
	if diff := cmp.Diff(wanted(first()), kept(w)); diff != "" || len(left(w)) > 0 {
		t.Errorf("world after undoing it (-want +got):\n%s\nand of hooks %v", diff, left(w))
	}
}

// TestHooksOfOthersRest checks that hooks run only for their block.
func TestHooksOfOthersRest(t *testing.T) {
	w := memory.New("prod", "default")
	apply(t, hooked(w, first, "tool:1"))
	e := hooked(w, func() []resource.Desired { return append([]resource.Desired{pool("user", 11)}, first()[1:]...) }, "tool:1")
	p := mustPlan(t, e)
	for _, s := range p.Steps() {
		if s.Hook != "" {
			t.Errorf("step %s runs hooks although only a pool changes", s.ID)
		}
	}
	if len(p.Steps()) != 1 {
		t.Errorf("steps = %v, want the pool's", stepIDs(p))
	}
}

// onward is next without what it removes or shrinks, which comes when all blocks
// are done.
func onward() []resource.Desired {
	all := next()
	all[1] = first()[1]
	return append(all, first()[5])
}

// TestHookFails checks that a hook that fails stops its block before anything else
// is changed, what is left of it then, and that it is tried again.
func TestHookFails(t *testing.T) {
	for _, test := range []struct {
		reason, broken string
		changed        bool
		left           []string
	}{
		{"before the steps, deleted when it fails", "migrate:broken", false, []string{"post-install awaiter", "post-install notice"}},
		{"before the steps, staying when it fails", "awaiter:broken", false, []string{"post-install notice", "pre-upgrade awaiter"}},
		{"after the steps, staying when it fails", "notice:broken", true, []string{"post-upgrade awaiter", "post-upgrade notice"}},
	} {
		w := memory.New("prod", "default")
		apply(t, hooked(w, first, "tool:1"))
		want := func() []resource.Desired {
			all := hooks("tool:1")
			name, _, _ := strings.Cut(test.broken, ":")
			for i := range all {
				broken := hook(all[i].ID.Kind, name, test.broken, *all[i].Hook)
				if all[i].ID.Name == name && all[i].Hook.Before() != test.changed {
					all[i] = broken
				}
			}
			return all
		}
		w.Broken = []string{test.broken}
		e := newEngine(w, onward)
		e.WantHooks(onward, want)
		o, err := e.Apply(t.Context(), mustPlan(t, e))
		if err != nil || o.Outcome != journal.WasRolledBack || !strings.Contains(o.Reason, "ImagePullBackOff") {
			t.Fatalf("%s: apply = %+v, %v; want it rolled back with the reason", test.reason, o, err)
		}
		ends := first
		if test.changed {
			ends = onward
		}
		got := kept(w)
		if !test.changed { // pools are a block of their own
			got[id(resource.KindNodePool, "user")] = wanted(first())[id(resource.KindNodePool, "user")]
		}
		if diff := cmp.Diff(wanted(ends()), got); diff != "" {
			t.Errorf("%s: world (-want +got):\n%s", test.reason, diff)
		}
		if diff := cmp.Diff(test.left, left(w)); diff != "" {
			t.Errorf("%s: left of hooks (-want +got):\n%s", test.reason, diff)
		}
		w.Broken = nil
		e = hooked(w, onward, "tool:1")
		told := events(e)
		apply(t, e)
		again := ran(*told)
		if slices.Contains(again, "pre-upgrade create migrate") == test.changed || !slices.Contains(again, "post-upgrade create notice") {
			t.Errorf("%s: the next apply ran %v", test.reason, again)
		}
		if p := mustPlan(t, e); !p.Empty() {
			t.Errorf("%s: plan after it has steps %v", test.reason, stepIDs(p))
		}
	}
}

// TestForeignHook checks that an object of somebody else's is no hook's leavings.
func TestForeignHook(t *testing.T) {
	w := memory.New("prod", "default")
	target := hooks("tool:1")[0].ID
	w.Put(target, resource.Object{"kind": "Job", "spec": map[string]any{"x": "theirs"}}, "")
	e := hooked(w, first, "tool:1")
	before := w.Objects()
	if o, err := e.Apply(t.Context(), mustPlan(t, e)); !errors.Is(err, engine.ErrStale) || o.Run != "" {
		t.Errorf("apply = %+v, %v; want it stale", o, err)
	}
	if diff := cmp.Diff(before, w.Objects()); diff != "" {
		t.Errorf("the world was changed (-before +after):\n%s", diff)
	}
}

// TestCrashWithHooks holds promise P2 for a plan with hooks.
func TestCrashWithHooks(t *testing.T) {
	t.Parallel()
	for _, start := range []struct {
		name     string
		from, to func() []resource.Desired
	}{
		{"installation", nil, first},
		{"upgrade", first, next},
	} {
		t.Run(start.name, func(t *testing.T) {
			t.Parallel()
			matrix(t, 300, crashes(remedies...), func(t *testing.T, r crash, n int) bool { return crashWithHooks(t, start.from, start.to, r, n) })
		})
	}
}

func crashWithHooks(t *testing.T, from, to func() []resource.Desired, r crash, n int) bool {
	t.Helper()
	w := memory.New("prod", "default")
	operation, before := "install", map[resource.ID]resource.Object{}
	remedy := r.name
	if from != nil {
		w = made(t, "hooked", func() *memory.World {
			apply(t, hooked(w, from, "tool:1"))
			return w
		})
		operation, before = "upgrade", wanted(from())
	}
	e := hooked(w, to, "tool:1")
	d := r.death(n)
	last, died := d.dies(t, w, e, mustPlan(t, e))
	if !died {
		return false
	}
	where := remedy + " after " + d.String()
	if last == nil {
		if diff := cmp.Diff(before, kept(w)); diff != "" {
			t.Errorf("%s: changed without a journal (-want +got):\n%s", where, diff)
		}
		return true
	}
	_, ended := journal.Ended(last.Entries)
	switch remedy {
	case "resume":
		if ended {
			return true
		}
		resume(t, e)
	case "rollback":
		if !journal.Touched(last.Entries) {
			return true
		}
		undo(t, e)
		if diff := cmp.Diff(before, kept(w)); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", where, diff)
		}
		return true
	default:
		if again := mustPlan(t, e); !again.Empty() {
			apply(t, e)
		}
	}
	if diff := cmp.Diff(wanted(to()), kept(w)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", where, diff)
	}
	if diff := cmp.Diff([]string{"post-" + operation + " awaiter", "post-" + operation + " notice"}, left(w)); diff != "" {
		t.Fatalf("%s: left of hooks (-want +got):\n%s", where, diff)
	}
	if again := mustPlan(t, e); !again.Empty() {
		t.Fatalf("%s: the next plan has steps %v", where, stepIDs(again))
	}
	return true
}
