package resource

import (
	"fmt"
	"strings"
	"testing"
)

// holding returns an object with sensitive values in every sort of place.
func holding() Object {
	return Object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "d"},
		"spec": map[string]any{
			"containers": []any{
				map[string]any{"name": "hub", "image": "hub:1", "env": []any{
					map[string]any{"name": "PLAIN", "value": "1"}, map[string]any{"name": "TOKEN", "value": Secret("s3cr3t")},
				}},
				map[string]any{"name": "side", "args": []any{"--port=1", Secret("--token=s3cr3t")}},
			},
			"a/b~c": Secret("s3cr3t"),
		},
	}
}

func TestRememberSensitive(t *testing.T) {
	o := holding()
	RememberSensitive(o)
	want := `["/spec/a~1b~0c","/spec/containers/name=hub/env/name=TOKEN/value","/spec/containers/name=side/args"]`
	if got := o.Text("metadata", "annotations", AnnotationSensitive); got != want {
		t.Errorf("remembers %s, want %s", got, want)
	}
	again := o.Copy()
	RememberSensitive(again)
	if !Equal(map[string]any(o), map[string]any(again)) {
		t.Error("remembering twice is not the same")
	}
	plain := Object(Reveal(o).(map[string]any))
	if Digest(o) != Digest(holding()) || Digest(plain) != Digest(o) {
		t.Error("the marking is part of the digest")
	}
	RememberSensitive(plain)
	if _, has := plain.Value("metadata", "annotations"); has {
		t.Errorf("an object without secrets remembers some: %v", plain)
	}
	secret := Object{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s"}, "data": map[string]any{"a": Secret("x")}}
	if RememberSensitive(secret); secret.Text("metadata", "annotations", AnnotationSensitive) != "" {
		t.Error("the data of a Secret is remembered")
	}
}

func TestRememberTooMuch(t *testing.T) {
	data := map[string]any{}
	for i := range 2000 {
		data[fmt.Sprintf("a-rather-long-key-%d", i)] = Secret("s3cr3t")
	}
	o := Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "c", "labels": map[string]any{"a": "b"}}, "data": data}
	RememberSensitive(o)
	paths, _ := Remembered(o)
	if len(paths) != 1 || paths[0] != "" {
		t.Fatalf("%d paths", len(paths))
	}
	live := Object(Reveal(o).(map[string]any))
	live["data"].(map[string]any)["by-hand"] = "x"
	HideRemembered(live, paths, Hide)
	if live.Text("metadata", "name") != "c" || live.Text("metadata", "labels", "a") != "b" || strings.Contains(fmt.Sprint(live), "s3cr3t") {
		t.Errorf("hidden: %v", live)
	}
}

// TestHideRemembered: a value stays hidden when the config holds it no more, and
// whatever others did to the lists around it.
func TestHideRemembered(t *testing.T) {
	o := holding()
	RememberSensitive(o)
	paths, digest := Remembered(o)
	if _, none := Remembered(Object{}); none == digest || none == "" {
		t.Error("no memory cannot be told from a memory")
	}
	env := func(o Object) map[string]any {
		containers, _ := o.Value("spec", "containers")
		return containers.([]any)[0].(map[string]any)
	}
	for reason, change := range map[string]func(o Object){
		"as written":        func(Object) {},
		"items moved":       func(o Object) { e := env(o)["env"].([]any); e[0], e[1] = e[1], e[0] },
		"an item went":      func(o Object) { env(o)["env"] = env(o)["env"].([]any)[1:] },
		"two of one name":   func(o Object) { env(o)["env"].([]any)[0].(map[string]any)["name"] = "TOKEN" },
		"names gone":        func(o Object) { delete(env(o)["env"].([]any)[0].(map[string]any), "name") },
		"a map became text": func(o Object) { env(o)["env"] = "TOKEN=s3cr3t" },
		"arguments reversed": func(o Object) {
			l := o["spec"].(map[string]any)["containers"].([]any)[1].(map[string]any)["args"].([]any)
			l[0], l[1] = l[1], l[0]
		},
	} {
		live := Object(Reveal(o).(map[string]any))
		change(live)
		HideRemembered(live, paths, Hide)
		if text := fmt.Sprint(live); strings.Contains(text, "s3cr3t") || !strings.Contains(text, "hub:1") {
			t.Errorf("%s: %s", reason, text)
		}
	}
}

// TestKeepSensitive: the same value in the same field is still a secret; another one,
// or one that was none, is not made one.
func TestKeepSensitive(t *testing.T) {
	o := holding()
	RememberSensitive(o)
	live := Object(Reveal(o).(map[string]any))
	wanted := Object(Reveal(holding()).(map[string]any))
	wanted["spec"].(map[string]any)["a/b~c"] = "no secret"
	kept := KeepSensitive(wanted, live)
	paths, _ := Remembered(kept)
	if want := "[/spec/containers/name=hub/env/name=TOKEN/value /spec/containers/name=side/args]"; fmt.Sprint(paths) != want {
		t.Errorf("%v, want %s", paths, want)
	}
	if !strings.Contains(fmt.Sprint(kept), "no secret") || strings.Contains(fmt.Sprint(kept), "s3cr3t") {
		t.Errorf("%v", kept)
	}
	if got := KeepSensitive(wanted, wanted); HasSensitive(got) {
		t.Error("an object that remembers nothing makes secrets")
	}
}

// TestHideUnknown: what nobody knows is withheld unless it is known to be harmless.
func TestHideUnknown(t *testing.T) {
	for _, test := range []struct {
		reason       string
		live, wanted Object
		shown, kept  string // words that are shown, and that are not
	}{
		{
			"a ConfigMap", Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "c", "labels": map[string]any{"l": "label"}},
				"data": map[string]any{"a": "wanted", "b": "unwanted", "c": "other"}},
			Object{"data": map[string]any{"a": "wanted", "c": "new"}}, "label wanted", "unwanted other",
		},
		{
			"a Deployment", Object{"apiVersion": "apps/v1", "kind": "Deployment", "spec": map[string]any{"replicas": int64(3), "containers": []any{
				map[string]any{"name": "hub", "image": "an-image", "args": []any{"an-argument"}, "env": []any{map[string]any{"name": "E", "value": "a-value"}}},
			}}}, nil, "hub an-image 3", "an-argument a-value",
		},
		{
			"a custom object", Object{"apiVersion": "traefik.io/v1", "kind": "Middleware", "metadata": map[string]any{"name": "m", "annotations": map[string]any{"n": "a-note"}},
				"spec": map[string]any{"x": "anything", "n": int64(7)}}, nil, "m 7", "anything a-note",
		},
	} {
		HideUnknown(test.live, test.wanted, Hide)
		text := fmt.Sprint(test.live)
		for word := range strings.FieldsSeq(test.shown) {
			if !strings.Contains(text, word) {
				t.Errorf("%s: %s is not shown: %s", test.reason, word, text)
			}
		}
		for word := range strings.FieldsSeq(test.kept) {
			if strings.Contains(text, ":"+word) || strings.Contains(text, "["+word) {
				t.Errorf("%s: %s is shown: %s", test.reason, word, text)
			}
		}
	}
}
