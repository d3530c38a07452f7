package schema

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// TestValuesFileLosses holds that what a values file says and does not count is told
// with file and line, and that nothing is told of a file without it.
func TestValuesFileLosses(t *testing.T) {
	const config = `
-- main.hcl --
cluster "c" {}
chart "a" {
  chart        = "./chart"
  values_files = ["values.yaml"]
}
-- values.yaml --
`
	for _, test := range []struct {
		reason, values string
		want           string
		severity       hcl.DiagnosticSeverity
	}{
		{"a key twice", "a: 1\nb:\n  c: 1\n  c: 2\n", `values.yaml:4: "c" is there before`, hcl.DiagWarning},
		{"a second document", "---\na: 1\n---\nb: 2\n", "values.yaml:3: a second document begins", hcl.DiagWarning},
		{"a null key", "a: 1\nb:\n  ~: x\n", "values.yaml is not YAML: line 3: a key is null", hcl.DiagError},
		{"one document", "# first\n---\na: 1\nb: |\n  ---\n  text\n---\n", "", 0},
	} {
		_, diags := load(t, config+test.values, Options{})
		found := false
		for _, d := range diags {
			if test.want == "" && (strings.Contains(d.Detail, "values.yaml")) {
				t.Errorf("%s: %s", test.reason, d.Detail)
			}
			found = found || test.want != "" && d.Severity == test.severity && strings.Contains(d.Detail, test.want)
		}
		if test.want != "" && !found {
			t.Errorf("%s: %v, want %s", test.reason, diags, test.want)
		}
	}
}
