package journal

import "hubcap/engine/plan"

// Rejected returns what was rolled back by runs, oldest first, and not applied
// with success since, by the digest of the step that wanted it.
func Rejected(runs []Run) map[string]plan.Rejection {
	all := make(map[string]plan.Rejection)
	for _, r := range runs {
		if r.Kind != ApplyRun {
			continue
		}
		failed := make(map[plan.StepID]Entry)
		for _, e := range r.Entries {
			switch {
			case e.Digest != "" && e.Mark == Failed:
				failed[e.Step] = e
			case e.Digest != "" && e.Mark == Done:
				delete(all, e.Digest)
			case e.Mark == RolledBack:
				if f, has := failed[e.Step]; has {
					all[f.Digest] = plan.Rejection{Run: r.ID, Reason: f.Reason, Time: f.Time}
				}
			}
		}
	}
	return all
}
