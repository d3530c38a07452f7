package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSkippedTestsAreTold feeds what go test says to the filter of the Makefile.
func TestSkippedTestsAreTold(t *testing.T) {
	skips := filepath.Join(t.TempDir(), "skips")
	filter := exec.CommandContext(t.Context(), "awk", "-v", "skips="+skips, "-f", "../.ci/skips.awk")
	filter.Stdin = strings.NewReader(`=== RUN   TestHub
    hub_test.go:1: needs a real JupyterHub
--- SKIP: TestHub (0.00s)
=== RUN   TestOther
=== RUN   TestOther/part
    hub_test.go:2: needs a real JupyterHub
    --- SKIP: TestOther/part (0.00s)
--- PASS: TestOther (0.00s)
=== RUN   TestFine
    fine_test.go:3: chatter
--- PASS: TestFine (0.00s)
=== RUN   TestBad
    bad_test.go:4: what went wrong
--- FAIL: TestBad (0.00s)
FAIL
FAIL	hubcap/x	0.1s
`)
	said, err := filter.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(said); !strings.Contains(got, "bad_test.go:4: what went wrong\n--- FAIL: TestBad") || strings.Contains(got, "PASS") {
		t.Errorf("the filter says %q", got)
	}
	for file, want := range map[string]string{skips: "  needs a real JupyterHub: TestHub TestOther\n", "/dev/null": "No test was skipped.\n"} {
		told, err := exec.CommandContext(t.Context(), "../.ci/skipped", file).Output()
		if err != nil || !strings.HasSuffix(string(told), want) {
			t.Errorf("%q, %v", told, err)
		}
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil || !strings.Contains(string(makefile), "\n\t@.ci/skipped $(SKIPS)\n") {
		t.Error("make test does not say what it skipped")
	}
}
