package observe

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

// A readFunc reads by calling itself.
type readFunc func(ctx context.Context, desired []resource.Desired) (resource.Reading, error)

func (f readFunc) Read(ctx context.Context, desired []resource.Desired) (resource.Reading, error) {
	return f(ctx, desired)
}

func want(cluster, name string) resource.Desired {
	return resource.Desired{ID: resource.ID{Cluster: cluster, Kind: "ConfigMap", Name: name}}
}

// TestRead checks that clusters are read at once, one of which nothing is wanted
// too, and that the answers are joined in order.
func TestRead(t *testing.T) {
	met := make(chan bool)
	reader := func(meet func()) readFunc {
		return func(_ context.Context, desired []resource.Desired) (resource.Reading, error) {
			meet()
			var r resource.Reading
			for _, d := range desired {
				r.Observations = append(r.Observations, resource.Observation{Desired: d})
			}
			if len(desired) == 0 {
				r.Orphans = []resource.Live{{ID: resource.ID{Cluster: "b", Name: "old"}}}
			}
			return r, nil
		}
	}
	readers := map[string]Reader{"a": reader(func() { met <- true }), "b": reader(func() { <-met })}
	r, err := Read(t.Context(), readers, []resource.Desired{want("a", "2"), want("a", "1")})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range r.Observations {
		names = append(names, o.Desired.ID.Name)
	}
	if diff := cmp.Diff([]string{"1", "2"}, names); diff != "" || len(r.Orphans) != 1 {
		t.Errorf("orphans %v, observations (-want +got):\n%s", r.Orphans, diff)
	}
}

func TestReadFails(t *testing.T) {
	down := errors.New("connection refused")
	readers := map[string]Reader{"a": readFunc(func(context.Context, []resource.Desired) (resource.Reading, error) {
		return resource.Reading{}, down
	})}
	if _, err := Read(t.Context(), readers, nil); !errors.Is(err, down) {
		t.Errorf("Read = %v, want it to fail with the reader", err)
	}
	if _, err := Read(t.Context(), readers, []resource.Desired{want("elsewhere", "x")}); err == nil {
		t.Error("an object of a cluster that is not connected was read")
	}
}
