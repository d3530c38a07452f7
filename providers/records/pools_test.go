package records

import (
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine"
)

// TestPools keeps, replaces and forgets what is written down of node pools, with the
// verbs that the shipped role grants.
func TestPools(t *testing.T) {
	r, client := testRecords()
	ctx := t.Context()
	expect := func(want map[string]string) {
		t.Helper()
		if kept, err := r.Pools(ctx); err != nil || !maps.Equal(kept, want) {
			t.Errorf("kept = %v, %v; want %v", kept, err, want)
		}
	}
	expect(nil)
	for place, text := range map[string]string{"p/l/c/user": "old", "p/l/c/core": "one"} {
		if err := r.SetPool(ctx, place, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.SetPool(ctx, "p/l/c/user", "new"); err != nil {
		t.Fatal(err)
	}
	expect(map[string]string{"p/l/c/user": "new", "p/l/c/core": "one"})

	// A ConfigMap that says to be of another pool is of none.
	cm, err := client.CoreV1().ConfigMaps("hubcap").Get(ctx, poolName("p/l/c/core"), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cm.Data[poolPlace] = "p/l/c/theirs"
	if _, err := client.CoreV1().ConfigMaps("hubcap").Update(ctx, cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(map[string]string{"p/l/c/user": "new"})

	for range 2 {
		if err := r.DropPool(ctx, "p/l/c/user"); err != nil {
			t.Fatal(err)
		}
	}
	expect(nil)
}

// TestNothingIsUpdated: the shipped role of the journal grants patch and no update.
func TestNothingIsUpdated(t *testing.T) {
	r, client := testRecords()
	ctx := t.Context()
	for range 2 {
		if err := r.SetPool(ctx, "p", "x"); err != nil {
			t.Fatal(err)
		}
		if err := r.SetOrigin(ctx, "prod", engine.Origin{ID: "o"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range client.Actions() {
		if a.GetVerb() == "update" {
			t.Errorf("it asks to update %s", a.GetResource().Resource)
		}
	}
	if o, err := r.Origin(ctx, "prod"); err != nil || o == nil || o.ID != "o" {
		t.Errorf("origin = %v, %v", o, err)
	}
}

// TestRotate replaces both halves, whether or not the public one is there.
func TestRotate(t *testing.T) {
	r, client := testRecords()
	ctx := t.Context()
	if _, err := r.Rotate(ctx); err == nil {
		t.Error("a key was rotated that is not there")
	}
	first, err := r.SigningKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		key, err := r.Rotate(ctx)
		if err != nil || key.Public() == first.Public() {
			t.Fatalf("Rotate = %v; or the key is the same", err)
		}
		now, err := r.SigningKey(ctx)
		public, err2 := r.PublicKey(ctx)
		if err != nil || err2 != nil || now.Public() != key.Public() || public != key.Public() {
			t.Errorf("the key that is kept is another one (%v, %v)", err, err2)
		}
		first = key
		if err := client.CoreV1().ConfigMaps("hubcap").Delete(ctx, sealName, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
