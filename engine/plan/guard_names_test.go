package plan_test

import (
	"testing"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

func TestGuardAddress(t *testing.T) {
	for name, want := range map[string]string{
		"quiet":              "guard.quiet",
		`nights["2i2c.org"]`: `guard.nights["2i2c.org"]`,
		"module.x.guard.y":   "module.x.guard.y",
		"policy.no_latest":   "policy.no_latest",
	} {
		if got := (plan.Guard{Name: name}).Address(); got != want {
			t.Errorf("address of guard %s = %s, want %s", name, got, want)
		}
	}
}

// Drift is acknowledged by object, by block, or for all instances of a block.
func TestAcceptedDrift(t *testing.T) {
	block := resource.Address{Kind: "hub", Name: `prod["a"]`}
	object := block
	object.Object = "Deployment/hub"
	guard := plan.Guard{Name: "drift", Drift: &plan.DriftCheck{}}
	for accepted, holds := range map[string]bool{
		"":                           true,
		"hub.staging":                true,
		`hub.prod["b"]`:              true,
		`hub.prod["a"]`:              false,
		"hub.prod":                   false,
		object.String():              false,
		"hub.prod/Deployment/hub":    false,
		"hub.prod/Deployment/binder": true,
	} {
		asked := plan.Asked{
			Step: plan.Step{Component: resource.Component{Block: block, Name: "hub"}}, Accepted: []string{accepted},
			Drift: []plan.Drift{{Address: object, Fields: []resource.Foreign{{Path: "spec.replicas", Manager: "kubectl"}}}},
		}
		if stand, known := guard.Stand(asked); !known || stand.Holds != holds {
			t.Errorf("with %q accepted: %+v, known %t, want it to hold: %t", accepted, stand, known, holds)
		}
	}
}
