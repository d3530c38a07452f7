package engine_test

import (
	"errors"
	"testing"

	"hubcap/engine"
	"hubcap/engine/plan"
)

// TestRunsBelongToTheirClusters checks that what was begun on one cluster is neither
// gone on with nor taken back on another that is reached by its name now.
func TestRunsBelongToTheirClusters(t *testing.T) {
	gke := plan.GKE{Project: "project", Location: "us-central1-a", Name: "prod", ID: "0f3c"}
	for what, other := range map[string]func(c *engine.Cluster){
		"another identity":  func(c *engine.Cluster) { c.Identity = "another" },
		"another project":   func(c *engine.Cluster) { c.GKE.Project = "other" },
		"another location":  func(c *engine.Cluster) { c.GKE.Location = "europe-west1" },
		"another name":      func(c *engine.Cluster) { c.GKE.Name = "staging" },
		"made again in GKE": func(c *engine.Cluster) { c.GKE.ID = "4711" },
		"not in GKE":        func(c *engine.Cluster) { c.GKE = nil },
	} {
		w := settled(t)
		e := newEngine(w, next)
		its := gke
		e.Clusters["prod"].GKE = &its
		p := mustPlan(t, e)
		if _, err := e.Prepare(t.Context(), p, nil); err != nil {
			t.Fatal(err)
		}
		document, err := e.Document(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		apply(t, e)
		runs := history(t, e)
		prepared, applied := runs[len(runs)-2].ID, runs[len(runs)-1].ID
		other(e.Clusters["prod"])
		refused := func(err error) bool { return errors.Is(err, engine.ErrStale) || errors.Is(err, engine.ErrUntrusted) }
		if _, err := e.Undo(t.Context(), applied, engine.Options{}); !refused(err) {
			t.Errorf("%s: rollback = %v, want ErrStale or ErrUntrusted", what, err)
		}
		if _, err := e.Resume(t.Context(), prepared); !refused(err) {
			t.Errorf("%s: resume = %v, want ErrStale or ErrUntrusted", what, err)
		}
		if _, err := e.Apply(t.Context(), p); !refused(err) {
			t.Errorf("%s: apply = %v, want ErrStale or ErrUntrusted", what, err)
		}
		if _, err := e.Open(t.Context(), document); !errors.Is(err, engine.ErrStale) && !errors.Is(err, engine.ErrUsed) {
			t.Errorf("%s: apply of the file = %v, want ErrStale or ErrUntrusted", what, err)
		}
	}
}
