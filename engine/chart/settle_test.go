package chart

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"hubcap/engine/resource"
)

// A chart as z2jh is: it keeps a token in a Secret, takes the live one if there
// is one, and prints its checksum elsewhere. Every include draws again.
var tokens = source{
	"templates/_token.tpl": `{{ define "token" -}}
{{- $live := lookup "v1" "Secret" .Release.Namespace "s" -}}
{{- if and $live $live.data (hasKey $live.data "token") }}{{ $live.data.token | b64dec }}{{ else }}{{ randAlphaNum 32 }}{{ end }}
{{- end }}`,
	"templates/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  token: {{ include \"token\" . }}\n  fixed: {{ .Values.fixed | quote }}\n",
	"templates/c.yaml":      configMap(`{{ include "token" . | sha256sum | trunc 4 | quote }}`),
	"values.yaml":           "fixed: always",
}

func secretOf(t *testing.T, r Rendered) map[string]any {
	t.Helper()
	for _, o := range r.Objects {
		if o.Object.Text("kind") == "Secret" {
			return o.Object["data"].(map[string]any)
		}
	}
	t.Fatal("no Secret")
	return nil
}

func text(v any) string {
	s, _ := resource.Reveal(v).(string)
	return s
}

func isGenerated(v any) bool {
	s, isSensitive := v.(resource.Sensitive)
	return isSensitive && s.Generated
}

func TestFirstRenderIsTheFixpoint(t *testing.T) {
	first := tokens.render(t, Request{})
	live := map[string]any{}
	for key, value := range secretOf(t, first) {
		live[key] = text(value)
	}
	lookup := func(apiVersion, kind, namespace, name string) (map[string]any, error) {
		if kind == "Secret" && namespace == "ns" && name == "s" {
			return map[string]any{"data": live}, nil
		}
		return nil, nil
	}
	again := tokens.render(t, Request{Lookup: lookup, Release: "rel", Namespace: "ns"})
	if got, want := out(t, again), out(t, first); got != want {
		t.Errorf("the checksum moves from %s to %s after the first apply", want, got)
	}
	if text(secretOf(t, again)["token"]) != text(secretOf(t, first)["token"]) {
		t.Error("the token moves after the first apply")
	}
	token := secretOf(t, first)["token"]
	if !isGenerated(token) || isGenerated(secretOf(t, first)["fixed"]) {
		t.Error("the token is generated, and what values say is not")
	}
	if v, _ := first.Objects[0].Object.Value("data", "out"); !isGenerated(v) {
		t.Error("the checksum of a generated token depends on chance too")
	}
	if isGenerated(secretOf(t, again)["token"]) {
		t.Error("nothing is left to chance when the token is live")
	}
}

func TestNewKeyOfALiveSecretIsDrawnOnce(t *testing.T) {
	// The live Secret is from before the chart had a token.
	lookup := func(_, kind, _, name string) (map[string]any, error) {
		if kind == "Secret" && name == "s" {
			return map[string]any{"data": map[string]any{"fixed": "YWx3YXlz"}}, nil
		}
		return nil, nil
	}
	r := tokens.render(t, Request{Lookup: lookup, Release: "rel", Namespace: "ns"})
	token, err := base64.StdEncoding.DecodeString(text(secretOf(t, r)["token"]))
	if err != nil || len(token) != 32 {
		t.Fatalf("token: %v", err)
	}
	check := source{"templates/c.yaml": configMap(`{{ .Values.t | sha256sum | trunc 4 | quote }}`)}
	if got, want := out(t, r), out(t, check.render(t, Request{Values: map[string]any{"t": string(token)}})); got != want {
		t.Errorf("checksum %s, and that of the token is %s", got, want)
	}
}

func TestEagerDrawsThatAreNotUsedChangeNothing(t *testing.T) {
	files := source{"templates/c.yaml": configMap(`{{ coalesce .Values.token (randAlphaNum 8) }}`)}
	r := files.render(t, Request{Values: map[string]any{"token": "given"}})
	if v, _ := r.Objects[0].Object.Value("data", "out"); v != "given" {
		t.Errorf("got %v, want the plain text", v)
	}
}

func TestClockIsChance(t *testing.T) {
	files := source{"templates/c.yaml": configMap(`{{ now | date "2006" | quote }}`)}
	if v, _ := files.render(t, Request{}).Objects[0].Object.Value("data", "out"); !isGenerated(v) {
		t.Error("a year is another one next year")
	}
}

func TestRandomNamesAreRefused(t *testing.T) {
	files := source{"templates/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'c-{{ randAlphaNum 8 | lower }}'}\n"}
	_, err := files.load(t).Render(Request{Release: "r"})
	if err == nil || !strings.Contains(err.Error(), "at random") {
		t.Errorf("got %v", err)
	}
}

func TestRandomNumbersWarn(t *testing.T) {
	files := source{"templates/s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {nodePort: {{ randInt 30000 32767 }}}\n"}
	if r := files.render(t, Request{}); len(r.Warnings) != 1 {
		t.Errorf("warnings: %v", r.Warnings)
	}
}

func TestLookup(t *testing.T) {
	calls := 0
	live := func(_, kind, _, name string) (map[string]any, error) {
		calls++
		switch {
		case kind == "ConfigMap" && name == "":
			return map[string]any{"items": []any{map[string]any{"metadata": map[string]any{"name": "one"}}}}, nil
		case name == "there":
			return map[string]any{"data": map[string]any{"k": resource.Secret("dmFsdWU=")}}, nil
		}
		return nil, nil
	}
	tests := []struct{ expression, want, reason string }{
		{`{{ (lookup "v1" "Secret" "ns" "there").data.k | b64dec }}`, "value", "a sensitive value is plain to the template"},
		{`{{ len (lookup "v1" "ConfigMap" "ns" "").items | quote }}`, "1", "a list"},
		{`{{ len (lookup "v1" "ConfigMap" "ns" "gone") | quote }}`, "0", "what is not there is an empty table"},
		{`{{ $o := lookup "v1" "Secret" "ns" "there" }}{{ $_ := set $o "data" 1 }}{{ (lookup "v1" "Secret" "ns" "there").data.k | b64dec }}`,
			"value", "a template cannot change what the next one sees"},
	}
	for _, test := range tests {
		calls = 0
		r := source{"templates/c.yaml": configMap(test.expression)}.render(t, Request{Lookup: live, Release: "r", Namespace: "ns"})
		if got := out(t, r); got != test.want {
			t.Errorf("%s: got %q, want %q", test.reason, got, test.want)
		}
		if calls != 1 {
			t.Errorf("%s: asked %d times", test.reason, calls)
		}
	}
}

func TestLookupErrorAborts(t *testing.T) {
	forbidden := errors.New("secrets is forbidden")
	files := source{"templates/c.yaml": configMap(`{{ lookup "v1" "Secret" "ns" "s" | toJson | quote }}`)}
	_, err := files.load(t).Render(Request{Release: "r", Lookup: func(_, _, _, _ string) (map[string]any, error) { return nil, forbidden }})
	if err == nil || !strings.Contains(err.Error(), "look up Secret s") || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("got %v", err)
	}
}

func TestOnlySecretsAreFedBack(t *testing.T) {
	files := source{
		"templates/c.yaml": configMap(`"{{ len (lookup "v1" "ConfigMap" "ns" "c") }} {{ (lookup "v1" "Secret" "ns" "").items | default list | len }}"`),
		"templates/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
	}
	if got := out(t, files.render(t, Request{Release: "r", Namespace: "ns"})); got != "0 1" {
		t.Errorf("got %q: a chart must not find its own ConfigMap, and finds its Secret", got)
	}
}

func TestDraftIsTheFirstPass(t *testing.T) {
	var mu sync.Mutex
	calls := 0
	lookup := func(string, string, string, string) (map[string]any, error) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		return nil, nil
	}
	r := tokens.render(t, Request{Lookup: lookup, Release: "rel", Namespace: "ns", Draft: true})
	if len(r.Objects) != 2 || isGenerated(secretOf(t, r)["token"]) || calls != 1 {
		t.Errorf("%d objects after %d lookups", len(r.Objects), calls)
	}
	names := source{"templates/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'c-{{ randAlphaNum 8 | lower }}'}\n"}
	names.render(t, Request{Release: "r", Draft: true})
}

// A short draw may come to the same twice: a third one tells.
func TestNarrowDrawsAreFoundOut(t *testing.T) {
	files := source{"templates/c.yaml": configMap("x\n{{ range until 40 }}  k{{ . }}: {{ randNumeric 1 | quote }}\n{{ end }}")}
	missed := 0
	for range 50 {
		data, _ := files.render(t, Request{Release: "r"}).Objects[0].Object.Value("data")
		for key, v := range data.(map[string]any) {
			if key != "out" && !isGenerated(v) {
				missed++
			}
		}
	}
	// Of 2000, one twin misses 200 and two miss 20.
	if missed > 100 {
		t.Errorf("missed %d of 2000", missed)
	}
}

// What a pass shares with another must not be marked for both.
func TestPassesShareWhatIsTheSame(t *testing.T) {
	files := source{
		"templates/a.yaml": strings.Replace(configMap("same"), "name: c", "name: a", 1),
		"templates/c.yaml": configMap(`{{ randAlphaNum 20 }}`),
	}
	r := files.render(t, Request{Release: "r"})
	if v, _ := r.Objects[0].Object.Value("data", "out"); v != "same" {
		t.Errorf("got %v", v)
	}
	if v, _ := r.Objects[1].Object.Value("data", "out"); !isGenerated(v) {
		t.Errorf("got %v", v)
	}
}
