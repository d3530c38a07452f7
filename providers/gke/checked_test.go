package gke

import (
	"strings"
	"testing"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/providers/gke/emulator"
)

// TestReleaseChannelIsAsked holds that what GKE would refuse on a release channel is
// told before anything is written, and that the cluster is read for nothing else.
func TestReleaseChannelIsAsked(t *testing.T) {
	off := setting(map[string]any{"autoRepair": true, "autoUpgrade": false}, "management")
	both := setting(map[string]any{"autoRepair": false, "autoUpgrade": false}, "management")
	for _, test := range []struct {
		reason, channel string
		edits           []func(resource.Object)
		want            string
		reads           int // of the cluster
	}{
		{"no upgrades on a channel", "REGULAR", []func(resource.Object){off}, "release channel REGULAR, where GKE takes no pool with auto_upgrade = false", 1},
		{"nor repairs", "STABLE", []func(resource.Object){both}, "auto_repair = false and auto_upgrade = false", 1},
		{"on none", "UNSPECIFIED", []func(resource.Object){both}, "", 1},
		{"GKE's choice", "RAPID", nil, "", 0},
		{"switched on", "RAPID", []func(resource.Object){setting(map[string]any{"autoRepair": true, "autoUpgrade": true}, "management")}, "", 0},
	} {
		t.Run(test.reason, func(t *testing.T) {
			cluster := &container.Cluster{Location: home.Location, Name: home.Name, ReleaseChannel: &container.ReleaseChannel{Channel: test.channel}}
			in(t, emulator.Options{Clusters: []*container.Cluster{cluster}}, func(t *testing.T, w *world) {
				reading, err := w.Read(w.ctx, []resource.Desired{desired("user", test.edits...)})
				if err != nil {
					t.Fatal(err)
				}
				if got := reading.Observations[0].Refused; test.want == "" && got != "" || !strings.Contains(got, test.want) {
					t.Errorf("refused %q, want %q", got, test.want)
				}
				reads := 0
				for _, r := range w.server.Requests() {
					if strings.HasSuffix(r.Path, "/clusters/"+home.Name) {
						reads++
					}
				}
				if reads != test.reads {
					t.Errorf("the cluster was read %d times, want %d", reads, test.reads)
				}
			})
		})
	}
}

// TestPoolOfNoNodes tries pools that would have no node and never get one.
func TestPoolOfNoNodes(t *testing.T) {
	fixed := func(nodes any) func(resource.Object) {
		return func(o resource.Object) {
			delete(o, "autoscaling")
			delete(o, "initialNodeCount")
			if nodes != nil {
				o["initialNodeCount"] = nodes
			}
		}
	}
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		look := func(d resource.Desired) resource.Observation {
			t.Helper()
			reading, err := w.Read(w.ctx, []resource.Desired{d})
			if err != nil {
				t.Fatal(err)
			}
			return reading.Observations[0]
		}
		if o := look(desired("user", fixed(nil))); o.Refused != "" || len(o.Notes) != 1 || !strings.Contains(o.Notes[0], "0 nodes") {
			t.Errorf("a first pool: refused %q, notes %v", o.Refused, o.Notes)
		}
		w.apply(t, desired("user", fixed(int64(3))))
		if o := look(desired("user", fixed(nil))); o.Refused != "" || len(o.Notes) > 0 {
			t.Errorf("the pool that is there: %q %v", o.Refused, o.Notes)
		}
		for name, nodes := range map[string]any{"not said": nil, "zero": int64(0)} {
			if o := look(desired("user-2", fixed(nodes))); !strings.Contains(o.Refused, "user-2 would take the place of user with 0 nodes and cannot grow") {
				t.Errorf("in place of it, %s: %q", name, o.Refused)
			}
		}
		if o := look(desired("user-2", fixed(int64(1)))); o.Refused != "" {
			t.Errorf("of one node: %q", o.Refused)
		}
		if o := look(desired("user-2")); o.Refused != "" {
			t.Errorf("that can grow: %q", o.Refused)
		}
	})
}
