package gate

import (
	"fmt"
	"maps"
	"slices"

	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// Builds is what the build pods of a BinderHub are doing.
type Builds struct {
	Running, Pending int
	PerRepo          map[string]int // running, by URL of the repository
}

// JudgeBuilds holds the builds that are asked for against the pods that build.
// Few builds that are asked for are in nobody's way, however few pods there are.
func JudgeBuilds(check plan.BuildsCheck, pods Builds, asked Answer) run.Sample {
	demand, trouble := numberOf(asked)
	var all []finding
	if most := check.MaxPerPod; most != nil {
		switch {
		case trouble != "":
			all = append(all, unclear("builds in progress: %s", trouble))
		case demand < float64(check.MinBuilds):
			all = append(all, finding{verdict: run.Pass, reason: fmt.Sprintf("%s builds in progress, fewer than %d", Number(demand), check.MinBuilds)})
		default:
			each := demand / float64(max(pods.Running, 1))
			all = append(all, hold(each, *most, each <= *most,
				fmt.Sprintf("%s builds in progress for %d running pods: %s each (at most %s)", Number(demand), pods.Running, Number(each), Number(*most))))
		}
	}
	if most := check.MaxPending; most != nil {
		all = append(all, hold(float64(pods.Pending), float64(*most), pods.Pending <= *most,
			fmt.Sprintf("%d build pods pending (at most %d)", pods.Pending, *most)))
	}
	if most := check.MaxShare; most != nil {
		all = append(all, capture(pods, *most, check.MinBuilds))
	}
	for _, worst := range []run.Verdict{run.Fail, run.Inconclusive, run.Pass} {
		if s, found := tell(all, worst); found {
			return s
		}
	}
	return run.Sample{Verdict: run.Inconclusive, Reason: "the check has no bound"}
}

// capture says whether one repository has too many of the running builds.
func capture(pods Builds, most float64, fewest int) finding {
	if pods.Running < fewest {
		return finding{verdict: run.Pass, reason: fmt.Sprintf("%d builds run, fewer than %d", pods.Running, fewest)}
	}
	repo, n := "", 0
	for _, r := range slices.Sorted(maps.Keys(pods.PerRepo)) {
		if pods.PerRepo[r] > n {
			repo, n = r, pods.PerRepo[r]
		}
	}
	share := float64(n) / float64(pods.Running)
	return hold(share, most, share <= most, fmt.Sprintf("%s has %d of %d running builds, %s of them (at most %s)", repo, n, pods.Running, Number(share), Number(most)))
}
