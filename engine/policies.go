package engine

import (
	"errors"
	"fmt"
	"strings"

	"hubcap/engine/expand"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/schema"
)

// ErrPolicy says that a policy of the config denies a plan.
var ErrPolicy = errors.New("denied by a policy")

// judge fills in what policies are asked about, and the policies.
func (e *Engine) judge(in *plan.Input) {
	in.Faults = expand.Faults(e.Config, in.Charts)
	in.Policies = policies(e.Config)
	e.judgeDatabases(in)
}

// judgeDatabases fills in what tells that a hub upgrades its database, and who backs it up.
func (e *Engine) judgeDatabases(in *plan.Input) {
	in.Releases = modules.JupyterHubs()
	for _, h := range e.Config.Hubs {
		if h.DatabaseBackup == schema.BackupByHand {
			in.ByHand = append(in.ByHand, h.Address)
		}
	}
}

// policies turns the policy blocks into what the planner knows.
func policies(cfg *schema.Config) []plan.Policy {
	var all []plan.Policy
	for _, p := range cfg.Policies {
		out := plan.Policy{Address: p.Address, Level: plan.PolicyLevel(p.Level), Reason: p.Reason}
		if v := p.Versions; v != nil {
			out.Versions = &plan.VersionsRule{Blocks: v.Blocks}
			for _, word := range v.Forbid {
				out.Versions.Forbid = append(out.Versions.Forbid, resource.FaultKind(word))
			}
		}
		all = append(all, out)
	}
	return all
}

// denied returns an [ErrPolicy] when a policy denies p.
func denied(p *plan.Plan) error {
	var lines []string
	for _, v := range p.Denied() {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", v.Name, v.About, v.Text))
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrPolicy, strings.Join(lines, "; "))
}
