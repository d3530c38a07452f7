package docs

import (
	"go/ast"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestIncidentsAreHeld checks that the tests that INCIDENTS.md names exist, so that
// it promises nothing that nothing holds.
func TestIncidentsAreHeld(t *testing.T) {
	page, err := os.ReadFile("INCIDENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, s := range sources(t) {
		if !strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		for _, d := range s.file.Decls {
			if f, isFunc := d.(*ast.FuncDecl); isFunc {
				tests[f.Name.Name] = true
			}
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) == 0 {
		t.Fatal("INCIDENTS.md names no test")
	}
	for _, m := range named {
		if !tests[m[1]] {
			t.Errorf("INCIDENTS.md names %s, which there is not", m[1])
		}
	}
}
