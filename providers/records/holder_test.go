package records

import (
	"testing"
	"time"

	"hubcap/engine"
)

// TestHeld tells who holds the lock without taking it.
func TestHeld(t *testing.T) {
	r, client := testRecords()
	ctx := t.Context()
	if by, err := r.Held(ctx); by != nil || err != nil {
		t.Fatalf("nobody ever locked: got %v, %v", by, err)
	}
	if n := len(client.Actions()); n != 1 || client.Actions()[0].GetVerb() != "get" {
		t.Errorf("looking made %d requests: %v", n, client.Actions())
	}
	l, err := r.Lock(ctx, engine.Holder{Who: "ada@desk", Run: "a", When: time.Unix(1000, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	by, err := r.Held(ctx)
	if err != nil || by == nil || by.Holder.Who != "ada@desk" || by.Holder.Run != "a" || by.Cluster != "prod" {
		t.Errorf("held by ada: got %+v, %v", by, err)
	}
	if err := l.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if by, err := r.Held(ctx); by != nil || err != nil {
		t.Errorf("released: got %v, %v", by, err)
	}
}
