package journal

import (
	"maps"
	"slices"
	"strings"

	"hubcap/engine/plan"
)

// Rejected returns what was made by runs, oldest first, failed its checks and was rolled
// back, or was rolled back by a person, and was not applied with success since, by the
// digest of the step that wanted it. What could not be made at all, for want of a quota or a permission, is not
// among it, nor is what failed by gates that were failing before it: nobody knows
// whether it is any good.
func Rejected(runs []Run) map[string]plan.Rejection {
	all := make(map[string]plan.Rejection)
	made := make(map[string][]Entry) // what steps wanted, by run
	for _, r := range runs {
		if r.Kind == RollbackRun {
			undone(all, r, made[r.Undoes])
		}
		if r.Kind != ApplyRun {
			continue
		}
		for _, e := range r.Entries {
			if e.Digest != "" && (e.Mark == Done || e.Mark == Failed) {
				made[r.ID] = append(made[r.ID], e)
			}
		}
		failed, began := make(map[plan.StepID]Entry), make(map[plan.StepID]bool)
		blameless := blameless(r.Entries)
		for _, e := range r.Entries {
			switch {
			case e.Mark == Converging, e.Mark == Baking:
				began[e.Step] = true
			case e.Digest != "" && e.Mark == Failed:
				failed[e.Step] = e
			case e.Digest != "" && e.Mark == Done:
				delete(all, e.Digest)
			case e.Mark == RolledBack, e.Mark == Stuck: // as far as it could be
				if f, has := failed[e.Step]; has && began[e.Step] && !blameless[e.Step] {
					all[f.Digest] = plan.Rejection{Run: r.ID, Reason: f.Reason, Time: f.Time}
					if e.Digest != "" {
						all[e.Digest] = all[f.Digest]
					}
				}
			}
		}
	}
	return all
}

// undone notes in all what the rollback r took back of what a run had made. What a
// rollback brought back is not rejected by taking that back: then what it had taken
// back is wanted again.
func undone(all map[string]plan.Rejection, r Run, made []Entry) {
	if !Touched(r.Entries) {
		return
	}
	maps.DeleteFunc(all, func(_ string, by plan.Rejection) bool { return by.Run == r.Undoes && by.By != "" })
	for _, e := range made {
		isExcepted := slices.ContainsFunc(r.Entries, func(left Entry) bool {
			_, component, _ := strings.Cut(string(e.Step), "-")
			return left.Mark == LeftOut && left.Part == component
		})
		if !isExcepted {
			all[e.Digest] = plan.Rejection{Run: r.ID, By: r.Holder, Reason: "it undid run " + r.Undoes, Time: r.Started}
		}
	}
}

// blameless returns the steps whose gates failed, each of which was failing before.
func blameless(entries []Entry) map[plan.StepID]bool {
	steps := make(map[plan.StepID]bool)
	for _, e := range entries {
		if e.Gate == "" || e.Verdict != "fail" {
			continue
		}
		before := slices.ContainsFunc(FailingBefore(entries, e.Step), func(s Sample) bool { return s.Gate == e.Gate })
		was, known := steps[e.Step]
		steps[e.Step] = before && (was || !known)
	}
	return steps
}
