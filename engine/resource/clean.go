package resource

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Clean makes what came from outside fit for one line of text: whatever a terminal
// would act on, and what reorders text or cannot be seen, is spelled as an escape.
func Clean(text string) string { return clean(text, "", `\x`) }

// CleanLines is [Clean] for a text of several lines.
func CleanLines(text string) string { return clean(text, "\n\t", `\x`) }

// CleanJSON is [CleanLines] in the escapes of JSON: a document means the same after
// it, since only texts within quotes have anything to escape.
func CleanJSON(text string) string { return clean(text, "\n\t", `\u00`) }

// clean spells what is harmful as an escape, but for the characters in keep. narrow
// begins the escape of a single byte.
func clean(text, keep, narrow string) string {
	harmful := func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsPrint(r) && !strings.ContainsRune(keep, r)
	}
	if strings.IndexFunc(text, harmful) < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			fmt.Fprintf(&b, `%s%02x`, narrow, text[i])
		case !harmful(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x80:
			fmt.Fprintf(&b, `%s%02x`, narrow, r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
		i += size
	}
	return b.String()
}
