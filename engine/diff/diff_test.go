package diff

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

func containers(list ...any) resource.Object {
	return resource.Object{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": list}}}}
}

func TestFields(t *testing.T) {
	for _, test := range []struct {
		reason        string
		before, after resource.Object
		want          []resource.Field
	}{
		{"equal objects", resource.Object{"a": int64(1)}, resource.Object{"a": 1.0}, nil},
		{
			"containers are told apart by name",
			containers(map[string]any{"name": "side", "image": "s:1"}, map[string]any{"name": "hub", "image": "h:1"}),
			containers(map[string]any{"name": "hub", "image": "h:2"}, map[string]any{"name": "side", "image": "s:1"}),
			[]resource.Field{{Path: "spec.template.spec.containers[hub].image", Before: "h:1", After: "h:2"}},
		},
		{
			"another order alone is told as such",
			containers(map[string]any{"name": "a"}, map[string]any{"name": "b"}),
			containers(map[string]any{"name": "b"}, map[string]any{"name": "a"}),
			[]resource.Field{{Path: "spec.template.spec.containers", Before: []any{"a", "b"}, After: []any{"b", "a"}}},
		},
		{
			"an environment variable that comes, one that goes and one that changes",
			resource.Object{"env": []any{map[string]any{"name": "OLD", "value": "1"}, map[string]any{"name": "X", "value": "1"}}},
			resource.Object{"env": []any{map[string]any{"name": "X", "value": "2"}, map[string]any{"name": "NEW", "value": "3"}}},
			[]resource.Field{
				{Path: "env[NEW].value", After: "3"},
				{Path: "env[OLD].value", Before: "1"},
				{Path: "env[X].value", Before: "1", After: "2"},
			},
		},
		{
			"volume mounts of one volume are told apart by path",
			resource.Object{"volumeMounts": []any{map[string]any{"name": "v", "mountPath": "/a"}, map[string]any{"name": "v", "mountPath": "/b"}}},
			resource.Object{"volumeMounts": []any{map[string]any{"name": "v", "mountPath": "/a"}, map[string]any{"name": "v", "mountPath": "/b", "readOnly": true}}},
			[]resource.Field{{Path: "volumeMounts[/b].readOnly", After: true}},
		},
		{
			"ports by number",
			resource.Object{"ports": []any{map[string]any{"port": int64(80), "targetPort": "http"}}},
			resource.Object{"ports": []any{map[string]any{"port": int64(80), "targetPort": "https"}}},
			[]resource.Field{{Path: "ports[80].targetPort", Before: "http", After: "https"}},
		},
		{
			"arguments by position, or as a whole",
			resource.Object{"args": []any{"a", "b"}, "more": []any{"a"}},
			resource.Object{"args": []any{"a", "c"}, "more": []any{"a", "b"}},
			[]resource.Field{
				{Path: "args[1]", Before: "b", After: "c"},
				{Path: "more", Before: []any{"a"}, After: []any{"a", "b"}},
			},
		},
		{
			"keys that are no words are quoted, texts are whole",
			resource.Object{"data": map[string]any{"jupyterhub_config.py": "a\nb\n"}},
			resource.Object{"data": map[string]any{"jupyterhub_config.py": "a\nc\n"}},
			[]resource.Field{{Path: `data["jupyterhub_config.py"]`, Before: "a\nb\n", After: "a\nc\n"}},
		},
		{
			"what comes and goes is shown leaf by leaf, also when it is empty",
			resource.Object{"a": map[string]any{"b": "c"}},
			resource.Object{"d": map[string]any{"e": map[string]any{"f": int64(1)}}, "g": map[string]any{}},
			[]resource.Field{{Path: "a.b", Before: "c"}, {Path: "d.e.f", After: int64(1)}, {Path: "g", After: map[string]any{}}},
		},
		{
			"what the API server fills in is no difference",
			resource.Object{"metadata": map[string]any{"resourceVersion": "1", "uid": "x", "generation": int64(1), "managedFields": []any{},
				"annotations": map[string]any{"hubcap.dev/applied": "old"}}, "status": map[string]any{"ready": true}},
			resource.Object{"metadata": map[string]any{"resourceVersion": "2", "annotations": map[string]any{"hubcap.dev/applied": "new"}}},
			nil,
		},
		{
			"null is not nothing",
			resource.Object{"a": nil}, resource.Object{},
			[]resource.Field{{Path: "a"}},
		},
		{
			"a value that becomes secret hides the old one too",
			resource.Object{"a": "plain"}, resource.Object{"a": resource.Secret("hidden")},
			[]resource.Field{{Path: "a", Before: resource.Secret("plain"), After: resource.Secret("hidden")}},
		},
		{
			"the mark alone is no difference",
			resource.Object{"a": "same"}, resource.Object{"a": resource.Secret("same")}, nil,
		},
		{
			"a map that becomes a text",
			resource.Object{"a": map[string]any{"b": "c"}}, resource.Object{"a": "c"},
			[]resource.Field{{Path: "a", Before: map[string]any{"b": "c"}, After: "c"}},
		},
	} {
		got := Fields(test.before, test.after)
		same := cmp.Comparer(func(a, b resource.Sensitive) bool { return a.Reveal() == b.Reveal() })
		if diff := cmp.Diff(test.want, got, same); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}

func pool(name string) resource.ID {
	return resource.ID{Cluster: "c", Group: resource.GroupGKE, Kind: resource.KindNodePool, Name: name}
}

func TestCompare(t *testing.T) {
	id := func(name string) resource.ID {
		return resource.ID{Cluster: "c", Kind: "ConfigMap", Namespace: "n", Name: name}
	}
	o := resource.Object{"data": map[string]any{"a": "1"}}
	p := resource.Object{"data": map[string]any{"a": "2"}}
	user := resource.Address{Kind: "node_pool", Name: "user"}
	live := func(name string) *resource.Live { return &resource.Live{ID: id(name), Object: o} }
	r := resource.Reading{
		Observations: []resource.Observation{
			{Desired: resource.Desired{ID: id("same"), Object: o}, Live: live("same"), Same: true},
			{Desired: resource.Desired{ID: id("refused"), Object: p}, Live: live("refused"), Refused: "theirs"},
			{Desired: resource.Desired{ID: id("ensured"), Object: p, Presence: resource.Ensured}, Live: live("ensured")},
			{Desired: resource.Desired{ID: id("update"), Object: p}, Live: live("update"), Before: o, Preview: p},
			{Desired: resource.Desired{ID: id("anew"), Object: p}, Live: live("anew"), Before: o, Preview: p, Replace: []string{"spec.selector"}},
			{Desired: resource.Desired{ID: id("absent"), Object: o, Presence: resource.Ensured}},
			{Desired: resource.Desired{ID: pool("user-2"), Object: o, Address: user}},
		},
		Orphans: []resource.Live{
			{ID: pool("user-1"), Object: o, Address: user},
			{ID: id("gone"), Object: resource.Object{"metadata": map[string]any{"uid": "x", "name": "gone"}, "status": map[string]any{}}},
		},
	}
	want := map[string]resource.Action{
		"update": resource.Update, "anew": resource.Replace, "absent": resource.Create,
		"user-2": resource.Replace, "user-1": resource.Delete, "gone": resource.Delete,
	}
	got := map[string]resource.Action{}
	for _, c := range Compare(r) {
		got[c.ID.Name] = c.Action
		switch c.ID.Name {
		case "user-2":
			if c.Replaces == nil || *c.Replaces != pool("user-1") || c.Before != nil {
				t.Errorf("new shape = %+v, want it to replace user-1", c)
			}
		case "gone":
			if diff := cmp.Diff(resource.Object{"metadata": map[string]any{"name": "gone"}}, c.Before); diff != "" {
				t.Errorf("pre-image of a deletion (-want +got):\n%s", diff)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

// TestCompareSame holds that what is as desired yields no change.
func TestCompareSame(t *testing.T) {
	if got := Compare(resource.Reading{Observations: []resource.Observation{{Live: &resource.Live{}, Same: true}}}); len(got) != 0 {
		t.Errorf("Compare of the same = %v", got)
	}
}

// Our marks coming or going are what a take-over is, and no difference beside it.
func TestTakeoverHidesMarks(t *testing.T) {
	before := resource.Object{"metadata": map[string]any{"name": "a"}, "data": map[string]any{"a": "1"}}
	after := before.Copy()
	after.Set("conf", "metadata", "labels", "hubcap.dev/config")
	after.Set("hub.prod", "metadata", "annotations", "hubcap.dev/address")
	after.Set("x", "metadata", "annotations", "note")
	reading := func(from *resource.Takeover) resource.Reading {
		return resource.Reading{Observations: []resource.Observation{{
			Desired: resource.Desired{ID: resource.ID{Name: "a"}, Object: after}, Live: &resource.Live{}, Before: before, Preview: after, TakesOver: from,
		}}}
	}
	taken := Compare(reading(&resource.Takeover{From: "helm"}))
	if len(taken) != 1 || len(taken[0].Fields) != 1 || taken[0].TakesOver == nil || taken[0].Action != resource.Update {
		t.Errorf("a take-over: %+v", taken)
	}
	if fields := Compare(reading(nil))[0].Fields; len(fields) != 3 {
		t.Errorf("no take-over: %+v", fields)
	}
	if _, marked := after.Value("metadata", "labels", "hubcap.dev/config"); !marked {
		t.Error("comparing changed the object")
	}
}
