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
