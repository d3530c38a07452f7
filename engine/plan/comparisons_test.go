package plan

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestComparisonsAreDocumented checks that the table of keys that may differ is the one
// in docs/PLANFILE.md, and that each is a key of the document.
func TestComparisonsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/PLANFILE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "Every key is compared but these:")
	documented := make(map[string]bool)
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "`"); strings.HasPrefix(line, "| `") && len(cells) > 2 {
			documented[cells[1]] = true
		}
	}
	for path := range comparisons {
		if !documented[path] {
			t.Errorf("docs/PLANFILE.md does not say how %s is compared", path)
		}
		if !isKey(reflect.TypeFor[Plan](), path) {
			t.Errorf("%s is no key of a plan", path)
		}
	}
	for path := range documented {
		if comparisons[path] == 0 {
			t.Errorf("docs/PLANFILE.md says that %s is compared otherwise, and it is not", path)
		}
	}
}

// isKey reports whether a document of type t has keys at path.
func isKey(t reflect.Type, path string) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if path == "" {
		return true
	}
	if rest, isList := strings.CutPrefix(path, "[]"); isList {
		return t.Kind() == reflect.Slice && isKey(t.Elem(), strings.TrimPrefix(rest, "."))
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == path[:end] {
			return isKey(f.Type, strings.TrimPrefix(path[end:], "."))
		}
	}
	return false
}
