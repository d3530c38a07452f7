package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/providers/charts"
)

// settleOrigin finds out which of the configs of its name this one is: what its lock
// file says. Where it says nothing yet and the command may write it, an origin is drawn,
// unless the name is known to a cluster from elsewhere.
func (s *session) settleOrigin(ctx context.Context, e *engine.Engine, sc *scope) error {
	if sc.takeOver != "" && sc.takeOver != e.Config.Settings.Name {
		return usage("--take-over-config %s: the name of this config is %s", sc.takeOver, e.Config.Settings.Name)
	}
	e.TakeOver = sc.takeOver != ""
	path := filepath.Join(s.chdir, charts.LockFile)
	lock, diags, err := readLock(path, e.Config)
	if err != nil {
		return err
	}
	if said := s.diagnose(diags, e.Config.Files); said != nil {
		return said
	}
	e.Config.Settings.Origin = lock.Origin
	automated, _ := s.env("HUBCAP_IN_AUTOMATION")
	if lock.Origin != "" || !s.charts.writes || s.charts.locked || automated != "" {
		return nil
	}
	if err := e.CheckOrigin(ctx); err != nil {
		return err
	}
	drawn := charts.DrawOrigin()
	written, err := charts.CreateLock(path, lock.WithOrigin(drawn))
	if err != nil {
		s.warn("hubcap: the origin of the config is not kept: %v", err)
		return nil
	}
	if e.Config.Settings.Origin = written.Origin; written.Origin != drawn {
		return nil // somebody else drew it at the same time
	}
	s.warn("hubcap: wrote %s with the origin of this config; keep it under version control", path)
	return nil
}

// claiming returns how an apply ends that has nothing to do: it records whose the config's
// name is, where that is taken over or its record is gone, and else does nothing. stop ends
// what is asked before.
func (s *session) claiming(ctx context.Context, stop func(), e *engine.Engine, a *approval, p *plan.Plan) func(context.Context) error {
	return func(asking context.Context) error {
		unclaimed, err := e.Unclaimed(asking)
		switch {
		case err != nil:
			return err
		case e.TakeOver && e.Config.Settings.Origin == "":
			return errNoOrigin
		case !unclaimed:
			return s.nothing()
		}
		if e.TakeOver {
			matter := fmt.Sprintf("The directory that config %s was applied from so far is refused then.", e.Config.Settings.Name)
			if err := s.confirm(asking, a, "Make the name of this config this directory's?", matter); err != nil {
				return err
			}
		}
		stop()
		return s.carryOut(ctx, e, a, func(ctx context.Context) (engine.Outcome, error) { return e.Apply(ctx, p) })
	}
}

// errNoOrigin refuses to apply what could not be told from another config of its name
// the next time.
var errNoOrigin = errors.New("apply: the config has no origin yet, which tells it from others of its name: run hubcap plan once " +
	"where " + charts.LockFile + " can be written (not with --locked, nor in automation), and put that file under version control; nothing was changed")

// hasOrigin makes sure of that.
func hasOrigin(e *engine.Engine) error {
	if e.Config.Settings.Origin == "" {
		return errNoOrigin
	}
	return nil
}
