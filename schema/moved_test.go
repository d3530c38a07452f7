package schema

import (
	"path/filepath"
	"slices"
	"testing"

	"hubcap/engine/resource"
)

// TestFollow checks where moves lead, forth and back.
func TestFollow(t *testing.T) {
	move := func(from, to string) Moved {
		return Moved{From: resource.ParseAddress(from), To: resource.ParseAddress(to)}
	}
	c := &Config{Moved: []Moved{
		move("hub.a", "hub.b"), move("hub.b", "hub.c"),
		move(`hub.lab["chem"]`, `hub.lab["chemistry"]`),
		move("chart.all", "module.x.chart.all"),
	}}
	for from, to := range map[string]string{
		"hub.a":                      "hub.c",
		"hub.a/Deployment/hub":       "hub.c/Deployment/hub",
		`hub.a["k"]`:                 `hub.c["k"]`,
		`hub.lab["chem"]`:            `hub.lab["chemistry"]`,
		`chart.all["k"]/Service/x`:   `module.x.chart.all["k"]/Service/x`,
		"hub.else":                   "hub.else",
		`hub.lab["bio"]/Service/hub`: `hub.lab["bio"]/Service/hub`,
	} {
		if got := c.MovedTo(resource.ParseAddress(from)).String(); got != to {
			t.Errorf("%s moved to %s, want %s", from, got, to)
		}
		if got := c.MovedFrom(resource.ParseAddress(to)).String(); got != from {
			t.Errorf("%s moved from %s, want %s", to, got, from)
		}
	}
}

// TestMovedPool checks that a node pool keeps its live name, in references too.
func TestMovedPool(t *testing.T) {
	names := func(config string) []string {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "main.hcl"), []byte("hubcap {\n  name = \"moves\"\n}\ncluster \"prod\" {\n  project  = \"a-project\"\n  location = \"us-central1\"\n  name     = \"c\"\n}\n"+config))
		c, diags := Load(dir, Options{})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return []string{c.NodePools[0].LiveName(), c.Outputs[0].Value.(string)}
	}
	before := names("node_pool \"user\" {\n  machine_type = \"n2-highmem-8\"\n}\noutput \"name\" {\n  value = node_pool.user.pool_name\n}\n")
	after := names("moved {\n  from = node_pool.user\n  to   = node_pool.users\n}\nnode_pool \"users\" {\n  machine_type = \"n2-highmem-8\"\n}\noutput \"name\" {\n  value = node_pool.users.pool_name\n}\n")
	if !slices.Equal(before, after) || before[0] != before[1] {
		t.Errorf("names %v, and moved %v; want the same", before, after)
	}
}

// TestPermits checks what a removed block gives free.
func TestPermits(t *testing.T) {
	for _, test := range []struct {
		from, block string
		want        bool
	}{
		{"hub.lab", "hub.lab", true},
		{"hub.lab", `hub.lab["a"]`, true},
		{`hub.lab["a"]`, `hub.lab["a"]`, true},
		{`hub.lab["a"]`, `hub.lab["b"]`, false},
		{`hub.lab["a"]`, "hub.lab", false},
		{"hub.lab", "hub.laboratory", false},
		{"hub.lab", "module.x.hub.lab", false},
	} {
		r := Removed{From: resource.ParseAddress(test.from)}
		if got := r.Permits(resource.ParseAddress(test.block)); got != test.want {
			t.Errorf("removed %s permits %s: %v, want %v", test.from, test.block, got, test.want)
		}
	}
}
