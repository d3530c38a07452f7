package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestAddressRoundTrip(t *testing.T) {
	for _, a := range []Address{
		{Kind: "hub", Name: "prod"},
		{Kind: "hub", Name: "prod", Object: "Deployment/hub"},
		{Kind: "hub", Name: `binder["a/b.c"]`, Object: "ConfigMap/other/hub"},
		{Module: "module.pools", Kind: "node_pool", Name: "user"},
		{Module: "module.a.module.b", Kind: "manifest", Name: "x", Object: "Secret/s"},
	} {
		if got := ParseAddress(a.String()); got != a {
			t.Errorf("ParseAddress(%q) = %+v, want %+v", a, got, a)
		}
	}
}

// TestSensitiveIsHidden tries every way in which a value could slip out.
func TestSensitiveIsHidden(t *testing.T) {
	const hush = "correct-horse"
	s := Secret(hush)
	held := struct {
		S Sensitive
		M map[string]any
	}{s, map[string]any{"a": []any{s}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{s, &s, held, Object{"a": s}, Field{Before: s}} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, hush) || strings.Contains(text, fmt.Sprintf("%x", hush)) {
				t.Errorf("%s of %T shows the value", verb, v)
			}
		}
	}
	if _, err := json.Marshal(held); !errors.Is(err, ErrSensitive) {
		t.Errorf("Marshal = %v, want ErrSensitive", err)
	}
	if text, err := json.Marshal(map[Sensitive]int{s: 1}); err == nil {
		t.Errorf("Marshal of a key = %s, want an error", text)
	}
}

func TestEqual(t *testing.T) {
	for _, test := range []struct {
		reason string
		a, b   any
		want   bool
	}{
		{"numbers by value", int64(3), 3.0, true},
		{"numbers that differ", int64(3), 3.5, false},
		{"a number is no text", int64(3), "3", false},
		{"maps whatever their order", map[string]any{"a": int64(1), "b": nil}, map[string]any{"b": nil, "a": 1.0}, true},
		{"null is not nothing", map[string]any{"a": nil}, map[string]any{}, false},
		{"lists in their order", []any{"a", "b"}, []any{"b", "a"}, false},
		{"secrets by what they hide", Secret("x"), Secret("x"), true},
		{"a secret is no text", Secret("x"), "x", false},
	} {
		if got := Equal(test.a, test.b); got != test.want {
			t.Errorf("%s: %v", test.reason, got)
		}
		if got := Equal(test.b, test.a); got != test.want {
			t.Errorf("%s, the other way round: %v", test.reason, got)
		}
	}
}

func TestDigest(t *testing.T) {
	a := Object{"x": map[string]any{"n": int64(3), "s": Secret("hush")}}
	if Digest(a) != Digest(Object{"x": map[string]any{"s": "hush", "n": 3.0}}) {
		t.Error("equal objects have different digests")
	}
	if Digest(a) == Digest(Object{"x": map[string]any{"n": int64(3), "s": Secret("other")}}) {
		t.Error("objects that differ in a secret have one digest")
	}
}

// TestCopyIsDeep checks that a copy shares nothing with what it was made from.
func TestCopyIsDeep(t *testing.T) {
	o := Object{"l": []any{map[string]any{"a": "1"}}, "m": map[string]any{"b": "2"}}
	c := o.Copy()
	o["l"].([]any)[0].(map[string]any)["a"] = "changed"
	o.Set("changed", "m", "b")
	if c.Text("m", "b") != "2" || c["l"].([]any)[0].(map[string]any)["a"] != "1" {
		t.Errorf("copy changed with its original: %v", c)
	}
	o.Set("new", "p", "q", "r")
	if o.Text("p", "q", "r") != "new" {
		t.Error("Set does not make the maps on the way")
	}
	if _, has := o.Value("p", "q", "r", "s"); has {
		t.Error("a text has a value inside")
	}
}

func TestWordsRoundTrip(t *testing.T) {
	for a := Create; a <= Delete; a++ {
		var back Action
		text, _ := a.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != a || a.Symbol() == "" {
			t.Errorf("action %d came back as %d (%v)", a, back, err)
		}
	}
	for c := ClassNoop; c <= ClassOneWay; c++ {
		var back Class
		text, _ := c.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != c {
			t.Errorf("class %d came back as %d (%v)", c, back, err)
		}
	}
}
