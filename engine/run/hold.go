package run

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

// A Watcher tells how what a guard watches in the outside world stands: pass when
// the step may begin, and with the number and its bound where there is one.
type Watcher interface {
	Watch(ctx context.Context, w Watching) (Sample, error)
}

// A Watching is what a watcher is asked.
type Watching struct {
	Guard plan.Guard
	Step  plan.Step

	// Ahead are changes of node pools that are made before the step, when it is asked
	// how things would stand. When the step is about to begin they are made.
	Ahead []resource.Change
}

// Guarding is what a run knows beside its plan when guards are asked.
type Guarding struct {
	Overrides map[string]string                        // address of a guard → why a person overrides it
	Accepted  []string                                 // addresses whose drift is acknowledged
	Incident  string                                   // why load is no reason to hold; empty: it is one
	NoWait    bool                                     // a step that a guard holds is held at once
	Spent     func(cluster string) (plan.Spent, error) // may be nil when no guard has a budget
}

const (
	askTimeout = 15 * time.Second // of one guard
	askedOften = 10 * time.Second // an answer is good for so long
)

// A vigil is a step that waits for its guards.
type vigil struct {
	*execution
	since     time.Time            // it was held first; zero: it was not
	looked    time.Time            // when its guards were asked last
	well      map[string]time.Time // guard that has held it → since when it does not
	named     []string             // guards that hold it
	committed []plan.Step          // under way: nobody has measured yet whom they cut off
	said      map[string]bool      // guards whose word was passed on although it holds nothing
	next      time.Time            // when to look again
	waited    bool                 // it was asked last while other steps could begin
	barred    bool                 // held for good by a guard that nobody may override, because nobody waits
}

// fresh reports whether what the guards said still counts when the step begins. A
// budget is asked again after a wait: others may have spent it.
func (v *vigil) fresh() bool { return !v.waited && time.Since(v.looked) <= askedOften }

// wait waits until it is time to look again, and looks.
func (v *vigil) wait(ctx context.Context) (phase, error) {
	timer := time.NewTimer(max(time.Until(v.next), 0))
	defer timer.Stop()
	select {
	case <-v.Lost:
		return waiting, nil
	case <-ctx.Done():
		return waiting, nil
	case <-timer.C:
		next, err := v.look(ctx)
		v.waited = slices.ContainsFunc(v.step.Guards, func(g plan.Guard) bool { return g.Budget != nil })
		return next, err
	}
}

// look asks all guards of the step and says what follows: it may begin, it waits,
// or it is held for good.
func (v *vigil) look(ctx context.Context) (phase, error) {
	stands := make([]plan.Stand, len(v.step.Guards))
	each(len(stands), func(i int) { stands[i] = v.ask(ctx, v.step.Guards[i]) })
	if ctx.Err() != nil {
		return waiting, nil
	}
	v.looked, v.waited = time.Now(), false
	var held []holding
	for i, g := range v.step.Guards {
		h := holding{Guard: g, Stand: stands[i]}
		if why := v.unheld(g); h.Holds && why != "" {
			if err := v.pass(ctx, h, why); err != nil {
				return cut, err
			}
			continue
		}
		if v.settle(&h); h.Holds {
			held = append(held, h)
		}
	}
	if len(held) == 0 {
		return open, nil
	}
	return v.keep(ctx, held)
}

// A holding is a guard and what it says.
type holding struct {
	plan.Guard
	plan.Stand
}

func (h holding) String() string { return h.Address() + ": " + h.Reason }

// ask asks one guard. One that cannot be answered holds.
func (v *vigil) ask(ctx context.Context, g plan.Guard) plan.Stand {
	asked := plan.Asked{At: v.clock(), Step: v.step, Drift: v.plan.Drift, Accepted: v.Accepted}
	if g.Budget != nil && v.Spent != nil {
		spent, err := v.Spent(v.step.Cluster)
		if err != nil {
			return plan.Stand{Holds: true, Reason: "cannot be told: " + err.Error()}
		}
		for _, other := range v.committed {
			spent.Run = spent.Run.With(other.Crowd(), other.Impact)
		}
		asked.Spent = &spent
	}
	if stand, known := g.Stand(asked); known {
		return stand
	}
	stand, untold := v.Targets[v.step.Cluster].Ask(ctx, Watching{Guard: g, Step: v.step})
	if untold != "" {
		return plan.Stand{Holds: true, Reason: "cannot be told: " + untold}
	}
	return stand
}

// Ask asks the outside world how a guard stands towards a step. untold says why that
// cannot be told, if it cannot: then stand is nothing.
func (t Target) Ask(ctx context.Context, w Watching) (stand plan.Stand, untold string) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s, err := t.sample(ctx, w)
	switch {
	case err != nil:
		return plan.Stand{}, err.Error()
	case s.Verdict == Pass:
		return plan.Stand{Reason: s.Reason}, ""
	case s.Verdict == Fail:
		return plan.Stand{Holds: true, Reason: s.Reason}, ""
	}
	return plan.Stand{}, cmp.Or(s.Reason, "there is no answer")
}

// sample asks what a guard asks: about load as gates do, about all else a watcher.
func (t Target) sample(ctx context.Context, w Watching) (Sample, error) {
	g := w.Guard
	gate, asLoad := g.Gate()
	switch {
	case asLoad && t.Sampler != nil:
		now := time.Now()
		past := now.Add(-24 * time.Hour) // a guard has all that was before to look back on
		s, err := t.Sampler.Sample(ctx, Question{Gate: gate, Component: w.Step.Component, Began: past, Baking: past, At: now})
		if g.Load != nil && g.Load.Of != "" && s.Reason != "" {
			s.Reason = g.Load.Of + ": " + s.Reason
		}
		return s, err
	case !asLoad && t.Watcher != nil:
		return t.Watcher.Watch(ctx, w)
	}
	return Sample{}, fmt.Errorf("cluster %s answers no guards", w.Step.Cluster)
}

// unheld says why a guard must not hold a step; empty when it may.
func (v *vigil) unheld(g plan.Guard) Unheld {
	_, overridden := v.Overrides[g.Address()]
	switch {
	case g.Level == plan.Advisory:
		return IsAdvisory
	case g.Level == plan.Soft && overridden:
		return IsOverridden
	case g.IsLoad() && v.Incident != "":
		return IsRelaxed
	}
	return ""
}

// pass passes on, once, what a guard says that holds nothing.
func (v *vigil) pass(ctx context.Context, h holding, why Unheld) error {
	if v.said[h.Name] {
		return nil
	}
	if v.said == nil {
		v.said = make(map[string]bool)
	}
	v.said[h.Name] = true
	entry := journal.Entry{Mark: journal.Overridden, Guard: h.Address(), Reason: h.Reason}
	switch why {
	case IsOverridden:
		entry.Reason = v.Overrides[h.Address()] + " (" + h.Reason + ")"
	case IsRelaxed:
		entry.Reason = v.Incident + " (" + h.Reason + ")"
	case IsAdvisory:
		entry.Mark = journal.Advised
	}
	if err := v.record(ctx, entry); err != nil {
		return err
	}
	v.tell(GuardTold{Step: v.step.ID, Guard: h.Guard, Reason: h.Reason, Why: why})
	return nil
}

// settle makes a guard that has held the step hold on until it has stood well for
// long enough: a number that jumps about its bound lets nothing through.
func (v *vigil) settle(h *holding) {
	if v.well == nil {
		v.well = make(map[string]time.Time)
	}
	since, hasHeld := v.well[h.Name]
	switch {
	case h.Holds:
		v.well[h.Name] = time.Time{}
	case !hasHeld:
	case since.IsZero():
		v.well[h.Name] = v.looked
		since = v.looked
		fallthrough
	default:
		if well := v.looked.Sub(since); well < h.Settle {
			h.Holds = true
			h.Reason = fmt.Sprintf("stands well for %s, %s are asked for", well.Round(time.Second), h.Settle)
		}
	}
}

// keep lets the step wait for the guards that hold it, or holds it for good: when
// waiting is no use, not wanted, or was long enough.
func (v *vigil) keep(ctx context.Context, held []holding) (phase, error) {
	now := v.looked
	if v.since.IsZero() {
		v.since = now
	}
	var names, reasons []string
	isOver, limit := v.NoWait, v.since.Add(held[0].MaxWait)
	v.next = now.Add(held[0].Interval)
	for _, h := range held {
		names, reasons = append(names, h.Address()), append(reasons, h.String())
		end := v.since.Add(h.MaxWait)
		late := !h.Until.IsZero() && now.Add(h.Until.Sub(v.clock())).After(end)
		isOver = isOver || h.Final || late || !now.Before(end)
		v.barred = v.barred || v.NoWait && h.Level == plan.Hard
		limit = earlier(limit, end)
		v.next = earlier(v.next, now.Add(h.Interval))
		if !h.Until.IsZero() {
			v.next = earlier(v.next, now.Add(h.Until.Sub(v.clock())))
		}
	}
	v.next = earlier(v.next, limit)
	reason := strings.Join(reasons, "; ")
	if isOver {
		if waited := now.Sub(v.since).Round(time.Second); waited > 0 {
			reason += fmt.Sprintf(" (waited %s)", waited)
		}
		err := &heldError{reason: reason}
		if broken := v.record(ctx, journal.Entry{Mark: journal.Held, Guard: names[0], Reason: reason}); broken != nil {
			return cut, broken
		}
		return guarded, err
	}
	if !slices.Equal(names, v.named) {
		v.named = names
		if err := v.record(ctx, journal.Entry{Mark: journal.Waiting, Guard: names[0], Reason: reason}); err != nil {
			return cut, err
		}
	}
	v.tell(GuardWaited{Step: v.step.ID, Since: v.since, Limit: limit, Reasons: reasons})
	return kept, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
