package render

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// attacks are what must not reach a terminal, by what it does there.
var attacks = map[string]string{
	"clears the screen":       "\x1b[2J",
	"moves the cursor":        "\x1b[10A",
	"hides text":              "\x1b[8m",
	"sets the title":          "\x1b]0;owned\a",
	"copies to the clipboard": "\x1b]52;c;cm0gLXJm\x07",
	"an 8-bit CSI":            "\u009b2J",
	"overwrites the line":     "all is well\rall is not",
	"deletes back":            "bad\b\b\bgood",
	"overrides direction":     "\u202egnp.exe\u202c",
	"embeds direction":        "\u202aa\u202b\u202d",
	"isolates":                "\u2066a\u2067b\u2068c\u2069",
	"marks of direction":      "\u200e\u200f\u061c",
	"zero width":              "a\u200bb\u200cc\u200d\u2060\ufeff",
	"separators":              "a\u2028b\u2029c\u0085d",
	"no text":                 "a\xff\xfe\xc3(",
	"a byte alone":            "\x9b2J",
	"nothing":                 "a\x00b",
	"deleted":                 "a\x7fb",
	"tags":                    "\U000e0041\U000e007f",
	"half a colour":           "\x1b[31",
	"a colour":                "\x1b[31mred\x1b[0m",
}

func isHarmless(t *testing.T, reason, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s: no text comes through: %q", reason, text)
	}
	for _, r := range text {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			t.Errorf("%s: %U comes through: %q", reason, r, text)
			return
		}
	}
}

func TestScreen(t *testing.T) {
	for reason, attack := range attacks {
		var b bytes.Buffer
		if n, err := NewScreen(&b, nil).Write([]byte("before " + attack + " after\n\tnext")); err != nil || n != len(attack)+19 {
			t.Errorf("%s: wrote %d, %v", reason, n, err)
		}
		isHarmless(t, reason, b.String())
		if got := b.String(); !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after\n\tnext") {
			t.Errorf("%s: what is around it is gone: %q", reason, got)
		}
	}
	if got := Harmless("grün · → … 日本語 é \n\tx", false); got != "grün · → … 日本語 é \n\tx" {
		t.Errorf("what is harmless changed: %q", got)
	}
}

// TestScreenColours: hubcap's own colours pass where there is colour, and no other
// sequence ever.
func TestScreenColours(t *testing.T) {
	own := Style{Color: true}
	for _, c := range []string{own.paint(green, "a"), own.paint(bold, "a"), own.paint(faint, "a"), own.paint(red, "a"), own.paint(cyan, "a"), own.paint(yellow, "a")} {
		if got := Harmless(c, true); got != c {
			t.Errorf("%q became %q", c, got)
		}
		isHarmless(t, "a colour without colour", Harmless(c, false))
	}
	for reason, attack := range attacks {
		if reason != "a colour" {
			isHarmless(t, reason, Harmless(attack, true))
		}
	}
}

// FuzzScreen: whatever comes, only harmless text leaves, and JSON stays JSON that
// means the same.
func FuzzScreen(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := Harmless(text, false)
		isHarmless(t, "fuzz", once)
		if Harmless(once, false) != once {
			t.Errorf("twice is not once: %q", text)
		}
		var before, after any
		document, err := json.Marshal(map[string]string{text: text})
		if err != nil {
			t.Fatal(err)
		}
		shown := Harmless(string(document), false)
		if err := json.Unmarshal([]byte(shown), &after); err != nil {
			t.Fatalf("%q is no JSON any more: %v", shown, err)
		}
		if err := json.Unmarshal(document, &before); err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%q means %v, and meant %v (%v)", shown, after, before, err)
		}
	})
}
