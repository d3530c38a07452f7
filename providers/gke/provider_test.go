package gke

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/gke/emulator"
)

func TestDrift(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		time.Sleep(time.Hour) // of the bubble's clock
		svc, err := w.service(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		when := time.Now()
		_, err = svc.Projects.Locations.Clusters.NodePools.SetAutoscaling(w.Provider.pool("user"), &container.SetNodePoolAutoscalingRequest{
			Autoscaling: &container.NodePoolAutoscaling{Enabled: true, MaxNodeCount: 3},
		}).Do()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		want := []resource.Foreign{{
			Path: "autoscaling.maxNodeCount", Manager: "unknown (GKE UPDATE_CLUSTER)", Time: when.UTC(), Wanted: int64(5), Live: int64(3),
		}}
		r, err := w.Read(w.ctx, []resource.Desired{desired("user")})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, r.Observations[0].Foreign); d != "" {
			t.Errorf("Foreign (-want +got):\n%s", d)
		}
		if !r.Observations[0].Unmoved {
			t.Error("a pool that was changed by hand is told as a conflict: the config has not moved")
		}
		// When the config moved, too, it is pending rather than drift.
		r, err = w.Read(w.ctx, []resource.Desired{desired("user", setting(int64(8), "autoscaling", "maxNodeCount"))})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Observations[0]; len(got.Foreign) > 0 || got.Same || got.Unmoved {
			t.Errorf("a changed config is told as drift: %+v", got.Foreign)
		}
	})
}

// One look at the cluster is one request, however many pools there are.
func TestReadAsksOnce(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		var all []resource.Desired
		for i := range 5 {
			all = append(all, desired(fmt.Sprintf("user-%d", i)))
		}
		w.apply(t, all...)
		before := len(w.server.Requests())
		w.settled(t, all...)
		if n := len(w.server.Requests()) - before; n != 1 {
			t.Errorf("reading 5 pools took %d requests, want 1", n)
		}
	})
}

func TestReadErrors(t *testing.T) {
	tests := []struct {
		fault emulator.Fault
		want  string
	}{
		{emulator.Fault{Kind: emulator.Status, Status: 403, Message: `Required "container.clusters.get" permission(s).`}, `read node pools of cluster hubs: Required "container.clusters.get" permission(s).`},
		{emulator.Fault{Kind: emulator.Status, Status: 404, Message: "Not found: projects/demo/zones/z/clusters/hubs."}, "Not found"},
		{emulator.Fault{Kind: emulator.Cut, Times: -1}, "connection cut"},
		{emulator.Fault{Kind: emulator.Delay, Times: -1, Delay: time.Hour}, "no answer within 30s"},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			in(t, emulator.Options{Faults: []emulator.Fault{test.fault}}, func(t *testing.T, w *world) {
				began := time.Now()
				_, err := w.Read(w.ctx, nil)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("Read: %v, want %q", err, test.want)
				}
				if took := time.Since(began); took > 15*time.Second && test.fault.Kind != emulator.Delay {
					t.Errorf("it took %v to give up", took)
				}
			})
		})
	}
}

// Values of metadata are secrets more often than not.
func TestSecretsStayHidden(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		secret := setting(resource.Secret("hunter2"), "config", "metadata", "startup-script")
		w.apply(t, desired("user", secret))
		w.settled(t, desired("user", secret))
		if got := w.pool("user").NodePool.Config.Metadata["startup-script"]; got != "hunter2" {
			t.Errorf("GKE got %q", got)
		}
		err := w.server.Edit(home, "user", func(np *container.NodePool) { np.Config.Metadata["startup-script"] = "hunter3" })
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.Read(w.ctx, []resource.Desired{desired("user", secret)})
		if err != nil {
			t.Fatal(err)
		}
		r.Observations[0].Live = nil // whole on purpose
		if text := fmt.Sprintf("%v", r); strings.Contains(text, "hunter") {
			t.Errorf("the reading tells a secret: %s", text)
		}
		d := desired("user", secret)
		c := resource.Change{ID: d.ID, Action: resource.Update, Before: d.Object.Copy(), After: d.Object}
		c.Before.Set(resource.Secret("hunter4"), "config", "metadata", "startup-script")
		s, err := w.Look(w.ctx, c)
		if err != nil || s.State != run.Elsewhere || strings.Contains(s.Moved, "hunter") {
			t.Errorf("Look: %+v, %v; want it elsewhere, without the value", s, err)
		}
	})
}

func TestManyKeysAreRemembered(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		labels := map[string]any{}
		for i := range 40 {
			labels[fmt.Sprintf("label-%d", i)] = "x"
		}
		w.apply(t, desired("user", setting(labels, "config", "labels")))
		w.settled(t, desired("user", setting(labels, "config", "labels")))
		few := desired("user", setting(map[string]any{"label-7": "x"}, "config", "labels"))
		c := w.apply(t, few)
		if len(c[0].Fields) != 39 {
			t.Errorf("%d fields differ, want the 39 labels that go", len(c[0].Fields))
		}
		if got := w.pool("user").NodePool.Config; len(got.Labels) != 1 || got.ResourceLabels[noteKeys+"-1"] != "" {
			t.Errorf("labels %v and resource labels %v are left", got.Labels, got.ResourceLabels)
		}
	})
}

func TestProbe(t *testing.T) {
	tests := []struct {
		status, code    string
		ready, terminal bool
	}{
		{"RUNNING", "", true, false},
		{"RUNNING", "CA_EXPIRING", true, false},
		{"RUNNING", "GCE_STOCKOUT", false, true},
		{"PROVISIONING", "", false, false},
		{"RECONCILING", "GCE_STOCKOUT", false, false},
		{"RUNNING_WITH_ERROR", "GCE_QUOTA_EXCEEDED", false, true},
		{"RUNNING_WITH_ERROR", "", false, false},
		{"ERROR", "", false, true},
		{"STOPPING", "", false, true},
	}
	for _, test := range tests {
		t.Run(test.status+test.code, func(t *testing.T) {
			in(t, emulator.Options{}, func(t *testing.T, w *world) {
				c := w.apply(t, desired("user"))[0]
				var conditions []*container.StatusCondition
				if test.code != "" {
					conditions = append(conditions, &container.StatusCondition{Code: test.code, Message: "why"})
				}
				if err := w.server.SetStatus(home, "user", test.status, conditions...); err != nil {
					t.Fatal(err)
				}
				h, err := w.Probe(w.ctx, c)
				if err != nil {
					t.Fatal(err)
				}
				if h.Ready != test.ready || h.Terminal != test.terminal || !h.Ready && h.Reason == "" {
					t.Errorf("Probe: %+v", h)
				}
			})
		})
	}
}

func TestNewRefuses(t *testing.T) {
	whole := Config{Cluster: "prod", Project: "p", Location: "l", Name: "n", Owner: "o"}
	tests := []struct {
		reason string
		edit   func(*Config)
	}{
		{"no project", func(c *Config) { c.Project = "" }},
		{"no owner", func(c *Config) { c.Owner = "" }},
		{"no URL", func(c *Config) { c.Endpoint = "localhost:80" }},
		{"a file", func(c *Config) { c.Endpoint = "file:///etc/passwd" }},
	}
	for _, test := range tests {
		c := whole
		test.edit(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: want an error", test.reason)
		}
	}
	if _, err := New(whole); err != nil {
		t.Errorf("a whole config: %v", err)
	}
}

// Without credentials nothing works, but making a provider does.
func TestNoCredentials(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", t.TempDir()+"/none.json")
	p, err := New(Config{Cluster: "prod", Project: "p", Location: "l", Name: "n", Owner: "o"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "find Google credentials") {
		t.Errorf("Read: %v, want it to speak of credentials", err)
	}
}

func TestClusterAccess(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		if err := w.server.SetEndpoint(home, "127.0.0.1:6443", "Q0E="); err != nil {
			t.Fatal(err)
		}
		a, err := w.Cluster(w.ctx)
		if err != nil || a.Host != "https://127.0.0.1:6443" || string(a.CAData) != "CA" {
			t.Errorf("Cluster: %+v, %v", a, err)
		}
		if a.Wrap(http.DefaultTransport) != http.DefaultTransport {
			t.Error("Wrap adds something without credentials")
		}
		if err := w.server.SetEndpoint(home, "127.0.0.1:6443", "no base64"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Cluster(w.ctx); err == nil {
			t.Error("a broken certificate is taken")
		}
		if err := w.server.SetEndpoint(home, "", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Cluster(w.ctx); err == nil || !strings.Contains(err.Error(), "no endpoint") {
			t.Errorf("Cluster without an endpoint: %v", err)
		}
	})
}

// A cluster that is gone has no pools to delete, and none can be made in it.
func TestClusterGone(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		gone := w.changes(t)[0]
		other := w.changes(t, desired("user"), desired("core"))[0]
		svc, err := w.service(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := svc.Projects.Locations.Clusters.Delete(w.cluster()).Do(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := w.write(t, gone); err != nil {
			t.Errorf("deleting: %v", err)
		}
		if h, err := w.Probe(w.ctx, gone); err != nil || !h.Ready {
			t.Errorf("Probe of the deletion: %+v, %v", h, err)
		}
		if err := w.write(t, other); !errors.Is(err, errNoCluster) {
			t.Errorf("creating: %v, want it to say that the cluster is gone", err)
		}
	})
}

// Two writes to one cluster follow one another.
func TestWritesTakeTurns(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		done := make(chan error)
		for _, c := range w.changes(t, desired("a"), desired("b"), desired("c")) {
			go func() {
				_, err := w.Write(context.Background(), c, run.Sight{State: run.AtBefore})
				done <- err
			}()
		}
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		for _, r := range w.server.Requests() {
			if r.Status == http.StatusBadRequest {
				t.Errorf("%s %s met another operation of ours", r.Method, r.Path)
			}
		}
	})
}

// TestFixedSize takes the autoscaling out of a config again: it is turned off, once, and
// back with it; what somebody turns on by hand is drift.
func TestFixedSize(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		fixed := desired("user", func(o resource.Object) { delete(o, "autoscaling") })
		w.apply(t, desired("user"))
		changes := w.apply(t, fixed)
		if len(changes) != 1 {
			t.Fatalf("%d changes without autoscaling, want 1", len(changes))
		}
		if got, _ := changes[0].Before.Value("autoscaling", "maxNodeCount"); got != int64(5) {
			t.Errorf("the way back has the maximum %v, want 5", got)
		}
		if a, isMap := w.wire(t, "user")["autoscaling"].(map[string]any); isMap && a["enabled"] == true {
			t.Errorf("the pool is still scaled: %v", a)
		}
		w.settled(t, fixed)
		svc, err := w.service(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, err = svc.Projects.Locations.Clusters.NodePools.SetAutoscaling(w.Provider.pool("user"), &container.SetNodePoolAutoscalingRequest{
			Autoscaling: &container.NodePoolAutoscaling{Enabled: true, MaxNodeCount: 3},
		}).Do()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // of the bubble's clock
		r, err := w.Read(w.ctx, []resource.Desired{fixed})
		if err != nil {
			t.Fatal(err)
		}
		if o := r.Observations[0]; o.Same || !o.Unmoved || len(o.Foreign) != 1 {
			t.Errorf("autoscaling by hand: same %v, unmoved %v, foreign %+v", o.Same, o.Unmoved, o.Foreign)
		}
		w.apply(t, desired("user"))
		w.settled(t, desired("user"))
	})
}
