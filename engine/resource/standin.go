package resource

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// StandIn returns another text in the place of a sensitive one: of the same length, with
// characters of the same classes, and of the same form, so that whoever is given it
// treats it alike. It differs in every letter and digit, and is the same for the same text,
// so that what was equal stays so, and a part of a text has a part of its stand-in.
func StandIn(text string) string {
	if slices.Contains(plainWords, strings.ToLower(strings.TrimSpace(text))) {
		return text
	}
	// The most particular form first; each reports whether the text has it.
	for _, form := range []func(string) (string, bool){pemForm, jsonForm, hexForm, base64Form, quantityForm, urlForm, linesForm} {
		if instead, fits := form(text); fits {
			return instead
		}
	}
	if instead := shift(text); instead != text {
		return instead
	}
	return strings.Map(shiftSymbol, text)
}

// plainWords decide rather than say something, and are too common to be a secret.
var plainWords = []string{"", "true", "false", "yes", "no", "on", "off", "null", "~"}

// pemForm keeps the headers of PEM, and shifts what is between them.
func pemForm(text string) (string, bool) {
	if block, _ := pem.Decode([]byte(text)); block == nil {
		return "", false
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "-----") {
			b.WriteString(line)
		} else {
			b.WriteString(shift(line))
		}
	}
	return b.String(), true
}

// jsonToken finds what of a JSON document is a key, another text, or a number.
var jsonToken = regexp.MustCompile(`"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.eE+-]*`)

// jsonForm keeps keys and structure.
func jsonForm(text string) (string, bool) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || !strings.ContainsAny(trimmed[:1], `{["`) || !json.Valid([]byte(text)) {
		return "", false
	}
	return jsonToken.ReplaceAllStringFunc(text, func(token string) string {
		switch {
		case strings.HasSuffix(token, ":"):
			return token
		case token[0] == '"':
			return shiftBut(token, jsonEscape)
		}
		return shiftBut(token, exponent)
	}), true
}

var (
	jsonEscape = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)
	exponent   = regexp.MustCompile(`[eE]`)
)

var hexText = regexp.MustCompile(`^(?:[0-9a-f-]{8,}|[0-9A-F-]{8,})$`)

// hexForm keeps digests and UUIDs within the alphabet of hexadecimal numbers.
func hexForm(text string) (string, bool) {
	if !hexText.MatchString(text) {
		return "", false
	}
	return strings.Map(shiftHex, text), true
}

func shiftHex(r rune) rune {
	switch {
	case r >= 'a' && r <= 'f':
		return 'a' + (r-'a'+1)%6
	case r >= 'A' && r <= 'F':
		return 'A' + (r-'A'+1)%6
	}
	return shiftRune(r)
}

// base64Form gives what is encoded a stand-in, where that is text.
func base64Form(text string) (string, bool) {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(plain) < 6 || !utf8.Valid(plain) || strings.ContainsFunc(string(plain), unprintable) {
		return "", false
	}
	return base64.StdEncoding.EncodeToString([]byte(StandIn(string(plain)))), true
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) }

var quantity = regexp.MustCompile(`^[0-9]+(?:\.[0-9]+)?[a-zA-Z]{1,2}$`)

// quantityForm keeps the unit of a quantity or duration.
func quantityForm(text string) (string, bool) {
	if !quantity.MatchString(text) {
		return "", false
	}
	number := strings.TrimRightFunc(text, unicode.IsLetter)
	return shift(number) + text[len(number):], true
}

var scheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*://`)

// urlForm keeps the scheme of a URL, and its escapes.
func urlForm(text string) (string, bool) {
	kept := scheme.FindString(text)
	if kept == "" || strings.ContainsAny(text, " \n") {
		return "", false
	}
	return kept + shiftBut(text[len(kept):], percent), true
}

var percent = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

// setting finds what names a value in a line of YAML, or of a file of settings.
var setting = regexp.MustCompile(`^\s*(?:- )*["']?[\w./-]+["']?\s*[:=]\s*(?:[|>][+-]?\s*$)?|^\s*- `)

// linesForm keeps the keys of a text of several lines, so that YAML stays YAML with
// the same keys.
func linesForm(text string) (string, bool) {
	if !strings.Contains(strings.TrimSpace(text), "\n") {
		return "", false
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		kept := setting.FindString(line)
		value := strings.TrimSpace(line[len(kept):])
		if slices.Contains(plainWords, strings.ToLower(value)) {
			b.WriteString(line)
			continue
		}
		b.WriteString(kept + shift(line[len(kept):]))
	}
	return b.String(), true
}

// Spelled reports whether text is to twin, the same text made with stand-ins, as a
// sensitive text is to its stand-in, character by character: a part of it then, in
// whatever case and order, and no digest.
func Spelled(text, twin string) bool {
	a, b := []rune(text), []rune(twin)
	if text == twin || len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && b[i] != shiftRune(a[i]) && b[i] != shiftHex(a[i]) && b[i] != shiftSymbol(a[i]) {
			return false
		}
	}
	return true
}

// shift replaces every letter and digit by another of its class.
func shift(text string) string { return strings.Map(shiftRune, text) }

// shiftBut is shift for what kept does not match.
func shiftBut(text string, kept *regexp.Regexp) string {
	var b strings.Builder
	rest := 0
	for _, at := range kept.FindAllStringIndex(text, -1) {
		b.WriteString(shift(text[rest:at[0]]) + text[at[0]:at[1]])
		rest = at[1]
	}
	return b.String() + shift(text[rest:])
}

func shiftRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return 'a' + (r-'a'+7)%26
	case r >= 'A' && r <= 'Z':
		return 'A' + (r-'A'+7)%26
	case r == '0':
		return '5'
	case r >= '1' && r <= '9': // what begins a number still does
		return '1' + (r-'1'+4)%9
	case r < utf8.RuneSelf || !unicode.IsLetter(r):
		return r
	}
	other := r ^ 1
	alike := unicode.IsLetter(other) && unicode.IsUpper(other) == unicode.IsUpper(r) && utf8.RuneLen(other) == utf8.RuneLen(r)
	if !alike {
		return r
	}
	return other
}

// symbols are what a text without letters and digits is made of, and what means
// nothing to YAML.
const symbols = "+-._=~^$;/"

func shiftSymbol(r rune) rune {
	if i := strings.IndexRune(symbols, r); i >= 0 {
		return rune(symbols[(i+1)%len(symbols)])
	}
	return r
}

// leastSpelling is how long a piece of a text is that is looked for elsewhere.
const leastSpelling = 4

// Spellings returns the pieces of a text that are otherwise in its twin, the same text
// made with stand-ins: what was made of the sensitive value.
func Spellings(text, twin string) []string {
	a, b := []rune(text), []rune(twin)
	if len(a) != len(b) { // all between what both begin and end with
		for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
			a, b = a[1:], b[1:]
		}
		for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
			a, b = a[:len(a)-1], b[:len(b)-1]
		}
		if len(a) < leastSpelling {
			return nil
		}
		return []string{string(a)}
	}
	var pieces []string
	const gap = 3 // symbols within a secret are the same in both
	start, last := -1, -1
	flush := func() {
		if start >= 0 && last-start+1 >= leastSpelling {
			pieces = append(pieces, string(a[start:last+1]))
		}
		start = -1
	}
	for i := range a {
		switch {
		case a[i] != b[i]:
			if start < 0 {
				start = i
			}
			last = i
		case start >= 0 && i-last > gap:
			flush()
		}
	}
	flush()
	return pieces
}
