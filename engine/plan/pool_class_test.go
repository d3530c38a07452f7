package plan

import (
	"testing"

	"hubcap/engine/resource"
)

func TestAdoptingAPool(t *testing.T) {
	owner := resource.Field{Path: "config.resourceLabels.hubcap-config", After: "default"}
	block := resource.Field{Path: "config.resourceLabels.hubcap-block", After: "node_pool-user"}
	for _, row := range []struct {
		reason string
		fields []resource.Field
		want   resource.Class
	}{
		{"it gets an owner and nothing else", []resource.Field{block, owner}, resource.ClassAdopt},
		{"something else changes too", []resource.Field{owner, {Path: "autoscaling.maxNodeCount", Before: int64(1), After: int64(2)}}, resource.ClassLive},
		{"somebody else's label", []resource.Field{owner, {Path: "config.resourceLabels.team", After: "a"}}, resource.ClassLive},
		{"a pool of its own moves to another block", []resource.Field{{Path: block.Path, Before: "node_pool-a", After: "node_pool-b"}}, resource.ClassLive},
		{"nothing", nil, resource.ClassNoop},
	} {
		if got := poolClass(row.fields); got != row.want {
			t.Errorf("%s: %v, want %v", row.reason, got, row.want)
		}
	}
}
