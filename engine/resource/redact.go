package resource

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// A Redactor takes sensitive texts out of messages: of servers, programs and
// templates, which may repeat what they were given. The zero Redactor knows none. It
// may be used by several goroutines.
type Redactor struct {
	// Least is the length below which a text is not looked for, since shorter ones
	// would blot out ordinary words; zero: 6.
	Least int

	mu    sync.Mutex
	known map[string]bool
	fresh []string // known, and not spelled yet
	forms []string // in lower case, the longest first
	words []string // texts of one line, in lower case
}

const (
	defaultLeast = 6
	longLine     = 16 // of a text of several lines, a line that gives it away
	longText     = 200
	hugeText     = 64 << 10 // of which the whole and its lines are looked for
	leastWord    = 4        // a word that is a part of a text
)

func (r *Redactor) least() int {
	if r.Least > 0 {
		return r.Least
	}
	return defaultLeast
}

// Add adds a text. Its spellings are worked out when a message is looked at: there
// may be many texts, and there are few messages.
func (r *Redactor) Add(text string) {
	if len(text) < r.least() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]bool{}
	}
	if !r.known[text] {
		r.known[text] = true
		r.fresh = append(r.fresh, text)
	}
}

// spellings returns the forms and the words to look for.
func (r *Redactor) spellings() (forms, words []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.fresh) > 0 { // others may still read the lists as they were
		r.forms, r.words = slices.Clone(r.forms), slices.Clone(r.words)
	}
	for _, text := range r.fresh {
		r.spell(text)
		if plain, err := base64.StdEncoding.DecodeString(text); err == nil && len(plain) >= r.least() && utf8.Valid(plain) {
			r.spell(string(plain))
		}
	}
	if len(r.fresh) > 0 {
		r.fresh = nil
		slices.SortFunc(r.forms, func(a, b string) int {
			if len(a) != len(b) {
				return len(b) - len(a)
			}
			return strings.Compare(a, b)
		})
		r.forms = slices.Compact(r.forms)
	}
	return r.forms, r.words
}

// spell adds the spellings of one text, and the lines of one that has several.
func (r *Redactor) spell(text string) {
	trimmed := strings.TrimSpace(text)
	lines := strings.Split(trimmed, "\n")
	if len(lines) > 1 {
		for _, line := range lines {
			if line = strings.TrimSpace(line); len(line) >= longLine {
				r.spell(line)
			}
		}
	} else if len(trimmed) <= longText {
		r.words = append(r.words, lower(trimmed))
	}
	if len(text) > hugeText {
		r.forms = append(r.forms, lower(text))
		return
	}
	inJSON, _ := json.Marshal(text)
	all := []string{
		text, trimmed, string(inJSON[1 : len(inJSON)-1]), url.QueryEscape(text), url.PathEscape(text),
		hex.EncodeToString([]byte(text)), base64.StdEncoding.EncodeToString([]byte(text)), base64.RawStdEncoding.EncodeToString([]byte(text)),
		base64.URLEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text)), strings.ReplaceAll(text, `"`, `\"`), strings.ReplaceAll(text, "'", "''"),
	}
	for _, form := range all {
		if len(form) >= r.least() {
			r.forms = append(r.forms, lower(form))
		}
	}
}

// AddAll adds every sensitive value below v, with the pieces that are known of it.
func (r *Redactor) AddAll(v any) {
	switch v := v.(type) {
	case Sensitive:
		r.Add(v.Reveal())
		for _, piece := range v.Pieces() {
			r.Add(piece)
		}
	case Object:
		r.AddAll(map[string]any(v))
	case map[string]any:
		for _, e := range v {
			r.AddAll(e)
		}
	case []any:
		for _, e := range v {
			r.AddAll(e)
		}
	}
}

// lower is for finding: it keeps the length of a text, which strings.ToLower does not.
func lower(text string) string {
	return string(lowerBytes([]byte(text)))
}

func lowerBytes(b []byte) []byte {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

// Redact returns text with a mask in the place of every sensitive text it knows, in
// whatever spelling it knows.
func (r *Redactor) Redact(text string) string {
	if text == "" {
		return text
	}
	forms, _ := r.spellings()
	found := lower(text)
	for _, form := range forms {
		for from := 0; ; {
			at := strings.Index(found[from:], form)
			if at < 0 {
				break
			}
			at += from
			text = text[:at] + Mask + text[at+len(form):]
			found = found[:at] + Mask + found[at+len(form):]
			from = at + len(Mask)
		}
	}
	return text
}

// Mask stands in a text where a sensitive one stood.
const Mask = "(sensitive)"

// quoted finds what stands in quotes in a message.
var quoted = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|'[^']*'|`[^`]*`")

// webhookName finds who denies a request.
var webhookName = regexp.MustCompile(`admission webhook "[^"]*"`)

// Withhold is Redact for a message about an object with sensitive values, of which
// nobody knows what it quotes, nor how. What stands in quotes is withheld where it may be made of a
// sensitive text, unless the object has it in the open or whoever says it says it of
// every object (own); of the rest, what can be told to be a part of one.
func (r *Redactor) Withhold(text string, o Object, own ...string) string {
	open := map[string]bool{}
	openTexts(map[string]any(o), open)
	for _, word := range own {
		open[word] = true
	}
	hidden := hiddenTexts(o)
	_, known := r.spellings()
	hidden = append(hidden, known...)
	var b strings.Builder
	rest := 0
	webhooks := webhookName.FindAllStringIndex(text, -1)
	for _, at := range quoted.FindAllStringIndex(text, -1) {
		names := slices.ContainsFunc(webhooks, func(w []int) bool { return at[0] >= w[0] && at[1] <= w[1] })
		if inside := text[at[0]+1 : at[1]-1]; names || open[inside] || !mayTell(lower(inside), inside, hidden) {
			continue
		}
		b.WriteString(text[rest:at[0]] + Mask)
		rest = at[1]
	}
	b.WriteString(text[rest:])
	return r.withoutWords(r.Redact(b.String()))
}

// vocabulary is the words that servers use themselves, whatever secret they are part
// of.
var vocabulary = strings.Fields(`admission allowed already cannot config configuration contain data denied deployment error exceeded expected
	expression failed field forbidden format from hash host https immutable info invalid items label length limit longer match metadata minimum
	must name names namespace object only password pattern policy pods port quota reason regex request required secret server service should
	spec string than that this token type unknown update user valid validation value values webhook with`)

// openTexts gathers the keys of an object, and its texts that are not sensitive.
func openTexts(v any, open map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			open[key] = true
			openTexts(e, open)
		}
	case []any:
		for _, e := range v {
			openTexts(e, open)
		}
	case string:
		open[v] = true
	}
}
