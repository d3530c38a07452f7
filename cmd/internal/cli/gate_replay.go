package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/cmd/internal/render"
	"hubcap/engine/gate"
	"hubcap/engine/run"
	"hubcap/providers/prometheus"
	"hubcap/schema"
)

// replayed is a gate over a window of the past.
type replayed struct {
	frames []gate.Frame
	from   time.Time
	to     time.Time     // end of the window
	bake   time.Duration // of the gate
	end    time.Time     // of the verdict; zero: there was none
}

// replayGates replays the gates that ask a Prometheus. The others look at the
// present and are left out.
func (s *session) replayGates(ctx context.Context, config *schema.Config, t trial, attempts []attempt, left []leftOut) error {
	from, err := s.instant("at", t.at)
	if err != nil {
		return err
	}
	began := from
	if t.began != "" {
		if began, err = s.instant("began", t.began); err != nil {
			return err
		}
		if began.After(from) {
			return usage("--began %s: a step writes before its bake begins at %s", t.began, t.at)
		}
	}
	if t.length < 0 {
		return usage("--for %s: it is not positive", t.length)
	}
	var replayable []attempt
	for _, a := range attempts {
		if a.gate.Prometheus != nil {
			replayable = append(replayable, a)
			continue
		}
		out := leftOut{a.address.String(), "only gates that ask a Prometheus can be replayed, and this one looks at the present (" + a.gate.Check() + ")"}
		if !slices.Contains(left, out) {
			left = append(left, out)
		}
	}
	if len(replayable) == 0 {
		return usage("gate test --at: only gates that ask a Prometheus can be replayed")
	}
	s.monitor(ctx, config)
	var results []tried
	for _, a := range replayable {
		if ctx.Err() != nil {
			return silently(exitInterrupted)
		}
		results = append(results, s.replay(ctx, a, run.Question{Began: began, Baking: from}, t.length))
	}
	return s.tellTried(results, left)
}

// instant reads a time of the past, with or without seconds.
func (s *session) instant(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, usage("gate test: say with --at when the bake began")
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(layout, text); err == nil {
			if at.After(s.now()) {
				return at, usage("--%s %s: that is yet to come", flag, text)
			}
			return at.UTC(), nil
		}
	}
	return time.Time{}, usage("--%s %s: write a time with its zone, as in 2026-11-01T12:00Z", flag, text)
}

func (s *session) replay(ctx context.Context, a attempt, q run.Question, length time.Duration) tried {
	if length > 0 {
		a.gate.Bake, a.gate.MaxBake = length, length
		a.gate.WarmUp = min(a.gate.WarmUp, length/2)
	}
	q.Gate, q.Component = a.gate, a.target
	end := q.Baking.Add(cmp.Or(a.gate.MaxBake, max(2*a.gate.Bake, a.gate.Bake+a.gate.Delay())))
	if now := s.now(); end.After(now) {
		end = now
	}
	r := gate.NewReplay(q, end)
	asks := &prometheus.Sampler{Client: s.monitoring.Client}
	over := &replayed{frames: r.Frames(asks.Answer(ctx, r.Queries())), from: q.Baking, to: end, bake: a.gate.Bake}
	result := tried{attempt: a, At: end, over: over, Verdict: run.Inconclusive}
	result.Sample.Reason = "the window ends before there is a sample"
	for i, f := range over.frames {
		result.Sample, result.At = f.Sample, f.At
		if f.Verdict != "" {
			result.Verdict, over.end = f.Verdict, f.At
			if length == 0 { // the bake is over; with --for the whole window is told
				over.frames = over.frames[:i+1]
			}
			break
		}
	}
	return result
}

// text tells the stretches in which the samples said the same, and the verdict.
func (r *replayed) text(verdict run.Verdict) string {
	var b strings.Builder
	if r.end.IsZero() {
		b.WriteString(": inconclusive: open at the end of the window")
		if passed := r.to.Sub(r.from).Truncate(time.Second); passed < r.bake {
			fmt.Fprintf(&b, ", %s into a bake of %s (--for makes it shorter)", render.Span(passed), render.Span(r.bake))
		}
		b.WriteByte('\n')
	} else {
		fmt.Fprintf(&b, ": %s at %s, %s into the bake\n", verdict, r.end.UTC().Format("15:04:05Z"), render.Span(r.end.Sub(r.from)))
	}
	for _, st := range gate.Stretches(r.frames) {
		word := string(st.Last.Verdict)
		if st.Last.Early {
			word = "too early"
		}
		fmt.Fprintf(&b, "  %s to %s  %-12s  %d samples, the last: %s\n", st.From.UTC().Format("2006-01-02 15:04:05Z"), st.To.UTC().Format("15:04:05Z"), word, st.Samples, st.Last.Reason)
	}
	return b.String()
}

func (r *replayed) json() []any {
	all := []any{}
	for _, f := range r.frames {
		all = append(all, map[string]any{
			"time": f.At.UTC().Format(time.RFC3339), "verdict": f.Sample.Verdict, "early": f.Sample.Early, "reason": f.Sample.Reason,
			"value": f.Sample.Value, "bound": f.Sample.Bound, "evidence": f.Sample.Evidence, "gate": cmp.Or(f.Verdict, "open"),
		})
	}
	return all
}
