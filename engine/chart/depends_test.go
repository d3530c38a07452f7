package chart

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"hubcap/engine/resource"
)

// secretForms are sensitive values by their form.
var secretForms = map[string]string{
	"a word":        "hunter2-is-no-password",
	"symbols":       "+-+-+-+-+-",
	"letters":       "straße-naïve-Größe",
	"short":         "s3c",
	"a number":      "48151623",
	"hexadecimal":   "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
	"a UUID":        "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
	"base64":        base64.StdEncoding.EncodeToString([]byte("hunter2-is-no-password")),
	"bytes":         base64.StdEncoding.EncodeToString([]byte{0, 255, 17, 200, 4, 5, 6, 7, 8, 9, 10, 11}),
	"JSON":          `{"type": "service_account", "private_key": "hunter2\n\u00e4", "n": 12.5e3, "on": true}`,
	"PEM":           "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHh1bnRlcjItaXMtbm8tcGFzc3dvcmQtYXQtYWxs\n-----END PRIVATE KEY-----\n",
	"a URL":         "postgres://hub:hunter2%40x@db.example.org:5432/hub?sslmode=require",
	"YAML":          "users:\n  - name: hub\n    password: hunter2\nsize: 10Gi\nenabled: true\n",
	"settings":      "USER=hub\nPASSWORD=hunter2 # hidden\n",
	"a quantity":    "1500Mi",
	"quotes in it":  `it's "hunter2" \ {{ x }}`,
	"many lines":    "hunter2 is\nno password\nat all\n",
	"with a colon":  "hub: hunter2",
	"begins with @": "@hunter2#1",
}

// sureSpellings are what templates make of a value of any form, by name.
var sureSpellings = map[string]string{
	"plain":    `{{ .Values.s | quote }}`,
	"base64":   `{{ .Values.s | b64enc }}`,
	"digest":   `{{ .Values.s | sha256sum }}`,
	"hmac":     `{{ printf "x%s" .Values.s | sha1sum }}`,
	"upper":    `{{ .Values.s | upper | quote }}`,
	"trimmed":  `{{ .Values.s | trim | quote }}`,
	"cut":      `{{ .Values.s | trunc 12 | quote }}`,
	"last":     `{{ .Values.s | trimSuffix "\n" | trunc -9 | quote }}`,
	"url":      `{{ .Values.s | urlquery | quote }}`,
	"json":     `{{ .Values.s | toJson }}`,
	"twice":    `{{ .Values.s | toJson | toJson }}`,
	"squote":   `{{ .Values.s | replace "'" "" | replace "\n" " " | squote }}`,
	"joined":   `{{ printf "https://u:%s@h/" .Values.s | quote }}`,
	"reversed": `{{ .Values.s | splitList "" | reverse | join "" | quote }}`,
	"indented": "|\n    a: b\n{{ .Values.s | indent 4 }}",
	"yaml":     "|\n{{ toYaml (dict \"k\" .Values.s) | indent 4 }}",
	"replaced": `{{ .Values.s | replace "u" "-" | quote }}`,
	"listed":   `{{ list 1 .Values.s | toString | quote }}`,
	"encoded":  `{{ .Values.s | b64enc | b64enc | trunc 10 }}`,
}

// TestEverySpellingIsFound: whatever a template makes of a sensitive value is
// sensitive, and what stands beside it is not.
func TestEverySpellingIsFound(t *testing.T) {
	for form, secret := range secretForms {
		for name, expression := range sureSpellings {
			c := source{"templates/c.yaml": configMap(expression) + "  beside: {{ .Values.tag | quote }}\n  len: \"{{ len .Values.tag }}\"\n", "values.yaml": "tag: 4.1.0"}
			r := c.render(t, Request{Values: map[string]any{"s": resource.Secret(secret)}})
			data := r.Objects[0].Object["data"].(map[string]any)
			cutOff := form == "JSON" || form == "YAML" || form == "PEM" || form == "a URL"
			structure := cutOff && (name == "cut" || name == "last" || name == "encoded") // all that is left of it
			if _, hidden := data["out"].(resource.Sensitive); !hidden && !structure {
				t.Errorf("%s, %s: %q is shown", form, name, data["out"])
			}
			if data["beside"] != "4.1.0" || data["len"] != "5" || len(r.Warnings) > 0 {
				t.Errorf("%s, %s: what is no secret is hidden: %v, %v", form, name, data, r.Warnings)
			}
		}
	}
}

// TestStandIn: a stand-in is of the same form, so that templates treat it alike.
func TestStandIn(t *testing.T) {
	for form, text := range secretForms {
		other := resource.StandIn(text)
		if other == text || len(other) != len(text) || !utf8.ValidString(other) || resource.StandIn(text) != other {
			t.Errorf("%s: %q stands in for %q", form, other, text)
		}
		_, err := base64.StdEncoding.DecodeString(text)
		_, otherErr := base64.StdEncoding.DecodeString(other)
		if (err == nil) != (otherErr == nil) || json.Valid([]byte(text)) != json.Valid([]byte(other)) {
			t.Errorf("%s: %q is of another form than %q", form, other, text)
		}
		before, beforeErr := decode(text)
		after, afterErr := decode(other)
		if beforeErr == nil && form != "with a colon" && (afterErr != nil || reflect.TypeOf(before) != reflect.TypeOf(after) || shape(before) != shape(after)) {
			t.Errorf("%s: %v (%v) is another tree than %v", form, after, afterErr, before)
		}
	}
	for _, word := range []string{"", "true", "False", "null", "no"} {
		if resource.StandIn(word) != word {
			t.Errorf("%q decides what is rendered, and became %q", word, resource.StandIn(word))
		}
	}
	for text, want := range map[string]string{"https://a:b1@c:80/%2F": "https://h:i5@j:35/%2F", "10Gi": "55Gi", "-----": "-----"} {
		if got := resource.StandIn(text); got != want && text != "-----" {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// shape is a tree with its keys and without its values.
func shape(v any) string {
	switch v := v.(type) {
	case map[string]any:
		s := "{"
		for _, key := range sortedKeys(v) {
			s += key + ":" + shape(v[key])
		}
		return s + "}"
	case []any:
		s := "["
		for _, e := range v {
			s += shape(e) + ","
		}
		return s + "]"
	}
	return fmt.Sprintf("%T", v)
}

// TestDependsWithoutCounterpart: where it cannot be told what depends on a sensitive
// value, all of the object does, and a line says so. Nothing more is hidden.
func TestDependsWithoutCounterpart(t *testing.T) {
	other := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: shown}\n"
	for _, test := range []struct {
		reason, template string
		secret           string
		hidden           bool
		warns            string
	}{
		{"an object appears", "{{ if eq .Values.s \"hunter2-x\" }}" + configMap("hidden") + "{{ end }}", "hunter2-x", true, "ConfigMap c"},
		{"it renders with this value only", configMap("hidden") + "  x: {{ index (dict \"hunter2-x\" \"a\") .Values.s | upper }}{{ if ne .Values.s \"hunter2-x\" }}{{ .Values.no.such }}{{ end }}\n", "hunter2-x", true, "ConfigMap c"},
		{"a failure is passed", "{{ if ne .Values.s \"hunter2-x\" }}{{ fail \"no\" }}{{ end }}" + configMap("shown"), "hunter2-x", false, ""},
		{"the name depends on it", strings.Replace(configMap("{{ .Values.s }}"), "name: c", "name: c-{{ .Values.s | sha256sum | trunc 8 }}", 1), "hunter2-x", true, "name of ConfigMap"},
		{"a field appears", configMap("shown") + "{{ if eq .Values.s \"hunter2-x\" }}  more: hidden\n{{ end }}", "hunter2-x", false, ""},
		{"a list is longer", strings.Replace(configMap("shown"), "\ndata:", "\nlist: [a{{ if eq .Values.s \"hunter2-x\" }}, b{{ end }}]\ndata:", 1), "hunter2-x", false, ""},
		{"a number", strings.Replace(configMap("shown"), "\ndata:", "\nnumber: {{ .Values.s | len }}\nport: {{ atoi .Values.n }}\ndata:", 1), "hunter2-x", false, "port"},
	} {
		c := source{"templates/c.yaml": test.template, "templates/o.yaml": other}
		r, err := c.load(t).Render(Request{Release: "rel", Namespace: "ns", Values: map[string]any{"s": resource.Secret(test.secret), "n": resource.Secret("8080")}})
		if err != nil {
			t.Errorf("%s: %v", test.reason, err)
			continue
		}
		for _, o := range r.Objects {
			data := o.Object["data"].(map[string]any)
			if o.Object.Text("metadata", "name") == "other" {
				if data["a"] != "shown" {
					t.Errorf("%s: another object is hidden", test.reason)
				}
				continue
			}
			if _, hidden := data["out"].(resource.Sensitive); hidden != test.hidden {
				t.Errorf("%s: hidden %v: %v", test.reason, hidden, data)
			}
			for _, field := range []any{data["more"], o.Object["list"]} {
				if field != nil && !resource.HasSensitive(field) {
					t.Errorf("%s: shown: %v", test.reason, field)
				}
			}
		}
		if warned := strings.Join(r.Warnings, "\n"); !strings.Contains(warned, test.warns) || test.warns == "" && warned != "" || strings.Contains(warned, "hunter2") {
			t.Errorf("%s: warns %q", test.reason, warned)
		}
	}
}

// TestNothingRenders: when no template can be blamed, all is hidden.
func TestNothingRenders(t *testing.T) {
	c := source{
		"templates/_h.tpl": `{{ define "h" }}{{ if ne .Values.s "hunter2-x" }}{{ .Values.no.such }}{{ end }}{{ end }}`,
		"templates/c.yaml": `{{ include "h" . }}` + configMap("hidden"),
		"templates/d.yaml": strings.Replace(configMap("shown"), "name: c", "name: d", 1),
	}
	r := c.render(t, Request{Values: map[string]any{"s": resource.Secret("hunter2-x")}})
	for _, o := range r.Objects {
		_, hidden := o.Object["data"].(map[string]any)["out"].(resource.Sensitive)
		if hidden != (o.Object.Text("metadata", "name") == "c") {
			t.Errorf("%s: hidden %v", o.Object.Text("metadata", "name"), hidden)
		}
	}
}

// TestLiveSecretIsFound: what a chart takes out of a live Secret is sensitive wherever
// it goes, in every spelling.
func TestLiveSecretIsFound(t *testing.T) {
	c := source{"templates/c.yaml": configMap(`{{ (lookup "v1" "Secret" "ns" "s").data.token | b64dec | upper | trunc 6 | quote }}`) +
		"  list: {{ (index (lookup \"v1\" \"Secret\" \"ns\" \"\").items 0).data.token | sha256sum }}\n  name: {{ (lookup \"v1\" \"Secret\" \"ns\" \"s\").metadata.name }}\n"}
	secret := map[string]any{"metadata": map[string]any{"name": "s"}, "data": map[string]any{"token": base64.StdEncoding.EncodeToString([]byte("hunter2-x"))}}
	lookup := func(_, kind, _, name string) (map[string]any, error) {
		if name == "" {
			return map[string]any{"items": []any{secret}}, nil
		}
		return secret, nil
	}
	data := c.render(t, Request{Lookup: lookup}).Objects[0].Object["data"].(map[string]any)
	for key, want := range map[string]bool{"out": true, "list": true, "name": false} {
		if _, hidden := data[key].(resource.Sensitive); hidden != want {
			t.Errorf("%s: hidden %v", key, hidden)
		}
	}
	if got := text(data["out"]); got != "HUNTER" {
		t.Errorf("the live value became %q", got)
	}
}

// TestSecondRenderingOnlyWhereNeeded: a chart that no sensitive value reaches is
// rendered once; one that a command renders again is not rendered a second time again.
func TestSecondRenderingOnlyWhereNeeded(t *testing.T) {
	asked := 0
	lookup := func(_, kind, _, _ string) (map[string]any, error) {
		asked++
		return nil, nil
	}
	remembered := func() int {
		twins.Lock()
		defer twins.Unlock()
		return len(twins.known)
	}
	c := source{"templates/c.yaml": configMap(`{{ .Values.once | quote }}{{ $_ := lookup "v1" "ConfigMap" "ns" "x" }}`)}
	before := remembered()
	c.render(t, Request{Values: map[string]any{"once": "plain"}, Lookup: lookup})
	if remembered() != before || asked != 1 {
		t.Errorf("a chart without secrets is rendered twice, and asks %d times", asked)
	}
	for range 3 {
		r := c.render(t, Request{Values: map[string]any{"once": resource.Secret("hunter2-once")}, Lookup: lookup})
		if v, _ := r.Objects[0].Object.Value("data", "out"); !resource.HasSensitive(v) {
			t.Error("what is remembered marks nothing")
		}
	}
	if got := remembered() - before; got != 1 {
		t.Errorf("%d second renderings of one", got)
	}
	c.render(t, Request{Values: map[string]any{"once": resource.Secret("hunter2-other")}, Lookup: lookup})
	if got := remembered() - before; got != 2 {
		t.Errorf("%d second renderings of two", got)
	}
}

// TestSpellings: the pieces of a text that depend on the secret are known, for
// messages that quote a part of it.
func TestSpellings(t *testing.T) {
	c := source{"templates/c.yaml": configMap(`{{ printf "before %s after, %s" .Values.s (upper .Values.s) | quote }}`)}
	r := c.render(t, Request{Values: map[string]any{"s": resource.Secret("hunter2-x")}})
	v, _ := r.Objects[0].Object.Value("data", "out")
	if got := v.(resource.Sensitive).Pieces(); !reflect.DeepEqual(got, []string{"hunter2-x", "HUNTER2-X"}) {
		t.Errorf("%q", got)
	}
}

// FuzzStandIn: whatever a secret is, its stand-in has its length and its place in YAML
// and JSON, and is always the same.
func FuzzStandIn(f *testing.F) {
	for _, text := range secretForms {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		other := resource.StandIn(text)
		if !utf8.ValidString(text) {
			return // no value of a config is that
		}
		if len(other) != len(text) || !utf8.ValidString(other) || resource.StandIn(text) != other || json.Valid([]byte(text)) != json.Valid([]byte(other)) {
			t.Errorf("%q stands in for %q", other, text)
		}
		if strings.Count(text, "\n") != strings.Count(other, "\n") {
			t.Errorf("%q has other lines than %q", other, text)
		}
	})
}
