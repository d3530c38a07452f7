package chart

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hubcap/engine/resource"
)

// standIns returns values with another text in the place of every sensitive one.
func standIns(values map[string]any) map[string]any {
	return resource.MapLeaves(copyTable(values), func(leaf any) any {
		if s, isSensitive := leaf.(resource.Sensitive); isSensitive {
			return standIn(s.Reveal())
		}
		return leaf
	}).(map[string]any)
}

// A standIn of a text is one that a template treats alike, and that differs in every
// letter and digit: of the same length, with characters of the same classes, and of the
// same form. It is the same for the same text, so that what was equal stays so, and
// a part of a text has a part of its stand-in.
func standIn(text string) string {
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
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'f':
			return 'a' + (r-'a'+1)%6
		case r >= 'A' && r <= 'F':
			return 'A' + (r-'A'+1)%6
		}
		return shiftRune(r)
	}, text), true
}

// base64Form gives what is encoded a stand-in, where that is text.
func base64Form(text string) (string, bool) {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(plain) < 6 || !utf8.Valid(plain) || strings.ContainsFunc(string(plain), unprintable) {
		return "", false
	}
	return base64.StdEncoding.EncodeToString([]byte(standIn(string(plain)))), true
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
