package kube

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

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
		{"another workload has the autoscaler", scales("apps/v1", "other"), func(u *unstructured.Unstructured) *unstructured.Unstructured {
			u.Object["spec"].(map[string]any)["replicas"] = int64(3)
			return u
		}, int64(1)},
		{"one of another group has it", scales("example.org/v1", "web"), func(u *unstructured.Unstructured) *unstructured.Unstructured {
			u.Object["spec"].(map[string]any)["replicas"] = int64(3)
			return u
		}, int64(1)},
	} {
		s := &survey{
			p: p, desired: p.prepareAll([]resource.Desired{test.autoscaler, wanted}),
			live: []*unstructured.Unstructured{nil, test.live(stored(t, p, wanted))}, byID: map[resource.ID]int{test.autoscaler.ID: 0, wanted.ID: 1},
		}
		if err := s.leaveScaled(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, _ := s.desired[1].Object.Value("spec", "replicas"); !resource.Equal(got, test.replicas) {
			t.Errorf("%s: %v replicas are wanted, want %v", test.reason, got, test.replicas)
		}
		if got, _ := wanted.Object.Value("spec", "replicas"); !resource.Equal(got, int64(1)) {
			t.Fatalf("%s: whoever asked wants %v replicas now", test.reason, got)
		}
	}
}

// TestLeaveOthersScaled holds that an autoscaler which the config does not know is not
// fought, and that what a person scaled is.
func TestLeaveOthersScaled(t *testing.T) {
	wanted := webDesired(t)
	for _, test := range []struct {
		reason, manager string
		listed          []resource.Desired // autoscalers in the namespace
		denied          bool
		replicas        any
	}{
		{"the cluster's autoscaler did", "kube-controller-manager", nil, false, nil},
		{"an operator did, and an autoscaler is there", "keda-operator", []resource.Desired{scales("apps/v1", "web")}, false, nil},
		{"a person did", "kubectl", nil, false, int64(1)},
		{"a person did, and another is autoscaled", "kubectl", []resource.Desired{scales("apps/v1", "other")}, false, int64(1)},
		{"who cannot be told", "kubectl", nil, true, nil},
	} {
		p := offline()
		scheme := runtime.NewScheme()
		client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(scheme, map[schema.GroupVersionResource]string{autoscalers: "HorizontalPodAutoscalerList"})
		for _, d := range test.listed {
			u := &unstructured.Unstructured{Object: resource.Reveal(d.Object).(map[string]any)}
			u.SetName("scaler")
			u.SetNamespace("prod")
			if _, err := client.Resource(autoscalers).Namespace("prod").Create(t.Context(), u, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if test.denied {
			client.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewForbidden(autoscalers.GroupResource(), "", nil)
			})
		}
		p.Client.Dynamic = client
		live := stored(t, p, wanted)
		scaled(t, live, 5)
		entries := live.GetManagedFields()
		entries[len(entries)-1].Manager = test.manager
		live.SetManagedFields(entries)
		s := &survey{p: p, desired: p.prepareAll([]resource.Desired{wanted}), live: []*unstructured.Unstructured{live}, byID: map[resource.ID]int{wanted.ID: 0}}
		if err := s.leaveScaled(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, _ := s.desired[0].Object.Value("spec", "replicas"); !resource.Equal(got, test.replicas) {
			t.Errorf("%s: %v replicas are wanted, want %v", test.reason, got, test.replicas)
		}
		if (len(s.unreadable) > 0) != test.denied {
			t.Errorf("%s: unreadable %v", test.reason, s.unreadable)
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
