package expand

import (
	"slices"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
)

// hookEvents are the events at which hubcap runs hooks. Tests are run by those who
// ask for them.
var hookEvents = []string{
	"pre-install", "post-install", "pre-upgrade", "post-upgrade",
	"pre-delete", "post-delete", "pre-rollback", "post-rollback",
}

// leastLife is for how many seconds a hook's job must stay after its end, so that
// the end can be seen.
const leastLife = 600

// hook adds what a chart wants done at events: an object that stays after it as one
// that is kept as desired, any other once for each event. place says where in the
// block it comes from.
func (m *maker) hook(h chart.Object, component, place string) {
	if presence := staying(h); presence != 0 {
		made := len(m.desired)
		m.make(h.Object, component, place)
		for i := range m.desired[made:] {
			m.desired[made+i].Presence = presence
			m.desired[made+i].Hook = hookAt(h, firstEvent(h))
		}
		return
	}
	for _, event := range hookEvents {
		if !slices.Contains(h.Hook.Events, event) {
			continue
		}
		o := h.Object.Copy()
		keepJob(o)
		d, fine := m.wanted(o, resource.HooksComponent, place)
		if !fine {
			return
		}
		d.Hook, d.Protected = hookAt(h, event), false
		d.Object.Set(event, "metadata", "annotations", resource.AnnotationHook)
		m.mark(d)
		m.hooks = append(m.hooks, d)
	}
}

func hookAt(h chart.Object, event string) *resource.Hook {
	return &resource.Hook{Event: event, Weight: h.Hook.Weight, Policies: h.Hook.DeletePolicies}
}

// staying returns how much of a hook's object is kept, as an object like any
// other, because nothing ends it: not at all when it runs, or is deleted when it
// succeeds, or is not made by installations. What only an installation makes is
// made sure of and never touched again, as a password drawn once must not be.
func staying(h chart.Object) resource.Presence {
	kind := h.Object.Text("kind")
	ends := kind == "Job" || kind == "Pod" || slices.Contains(h.Hook.DeletePolicies, resource.DeleteSucceeded)
	switch {
	case ends || !isFor(h, "pre-install", "post-install"):
		return 0
	case !isFor(h, "pre-upgrade", "post-upgrade"):
		return resource.Ensured
	}
	return resource.Managed
}

// isFor reports whether a hook is for one of the events.
func isFor(h chart.Object, events ...string) bool {
	return slices.ContainsFunc(events, func(event string) bool { return slices.Contains(h.Hook.Events, event) })
}

// firstEvent returns the first event of a hook that stays, those before the steps
// first.
func firstEvent(h chart.Object) string {
	for _, event := range []string{"pre-install", "pre-upgrade", "post-install", "post-upgrade"} {
		if isFor(h, event) {
			return event
		}
	}
	return ""
}

// keepJob lets a job that would delete itself as soon as it ends stay for a while.
func keepJob(o resource.Object) {
	life, limited := o.Value("spec", "ttlSecondsAfterFinished")
	if seconds, isWhole := life.(int64); limited && o.Text("kind") == "Job" && (!isWhole || seconds < leastLife) {
		o.Set(int64(leastLife), "spec", "ttlSecondsAfterFinished")
	}
}

// laterEvents are those at which the chart cannot be rendered any more.
var laterEvents = []string{"pre-delete", "post-delete", "pre-rollback", "post-rollback"}

// recordHooks adds the Secret that keeps the hooks of later, if there are any.
func (m *maker) recordHooks(release string) {
	var later []resource.Desired
	var rendered []resource.ID
	for _, d := range slices.Concat(m.desired, m.hooks) {
		rendered = append(rendered, d.ID)
	}
	m.hooks = slices.DeleteFunc(m.hooks, func(h resource.Desired) bool {
		is := slices.Contains(laterEvents, h.Hook.Event)
		if is {
			later = append(later, h)
		}
		return is
	})
	if len(later) == 0 {
		return
	}
	made := len(m.desired)
	m.make(resource.Object{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": map[string]any{
			"name": "hubcap-hooks-" + release, "annotations": map[string]any{resource.AnnotationRecord: "hooks"},
		},
		"data": resource.HookRecord(later, rendered),
	}, releaseComponent, "hubcap itself")
	for i := range m.desired[made:] {
		if slices.ContainsFunc(later, func(h resource.Desired) bool { return isDrawn(map[string]any(h.Object)) }) {
			m.desired[made+i].Presence = resource.Ensured // as drawn first: each rendering draws anew
		}
	}
}

// isDrawn reports whether something in v was drawn at random.
func isDrawn(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if isDrawn(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, isDrawn)
	case resource.Sensitive:
		return v.Generated
	}
	return false
}
