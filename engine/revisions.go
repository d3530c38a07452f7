package engine

import (
	"context"
	"fmt"

	"hubcap/engine/expand"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// next looks again, at the next revision, where something changes in blocks whose
// charts ask which revision they render. want is what in was read for; what next
// returns is what in is read for then.
func (e *Engine) next(ctx context.Context, in *plan.Input, want expand.Expanded) (expand.Expanded, error) {
	changed := plan.Changed(in.Changes)
	var changing []resource.Address
	for _, block := range want.Asking {
		if changed[block] {
			changing = append(changing, block)
		}
	}
	if len(changing) == 0 {
		return want, nil
	}
	upgraded, diags := e.desired(changing...)
	if diags.HasErrors() {
		return want, fmt.Errorf("render the next revision: %w", diags)
	}
	in.Charts, in.Hooks = upgraded.Charts, upgraded.Hooks
	return upgraded, e.look(ctx, in, upgraded.Desired)
}

// changingIn returns facts in which blocks are told to change.
func changingIn(facts expand.Facts, blocks []resource.Address) expand.Facts {
	facts.Changing = make(map[resource.Address]bool, len(blocks))
	for _, b := range blocks {
		facts.Changing[b] = true
	}
	return facts
}
