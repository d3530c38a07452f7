package chart

import (
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
