// Package docs holds no code; its tests keep the documents and the house rules
// true.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "hubcap/"

// The budgets of the house style. A file or function that passes one says why in
// a comment that starts with "Budget:".
const (
	maxFile      = 500
	maxFunc      = 60
	maxInterface = 4
	maxParams    = 5
	maxResults   = 3
)

var (
	tableRow = regexp.MustCompile("(?m)^\\| `([^`]+)` *\\|([^|]*)\\|([^|]*)\\|$")
	quoted   = regexp.MustCompile("`([^`]+)`")
)

// A source is one Go file of the main module.
type source struct {
	path  string // relative to the repository
	pkg   string // its folder
	file  *ast.File
	set   *token.FileSet
	lines int
}

// TestArrows checks every import of this module against the table in
// ARCHITECTURE.md, and that the table lists exactly the packages there are.
func TestArrows(t *testing.T) {
	allowed, found := arrows(t), map[string]map[string]bool{}
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		if found[s.pkg] == nil {
			found[s.pkg] = map[string]bool{}
		}
		for _, spec := range s.file.Imports {
			imp := strings.Trim(spec.Path.Value, `"`)
			if ours, isOurs := strings.CutPrefix(imp, module); isOurs {
				found[s.pkg][ours] = true
			} else if root, _, _ := strings.Cut(imp, "/"); strings.Contains(root, ".") {
				found[s.pkg][imp] = true
			}
		}
	}
	for pkg, imports := range found {
		want, listed := allowed[pkg]
		if !listed {
			t.Errorf("%s is not in ARCHITECTURE.md", pkg)
			continue
		}
		for imp := range imports {
			if !slices.ContainsFunc(want, covers(imp)) {
				t.Errorf("%s may not import %s", pkg, imp)
			}
		}
		for _, entry := range want {
			if !usedBy(entry, imports) {
				t.Errorf("ARCHITECTURE.md lets %s import %s, which it does not", pkg, entry)
			}
		}
	}
	for pkg := range allowed {
		if _, exists := found[pkg]; !exists {
			t.Errorf("ARCHITECTURE.md lists %s, which does not exist", pkg)
		}
	}
}

// covers reports whether a row's entry permits imp. An entry for another module
// permits all its packages; an entry for this one permits only itself.
func covers(imp string) func(entry string) bool {
	return func(entry string) bool {
		root, _, _ := strings.Cut(entry, "/")
		return imp == entry || strings.Contains(root, ".") && strings.HasPrefix(imp, entry+"/")
	}
}

func usedBy(entry string, imports map[string]bool) bool {
	for imp := range imports {
		if covers(imp)(entry) {
			return true
		}
	}
	return false
}

// TestBudgets holds the tail down: long files, long functions, wide interfaces.
func TestBudgets(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		if s.lines > maxFile && !excused(s.file.Doc) {
			t.Errorf("%s has %d lines, the ceiling is %d", s.path, s.lines, maxFile)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				s.checkFunc(t, n)
			case *ast.InterfaceType:
				if methods := n.Methods.NumFields(); methods > maxInterface {
					t.Errorf("%s: interface with %d methods, the ceiling is %d", s.at(n), methods, maxInterface)
				}
			}
			return true
		})
	}
}

func (s source) at(n ast.Node) string {
	return s.path + ":" + s.set.Position(n.Pos()).String()[strings.LastIndex(s.set.Position(n.Pos()).Filename, "/")+1:]
}

func (s source) checkFunc(t *testing.T, f *ast.FuncDecl) {
	t.Helper()
	if excused(f.Doc) {
		return
	}
	if lines := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; lines > maxFunc {
		t.Errorf("%s: %s has %d lines, the ceiling is %d", s.at(f), f.Name.Name, lines, maxFunc)
	}
	if n := f.Type.Params.NumFields(); n > maxParams {
		t.Errorf("%s: %s has %d parameters, the ceiling is %d", s.at(f), f.Name.Name, n, maxParams)
	}
	if f.Type.Results != nil && f.Type.Results.NumFields() > maxResults {
		t.Errorf("%s: %s has %d results, the ceiling is %d", s.at(f), f.Name.Name, f.Type.Results.NumFields(), maxResults)
	}
}

func excused(doc *ast.CommentGroup) bool {
	return doc != nil && strings.Contains(doc.Text(), "Budget:")
}

// TestDocumented checks that every package says its place in the pipeline and
// that every exported name is explained.
func TestDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		documented[s.pkg] = documented[s.pkg] || s.file.Doc != nil
		if s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			if f, isFunc := d.(*ast.FuncDecl); isFunc && f.Name.IsExported() && f.Doc == nil && exportedReceiver(f) {
				t.Errorf("%s: %s has no comment", s.at(f), f.Name.Name)
			}
		}
	}
	for pkg, has := range documented {
		if !has {
			t.Errorf("package %s has no comment", pkg)
		}
	}
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	typ := f.Recv.List[0].Type
	if star, isStar := typ.(*ast.StarExpr); isStar {
		typ = star.X
	}
	name, isName := typ.(*ast.Ident)
	// Error, String and Unwrap say what they do.
	return isName && name.IsExported() && !slices.Contains([]string{"Error", "String", "Unwrap"}, f.Name.Name)
}

// TestNoLooseEnds refuses what the house does not leave lying about.
func TestNoLooseEnds(t *testing.T) {
	loose := regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			if m := loose.FindString(group.Text()); m != "" {
				t.Errorf("%s: %s without an issue", s.at(group), m)
			}
		}
	}
}

func arrows(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string][]string{}
	for _, m := range tableRow.FindAllStringSubmatch(string(text), -1) {
		table[m[1]] = nil
		for _, c := range quoted.FindAllStringSubmatch(m[3], -1) {
			table[m[1]] = append(table[m[1]], c[1])
		}
	}
	return table
}

// sources parses the files itself rather than asking the go command: go test
// sees the files a test opens, and so knows when a cached result is stale.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != ".." {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		path = filepath.ToSlash(strings.TrimPrefix(path, "../"))
		all = append(all, source{path: path, pkg: filepath.Dir(path), file: f, set: set, lines: set.File(f.FileStart).LineCount()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
