package charts

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// LockFile is the name of the lock, beside the config.
const LockFile = "hubcap.lock.hcl"

const lockHeader = `# Where this config comes from, and which charts hubcap fetched. It is written by
# hubcap plan, apply and validate; keep it under version control. To move within the
# constraints: hubcap plan --upgrade-charts.
`

// An Entry is one chart of a lock: for this ref exactly this archive.
type Entry struct {
	Ref
	Version string
	Digest  string // "sha256:…" of the archive
}

// A Lock says where a config comes from, and which version and digest every ref stands
// for. The zero Lock is empty.
type Lock struct {
	// Origin is drawn at random, once, and tells this config from any other of its
	// name; empty: it was not drawn yet.
	Origin string

	entries []Entry
}

// DrawOrigin returns a new random origin.
func DrawOrigin() string {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		panic("charts: no random numbers: " + err.Error())
	}
	return hex.EncodeToString(random[:])
}

// WithOrigin returns a copy of l with another origin.
func (l *Lock) WithOrigin(origin string) *Lock {
	c := l.clone()
	c.Origin = origin
	return c
}

// Find returns the entry of a ref.
func (l *Lock) Find(ref Ref) (Entry, bool) {
	for _, e := range l.entries {
		if e.Ref == ref {
			return e, true
		}
	}
	return Entry{}, false
}

// Entries returns what is locked, in order.
func (l *Lock) Entries() []Entry { return slices.Clone(l.entries) }

func (l *Lock) clone() *Lock { return &Lock{Origin: l.Origin, entries: slices.Clone(l.entries)} }

func (l *Lock) put(e Entry) {
	l.entries = slices.DeleteFunc(l.entries, func(old Entry) bool { return old.Ref == e.Ref })
	l.entries = append(l.entries, e)
	slices.SortFunc(l.entries, func(a, b Entry) int { return cmp.Or(compareRefs(a.Ref, b.Ref), cmp.Compare(a.Version, b.Version)) })
}

// keep drops the entries of refs that nobody asks for.
func (l *Lock) keep(refs []Ref) {
	l.entries = slices.DeleteFunc(l.entries, func(e Entry) bool { return !slices.Contains(refs, e.Ref) })
}

// Equal reports whether two locks say the same.
func (l *Lock) Equal(other *Lock) bool {
	return l.Origin == other.Origin && slices.Equal(l.entries, other.entries)
}

// Format returns the lock as a file: the same lock gives the same bytes.
func (l *Lock) Format() []byte {
	file := hclwrite.NewEmptyFile()
	if l.Origin != "" {
		file.Body().AppendNewline()
		file.Body().SetAttributeValue("origin", cty.StringVal(l.Origin))
	}
	for _, e := range l.entries {
		file.Body().AppendNewline()
		body := file.Body().AppendNewBlock("chart", []string{e.Name}).Body()
		for _, a := range e.attributes() {
			if *a.value != "" {
				body.SetAttributeValue(a.name, cty.StringVal(*a.value))
			}
		}
	}
	return append([]byte(lockHeader), hclwrite.Format(file.Bytes())...)
}

// An attribute of an entry, in the order in which they are written.
type attribute struct {
	name     string
	value    *string
	required bool
}

func (e *Entry) attributes() []attribute {
	return []attribute{
		{"repository", &e.Repository, false},
		{"constraint", &e.Constraint, false},
		{"version", &e.Version, true},
		{"digest", &e.Digest, true},
	}
}

var originForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ParseLock reads a lock. name is the file's, for diagnostics; with an error
// among them there is no lock. The file illustrates them.
func ParseLock(data []byte, name string) (*Lock, *hcl.File, hcl.Diagnostics) {
	file, diags := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, file, diags
	}
	lock := &Lock{}
	body := file.Body.(*hclsyntax.Body)
	for _, a := range body.Attributes {
		if a.Name != "origin" {
			diags = append(diags, lockError(a.NameRange, "A lock file holds only an origin and chart blocks."))
			continue
		}
		value, found := a.Expr.Value(nil)
		if found.HasErrors() || value.IsNull() || value.Type() != cty.String || !originForm.MatchString(value.AsString()) {
			diags = append(diags, lockError(a.Expr.Range(), "An origin is 32 hexadecimal digits, drawn by hubcap."))
			continue
		}
		lock.Origin = value.AsString()
	}
	for _, block := range body.Blocks {
		e, found := parseEntry(block)
		diags = append(diags, found...)
		if _, isTwice := lock.Find(e.Ref); isTwice {
			diags = append(diags, lockError(block.DefRange(), fmt.Sprintf("%s%s is locked twice.", e.Ref, within(e.Ref))))
		}
		lock.put(e)
	}
	if diags.HasErrors() {
		return nil, file, diags
	}
	return lock, file, nil
}

func parseEntry(block *hclsyntax.Block) (Entry, hcl.Diagnostics) {
	at := block.DefRange()
	if block.Type != "chart" || len(block.Labels) != 1 || len(block.Body.Blocks) > 0 {
		return Entry{}, hcl.Diagnostics{lockError(at, `A lock file holds only blocks of the form chart "name" { … }.`)}
	}
	e := Entry{Ref: Ref{Name: block.Labels[0]}}
	var diags hcl.Diagnostics
	known := map[string]bool{}
	for _, a := range e.attributes() {
		known[a.name] = true
		written := block.Body.Attributes[a.name]
		if written == nil {
			if a.required {
				diags = append(diags, lockError(at, fmt.Sprintf("The entry of %s has no %s.", e.Name, a.name)))
			}
			continue
		}
		value, found := written.Expr.Value(nil)
		if found.HasErrors() || value.IsNull() || value.Type() != cty.String {
			diags = append(diags, lockError(written.Range(), a.name+" is a text without references."))
			continue
		}
		*a.value = value.AsString()
	}
	for _, a := range block.Body.Attributes {
		if !known[a.Name] {
			diags = append(diags, lockError(a.NameRange, fmt.Sprintf("An entry has no %s.", a.Name)))
		}
	}
	if len(diags) > 0 {
		return e, diags
	}
	if !digestForm.MatchString(e.Digest) {
		diags = append(diags, lockError(block.Body.Attributes["digest"].Range(), `A digest is "sha256:" and 64 hexadecimal digits.`))
	}
	if !meets(e.Constraint, e.Version) {
		diags = append(diags, lockError(block.Body.Attributes["version"].Range(), fmt.Sprintf("The version %s is not within %q.", e.Version, e.Constraint)))
	}
	return e, diags
}

func lockError(at hcl.Range, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Invalid lock file", Subject: &at,
		Detail: detail + " Restore it from version control. Without it hubcap plan writes a new one, with another origin: then the name of the config has to be taken over.",
	}
}
