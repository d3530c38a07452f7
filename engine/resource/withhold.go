package resource

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	leastPart  = 3  // a quoted text that is a part of a sensitive one
	leastShare = 6  // what a quoted text has in common with a sensitive one
	leastDrawn = 6  // letters and digits that look drawn
	longWord   = 20 // letters alone that look encoded
	plainWord  = 10 // an unquoted word of letters that is a part of a text by accident
)

// apiVersion finds what of a group and version has digits, and is no secret.
var apiVersion = regexp.MustCompile(`\bv[0-9]+(?:(?:alpha|beta)[0-9]+)?\b|k8s\.io|ipv[46]`)

// wordText is a text of words: names, quantities of nothing, sentences.
var wordText = regexp.MustCompile(`^[\pL0-9 _.,:/-]*$`)

// mayTell reports whether a text, in lower case and as it is, may be made of one of the hidden ones: it
// is a part of one, has a part in common with one, or does not look like words.
func mayTell(text, raw string, hidden []string) bool {
	backwards := []rune(text)
	slices.Reverse(backwards)
	for _, secret := range hidden {
		if secret != "" && (text == secret || len(secret) >= leastPart && strings.Contains(text, secret)) {
			return true
		}
		if len(text) >= leastPart && (strings.Contains(secret, text) || strings.Contains(secret, string(backwards))) {
			return true
		}
		if sharePart(text, secret) {
			return true
		}
	}
	if !wordText.MatchString(text) {
		return true
	}
	if plain, err := base64.StdEncoding.DecodeString(raw); err == nil && len(plain) >= leastShare && utf8.Valid(plain) && !strings.ContainsFunc(string(plain), unprintable) {
		return true
	}
	return strings.ContainsFunc(apiVersion.ReplaceAllString(text, ""), unicode.IsDigit) && len(text) >= leastDrawn || slices.ContainsFunc(strings.FieldsFunc(text, func(c rune) bool { return !unicode.IsLetter(c) }), func(word string) bool { return len(word) >= longWord })
}

// sharePart reports whether two texts have a part in common that is no accident.
func sharePart(a, b string) bool {
	for i := 0; i+leastShare <= len(a); i++ {
		if part := a[i : i+leastShare]; strings.Contains(b, part) && !isVocabulary(part) {
			return true
		}
	}
	return false
}

// isVocabulary reports whether a text is a part of a word that servers use themselves.
func isVocabulary(part string) bool {
	part = strings.Trim(part, "-_.,:/ ")
	return slices.ContainsFunc(vocabulary, func(word string) bool { return strings.Contains(word, part) })
}

// hiddenTexts returns the sensitive texts of an object of whatever length, in lower case.
func hiddenTexts(v any) (texts []string) {
	MapLeaves(v, func(leaf any) any {
		if s, is := leaf.(Sensitive); is {
			for _, piece := range append(s.Pieces(), s.Reveal()) {
				texts = append(texts, lower(piece))
				if plain, err := base64.StdEncoding.DecodeString(piece); err == nil && utf8.Valid(plain) {
					texts = append(texts, lower(string(plain)))
				}
			}
		}
		return leaf
	})
	return texts
}

// withoutWords masks every word that can be told to be a part of a sensitive text. A word of
// letters somewhere within one is no such part: longer texts hold ordinary words.
func (r *Redactor) withoutWords(text string) string {
	_, known := r.spellings()
	isWord := func(c rune) bool {
		return unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("-_.+/=", c)
	}
	var b strings.Builder
	for len(text) > 0 {
		end := strings.IndexFunc(text, func(c rune) bool { return !isWord(c) })
		if end < 0 {
			end = len(text)
		}
		if word := lower(strings.TrimRight(text[:end], ".-")); len(word) >= leastWord && !slices.Contains(vocabulary, word) && isPart(word, known) {
			b.WriteString(Mask)
		} else {
			b.WriteString(text[:end])
		}
		text = text[end:]
		next := strings.IndexFunc(text, isWord)
		if next < 0 {
			next = len(text)
		}
		b.WriteString(text[:next])
		text = text[next:]
	}
	return b.String()
}

// isPart reports whether a word is a part of one of the texts, and not by accident: it begins or ends one,
// is long, or is more than letters.
func isPart(word string, texts []string) bool {
	telling := len(word) >= plainWord || strings.ContainsFunc(word, func(c rune) bool { return !unicode.IsLetter(c) })
	return slices.ContainsFunc(texts, func(secret string) bool {
		return telling && strings.Contains(secret, word) || strings.HasPrefix(secret, word) || strings.HasSuffix(secret, word)
	})
}
