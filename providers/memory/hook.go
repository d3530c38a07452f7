package memory

import (
	"context"
	"strconv"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// hookSight returns where the object of a hook stands: what an earlier run left of
// it counts as before, because it has to be made anew.
func (w *World) hookSight(ctx context.Context, c resource.Change) run.Sight {
	r := w.state.index[c.ID]
	if r == nil {
		if c.Action == resource.Delete {
			return run.Sight{State: run.AtAfter}
		}
		return run.Sight{State: run.AtBefore}
	}
	sight := run.Sight{State: run.AtBefore, Version: strconv.FormatInt(r.Version, 10)}
	mark := resource.HookMark(r.Object)
	switch {
	case r.Owner != w.Owner || mark == "":
		sight.State, sight.Moved = run.Elsewhere, "it exists and is no hook's"
	case c.Action != resource.Delete && mark == c.Hook.Event && r.Stamp != nil && r.Stamp.Run == run.ID(ctx):
		sight.State = run.AtAfter
	}
	return sight
}
