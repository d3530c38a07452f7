package kube

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// scales is an autoscaler of a Deployment.
func scales(apiVersion, name string) resource.Desired {
	return resource.Desired{
		ID: resource.ID{Cluster: "prod", Group: "autoscaling", Kind: "HorizontalPodAutoscaler", Namespace: "prod", Name: "scaler"},
		Object: resource.Object{"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": map[string]any{
			"scaleTargetRef": map[string]any{"apiVersion": apiVersion, "kind": "Deployment", "name": name},
		}},
	}
}

// scaled has somebody scale u, as the server notes it: by the part of the object that
// is for that, and without a time.
func scaled(t *testing.T, u *unstructured.Unstructured, replicas int64) {
	t.Helper()
	somebodys(t, u, "kube-controller-manager", 0, path("spec", "replicas"))
	entries := u.GetManagedFields()
	entries[len(entries)-1].Subresource, entries[len(entries)-1].Time = "scale", nil
	u.SetManagedFields(entries)
	if err := unstructured.SetNestedField(u.Object, replicas, "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
}

// TestLeaveScaled checks how many replicas are wanted of what an autoscaler scales,
// and that whoever asked for them keeps what they wanted.
func TestLeaveScaled(t *testing.T) {
	p := offline()
	wanted := webDesired(t)
	for _, test := range []struct {
		reason     string
		autoscaler resource.Desired
		live       func(u *unstructured.Unstructured) *unstructured.Unstructured
		replicas   any // nil: it says nothing of them
	}{
		{"scaled", scales("apps/v1", "web"), func(u *unstructured.Unstructured) *unstructured.Unstructured {
			scaled(t, u, 5)
			return u
		}, nil},
		{"not scaled yet, and other than wanted", scales("apps/v1", "web"), func(u *unstructured.Unstructured) *unstructured.Unstructured {
			u.Object["spec"].(map[string]any)["replicas"] = int64(3)
			return u
		}, int64(3)},
		{"not there yet", scales("apps/v1", "web"), func(*unstructured.Unstructured) *unstructured.Unstructured { return nil }, int64(1)},
		{"another workload is scaled", scales("apps/v1", "other"), func(u *unstructured.Unstructured) *unstructured.Unstructured {
			scaled(t, u, 5)
			return u
		}, int64(1)},
		{"one of another group is scaled", scales("example.org/v1", "web"), func(u *unstructured.Unstructured) *unstructured.Unstructured {
			scaled(t, u, 5)
			return u
		}, int64(1)},
	} {
		s := &survey{
			p: p, desired: p.prepareAll([]resource.Desired{test.autoscaler, wanted}),
			live: []*unstructured.Unstructured{nil, test.live(stored(t, p, wanted))}, byID: map[resource.ID]int{test.autoscaler.ID: 0, wanted.ID: 1},
		}
		s.leaveScaled()
		if got, _ := s.desired[1].Object.Value("spec", "replicas"); !resource.Equal(got, test.replicas) {
			t.Errorf("%s: %v replicas are wanted, want %v", test.reason, got, test.replicas)
		}
		if got, _ := wanted.Object.Value("spec", "replicas"); !resource.Equal(got, int64(1)) {
			t.Fatalf("%s: whoever asked wants %v replicas now", test.reason, got)
		}
	}
}

// TestScaledMeanwhile has an autoscaler scale between a plan and its apply: no plan
// says anything of replicas that were scaled before, so that it stays good.
func TestScaledMeanwhile(t *testing.T) {
	p := offline()
	before, after := webDesired(t, "replicas: 1\n", "\n"), webDesired(t, "replicas: 1\n", "\n", "web:1", "web:2")
	change := resource.Change{Action: resource.Update, Before: p.prepare(before), After: p.prepare(after)}
	live := stored(t, p, webDesired(t))
	scaled(t, live, 7)
	if s := p.judge(change, live); s.State != run.AtBefore {
		t.Errorf("state %d (%q), want it as before", s.State, s.Moved)
	}
}
