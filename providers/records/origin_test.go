package records

import (
	"testing"

	"hubcap/engine"
)

// TestOneOrigin: a name is one config's in a cluster, also where another config of that
// name has its journal in another namespace.
func TestOneOrigin(t *testing.T) {
	r, client := testRecords()
	other := New(client, "elsewhere", "prod")
	ctx := t.Context()
	if err := r.SetOrigin(ctx, "prod", engine.Origin{ID: "one"}); err != nil {
		t.Fatal(err)
	}
	if o, err := other.Origin(ctx, "prod"); err != nil || o == nil || o.ID != "one" {
		t.Errorf("from another journal namespace the origin is %+v, %v; want one", o, err)
	}
	if err := other.SetOrigin(ctx, "prod", engine.Origin{ID: "two"}); err != nil {
		t.Fatal(err)
	}
	if o, err := r.Origin(ctx, "prod"); err != nil || o == nil || o.ID != "two" {
		t.Errorf("after the other took it over the origin is %+v, %v; want two", o, err)
	}
}
