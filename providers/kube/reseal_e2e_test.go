//go:build e2e

package kube

import (
	"errors"
	"testing"

	"hubcap/engine/resource"
)

// TestSealOnAWord seals what nothing desires and another key sealed: if it is as it was
// shown. Then it is an orphan as any, and its fields are whose they were.
func TestSealOnAWord(t *testing.T) {
	b := newBench(t).makeNamespace()
	b.apply(b.desire("hub", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue}\n"))
	b.kubectl("annotate", "configmap", "settings", "--overwrite", "hubcap.dev/seal="+foreignKey.Sign(b.p.statement(resource.ID{}, nil)))
	shown := b.read(nil).Unsealed
	if len(shown) != 1 || shown[0].Barred != "" {
		t.Fatalf("unsealed = %+v", shown)
	}
	b.kubectl("label", "configmap", "settings", "theirs=x")
	if err := b.p.Seal(t.Context(), fakeKey, shown[0]); !errors.Is(err, resource.ErrChanged) {
		t.Errorf("sealing what was written since: %v", err)
	}
	shown = b.read(nil).Unsealed
	shown[0].Under = fakeKey.Public() // it is not the key that sealed it
	if err := b.p.Seal(t.Context(), fakeKey, shown[0]); err == nil || errors.Is(err, resource.ErrChanged) {
		t.Errorf("sealing again what the former key had not sealed: %v", err)
	}
	shown[0].Under = foreignKey.Public()
	if err := b.p.Seal(t.Context(), fakeKey, shown[0]); err == nil { // of another place
		t.Error("the seal of another place was taken for its own")
	}
	shown = b.read(nil).Unsealed
	if err := b.p.Seal(t.Context(), fakeKey, shown[0]); err != nil {
		t.Fatal(err)
	}
	if r := b.read(nil); len(r.Unsealed) != 0 || len(r.Orphans) != 1 {
		t.Errorf("sealed: orphans %v, unsealed %v", r.Orphans, r.Unsealed)
	}
	if changes := b.apply(nil); len(changes) != 1 || changes[0].Action != resource.Delete {
		t.Errorf("changes = %+v", changes)
	}
}
