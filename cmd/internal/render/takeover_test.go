package render

import (
	"encoding/json"
	"strings"
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// takingOver is a plan that only gives objects another owner.
func takingOver() *plan.Plan {
	hub := resource.Address{Kind: "hub", Name: "prod"}
	c := resource.Component{Block: hub, Name: "hub"}
	release := resource.Release{Namespace: "prod", Name: "rel"}
	change := func(kind string) resource.Change {
		address := hub
		address.Object = kind + "/hub"
		return resource.Change{
			ID: resource.ID{Cluster: "c", Kind: kind, Namespace: "prod", Name: "hub"}, Address: address, Component: c,
			Action: resource.Update, Class: resource.ClassAdopt,
			TakesOver: &resource.Takeover{From: "Helm release prod/rel", Release: &release, Managers: []resource.Manager{{Name: "helm", Operation: "Update"}}},
		}
	}
	return &plan.Plan{
		ID: "0123456789abcdef", Clusters: []plan.Cluster{{Name: "c"}},
		Takeovers: []plan.Takeover{{
			Address: hub, Cluster: "c", From: "Helm release prod/rel", By: "Helm 3", Objects: 2,
			Release: &resource.HelmRelease{Release: release, Revision: 3, Chart: "jupyterhub-4.2.0", Status: "deployed"},
		}},
		Waves: []plan.Wave{{Name: "hub.prod", Steps: []plan.Step{{
			ID: "01-hub.prod/hub", Component: c, Class: resource.ClassAdopt, Changes: []resource.Change{change("Secret"), change("Deployment")},
		}}}},
	}
}

func TestTakeover(t *testing.T) {
	const line = "hub.prod takes over 2 objects of Helm release prod/rel (revision 3, chart jupyterhub-4.2.0, by Helm 3); restarts nothing"
	text := strings.Join(strings.Fields(Plan(takingOver(), Style{Width: 80})), " ")
	for _, want := range []string{line, "changes owner", "helm uninstall", "Plan: 0 to add, 0 to change, 0 to remove, 2 to change owner only."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from:\n%s", want, text)
		}
	}
	if markdown := Markdown(takingOver()); !strings.Contains(markdown, "- "+line) {
		t.Errorf("Markdown:\n%s", markdown)
	}
	encoded, err := JSON(takingOver())
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Takeovers []plan.Takeover
		Summary   Summary
	}
	if err := json.Unmarshal(encoded, &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Takeovers) != 1 || document.Takeovers[0].Release.Revision != 3 || document.Summary.Owners != 2 || document.Summary.Change != 0 {
		t.Errorf("JSON: %s", encoded)
	}
}

func TestTakeoverFitsItsWidth(t *testing.T) {
	for _, width := range []int{68, 80, 200} {
		for line := range strings.SplitSeq(Plan(takingOver(), Style{Width: width}), "\n") {
			if cells(line) > width {
				t.Errorf("at width %d: %q", width, line)
			}
		}
	}
}

// Drift that Helm caused names the release's revision.
func TestForeignOfRelease(t *testing.T) {
	f := resource.Foreign{Path: "spec.replicas", Manager: "helm", Release: "revision 5 of Helm release prod/hub", Wanted: int64(1), Live: int64(2)}
	if got := (secrets{}).foreign(f); !strings.Contains(got, "by helm (revision 5 of Helm release prod/hub)") {
		t.Errorf("%s", got)
	}
}
