package journal

import (
	"strings"
	"testing"
	"time"
)

func ids(runs []Run) string {
	var all []string
	for _, r := range runs {
		all = append(all, r.ID)
	}
	return strings.Join(all, " ")
}

// In which order runs began is for the lock's count and the clusters' clocks to say, and
// not for the time in an ID, which is that of somebody's laptop.
func TestMerge(t *testing.T) {
	run := func(id string, number, created int64) Run {
		return Run{ID: id, Number: number, Created: time.Unix(created, 0), Started: time.Unix(9999-created, 0)}
	}
	for _, test := range []struct {
		reason   string
		journals [][]Run
		want     string
	}{
		{"by number, not by ID", [][]Run{{run("2030", 1, 10), run("2020", 2, 20)}}, "2030 2020"},
		{"runs of version 1 first, by ID", [][]Run{{run("2020", 1, 10), run("2040", 0, 0), run("2030", 0, 0)}}, "2030 2040 2020"},
		{"number beats the cluster's clock", [][]Run{{run("b", 2, 10), run("a", 1, 20)}}, "a b"},
		{"between journals, the clusters' clocks", [][]Run{{run("a1", 7, 10), run("a2", 8, 30)}, {run("b1", 1, 20), run("b2", 2, 40)}}, "a1 b1 a2 b2"},
		{"between journals, version 1 first", [][]Run{{run("a1", 1, 10)}, {run("b0", 0, 50), run("b1", 1, 5)}}, "b0 b1 a1"},
		{"each journal keeps its order", [][]Run{{run("a1", 1, 50), run("a2", 2, 10)}, {run("b1", 1, 20)}}, "b1 a1 a2"},
		{"none", nil, ""},
	} {
		if got := ids(Merge(test.journals...)); got != test.want {
			t.Errorf("%s: %s, want %s", test.reason, got, test.want)
		}
	}
}

// A lock that somebody deleted counts anew; the numbers of runs go on all the same.
func TestNext(t *testing.T) {
	runs := []Run{{Number: 0}, {Number: 57}, {Number: 12}}
	for _, test := range []struct{ changes, want int64 }{{1, 58}, {58, 58}, {60, 60}} {
		if got := Next(test.changes, runs); got != test.want {
			t.Errorf("the lock has changed hands %d times: number %d, want %d", test.changes, got, test.want)
		}
	}
}
