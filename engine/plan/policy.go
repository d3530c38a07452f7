package plan

import (
	"cmp"
	"slices"

	"hubcap/engine/resource"
)

// A Policy is a rule over the plan, and how hard it is.
type Policy struct {
	Address  resource.Address
	Level    PolicyLevel
	Reason   string // of the rule, for people
	Versions *VersionsRule
}

// A VersionsRule forbids faults of chart versions.
type VersionsRule struct {
	Forbid []resource.FaultKind
	Blocks []resource.Address // empty: all
}

// PolicyLevel says how hard a policy is.
type PolicyLevel string

// The levels of policies, hardest first.
const (
	Deny PolicyLevel = "deny" // the plan is not carried out
	Hold PolicyLevel = "hold" // the block's steps are held, until somebody overrides the verdict
	Warn PolicyLevel = "warn" // it is only said
)

var levelRanks = map[PolicyLevel]int{Deny: 1, Hold: 2, Warn: 3}

// A Verdict is what a policy, or hubcap itself, has against a plan.
type Verdict struct {
	Name   string           `json:"name"` // what an override names: "policy.released_charts"
	Level  PolicyLevel      `json:"level"`
	About  resource.Address `json:"about"` // a block
	Text   string           `json:"text"`  // what is wrong, without a period
	Reason string           `json:"reason,omitempty"`
	Origin resource.Range   `json:"origin,omitzero"`
}

// Denied returns the verdicts for which the plan must not be carried out.
func (p *Plan) Denied() []Verdict {
	var denied []Verdict
	for _, v := range p.Verdicts {
		if v.Level == Deny {
			denied = append(denied, v)
		}
	}
	return denied
}

// judge asks every policy. A policy is about what the plan does: a block in which
// nothing changes is not judged.
func (b *builder) judge() {
	changing := make(map[resource.Address]bool)
	for _, s := range b.plan.Steps() {
		changing[s.Component.Block] = true
	}
	for _, v := range b.said {
		b.verdict(v)
	}
	for _, p := range b.Policies {
		for _, f := range b.Faults {
			if changing[f.Chart.Address] && p.Versions.forbids(p.Address, f) {
				b.verdict(Verdict{
					Name: p.Address.String(), Level: p.Level, About: f.Chart.Address, Text: f.String(), Reason: p.Reason, Origin: f.Origin,
				})
			}
		}
	}
	slices.SortFunc(b.plan.Verdicts, func(x, y Verdict) int {
		return cmp.Or(
			cmp.Compare(levelRanks[x.Level], levelRanks[y.Level]), cmp.Compare(x.Name, y.Name),
			cmp.Compare(x.About.String(), y.About.String()), cmp.Compare(x.Text, y.Text),
		)
	})
}

// verdict notes a verdict. One that holds becomes a guard of the block's steps.
func (b *builder) verdict(v Verdict) {
	b.plan.Verdicts = append(b.plan.Verdicts, v)
	if v.Level != Hold {
		return
	}
	guard := Guard{Name: v.Name, Level: Soft, Verdict: &VerdictCheck{Text: v.Text}}
	for w := range b.plan.Waves {
		for i := range b.plan.Waves[w].Steps {
			if s := &b.plan.Waves[w].Steps[i]; s.Component.Block == v.About {
				s.Guards = addGuard(s.Guards, guard)
			}
		}
	}
}

// addGuard adds a guard of a verdict. Verdicts of one name are one guard: they
// are overridden together.
func addGuard(guards []Guard, g Guard) []Guard {
	at := slices.IndexFunc(guards, func(old Guard) bool { return old.Name == g.Name && old.Verdict != nil })
	if at < 0 {
		return append(guards, g)
	}
	guards[at].Verdict = &VerdictCheck{Text: guards[at].Verdict.Text + "; " + g.Verdict.Text}
	return guards
}

// forbids reports whether the rule of a policy is about a fault.
func (r *VersionsRule) forbids(policy resource.Address, f resource.Fault) bool {
	switch {
	case r == nil:
		return false
	case f.Kind == resource.NotAllowed:
		return f.Name == policy.String()
	case len(r.Blocks) > 0 && !slices.Contains(r.Blocks, f.Chart.Address):
		return false
	}
	return slices.Contains(r.Forbid, f.Kind)
}
