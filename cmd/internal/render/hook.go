package render

import (
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// Hooks counts the hooks that a plan runs: the objects that it makes for them.
func Hooks(p *plan.Plan) (n int) {
	for _, step := range p.Steps() {
		for _, c := range step.Changes {
			if c.Hook != nil && c.Action != resource.Delete {
				n++
			}
		}
	}
	return n
}
