package journal

import (
	"cmp"
	"slices"
)

// Compare orders the runs of one journal: by their number and, where they have none,
// before all that have one, by their ID.
func Compare(a, b Run) int { return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID)) }

// Merge returns the runs of several journals, oldest first. Runs of one journal keep
// their order. Between journals, whose numbers say nothing of each other, the clocks of
// the clusters decide that keep them.
func Merge(journals ...[]Run) []Run {
	var all []Run
	rest := make([][]Run, 0, len(journals))
	for _, runs := range journals {
		rest = append(rest, slices.SortedFunc(slices.Values(runs), Compare))
	}
	for {
		first := -1
		for i, runs := range rest {
			if len(runs) > 0 && (first < 0 || earlier(runs[0], rest[first][0])) {
				first = i
			}
		}
		if first < 0 {
			return all
		}
		all = append(all, rest[first][0])
		rest[first] = rest[first][1:]
	}
}

// earlier reports whether a, of another journal than b, is the older one. Runs of
// version 1 come first.
func earlier(a, b Run) bool {
	if (a.Number == 0) != (b.Number == 0) {
		return a.Number == 0
	}
	if a.Number == 0 {
		return a.ID < b.ID
	}
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) < 0
}

// Next returns the number of a run that took the lock when it had changed hands so many
// times. It is higher than that of every run that is to be believed, also when somebody deleted the
// lock, which then begins to count anew.
func Next(changes int64, runs []Run) int64 {
	for _, r := range runs {
		if r.Untrusted == "" {
			changes = max(changes, r.Number+1)
		}
	}
	return changes
}
