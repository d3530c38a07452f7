package resource_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

// A component is named by its own address or its block's, and every instance of a
// block by the address without the key.
func TestNamedBy(t *testing.T) {
	plain := resource.Component{Block: resource.Address{Kind: "hub", Name: "prod"}, Name: "hub"}
	keyed := resource.Component{Block: resource.Address{Kind: "hub", Name: `prod["2i2c.org"]`}, Name: "hub"}
	deep := resource.Component{Block: resource.Address{Module: `module.east["a"]`, Kind: "hub", Name: `prod["b"]`}, Name: "proxy"}
	for _, test := range []struct {
		reason string
		c      resource.Component
		text   string
		want   bool
	}{
		{"the block", plain, "hub.prod", true},
		{"the component", plain, "hub.prod/hub", true},
		{"another component", plain, "hub.prod/proxy", false},
		{"only the beginning of a name", plain, "hub.pro", false},
		{"a longer name", plain, "hub.production", false},
		{"a key that it has not", plain, `hub.prod["a"]`, false},
		{"nothing", plain, "", false},
		{"an instance with its key", keyed, `hub.prod["2i2c.org"]`, true},
		{"an instance's component", keyed, `hub.prod["2i2c.org"]/hub`, true},
		{"all instances", keyed, "hub.prod", true},
		{"the component of all instances", keyed, "hub.prod/hub", true},
		{"another component of all", keyed, "hub.prod/proxy", false},
		{"another instance", keyed, `hub.prod["2i2c"]`, false},
		{"half a key", keyed, `hub.prod["2i2c`, false},
		{"a module's block with both keys", deep, `module.east["a"].hub.prod["b"]`, true},
		{"with the module's key", deep, `module.east["a"].hub.prod`, true},
		{"with the block's key", deep, `module.east.hub.prod["b"]/proxy`, true},
		{"with neither", deep, "module.east.hub.prod", true},
		{"of another module", deep, "module.west.hub.prod", false},
		{"without its module", deep, "hub.prod", false},
	} {
		if got := test.c.NamedBy(test.text); got != test.want {
			t.Errorf("%s: %s named by %q = %v", test.reason, test.c, test.text, got)
		}
	}
}

func TestClosest(t *testing.T) {
	names := []string{"guard.nights", "guard.quiet", "guard.exams", "guard.quiet"}
	want := []string{"guard.quiet", "guard.exams", "guard.nights"}
	if diff := cmp.Diff(want, resource.Closest("guard.quite", names)); diff != "" {
		t.Errorf("closest to guard.quite (-want +got):\n%s", diff)
	}
	want = []string{`hub.prod["a"]`, `hub.prod["b"]`, "hub.staging"}
	if diff := cmp.Diff(want, resource.Closest("hub.prd", []string{"hub.staging", `hub.prod["b"]`, `hub.prod["a"]`})); diff != "" {
		t.Errorf("closest to hub.prd (-want +got):\n%s", diff)
	}
	if got := resource.Closest("x", nil); len(got) != 0 {
		t.Errorf("closest of nothing = %v", got)
	}
}

func TestPossible(t *testing.T) {
	var many []string
	for i := range 10 {
		many = append(many, fmt.Sprintf("hub.h%d", i))
	}
	for _, test := range []struct {
		reason string
		names  []string
		want   string
	}{
		{"none", nil, "there is none"},
		{"as many as are named", many[:8], "possible are hub.h7, hub.h0, hub.h1, hub.h2, hub.h3, hub.h4, hub.h5, hub.h6"},
		{"more", many, "possible are hub.h7, hub.h0, hub.h1, hub.h2, hub.h3, hub.h4, hub.h5, hub.h6 and 2 more"},
	} {
		if got := resource.Possible("hub.h77", test.names); got != test.want {
			t.Errorf("%s: %q, want %q", test.reason, got, test.want)
		}
	}
}
