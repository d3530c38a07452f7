package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// finished is how an act of the engine ended.
type finished struct {
	engine.Outcome
	err  error
	took time.Duration
}

// code is the exit code: of the outcome once there is a run, of the error before.
func (f finished) code() code {
	switch {
	case f.Run == "" && f.err != nil:
		return codeOf(f.err)
	case errors.Is(f.err, engine.ErrStale):
		return exitStale
	case errors.Is(f.err, engine.ErrGuarded):
		return exitDenied
	}
	return codeOfOutcome(f.Outcome.Outcome)
}

// why is the reason in words, without the step's name.
func (f finished) why() string {
	reason := f.Reason
	if reason == "" && f.err != nil {
		reason = f.err.Error()
	}
	if f.Failed == "" {
		return reason
	}
	return strings.TrimPrefix(reason, string(f.Failed)+": ")
}

// An ending is how an apply, resume or rollback ended, as -o json prints it.
type ending struct {
	FormatVersion string          `json:"format_version"`
	Run           string          `json:"run,omitempty"`
	Outcome       journal.Outcome `json:"outcome"`
	Failed        plan.StepID     `json:"failed_step,omitempty"`
	Reason        string          `json:"reason,omitempty"`
	Steps         int             `json:"steps_done"`
	Seconds       float64         `json:"seconds"`
	Exit          code            `json:"exit"`

	Impact *render.Comparison `json:"impact,omitempty"` // of the steps that were measured
}

// lookBack bounds the look at the journal of a run that has ended.
const lookBack = 5 * time.Second

// impactOf lays what a run came to beside what was predicted of it; nil when that is not
// to be had: it is no part of how the run ended.
func impactOf(e *engine.Engine, p *plan.Plan, id string) *render.Comparison {
	if id == "" || p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookBack)
	defer cancel()
	r, err := e.Run(ctx, id)
	if err != nil {
		return nil
	}
	r.Plan = p
	return render.Compare(r)
}

// tolerate says that the end of a run could not be told, if so. How the run ended is
// what the exit code says all the same.
func (s *session) tolerate(err error) {
	if err != nil {
		s.complain(err)
	}
}

// conclude words how p ended and picks the exit code. p is nil when nothing
// began.
func (s *session) conclude(e *engine.Engine, p *plan.Plan, f finished) error {
	c, impact := f.code(), impactOf(e, p, f.Run)
	if s.output == asJSON {
		outcome := f.Outcome.Outcome
		if outcome == "" {
			outcome = journal.Refused
		}
		s.tolerate(s.writeJSON(ending{
			FormatVersion: "1.0", Run: f.Run, Outcome: outcome, Failed: f.Failed,
			Reason: f.why(), Steps: f.Steps, Seconds: f.took.Seconds(), Exit: c, Impact: impact,
		}))
	}
	if f.Run == "" && f.err != nil {
		return &exit{code: c, err: f.err}
	}
	if step, failed := failedStep(p, f.Failed); failed && f.Outcome.Outcome != journal.WasInterrupted {
		d := blame(&run.StepError{Step: step, Err: errors.New(f.why())}, e.Config.Files)
		if f.Outcome.Outcome == journal.WasHeld {
			d.Severity, d.Summary = hcl.DiagWarning, "Step "+string(step.ID)+" is held"
		}
		_ = s.diagnose(hcl.Diagnostics{d}, e.Config.Files) // the exit code says that it is an error
	} else if c != exitOK && f.why() != "" {
		s.complain(errors.New(f.why()))
	}
	if s.output != asJSON {
		s.tolerate(s.print(render.Ended(f.Run, f.Outcome.Outcome, f.Steps, f.took) + impact.String()))
	}
	s.next(c, f.Run)
	return silently(c)
}

func failedStep(p *plan.Plan, id plan.StepID) (plan.Step, bool) {
	if p == nil || id == "" {
		return plan.Step{}, false
	}
	for _, step := range p.Steps() {
		if step.ID == id {
			return step, true
		}
	}
	return plan.Step{}, false
}

// again is a command that goes on where this one ended, with what it takes to find
// the same config.
func (s *session) again(command ...string) string {
	words := append([]string{"hubcap"}, command...)
	if s.chdir != "." && s.chdir != "" {
		words = append(words, "--chdir", s.chdir)
	}
	for _, file := range s.varFiles {
		words = append(words, "--var-file", file)
	}
	for i, w := range words {
		if strings.ContainsAny(w, " '\"$") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// next says what to do after a run that did not end well.
func (s *session) next(c code, id string) {
	switch {
	case id == "":
	case c == exitHeld, c == exitInterrupted, c == exitDenied:
		s.hint("To go on: %s. To go back: %s", s.again("resume", id), s.again("rollback", id))
	case c == exitStuck:
		s.warn("A person is needed: %s shows what was done, %s tries again.", s.again("history", id), s.again("rollback", id))
	}
}
