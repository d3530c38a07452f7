package kube

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
)

const tokenText = "s3cr3t-hunter2"

// withToken returns web with a sensitive value in B and, as everything an author may
// write anywhere, a plain one in A.
func withToken(t *testing.T) resource.Desired {
	t.Helper()
	d := webDesired(t)
	containers, _ := d.Object.Value("spec", "template", "spec", "containers")
	env := containers.([]any)[0].(map[string]any)["env"].([]any)
	env[1].(map[string]any)["value"] = resource.Secret(tokenText)
	return d
}

// TestSensitiveValueThatLeft: what the config holds no more stays hidden, by the
// memory of the object or, where that is not to be had, because nobody knows.
func TestSensitiveValueThatLeft(t *testing.T) {
	notes := func(u *unstructured.Unstructured, edit func(notes map[string]string)) {
		all := u.GetAnnotations()
		edit(all)
		u.SetAnnotations(all)
	}
	for _, test := range []struct {
		reason string
		edit   func(u *unstructured.Unstructured)
		shown  string // words that are shown of the live object
		hidden string
	}{
		{"as written", func(*unstructured.Unstructured) {}, "value:a web:1", tokenText},
		{"the memory removed", func(u *unstructured.Unstructured) {
			notes(u, func(n map[string]string) { delete(n, resource.AnnotationSensitive) })
		}, "web:1", tokenText + " value:a"},
		{"the memory changed", func(u *unstructured.Unstructured) {
			notes(u, func(n map[string]string) { n[resource.AnnotationSensitive] = `["/nowhere"]` })
		}, "web:1", tokenText + " value:a"},
		{"the record removed", func(u *unstructured.Unstructured) {
			notes(u, func(n map[string]string) {
				delete(n, resource.AnnotationSensitive)
				delete(n, AnnotationApplied)
			})
		}, "web:1", tokenText + " value:a"},
		{"written by version 1", func(u *unstructured.Unstructured) {
			notes(u, func(n map[string]string) {
				delete(n, resource.AnnotationSensitive)
				n[AnnotationApplied] = `{"digest":"d","run":"r","time":"2026-11-21T12:00:00Z"}`
			})
		}, "web:1", tokenText + " value:a"},
		{"never hubcap's", func(u *unstructured.Unstructured) { u.SetAnnotations(nil); u.SetLabels(nil) }, "web:1 value:a " + tokenText, ""},
	} {
		p := offline()
		live := stored(t, p, withToken(t))
		test.edit(live)
		text := fmt.Sprint(p.veiled(live, nil))
		for word := range strings.FieldsSeq(test.shown) {
			if !strings.Contains(text, word) {
				t.Errorf("%s: %s is not shown: %s", test.reason, word, text)
			}
		}
		for word := range strings.FieldsSeq(test.hidden) {
			if strings.Contains(text, word+"]") || strings.Contains(text, word+" ") {
				t.Errorf("%s: %s is shown: %s", test.reason, word, text)
			}
		}
	}
}

// TestMemoryIsWrittenWithTheNextWrite: an object that version 1 wrote remembers
// nothing, and is not written for that; one that somebody made forget is.
func TestMemoryIsWrittenWithTheNextWrite(t *testing.T) {
	p := offline()
	d := withToken(t)
	d.Object = p.prepare(d)
	if d.Object.Text("metadata", "annotations", resource.AnnotationSensitive) == "" {
		t.Fatal("nothing is remembered")
	}
	same := func(record string) bool {
		old := d
		old.Object = d.Object.Copy()
		delete(tableAt(old.Object, "metadata", "annotations"), resource.AnnotationSensitive)
		plain := resource.Reveal(old.Object).(map[string]any)
		set, err := p.Client.types.fieldSet(plain)
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{Object: resourceCopy(canonical(plain))}
		setAnnotation(u.Object, AnnotationApplied, record)
		u.SetManagedFields(append(u.GetManagedFields(), fieldsEntry(t, "hubcap", "Apply", set)))
		c := &comparison{p: p, desired: d, live: u}
		return c.measure() && c.same()
	}
	if !same(`{"digest":"d","run":"r","time":"2026-11-21T12:00:00Z"}`) {
		t.Error("an object of version 1 is written for its memory alone")
	}
	if same(p.record(d.Object, "run-1")) {
		t.Error("an object whose memory was removed is as wanted")
	}
}
