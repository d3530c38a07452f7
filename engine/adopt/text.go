package adopt

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A text is HCL as it is written, block by block. Alignment is left to the
// formatter.
type text struct {
	b     strings.Builder
	depth int
	fresh bool // at the beginning of a block
}

func (t *text) line(s string) {
	t.b.WriteString(strings.Repeat("  ", t.depth))
	t.b.WriteString(s)
	t.b.WriteByte('\n')
	t.fresh = false
}

// open begins a block, with an empty line before it unless it is the first.
func (t *text) open(kind string, labels ...string) {
	t.gap()
	for _, l := range labels {
		kind += " " + quote(l)
	}
	t.line(kind + " {")
	t.depth++
	t.fresh = true
}

func (t *text) end() {
	t.depth--
	t.line("}")
}

// gap puts an empty line between what is there and what comes.
func (t *text) gap() {
	if t.b.Len() > 0 && !t.fresh {
		t.b.WriteByte('\n')
		t.fresh = true
	}
}

func (t *text) attr(name, expression string) { t.line(name + " = " + expression) }

// value writes an attribute whose value is a tree.
func (t *text) value(name string, v any) { t.attr(name, expression(v, t.depth)) }

// commentWidth is how wide comments are filled.
const commentWidth = 100

// comment writes a comment of whole sentences.
func (t *text) comment(s string) {
	line := "#"
	for _, word := range strings.Fields(s) {
		if len(line)+1+len(word) > commentWidth && line != "#" {
			t.line(line)
			line = "#"
		}
		line += " " + word
	}
	t.line(line)
}

// A code is an expression that stands as it is in a tree of values.
type code string

// identifier is a key that needs no quotes.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// keywords mean something else at the start of an object.
var keywords = []string{"for", "null", "true", "false", "if", "in"}

func key(k string) string {
	if identifier.MatchString(k) && !slices.Contains(keywords, k) {
		return k
	}
	return quote(k)
}

// shortList is how long a list may be on one line.
const shortList = 90

// expression returns a tree as HCL; depth is how deep the line stands.
func expression(v any, depth int) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case code:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return literal(v, depth)
	case []any:
		return list(v, depth)
	case map[string]any:
		return object(v, depth)
	}
	panic(fmt.Sprintf("adopt: a value of type %T", v))
}

func object(m map[string]any, depth int) string {
	if len(m) == 0 {
		return "{}"
	}
	var b strings.Builder
	b.WriteString("{\n")
	indent := strings.Repeat("  ", depth+1)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		b.WriteString(indent + key(k) + " = " + expression(m[k], depth+1) + "\n")
	}
	return b.String() + strings.Repeat("  ", depth) + "}"
}

func list(l []any, depth int) string {
	parts := make([]string, len(l))
	length, isFlat := 0, true
	for i, v := range l {
		if s, isText := v.(string); isText {
			parts[i] = quote(s) // a heredoc and a comma do not go together
		} else {
			parts[i] = expression(v, depth+1)
		}
		length += len(parts[i]) + 2
		isFlat = isFlat && !strings.Contains(parts[i], "\n")
	}
	if isFlat && length <= shortList {
		return "[" + strings.Join(parts, ", ") + "]"
	}
	indent := "\n" + strings.Repeat("  ", depth+1)
	return "[" + indent + strings.Join(parts, ","+indent) + ",\n" + strings.Repeat("  ", depth) + "]"
}

// literal returns a text: over several lines as a heredoc, where that means the
// same.
func literal(s string, depth int) string {
	body, hasEnd := strings.CutSuffix(s, "\n")
	if strings.TrimSpace(body) == "" || !strings.Contains(s, "\n") || !plainLines(s) {
		return quote(s)
	}
	marker := "EOT"
	lines := strings.Split(body, "\n")
	for slices.ContainsFunc(lines, func(l string) bool { return strings.TrimSpace(l) == marker }) {
		marker += "_"
	}
	isFlush := slices.ContainsFunc(lines, func(l string) bool { return l != "" && !unicode.IsSpace(rune(l[0])) && l[0] < utf8.RuneSelf })
	var b strings.Builder
	if isFlush {
		b.WriteString("<<-" + marker + "\n")
	} else {
		b.WriteString("<<" + marker + "\n")
	}
	for _, l := range lines {
		if isFlush && strings.TrimSpace(l) != "" {
			b.WriteString(strings.Repeat("  ", depth+1))
		}
		b.WriteString(escapeTemplate(l) + "\n")
	}
	if isFlush {
		b.WriteString(strings.Repeat("  ", depth))
	}
	b.WriteString(marker)
	if hasEnd {
		return b.String()
	}
	return "chomp(" + b.String() + "\n" + strings.Repeat("  ", depth) + ")"
}

// plainLines reports whether a heredoc can hold s: it has no escapes.
func plainLines(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// escapeTemplate doubles what would begin an interpolation.
func escapeTemplate(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)
}

// quote returns s as a quoted text.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case !unicode.IsPrint(r) && r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}
