package chart

import (
	"strings"
	"testing"

	"hubcap/engine/resource"
)

// TestErrorsQuoteNoSecret: an error of a template is shown when it cannot quote a
// sensitive value, and otherwise only where it happened.
func TestErrorsQuoteNoSecret(t *testing.T) {
	const secret = "hunter2-is-no-password"
	schema := `{"properties": {"s": {"type": "string", "pattern": "^[0-9]+$"}, "n": {"type": "number"}}}`
	for _, test := range []struct {
		reason, template, schema string
		shows                    string // "": the text is withheld
	}{
		{"a failure that quotes it", `{{ fail (printf "bad token %s" .Values.s) }}`, "", ""},
		{"a failure that cuts it", `{{ fail (printf "bad token %s" (trunc 6 .Values.s | upper)) }}`, "", ""},
		{"a failure that encodes it", `{{ fail (b64enc .Values.s) }}`, "", ""},
		{"a failure of the author's words", `{{ fail "the token must be of 32 letters" }}`, "", "the token must be of 32 letters"},
		{"one that only this value meets", `{{ if hasPrefix "hunter2" .Values.s }}{{ fail "the token is too weak" }}{{ end }}`, "", "the token is too weak"},
		{"one that says what is no secret", `{{ fail (printf "no tag %s" .Values.tag) }}`, "", "no tag 4.1.0"},
		{"an error of a function", `{{ mustToDate "2006-01-02" .Values.s }}`, "", ""},
		{"a wrong type", `{{ .Values.s.field }}`, "", "can't evaluate field"},
		{"an index", `{{ index (list 1 2) .Values.s }}`, "", "index"},
		{"no YAML", "a: b\n{{ .Values.s }}: {\n", "", ""},
		{"no YAML beside it", configMap("x") + "\tx: {\n# {{ .Values.tag }}", "", "renders invalid YAML"},
		{"no object", `{{ .Values.s | quote }}`, "", "renders a string"},
		{"a missing value", `{{ required "say the domain" .Values.none }}`, "", "say the domain"},
		{"a value of a schema", configMap("x"), schema, ""},
	} {
		files := source{"templates/c.yaml": test.template, "values.yaml": "tag: 4.1.0\n"}
		if test.schema != "" {
			files["values.schema.json"] = test.schema
		}
		for _, draft := range []bool{false, true} {
			_, err := files.load(t).Render(Request{Release: "rel", Namespace: "ns", Draft: draft, Values: map[string]any{"s": resource.Secret(secret)}})
			if err == nil {
				t.Errorf("%s: it renders", test.reason)
				continue
			}
			said := err.Error()
			for _, piece := range []string{"hunter2", "hunter", "aHVudGVy"} {
				if strings.Contains(strings.ToLower(said), strings.ToLower(piece)) {
					t.Errorf("%s: quotes it: %s", test.reason, said)
				}
			}
			withheld := strings.Contains(said, "not shown")
			if test.shows == "" && !withheld || test.shows != "" && (withheld || !strings.Contains(said, test.shows)) {
				t.Errorf("%s: %s", test.reason, said)
			}
			if test.schema == "" && !strings.Contains(said, "test/templates/c.yaml") {
				t.Errorf("%s: it does not say where: %s", test.reason, said)
			}
		}
	}
}
