package journal

import (
	"slices"

	"hubcap/engine/plan"
)

// Rejected returns what was made by runs, oldest first, failed its checks, was rolled
// back, and was not applied with success since, by the digest of the step that wanted
// it. What could not be made at all, for want of a quota or a permission, is not
// among it, nor is what failed by gates that were failing before it: nobody knows
// whether it is any good.
func Rejected(runs []Run) map[string]plan.Rejection {
	all := make(map[string]plan.Rejection)
	for _, r := range runs {
		if r.Kind != ApplyRun {
			continue
		}
		failed, made := make(map[plan.StepID]Entry), make(map[plan.StepID]bool)
		blameless := blameless(r.Entries)
		for _, e := range r.Entries {
			switch {
			case e.Mark == Converging, e.Mark == Baking:
				made[e.Step] = true
			case e.Digest != "" && e.Mark == Failed:
				failed[e.Step] = e
			case e.Digest != "" && e.Mark == Done:
				delete(all, e.Digest)
			case e.Mark == RolledBack, e.Mark == Stuck: // as far as it could be
				if f, has := failed[e.Step]; has && made[e.Step] && !blameless[e.Step] {
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
