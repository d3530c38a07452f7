package engine

import (
	"fmt"
	"slices"

	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// adoptPrograms takes the programs that gates of the run's plan run on this machine from
// the config at hand, and remembers the steps with one that the config does not have:
// those are held. What a record says is never enough to run a program here.
func (s *session) adoptPrograms() {
	sites := Sites(s.Config)
	for _, w := range s.plan.Waves {
		for _, step := range w.Steps {
			for i, g := range step.Gates {
				if g.Exec == nil {
					continue
				}
				if own := s.program(step, g, sites); own != nil {
					step.Gates[i].Exec = own
					continue
				}
				if s.foreign == nil {
					s.foreign = make(map[plan.StepID]string)
				}
				s.foreign[step.ID] = g.Name
			}
		}
	}
}

// program returns the check of the config at hand that is the gate's of a step; nil when
// the config has none that runs the same.
func (s *session) program(step plan.Step, gate plan.Gate, sites []plan.Site) *plan.ExecCheck {
	for _, g := range s.Config.Gates {
		own := GateOf(g)
		if own.Exec == nil || own.Name != gate.Name {
			continue
		}
		for _, site := range sites {
			if site.Block != step.Component.Block {
				continue
			}
			if filled, problem := own.For(site, nil); problem == "" && slices.Equal(filled.Exec.Command, gate.Exec.Command) {
				return filled.Exec
			}
		}
	}
	return nil
}

// mayBegin holds a step whose gates run a program that the config at hand does not have.
func (s *session) mayBegin(step plan.Step) error {
	gate, isForeign := s.foreign[step.ID]
	if !isForeign {
		return nil
	}
	return run.Hold(fmt.Sprintf("gate %s runs a program that gate %s of the config at hand does not: resume with the config that the run was made of, or make a new plan", gate, gate))
}

// ownPrograms returns gates without those whose program the config at hand does not have.
func (s *session) ownPrograms(step plan.Step, gates []plan.Gate) []plan.Gate {
	if s.foreign[step.ID] == "" {
		return gates
	}
	sites := Sites(s.Config)
	return slices.DeleteFunc(gates, func(g plan.Gate) bool {
		isForeign := g.Exec != nil && s.program(step, g, sites) == nil
		if isForeign {
			s.tell(run.Warned{Text: fmt.Sprintf("%s: gate %s is left out, since it runs a program that the config at hand does not have", step.ID, g.Name)})
		}
		return isForeign
	})
}
