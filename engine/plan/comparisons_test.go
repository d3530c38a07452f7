package plan

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"hubcap/engine/resource"
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

// TestMorePeopleInWords checks that where more people are there than a plan file says, that
// is said in words, and never by a key of the document.
func TestMorePeopleInWords(t *testing.T) {
	for path, how := range comparisons {
		if how != notMore {
			continue
		}
		of, key, isOfChange := strings.Cut(strings.TrimPrefix(path, "waves[].steps[]."), "changes[].")
		at := spot{"waves[].steps[]", "step 01-hub.lab/proxy"}
		if isOfChange {
			at = spot{changePath, "step 01-hub.lab/proxy: hub.lab/Deployment/proxy"}
		} else {
			key = of
		}
		for name := range strings.SplitSeq(key, ".") {
			at = at.key(name)
		}
		if at.path != path {
			t.Fatalf("the spot of %s is %s", path, at.path)
		}
		got := at.people(7, 3)
		isBack := strings.HasPrefix(key, "back.")
		if !strings.Contains(got, "7 user servers") || !strings.HasSuffix(got, "by now, and the plan file says 3") || strings.ContainsAny(got, "_%") || strings.Contains(got, "on the way back") != isBack {
			t.Errorf("%s: %q", path, got)
		}
		if strings.Contains(got, "hub.lab/Deployment/proxy") != isOfChange || !strings.HasPrefix(got, "step 01-hub.lab/proxy: ") {
			t.Errorf("%s: %q does not say where", path, got)
		}
	}
}

// TestCrowdedFirst checks that what is said first is how many people are there, and not
// what follows from it.
func TestCrowdedFirst(t *testing.T) {
	step := func(counted int) *Plan {
		s := Step{ID: "01-hub.lab/proxy", Relies: &SessionBound{Counted: counted, Max: relyOn(counted), Namespaces: []string{"lab"}}, Changes: []resource.Change{}}
		s.Impact.SessionsInterrupted = counted
		s.Back = &s.Impact
		return &Plan{FormatVersion: FormatVersion, Waves: []Wave{{Steps: []Step{s}}}}
	}
	for counted, want := range map[int]string{3: "", 8: "", 9: "step 01-hub.lab/proxy: 9 user servers by now (namespace lab), and the plan relies on at most 8"} {
		d, err := Compare(step(3), step(counted), Mask{})
		if err != nil {
			t.Fatal(err)
		}
		if got := ""; d != nil {
			if got = d.Text; got != want {
				t.Errorf("%d people: %q, want %q", counted, got, want)
			}
		} else if want != "" {
			t.Errorf("%d people: no difference, want %q", counted, want)
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
