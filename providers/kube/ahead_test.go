package kube

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// sized is an object of the text, with a size where it has a percent sign.
func sized(t *testing.T, text, size string) resource.Desired {
	t.Helper()
	o := resource.Object(tree(t, strings.ReplaceAll(text, "%", size)))
	gvk := gvkOf(o)
	return resource.Desired{
		ID:      resource.ID{Cluster: "prod", Group: gvk.Group, Kind: gvk.Kind, Namespace: o.Text("metadata", "namespace"), Name: o.Text("metadata", "name")},
		Address: resource.ParseAddress("hub.prod/" + gvk.Kind + "/db"), Object: o, Presence: resource.Managed,
		Component: resource.Component{Block: resource.ParseAddress("hub.prod"), Name: "hub"},
	}
}

// TestLeaveGrown enlarges what holds data behind hubcap's back: the larger size is drift
// and is left alone, unless hubcap wrote it itself or the config asks for less than
// hubcap wrote last.
func TestLeaveGrown(t *testing.T) {
	const (
		claim  = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: db, namespace: prod}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: %}}}"
		volume = "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: db}\nspec: {accessModes: [ReadWriteOnce], nfs: {server: s, path: /}, capacity: {storage: %}}"
		set    = `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, namespace: prod}, spec: {serviceName: db, selector: {matchLabels: {app: db}},
 template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: "db:1"}]}},
 volumeClaimTemplates: [{metadata: {name: log}, spec: {resources: {requests: {storage: 1Gi}}}}, {metadata: {name: data}, spec: {resources: {requests: {storage: %}}}}]}}`
	)
	kinds := []struct {
		text     string
		owned    fieldpath.Path
		holder   []string
		size     []string
		path     string
		isAtomic bool
	}{
		{text: claim, owned: path("spec", "resources", "requests", "storage"), size: []string{"spec", "resources", "requests", "storage"}, path: "spec.resources.requests.storage"},
		{text: volume, owned: path("spec", "capacity", "storage"), size: []string{"spec", "capacity", "storage"}, path: "spec.capacity.storage"},
		{
			text: set, owned: path("spec", "volumeClaimTemplates"), holder: []string{"spec", "volumeClaimTemplates"},
			size: []string{"spec", "resources", "requests", "storage"}, path: "spec.volumeClaimTemplates[data].spec.resources.requests.storage", isAtomic: true,
		},
	}
	for _, kind := range kinds {
		for _, test := range []struct {
			reason, wrote, asks, live, by string // by: whose the size is; empty: hubcap's
			left                          bool
		}{
			{"as asked", "10Gi", "10Gi", "10Gi", "", false},
			{"another spelling", "10Gi", "10Gi", "10240Mi", "kubectl-edit", false},
			{"grown by hand", "10Gi", "10Gi", "20Gi", "kubectl-edit", true},
			{"the config grew, and less", "10Gi", "15Gi", "20Gi", "pvc-autoresizer", true},
			{"the config grew, and more", "10Gi", "30Gi", "20Gi", "pvc-autoresizer", false},
			{"the config followed", "10Gi", "20Gi", "20Gi", "kubectl-edit", false},
			{"hubcap grew it", "20Gi", "10Gi", "20Gi", "", false},
			{"lowered below what was written", "10Gi", "5Gi", "20Gi", "kubectl-edit", false},
			{"no size", "10Gi", "much", "20Gi", "kubectl-edit", false},
		} {
			p := offline()
			live := stored(t, p, sized(t, kind.text, test.wrote))
			at := lead{holder: kind.holder, item: "data", path: kind.size}
			if len(kind.holder) == 0 {
				at.item = ""
			}
			at.at(live.Object).Set(test.live, kind.size...)
			if test.by != "" {
				somebodys(t, live, test.by, time.Minute, kind.owned)
			}
			wanted := sized(t, kind.text, test.asks)
			s := &survey{p: p, desired: p.prepareAll([]resource.Desired{wanted}), live: []*unstructured.Unstructured{live}, byID: map[resource.ID]int{wanted.ID: 0}}
			s.leaveGrown()
			got, has := at.at(s.desired[0].Object).Value(kind.size...)
			switch {
			case !test.left && got != test.asks:
				t.Errorf("%s, %s: %v is wanted, want %s", wanted.ID.Kind, test.reason, got, test.asks)
			case test.left && !kind.isAtomic && has || test.left && kind.isAtomic && got != test.live:
				t.Errorf("%s, %s: %v is wanted, which is not left alone", wanted.ID.Kind, test.reason, got)
			}
			c := &comparison{p: p, desired: s.desired[0], live: live, leads: s.leads[0]}
			ahead := c.aheadOf()
			if (len(ahead) == 1) != test.left {
				t.Fatalf("%s, %s: drift %+v", wanted.ID.Kind, test.reason, ahead)
			}
			if !test.left {
				continue
			}
			if f := ahead[0]; f.Path != kind.path || f.Manager != test.by || f.Wanted != test.asks || f.Live != test.live || f.Note == "" {
				t.Errorf("%s, %s: drift %+v", wanted.ID.Kind, test.reason, f)
			}
			if unmoved := c.unmoved(applied(live)); unmoved != (test.asks == test.wrote) {
				t.Errorf("%s, %s: the config is as it was applied: %t", wanted.ID.Kind, test.reason, unmoved)
			}
		}
	}
}

// TestGrownIsAllThatDiffers: of a claim that only grew nothing is written, and nothing
// is asked of the server.
func TestGrownIsAllThatDiffers(t *testing.T) {
	const claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: db, namespace: prod}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: %}}}"
	p := offline()
	wanted := sized(t, claim, "10Gi")
	live := stored(t, p, wanted)
	set(live, "20Gi", "spec", "resources", "requests", "storage")
	somebodys(t, live, "kubectl-edit", time.Minute, path("spec", "resources", "requests", "storage"))
	s := &survey{p: p, desired: p.prepareAll([]resource.Desired{wanted}), live: []*unstructured.Unstructured{live}, byID: map[resource.ID]int{wanted.ID: 0}}
	s.leaveGrown()
	o, err := (&comparison{p: p, desired: s.desired[0], live: live, leads: s.leads[0]}).observe(t.Context())
	if err != nil || !o.Same || !o.Unmoved || len(o.Foreign) != 1 {
		t.Errorf("observed %+v, %v; want it the same, with one foreign field", o, err)
	}
}
