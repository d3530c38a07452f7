package schema

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"
)

// Limits on what is read, so that a wrong directory or a hostile file ends in a
// diagnostic and not in an exhausted machine.
const (
	maxFileBytes = 16 << 20
	maxNesting   = 1000   // of brackets, in a file long enough to exhaust the stack
	maxOperators = 10_000 // in one statement of such a file
	longFile     = 64 << 10
)

// A source is a directory of *.hcl files, read and parsed once.
type source struct {
	name    string // "builtin:pools", or the path as given; a prefix of file names
	builtin fs.FS  // nil: the operating system's files
	dir     string // of relative paths; empty for a built-in
	outer   *source
	blocks  []*hclsyntax.Block

	functions map[string]function.Function // made when first needed
}

func osSource(dir string) *source { return &source{name: filepath.Clean(dir), dir: dir} }

// file returns the name of a file of the source, as diagnostics show it.
func (s *source) file(name string) string {
	if s.builtin != nil {
		return s.name + "/" + name
	}
	return filepath.Clean(s.path(name))
}

// read returns a file that the config names, relative to the source.
func (s *source) read(name string) ([]byte, error) {
	if s.builtin != nil {
		return fs.ReadFile(s.builtin, path.Clean(name))
	}
	return readLimited(s.path(name))
}

// path returns where a file that the config names is.
func (s *source) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// open reads and parses the files of src. It returns nil when there is nothing
// to go on with. at is who asked for it, nil for the root.
func (l *loader) open(src *source, at *hcl.Range) *source {
	if known, isOpen := l.sources[src.name]; isOpen {
		return known
	}
	l.sources[src.name] = src
	names, err := src.list()
	where := hcl.Range{}
	if at != nil {
		where = *at
	}
	if err != nil {
		l.errorAt(where, "Unreadable configuration directory", "%s cannot be read: %s.", src.name, reason(err))
		return nil
	}
	if len(names) == 0 {
		shown := "directory " + src.name
		if src.name == "." {
			shown = "this directory"
		}
		l.errorAt(where, "No configuration files",
			"There is no *.hcl file in %s. Change to the directory that holds them, or name it with --chdir.", shown)
		return nil
	}
	for _, name := range names {
		l.parse(src, name)
	}
	return src
}

// lockFile lies beside the config and is none of it.
const lockFile = "hubcap.lock.hcl"

// list returns the names of the source's files, sorted, without those of
// editors.
func (s *source) list() ([]string, error) {
	var entries []fs.DirEntry
	var err error
	if s.builtin != nil {
		entries, err = fs.ReadDir(s.builtin, ".")
	} else {
		entries, err = os.ReadDir(s.dir)
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		ignored := name == lockFile || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~") ||
			strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#")
		if !ignored && strings.HasSuffix(name, ".hcl") && !e.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// parse reads one file into src and reports what is wrong with it.
func (l *loader) parse(src *source, name string) {
	shown := src.file(name)
	start := hcl.Range{Filename: shown, Start: hcl.InitialPos, End: hcl.InitialPos}
	var data []byte
	var err error
	if src.builtin != nil {
		data, err = fs.ReadFile(src.builtin, name)
	} else {
		data, err = readLimited(filepath.Join(src.dir, name))
	}
	if err != nil {
		l.errorAt(start, "Unreadable configuration file", "%s cannot be read: %s.", shown, reason(err))
		return
	}
	if file, ok := l.parseBytes(data, shown); ok {
		body := file.Body.(*hclsyntax.Body)
		src.blocks = append(src.blocks, body.Blocks...)
		for _, attr := range sortedAttributes(body) {
			l.errorAt(attr.NameRange, "Attribute outside of a block",
				"A file holds only blocks. To name a value, write it into locals { … }.")
		}
	}
}

// parseBytes parses one file after checking that parsing it is safe.
func (l *loader) parseBytes(data []byte, name string) (*hcl.File, bool) {
	if at, isText := invalidUTF8(data, name); !isText {
		l.config.Files[name] = &hcl.File{Bytes: printable(data)}
		l.errorAt(at, "Invalid UTF-8",
			"Byte %d of the file (0x%02x, in column %d of line %d) is not UTF-8 text. Save the file as UTF-8.",
			at.Start.Byte+1, data[at.Start.Byte], at.Start.Column, at.Start.Line)
		return nil, false
	}
	if at, isDeep := tooDeep(data, name); isDeep {
		l.config.Files[name] = &hcl.File{Bytes: data}
		l.errorAt(at, "Expression too deep",
			"Brackets are nested more than %d deep, or one statement has more than %d operators.", maxNesting, maxOperators)
		return nil, false
	}
	file, diags := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
	l.config.Files[name] = file
	l.diags = append(l.diags, diags...)
	if !diags.HasErrors() {
		markIndexes(file.Body.(*hclsyntax.Body))
		l.veilCalls(file.Body.(*hclsyntax.Body))
	}
	return file, !diags.HasErrors()
}

// readLimited reads a regular file of at most maxFileBytes. It looks before it
// opens: opening a pipe would wait for a writer.
func readLimited(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("it has %d bytes, and %d are the most that is read", info.Size(), maxFileBytes)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		err = fmt.Errorf("it grew beyond %d bytes while it was read", maxFileBytes)
	}
	return data, err
}

// reason is the cause of an error of the file system, without the path, which
// the message names already.
func reason(err error) string {
	if pathErr, isPath := err.(*fs.PathError); isPath {
		return pathErr.Err.Error()
	}
	return err.Error()
}

func invalidUTF8(data []byte, name string) (hcl.Range, bool) {
	if utf8.Valid(data) {
		return hcl.Range{}, true
	}
	pos := hcl.InitialPos
	for pos.Byte < len(data) {
		r, size := utf8.DecodeRune(data[pos.Byte:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		pos.Byte += size
		pos.Column++
		if r == '\n' {
			pos.Line, pos.Column = pos.Line+1, 1
		}
	}
	end := hcl.Pos{Line: pos.Line, Column: pos.Column + 1, Byte: pos.Byte + 1}
	return hcl.Range{Filename: name, Start: pos, End: end}, false
}

// printable replaces every byte that is not UTF-8 by a question mark, so that
// the line can be shown and offsets stay.
func printable(data []byte) []byte {
	shown := slices.Clone(data)
	for i := 0; i < len(shown); {
		r, size := utf8.DecodeRune(shown[i:])
		if r == utf8.RuneError && size <= 1 {
			shown[i], size = '?', 1
		}
		i += size
	}
	return shown
}

// tooDeep finds what would exhaust the stack of the recursive parser and
// evaluator, which Go cannot recover from. Short files cannot.
func tooDeep(data []byte, name string) (hcl.Range, bool) {
	if len(data) < longFile {
		return hcl.Range{}, false
	}
	tokens, _ := hclsyntax.LexConfig(data, name, hcl.InitialPos)
	depth, operators := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenOBrace,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenEqual, hclsyntax.TokenComma:
			operators = 0
		case hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar, hclsyntax.TokenSlash,
			hclsyntax.TokenPercent, hclsyntax.TokenBang, hclsyntax.TokenQuestion, hclsyntax.TokenAnd,
			hclsyntax.TokenOr, hclsyntax.TokenDot:
			operators++
		}
		if depth > maxNesting || operators > maxOperators {
			return t.Range, true
		}
	}
	return hcl.Range{}, false
}

func sortedAttributes(body *hclsyntax.Body) []*hclsyntax.Attribute {
	attrs := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, attr := range body.Attributes {
		attrs = append(attrs, attr)
	}
	slices.SortFunc(attrs, func(a, b *hclsyntax.Attribute) int {
		return a.SrcRange.Start.Byte - b.SrcRange.Start.Byte
	})
	return attrs
}
