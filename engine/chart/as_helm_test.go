package chart

import (
	"os"
	"strings"
	"testing"
)

func TestNumbersThatHelmRounds(t *testing.T) {
	files := source{"templates/c.yaml": configMap(`"{{ .Values.id | int64 }} {{ .Values.list }}"`)}
	r := files.render(t, Request{Values: map[string]any{"id": int64(9007199254740993), "list": []any{int64(1), int64(-9007199254740993)}}})
	if got, want := out(t, r), "9007199254740992 [1 -9.007199254740992e+15]"; got != want {
		t.Errorf("got %q, and Helm has %q", got, want)
	}
	if len(r.Warnings) != 2 || !strings.Contains(strings.Join(r.Warnings, " "), "number at list.1 has") {
		t.Errorf("warnings: %v", r.Warnings)
	}
	r = files.render(t, Request{Values: map[string]any{"id": int64(1) << 53, "list": []any{}}})
	if len(r.Warnings) != 0 || out(t, r) != "9007199254740992 []" {
		t.Errorf("got %q, %v", out(t, r), r.Warnings)
	}
}

// Templates that trim too much print the marker and the first key on one line,
// and Helm takes that.
func TestMarkersAsHelmTakesThem(t *testing.T) {
	tests := []struct {
		text   string
		want   int
		reason string
	}{
		{"---kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n", 1, "stuck to the first key"},
		{"--- \nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n", 1, "with a space behind"},
		{"--- # comment\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n", 1, "with a comment"},
		{"---\r\nkind: ConfigMap\r\napiVersion: v1\r\nmetadata: {name: a}\r\n---\r\n", 1, "with carriage returns"},
		{"kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n---kind: ConfigMap\napiVersion: v1\nmetadata: {name: b}\n", 2, "the second one stuck"},
		{"kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata:\n  pem: |\n    -----BEGIN-----\n    ---\n", 1, "indented, it is text"},
	}
	for _, test := range tests {
		objects, err := decodeFile("t", test.text)
		if err != nil || len(objects) != test.want {
			t.Errorf("%s: %d objects, %v", test.reason, len(objects), err)
		}
	}
}

// A block of text at the end of a document has the line break that Helm writes
// behind the document, and no more.
func TestEndsAsHelmEndsThem(t *testing.T) {
	const head = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata:\n  rules: "
	tests := []struct{ text, want, reason string }{
		{head + "|\n    {}", "{}\n", "what follows is trimmed away"},
		{head + "|\n    {}\n", "{}\n", "as written"},
		{head + "|\n    {}\n\n\n---\n", "{}\n", "more than one"},
		{head + "|+\n    {}\n\n\n", "{}\n", "to be kept, and Helm trims before"},
		{head + "|-\n    {}\n", "{}", "to be left out"},
		{head + "|\n    {}   ", "{}\n", "space behind"},
		{head + "'{}'", "{}", "no block"},
	}
	for _, test := range tests {
		objects, err := decodeFile("t", test.text)
		if err != nil || len(objects) != 1 {
			t.Errorf("%s: %d objects, %v", test.reason, len(objects), err)
			continue
		}
		if got := objects[0].Object.Text("data", "rules"); got != test.want {
			t.Errorf("%s: got %q, and Helm has %q", test.reason, got, test.want)
		}
	}
}

// TestNumbersAsHelmPrintsThem is TestNumbersAsHelmReadsThem without Helm: what Helm 3.19
// makes of the same table, as a default and as a value.
func TestNumbersAsHelmPrintsThem(t *testing.T) {
	const rounded = "1.2345678901234567e+19"
	want := map[string]string{
		"u64": rounded + " float64", "u64.quoted": rounded, "over53": "9.007199254740992e+15 float64", "negative": "-9.007199254740992e+15 float64",
		"i64": "9.223372036854776e+18 float64", "huge": "1.2345678901234568e+29 float64", "version": "1.1 float64", "exponent": "1000 float64", "plusexponent": "1500 float64",
		"octal": "15 float64", "zero": "8 float64", "hex": "31 float64", "binary": "5 float64", "point": "0.5 float64", "behind": "5 float64",
		"underscore": "1000 float64", "underscores": "1000.5 float64", "plus": "5 float64", "minuszero": "0 float64", "whole": "1 float64",
		"million": "1e+06 float64", "date8": "2.0240115e+07 float64", "e21": "1e+21 float64", "small": "1e-06 float64", "tiny": "1e-07 float64",
		"digits": "0.12345678901234568 float64", "sexagesimal": "1:30 string", "date": "2024-01-01 string", "quoted": "1.10 string",
	}
	c, err := NewLibrary(nil).Load(Source{Location: "testdata/numbers"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/numbers/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	values, err := decode(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, over := range map[string]map[string]any{"defaults": nil, "values": values.(map[string]any)} {
		r, err := c.Render(Request{Release: "rel", Namespace: "ns", Values: over})
		if err != nil {
			t.Fatal(err)
		}
		data := r.Objects[0].Object["data"].(map[string]any)
		for key, text := range want {
			if data[key] != text {
				t.Errorf("%s: %s is %q, and %q to Helm", name, key, data[key], text)
			}
		}
		told := strings.Join(r.Warnings, "\n")
		if over == nil {
			continue // the chart's author answers for its defaults
		}
		for _, key := range []string{"u64", "i64", "over53", "negative", "huge"} {
			if !strings.Contains(told, "number at spellings."+key+" has more digits") {
				t.Errorf("%s is not told: %s", key, told)
			}
		}
	}
	r, err := c.Render(Request{Release: "rel", Namespace: "ns", Values: map[string]any{"spellings": map[string]any{"tag": int64(20240115), "imageVersion": int64(12)}}})
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "spellings.tag is 2.0240115e+07 to Helm") {
		t.Errorf("a version of digits: %v, %v", r.Warnings, err)
	}
}
