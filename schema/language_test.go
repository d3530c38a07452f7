package schema

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	section  = regexp.MustCompile("^###? `([a-z_]+)`$")
	tableRow = regexp.MustCompile("^\\| `([a-z_]+)` \\|")
)

// TestLanguageIsDocumented holds docs/LANGUAGE.md to the code: the same blocks,
// with the same attributes, and the same functions.
func TestLanguageIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../docs/LANGUAGE.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string][]string{}
	where := ""
	for _, line := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(line, "#") {
			where = ""
		}
		if m := section.FindStringSubmatch(line); m != nil {
			where = m[1]
		}
		if m := tableRow.FindStringSubmatch(line); m != nil && where != "" {
			documented[where] = append(documented[where], m[1])
		}
	}
	delete(documented, "module") // its attributes are the variables of the module
	for _, names := range documented {
		slices.Sort(names)
	}
	if diff := cmp.Diff(decoded(t), documented); diff != "" {
		t.Errorf("docs/LANGUAGE.md differs from the code (-code +docs):\n%s", diff)
	}
	functions := slices.Sorted(maps.Keys(newLoader(Options{}).functions(osSource("."))))
	_, listed, _ := strings.Cut(string(data), "\n## Functions\n")
	listed, _, _ = strings.Cut(listed, "\n## ")
	for _, name := range functions {
		if name != indexedName && !strings.Contains(listed, "`"+name+"`") && !strings.Contains(listed, "`"+name+"(") {
			t.Errorf("function %s is not documented", name)
		}
	}
}

// decoded returns what the code asks of each type of block.
func decoded(t *testing.T) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	more := "\nvariable \"checked\" {\n  default = 1\n  validation {\n    condition     = true\n    error_message = \"x\"\n  }\n}\n"
	write(t, filepath.Join(dir, "main.hcl"), []byte(goodConfig+more))
	l := newLoader(Options{})
	names := map[string]map[string]bool{}
	l.seen = func(where string, attrs, blocks []string) {
		if names[where] == nil {
			names[where] = map[string]bool{}
		}
		for _, name := range append(slices.Clone(attrs), blocks...) {
			names[where][name] = true
		}
		delete(names[where], "for_each")
	}
	if _, diags := l.load(dir); len(diags) > 0 {
		t.Fatal(diags)
	}
	sorted := map[string][]string{}
	for where, set := range names {
		if len(set) > 0 || kinds[where].decode != nil { // a block without attributes has no table
			sorted[where] = slices.Sorted(maps.Keys(set))
		}
	}
	for name := range kinds {
		if sorted[name] == nil {
			t.Errorf("goodConfig has no %s block", name)
		}
	}
	return sorted
}
