package plan_test

import (
	"strings"
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// TestPartsGoByKeys checks that components which read different keys of one Secret
// are independent of one another while only one's key changes.
func TestPartsGoByKeys(t *testing.T) {
	secret := resource.ID{Cluster: "prod", Kind: "Secret", Namespace: "prod", Name: "hub"}
	update := func(id resource.ID, component string, before, after map[string]any) resource.Change {
		return resource.Change{
			ID: id, Action: resource.Update, Before: before, After: after,
			Component: resource.Component{Block: resource.Address{Kind: "hub", Name: "prod"}, Name: component},
		}
	}
	deployment := func(name string, reads ...string) resource.Change {
		id := resource.ID{Cluster: "prod", Group: "apps", Kind: "Deployment", Namespace: "prod", Name: name}
		return update(id, name, pods(name+":1", "", reads...), pods(name+":2", "", reads...))
	}
	whole := func(c resource.Change) resource.Change {
		c.Before = withVolume(c.Before)
		return c
	}
	for _, tc := range []struct {
		name   string
		secret resource.Change
		proxy  resource.Change
		want   string
	}{
		{"another key changes", update(secret, "hub", data("k", "token", "values", "1"), data("k", "token", "values", "2")), deployment("proxy", "hub"), "hub;proxy"},
		{"its key changes", update(secret, "hub", data("k", "old"), data("k", "new")), deployment("proxy", "hub"), "hub, proxy"},
		{"its key goes", update(secret, "hub", data("k", "old", "values", "1"), data("values", "1")), deployment("proxy", "hub"), "hub, proxy"},
		{"it read all of it before", update(secret, "hub", data("k", "t", "values", "1"), data("k", "t", "values", "2")), whole(deployment("proxy", "hub")), "hub, proxy"},
		{"it reads another Secret", update(secret, "hub", data("k", "old"), data("k", "new")), deployment("proxy", "own"), "hub;proxy"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var names []string
			for _, part := range (plan.Step{Changes: []resource.Change{tc.secret, deployment("hub"), tc.proxy}}).Parts() {
				names = append(names, part.Name)
			}
			if got := strings.Join(names, ";"); got != tc.want {
				t.Errorf("parts %q, want %q", got, tc.want)
			}
		})
	}
}

// withVolume returns a workload whose pods mount the whole Secret hub.
func withVolume(o resource.Object) resource.Object {
	template := o["spec"].(map[string]any)["template"].(map[string]any)
	template["spec"].(map[string]any)["volumes"] = []any{map[string]any{"name": "all", "secret": map[string]any{"secretName": "hub"}}}
	return o
}
