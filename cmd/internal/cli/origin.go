package cli

import (
	"context"
	"errors"
	"path/filepath"

	"hubcap/engine"
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
	if err := charts.WriteLock(path, lock.WithOrigin(drawn)); err != nil {
		s.warn("hubcap: the origin of the config is not kept: %v", err)
		return nil
	}
	e.Config.Settings.Origin = drawn
	s.warn("hubcap: wrote %s with the origin of this config; keep it under version control", path)
	return nil
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
