package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

// takenFrom is a change that takes an object over from a Helm release.
func takenFrom(kind, name, component string, fields ...resource.Field) resource.Change {
	hub := resource.Address{Kind: "hub", Name: "prod"}
	address := hub
	address.Object = kind + "/" + name
	return resource.Change{
		ID:      resource.ID{Cluster: "c", Group: "apps", Kind: kind, Namespace: "prod", Name: name},
		Address: address, Component: resource.Component{Block: hub, Name: component}, Action: resource.Update, Fields: fields,
		Before: resource.Object{"kind": kind, "spec": map[string]any{"replicas": int64(2)}}, After: resource.Object{"kind": kind},
		TakesOver: &resource.Takeover{
			From: "Helm release prod/rel", Release: &resource.Release{Namespace: "prod", Name: "rel"},
			Managers: []resource.Manager{{Name: "helm", Operation: "Update"}},
		},
	}
}

func TestTakeovers(t *testing.T) {
	image := resource.Field{Path: "spec.template.spec.containers[hub].image", Before: "a:1", After: "a:2"}
	record := resource.HelmRelease{
		Cluster: "c", Release: resource.Release{Namespace: "prod", Name: "rel"}, Revision: 3, Chart: "jupyterhub-4.2.0", Status: "pending-upgrade",
		Left: []resource.ID{{Cluster: "c", Kind: "ConfigMap", Namespace: "prod", Name: "extra"}},
	}
	again := takenFrom("Deployment", "proxy", "proxy")
	again.TakesOver.Again = true
	for _, tc := range []struct {
		reason  string
		changes []resource.Change
		record  []resource.HelmRelease
		says    string
		classes []resource.Class
		kept    int
	}{
		{
			"nothing but owners", []resource.Change{takenFrom("ConfigMap", "hub", "hub"), takenFrom("Deployment", "hub", "hub")},
			[]resource.HelmRelease{record},
			"takes over 2 objects of Helm release prod/rel (revision 3, chart jupyterhub-4.2.0, by Helm 3); restarts nothing",
			[]resource.Class{resource.ClassAdopt}, 1,
		},
		{
			"another image besides", []resource.Change{takenFrom("ConfigMap", "hub", "hub"), takenFrom("Deployment", "hub", "hub", image)},
			[]resource.HelmRelease{record},
			"takes over 2 objects of Helm release prod/rel (revision 3, chart jupyterhub-4.2.0, by Helm 3); restarts hub (2 pods); 1 of them gets other values",
			[]resource.Class{resource.ClassHub}, 1,
		},
		{
			"without a record", []resource.Change{takenFrom("Deployment", "hub", "hub")}, nil,
			"takes over 1 object of Helm release prod/rel (by Helm 3); restarts nothing", []resource.Class{resource.ClassAdopt}, 0,
		},
		{
			"again", []resource.Change{again}, []resource.HelmRelease{record},
			"takes back 1 object of Helm release prod/rel (revision 3, chart jupyterhub-4.2.0, by Helm 3); restarts nothing",
			[]resource.Class{resource.ClassAdopt}, 0,
		},
	} {
		in := Input{Clusters: []Cluster{{Name: "c"}}, Changes: tc.changes}
		in.Reading.Releases = tc.record
		for _, c := range tc.changes {
			in.Reading.Observations = append(in.Reading.Observations, resource.Observation{
				Desired: resource.Desired{ID: c.ID, Address: c.Address, Component: c.Component, Object: c.After, Presence: resource.Managed},
				Live:    &resource.Live{ID: c.ID, Object: c.Before}, Before: c.Before, TakesOver: c.TakesOver,
			})
		}
		p, err := Build(in)
		if err != nil {
			t.Fatalf("%s: %v", tc.reason, err)
		}
		if len(p.Takeovers) != 1 || p.Takeovers[0].String() != tc.says {
			t.Errorf("%s: %v, want %s", tc.reason, p.Takeovers, tc.says)
		}
		var classes []resource.Class
		for _, s := range p.Steps() {
			classes = append(classes, s.Class)
		}
		if diff := cmp.Diff(tc.classes, classes); diff != "" {
			t.Errorf("%s: classes (-want +got):\n%s", tc.reason, diff)
		}
		if len(p.Kept) != tc.kept || tc.kept > 0 && !strings.Contains(p.Kept[0].Reason, "stays Helm's") {
			t.Errorf("%s: kept %v", tc.reason, p.Kept)
		}
		document, _, err := Encode(p, Mask{})
		if err != nil {
			t.Fatalf("%s: %v", tc.reason, err)
		}
		decoded, err := Decode(document)
		if err != nil {
			t.Fatalf("%s: %v", tc.reason, err)
		}
		if decoded.Takeovers[0].String() != tc.says || decoded.Steps()[0].Changes[0].TakesOver == nil {
			t.Errorf("%s: a plan file forgets the take-over", tc.reason)
		}
	}
}

func TestTakeoverNotes(t *testing.T) {
	release := resource.Release{Namespace: "prod", Name: "rel"}
	has := func(t Takeover, text string) bool {
		return slices.ContainsFunc(t.Notes(), func(note string) bool { return strings.Contains(note, text) })
	}
	stuck := Takeover{Release: &resource.HelmRelease{Release: release, Status: "pending-rollback"}}
	if !has(stuck, "pending-rollback: no obstacle") || !has(stuck, "helm uninstall") {
		t.Errorf("a stuck release: %q", stuck.Notes())
	}
	if lost := (Takeover{Release: &resource.HelmRelease{Release: release, Problem: "Helm has no record of it"}}); !has(lost, "no record") {
		t.Errorf("no record: %q", lost.Notes())
	}
	if byHand := (Takeover{From: "kubectl"}); len(byHand.Notes()) > 0 {
		t.Errorf("made by hand: %q", byHand.Notes())
	}
}
