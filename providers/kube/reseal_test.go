package kube

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// TestBarred is about what nobody's word makes ours: what our manager never wrote, and
// what the present key would have sealed otherwise.
func TestBarred(t *testing.T) {
	p := offline()
	for reason, tc := range map[string]struct {
		change func(u *unstructured.Unstructured)
		key    seal.Public
		bars   string // empty: it may be sealed
	}{
		"an older version wrote it":      {unseal, fakeKey.Public(), ""},
		"another key sealed it":          {func(*unstructured.Unstructured) {}, foreignKey.Public(), ""},
		"the key is lost":                {func(*unstructured.Unstructured) {}, seal.Public{}, ""},
		"a copy":                         {func(u *unstructured.Unstructured) { u.SetName("copy") }, fakeKey.Public(), "sealed something else"},
		"its marks were changed":         {func(u *unstructured.Unstructured) { note(u, AnnotationAddress, "x") }, fakeKey.Public(), "sealed something else"},
		"no entry of ours":               {func(u *unstructured.Unstructured) { unseal(u); u.SetManagedFields(nil) }, fakeKey.Public(), "managed fields"},
		"the label and the key are lost": {func(u *unstructured.Unstructured) { u.SetManagedFields(nil) }, seal.Public{}, "managed fields"},
	} {
		u := stored(t, p, webDesired(t))
		tc.change(u)
		s := &survey{p: p, key: tc.key}
		found := s.unsealedOf(u, "why")
		if (found.Barred == "") != (tc.bars == "") || !strings.Contains(found.Barred, tc.bars) {
			t.Errorf("%s: barred %q, want %q in it", reason, found.Barred, tc.bars)
		}
		if found.Says.Block.Name != "prod" || found.Version == "" || found.Reason != "why" {
			t.Errorf("%s: shown as %+v", reason, found)
		}
		if s.keyless = true; s.unsealedOf(u, "why").Barred == "" {
			t.Errorf("%s: it may be sealed although no key could be read", reason)
		}
	}
	record := stored(t, p, webDesired(t))
	note(record, resource.AnnotationRecord, "hooks")
	if s := (&survey{p: p}); s.unsealedOf(record, "why").Record != "hooks" {
		t.Error("a record is not shown as one")
	}
}
