package render

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); run with -update if it should:\n%s", name, diff)
	}
}

func TestPlan(t *testing.T) {
	empty := &plan.Plan{Clusters: full().Clusters, Created: noon, Unchanged: 1600}
	for _, test := range []struct {
		name  string
		plan  *plan.Plan
		style Style
	}{
		{"plan.txt", full(), Style{}},
		{"plan-color.txt", full(), Style{Color: true}},
		{"plan-verbose.txt", full(), Style{Verbose: true}},
		{"plan-verbose-color.txt", full(), Style{Verbose: true, Color: true}},
		{"plan-wide.txt", full(), Style{Width: 140}},
		{"plan-narrow.txt", full(), Style{Width: 48}},
		{"plan-empty.txt", empty, Style{}},
		{"plan-hostile.txt", hostile(), Style{Verbose: true}},
		{"plan-versions.txt", upgraded(), Style{}},
	} {
		t.Run(test.name, func(t *testing.T) { golden(t, test.name, Plan(test.plan, test.style)) })
	}
}

func TestPlanFitsItsWidth(t *testing.T) {
	for _, width := range []int{48, 60, 80, 81, 100, 200} {
		for _, p := range []*plan.Plan{full(), hostile(), upgraded()} {
			for _, style := range []Style{{Width: width}, {Width: width, Verbose: true}} {
				for line := range strings.SplitSeq(Plan(p, style), "\n") {
					if cells(line) > width {
						t.Errorf("width %d, verbose %v: %d cells: %q", width, style.Verbose, cells(line), line)
					}
				}
			}
		}
	}
}

func TestDrift(t *testing.T) {
	golden(t, "drift.txt", Drift(full(), Style{}))
	golden(t, "plan.md", Markdown(full()))
	golden(t, "plan-versions.md", Markdown(upgraded()))
	golden(t, "drift-none.txt", Drift(&plan.Plan{Clusters: full().Clusters, Unchanged: 7}, Style{}))
}

// Nothing that is printed holds a secret, or a byte that a terminal obeys.
func TestNothingLeaks(t *testing.T) {
	for _, p := range []*plan.Plan{full(), hostile(), upgraded()} {
		json, err := JSON(p)
		if err != nil {
			t.Fatal(err)
		}
		for name, out := range map[string]string{
			"plan": Plan(p, Style{Verbose: true}), "drift": Drift(p, Style{}), "json": string(json), "markdown": Markdown(p),
		} {
			for _, secret := range []string{"hunter2", "correct horse", "aHVudGVyMg"} {
				if strings.Contains(out, secret) {
					t.Errorf("%s holds the secret %q", name, secret)
				}
			}
			if at := strings.IndexAny(out, "\x1b\a\u202e\r"); at >= 0 {
				t.Errorf("%s holds a control character: %q", name, out[max(0, at-20):at+10])
			}
		}
	}
}
