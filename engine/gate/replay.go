package gate

import (
	"slices"
	"time"

	"hubcap/engine/run"
)

// mostInRange keeps a range query below the points that a Prometheus gives.
const mostInRange = 10000

// A Frame is one sample of a replay, and what the gate said after it.
type Frame struct {
	At      time.Time
	Sample  run.Sample
	Verdict run.Verdict // of the gate by then; empty while it is open
}

// A Replay is a gate over a time that has passed: what would have been asked, and
// when.
type Replay struct {
	questions []run.Question
	merged    []Query
}

// NewReplay prepares the replay of the gate of q from the start of its bake to an
// end.
func NewReplay(q run.Question, end time.Time) *Replay {
	r := &Replay{}
	var all []Query
	edge := q.Baking.Add(max(q.Gate.Bake, q.Gate.Delay()))
	for at := q.Baking.Add(q.Gate.Delay()); !at.After(end); {
		q.At = at
		r.questions = append(r.questions, q)
		all = append(all, Ask(q)...)
		next := at.Add(q.Gate.Interval)
		if at.Before(edge) && next.After(edge) { // as a run does at the end of its bake
			next = edge
		}
		at = next
	}
	r.merged = merge(all, q.Gate.Interval)
	return r
}

// Queries returns what has to be asked: as few and large queries as the samples
// can be had from.
func (r *Replay) Queries() []Query { return r.merged }

// Frames judges all samples, given the answers to Queries in their order.
func (r *Replay) Frames(answers []Answer) []Frame {
	if len(r.questions) == 0 {
		return nil
	}
	known := make(map[key][]Answer)
	for _, a := range answers {
		k := keyOf(a.Query)
		known[k] = append(known[k], a)
	}
	bake := run.NewBake(r.questions[0].Gate, r.questions[0].Baking)
	var frames []Frame
	for _, q := range r.questions {
		var own []Answer
		for _, query := range Ask(q) {
			own = append(own, pick(known[keyOf(query)], query))
		}
		f := Frame{At: q.At, Sample: Judge(q, own)}
		if bake.Verdict() == "" {
			bake.Take(f.Sample, q.At)
		}
		f.Verdict = bake.Verdict()
		frames = append(frames, f)
	}
	return frames
}

// A key is what two queries have in common that one answer serves.
type key struct {
	cluster, expr string
	isCurve       bool
	from          time.Time
	step          time.Duration
}

func keyOf(q Query) key {
	if isCurve(q) {
		return key{q.Cluster, q.Expr, true, q.From.UTC(), q.Step}
	}
	return key{cluster: q.Cluster, expr: q.Expr}
}

func isCurve(q Query) bool { return q.Role == Curve || q.Role == Work || q.Role == Load }

// merge makes one range query of the same query at many instants, and one of
// curves that begin together.
func merge(all []Query, interval time.Duration) []Query {
	groups := make(map[key][]Query)
	var order []key
	for _, q := range all {
		k := keyOf(q)
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], q)
	}
	var merged []Query
	for _, k := range order {
		group := groups[k]
		slices.SortStableFunc(group, func(a, b Query) int { return a.At.Compare(b.At) })
		group = slices.CompactFunc(group, func(a, b Query) bool { return a.At.Equal(b.At) })
		if k.isCurve {
			merged = append(merged, group[len(group)-1])
			continue
		}
		for _, even := range evenly(group, interval) {
			if len(even) < 3 {
				merged = append(merged, even...)
				continue
			}
			q := even[0]
			q.From, q.At, q.Step = even[0].At, even[len(even)-1].At, interval
			merged = append(merged, q)
		}
	}
	return merged
}

// evenly splits queries into those that lie an interval apart, as one range query
// asks for them.
func evenly(group []Query, interval time.Duration) [][]Query {
	var all [][]Query
	for i, q := range group {
		last := len(all) - 1
		if i == 0 || q.At.Sub(group[i-1].At) != interval || len(all[last]) == mostInRange {
			all = append(all, nil)
			last++
		}
		all[last] = append(all[last], q)
	}
	return all
}

// pick takes out of the answers the one to a query.
func pick(answers []Answer, q Query) Answer {
	out := Answer{Query: q}
	for _, a := range answers {
		covers := a.At.Equal(q.At) || !a.From.IsZero() && !q.At.Before(a.From) && !q.At.After(a.At)
		if !covers {
			continue
		}
		if a.Err != nil {
			out.Err = a.Err
			return out
		}
		for _, p := range a.Points {
			if isCurve(q) && !p.Time.After(q.At) || !isCurve(q) && (a.From.IsZero() || p.Time.Sub(q.At).Abs() < time.Millisecond) {
				out.Points = append(out.Points, p)
			}
		}
		return out
	}
	return out
}

// A Stretch is a part of a replay in which all samples said the same.
type Stretch struct {
	From, To time.Time
	Samples  int
	Last     run.Sample
}

// Stretches sums frames up.
func Stretches(frames []Frame) []Stretch {
	var all []Stretch
	for _, f := range frames {
		if n := len(all); n > 0 && all[n-1].Last.Verdict == f.Sample.Verdict && all[n-1].Last.Early == f.Sample.Early {
			all[n-1].To, all[n-1].Last = f.At, f.Sample
			all[n-1].Samples++
			continue
		}
		all = append(all, Stretch{From: f.At, To: f.At, Samples: 1, Last: f.Sample})
	}
	return all
}
