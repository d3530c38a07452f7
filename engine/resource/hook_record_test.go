package resource

import "testing"

// TestRecordedHooksAreLimited: of the hooks of a record only those are taken that are
// of kinds and places that the block rendered.
func TestRecordedHooksAreLimited(t *testing.T) {
	hook := func(group, kind, namespace string) Desired {
		return Desired{
			ID: ID{Cluster: "prod", Group: group, Kind: kind, Namespace: namespace, Name: "x"}, Address: ParseAddress("hub.gone/" + kind + "/x"),
			Object: Object{"kind": kind}, Hook: &Hook{Event: "post-delete"},
		}
	}
	rendered := []ID{
		{Cluster: "prod", Group: "batch", Kind: "Job", Namespace: "a", Name: "other"},
		{Cluster: "prod", Group: "batch", Kind: "Job", Namespace: "a", Name: "x"},
		{Cluster: "prod", Kind: "ConfigMap", Namespace: "a", Name: "c"},
	}
	for _, tc := range []struct {
		reason string
		hook   Desired
		want   int
	}{
		{"rendered there", hook("batch", "Job", "a"), 1},
		{"in another namespace", hook("batch", "Job", "b"), 0},
		{"of another group", hook("batch.example.org", "Job", "a"), 0},
		{"of another kind", hook("", "Secret", "a"), 0},
		{"cluster-scoped, and not rendered so", hook("batch", "Job", ""), 0},
		{"cluster-scoped, of another kind", hook("rbac.authorization.k8s.io", "ClusterRoleBinding", ""), 0},
	} {
		record := Object{"data": HookRecord([]Desired{tc.hook}, rendered)}
		record.Set("hooks", "metadata", "annotations", AnnotationRecord)
		if got := RecordedHooks(record); len(got) != tc.want {
			t.Errorf("%s: %d hooks, want %d", tc.reason, len(got), tc.want)
		}
	}
	elsewhere := hook("batch", "Job", "a")
	elsewhere.ID.Cluster = "other"
	record := Object{"data": HookRecord([]Desired{elsewhere}, rendered)}
	record.Set("hooks", "metadata", "annotations", AnnotationRecord)
	if got := RecordedHooks(record); len(got) != 0 {
		t.Error("a hook of another cluster was taken")
	}
	for _, key := range []string{recordedHooks, recordedPlaces} {
		record := Object{"data": HookRecord([]Desired{hook("batch", "Job", "a")}, rendered)}
		record.Set("hooks", "metadata", "annotations", AnnotationRecord)
		record.Set("garbage", "data", key)
		if got := RecordedHooks(record); len(got) != 0 {
			t.Errorf("hooks of a record whose %s cannot be read were taken", key)
		}
	}
}
