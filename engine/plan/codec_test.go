package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

const hush = "correct-horse-battery-staple"

var mask = plan.Mask{Key: []byte("a key of thirty-two random bytes")}

// rich is a plan with something of everything.
func rich(t *testing.T) *plan.Plan {
	t.Helper()
	generated := resource.Secret(hush + "-drawn")
	generated.Generated = true
	in := input(
		object{block: "hub.prod", component: "hub", kind: "Secret", name: "hub", line: 3,
			want: map[string]any{"data": map[string]any{"a/b~c": resource.Secret(hush), "drawn": generated, "list": []any{resource.Secret(hush), int64(3), 1.5, nil, true}}},
			live: map[string]any{"data": map[string]any{"a/b~c": resource.Secret(hush + "-old")}}},
		object{block: "hub.prod", component: "hub", kind: "Deployment", name: "hub", want: pods("h:2", "b", "hub"), live: pods("h:1", "a", "hub"),
			foreign: []resource.Foreign{{Path: "spec.x", Manager: "kubectl-edit", Wanted: resource.Secret(hush), Live: int64(3)}}},
		object{block: "hub.prod", component: "binder", kind: "ConfigMap", name: "gone", live: data("text", "<a & b>\n")},
		object{block: "hub.prod", component: "binder", kind: "PersistentVolumeClaim", name: "kept", live: data()},
		object{block: "manifest.x", kind: "ConfigMap", name: "x", want: data("a", "2"), live: data("a", "1"), refused: "it belongs to helm"},
	)
	in.Rollouts = []plan.Rollout{{Gates: []plan.Gate{{Name: "alive", Pods: &plan.PodsCheck{MaxRestarts: 1}}}}}
	in.Outputs = map[string]any{"url": "https://hub", "token": resource.Secret(hush)}
	in.Mask = mask
	return build(t, in)
}

func TestRoundTrip(t *testing.T) {
	p := rich(t)
	document, secrets, err := plan.Encode(p, mask)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(document, []byte(hush)) {
		t.Error("the document holds a secret")
	}
	if !bytes.HasSuffix(document, []byte("}\n")) || !bytes.Contains(document, []byte("<a & b>")) {
		t.Error("the document is not as canonical as it should be")
	}
	again, _, err := plan.Encode(rich(t), mask)
	if err != nil || !bytes.Equal(document, again) {
		t.Errorf("the same plan has two documents (%v)", err)
	}
	back, err := plan.Decode(document)
	if err != nil {
		t.Fatal(err)
	}
	if back.ID != p.ID {
		t.Errorf("ID after the round trip = %s, want %s", back.ID, p.ID)
	}
	masked, _, err := plan.Encode(back, mask)
	if err != nil || !bytes.Equal(document, masked) {
		t.Errorf("a decoded plan has another document (%v):\n%s", err, cmp.Diff(string(document), string(masked)))
	}
	lookup := func(place string) (string, bool) { text, found := secrets[place]; return text, found }
	if err := plan.Unmask(back, mask, lookup); err != nil {
		t.Fatal(err)
	}
	same := cmp.Comparer(func(a, b resource.Object) bool { return resource.Equal(map[string]any(a), map[string]any(b)) })
	for i, s := range p.Steps() {
		for j, c := range s.Changes {
			got := back.Steps()[i].Changes[j]
			if diff := cmp.Diff([]resource.Object{c.Before, c.After}, []resource.Object{got.Before, got.After}, same); diff != "" {
				t.Errorf("%s after the round trip (-want +got):\n%s", c.ID, diff)
			}
		}
	}
	whole, _, err := plan.Encode(back, mask)
	if err != nil || !bytes.Equal(document, whole) {
		t.Errorf("an unmasked plan has another document (%v)", err)
	}
}

// TestWithoutKey checks that there are no digests when nothing keys them.
func TestWithoutKey(t *testing.T) {
	document, _, err := plan.Encode(rich(t), plan.Mask{})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(document, []byte(hush)) || strings.Count(string(document), `"$sensitive": ""`) != strings.Count(string(document), `"$sensitive"`) {
		t.Error("a document without a key holds a secret or a digest")
	}
	if _, err := plan.Decode(document); err != nil {
		t.Error(err)
	}
}

func TestUnmaskRefuses(t *testing.T) {
	document, secrets, err := plan.Encode(rich(t), mask)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		reason string
		spoil  func(place, text string) (string, bool)
	}{
		{"a value that is gone", func(string, string) (string, bool) { return "", false }},
		{"another value", func(_, text string) (string, bool) { return text + "!", true }},
	} {
		p, err := plan.Decode(document)
		if err != nil {
			t.Fatal(err)
		}
		err = plan.Unmask(p, mask, func(place string) (string, bool) { return test.spoil(place, secrets[place]) })
		if !errors.Is(err, plan.ErrSecretMoved) || strings.Contains(err.Error(), hush) {
			t.Errorf("%s: Unmask = %v, want ErrSecretMoved without the secret", test.reason, err)
		}
		if again, _, err := plan.Encode(p, mask); err != nil || !bytes.Equal(again, document) {
			t.Errorf("%s: the plan was changed although unmasking failed (%v)", test.reason, err)
		}
	}
}

// TestSensitiveCannotBeEncoded checks that encoding fails closed.
func TestSensitiveCannotBeEncoded(t *testing.T) {
	if text, err := json.Marshal(rich(t)); !errors.Is(err, resource.ErrSensitive) {
		t.Errorf("marshalling a plan past Encode = %d bytes, %v; want ErrSensitive", len(text), err)
	}
	p := build(t, input(object{block: "manifest.x", kind: "ConfigMap", name: "x", want: map[string]any{"spec": map[string]any{"a": "b"}}}))
	p.Waves[0].Steps[0].Changes[0].After.Set("deadbeef", "spec", "$sensitive")
	if _, _, err := plan.Encode(p, mask); err == nil {
		t.Error("an object that looks like a masked value was encoded")
	}
}

func TestDecodeRefuses(t *testing.T) {
	document, _, err := plan.Encode(rich(t), mask)
	if err != nil {
		t.Fatal(err)
	}
	for reason, text := range map[string]string{
		"nothing":                "",
		"no JSON":                "plan",
		"another major version":  strings.Replace(string(document), `"format_version": "2.0"`, `"format_version": "3.0"`, 1),
		"a later minor version":  strings.Replace(string(document), `"format_version": "2.0"`, `"format_version": "2.9"`, 1),
		"a changed image":        strings.Replace(string(document), `"h:2"`, `"evil:2"`, 1),
		"a changed digest":       strings.Replace(string(document), `"$sensitive": "`, `"$sensitive": "0`, 1),
		"something that follows": string(document) + "{}",
		"an unknown action":      strings.Replace(string(document), `"action": "update"`, `"action": "destroy"`, 1),
	} {
		if text == string(document) {
			t.Errorf("%s: the document was not changed", reason)
		}
		if _, err := plan.Decode([]byte(text)); !errors.Is(err, plan.ErrDocument) {
			t.Errorf("%s: Decode = %v, want ErrDocument", reason, err)
		}
	}
}

// TestDecodeReadsOlderVersions checks that what an earlier hubcap wrote is read as it
// was meant, so that its runs can be shown, resumed and rolled back.
func TestDecodeReadsOlderVersions(t *testing.T) {
	document, err := os.ReadFile("testdata/plan_1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Decode(document)
	if err != nil {
		t.Fatal(err)
	}
	want := rich(t)
	if p.FormatVersion != "1.0" || len(p.Steps()) != len(want.Steps()) {
		t.Errorf("read format %s with %d steps, want 1.0 with %d", p.FormatVersion, len(p.Steps()), len(want.Steps()))
	}
	for i, s := range p.Steps() {
		if s.ID != want.Steps()[i].ID || len(s.Changes) != len(want.Steps()[i].Changes) {
			t.Errorf("step %d is %s with %d changes, want %s with %d", i+1, s.ID, len(s.Changes), want.Steps()[i].ID, len(want.Steps()[i].Changes))
		}
	}
}

func FuzzDecode(f *testing.F) {
	in := input(object{block: "manifest.x", kind: "ConfigMap", name: "x", want: map[string]any{"data": map[string]any{"a": resource.Secret("s"), "n": int64(1)}}})
	p, err := plan.Build(in)
	if err != nil {
		f.Fatal(err)
	}
	document, _, err := plan.Encode(p, mask)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(document)
	f.Add([]byte(`{"format_version":"1.0"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := plan.Decode(text)
		if err != nil {
			return
		}
		again, _, err := plan.Encode(p, mask)
		if err != nil {
			t.Fatalf("a decoded plan cannot be encoded: %v", err)
		}
		if _, err := plan.Decode(again); err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v", err)
		}
	})
}
