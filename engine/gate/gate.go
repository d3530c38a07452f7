// Package gate is the judgement of gates that ask a Prometheus: what to ask at an
// instant of a bake, and what the answers mean.
//
// Place in the pipeline: beside run. It is pure; who asks is
// providers/prometheus.
package gate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// A Role is what an answer is needed for.
type Role int

// The roles.
const (
	Value    Role = iota + 1 // the query, at the instant of the sample
	Before                   // the query, right before the step's first write
	Control                  // the query about an unchanged hub
	Curve                    // the query over the bake so far
	Work                     // the work done, over the bake so far
	Load                     // what else the value depends on, over the bake so far
	Evidence                 // how much there is to judge from
)

// String names the role for people.
func (r Role) String() string {
	return [...]string{"", "value", "before", "control", "slope", "work", "load", "evidence"}[r]
}

// A Query is one question to one Prometheus.
type Query struct {
	Role    Role
	Cluster string        // whose Prometheus
	Expr    string        // complete
	At      time.Time     // the instant, or the end of the range
	From    time.Time     // start of the range; zero: only the instant
	Step    time.Duration // of the range
}

// A Point is one number at one time.
type Point struct {
	Time  time.Time
	Value float64
}

// An Answer is what a Prometheus said to a query.
type Answer struct {
	Query
	Points []Point // in the order of time; none: no data
	Err    error   // there is no answer, or none that can be relied on
}

// mostPoints is about how many points a curve has at most.
const mostPoints = 500

// Ask returns what a sample of the gate needs, in a fixed order: nothing while it
// is too early, see [plan.Gate.Delay].
func Ask(q run.Question) []Query {
	g, check := q.Gate, q.Gate.Prometheus
	if q.At.Sub(q.Baking) < g.Delay() {
		return nil
	}
	from := q.Baking.Add(g.WarmUp)
	bake := q.At.Sub(from)
	window := min(bake, check.Window)
	now := func(r Role, cluster, expr string) Query {
		return Query{Role: r, Cluster: cluster, Expr: expand(expr, window, bake), At: q.At}
	}
	var all []Query
	if e := check.Evidence; e != nil {
		all = append(all, now(Evidence, check.Cluster, e.Query))
	}
	if check.Max != nil || check.Min != nil || check.Before != nil || check.Control != nil {
		all = append(all, now(Value, check.Cluster, check.Query))
	}
	if b := check.Before; b != nil {
		all = append(all, Query{Role: Before, Cluster: check.Cluster, Expr: expand(check.Query, b.Window, b.Window), At: q.Began})
	}
	if c := check.Control; c != nil {
		for _, h := range c.Hubs {
			all = append(all, now(Control, h.Cluster, h.Query))
		}
	}
	if s := check.Slope; s != nil {
		short := min(check.Window, time.Minute)
		curve := Query{Role: Curve, Cluster: check.Cluster, Expr: expand(check.Query, short, short), At: q.At, From: from, Step: stepOf(g)}
		all = append(all, curve)
		if s.Per != "" {
			curve.Role, curve.Expr = Work, expand(s.Per, short, short)
			all = append(all, curve)
		}
		if s.Load != "" {
			curve.Role, curve.Expr = Load, expand(s.Load, short, short)
			all = append(all, curve)
		}
	}
	return all
}

// stepOf returns the time between two points of a curve. It depends on the gate
// alone, so that all samples of a bake see the same points.
func stepOf(g plan.Gate) time.Duration {
	longest := max(g.MaxBake, 2*g.Bake)
	return max(g.Interval, longest/mostPoints, time.Second).Round(time.Second)
}

// expand fills in what is known only when a sample is taken.
func expand(expr string, window, bake time.Duration) string {
	return strings.NewReplacer("$window", seconds(window), "$bake", seconds(bake)).Replace(expr)
}

// seconds writes a duration as Prometheus reads it: whole seconds, at least one.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64(d.Round(time.Second)/time.Second)), 10) + "s"
}

// Judge says what the answers to what [Ask] asked mean.
func Judge(q run.Question, answers []Answer) run.Sample {
	if len(answers) == 0 {
		return run.Sample{Verdict: run.Inconclusive, Early: true, Reason: fmt.Sprintf("too early: asked from %s into the bake", span(q.Gate.Delay()))}
	}
	check := q.Gate.Prometheus
	j := judgement{check: check}
	for _, a := range answers {
		j.answers[a.Role] = append(j.answers[a.Role], a)
	}
	seen, early := j.evidence()
	if early != nil {
		return *early
	}
	sample := j.combined(q)
	sample.Evidence = seen
	return sample
}

// A judgement is the making of one sample.
type judgement struct {
	check   *plan.PrometheusCheck
	answers [Evidence + 1][]Answer
}

// A finding is what one bound says.
type finding struct {
	verdict      run.Verdict
	early        bool
	about        string // stands before the reason, and may be another finding's too
	reason       string
	value, bound *float64
}

// evidence returns how much there is to judge from, or why that is not enough.
func (j *judgement) evidence() (seen *float64, early *run.Sample) {
	e := j.check.Evidence
	if e == nil {
		return nil, nil
	}
	n, trouble := j.number(Evidence)
	if trouble != "" {
		return nil, &run.Sample{Verdict: run.Inconclusive, Reason: "evidence: " + trouble}
	}
	if n < e.AtLeast {
		return nil, &run.Sample{
			Verdict: run.Inconclusive, Early: true, Evidence: &n,
			Reason: strings.TrimRight(fmt.Sprintf("%s of %s %s", Number(math.Floor(n)), Number(e.AtLeast), e.Unit), " ") + " seen",
		}
	}
	return &n, nil
}

// combined holds the value against every bound. The worst decides.
func (j *judgement) combined(q run.Question) run.Sample {
	var all []finding
	if len(j.answers[Value]) > 0 {
		v, trouble := j.number(Value)
		if trouble != "" {
			return run.Sample{Verdict: run.Inconclusive, Reason: trouble}
		}
		all = append(all, j.threshold(v)...)
		if b := j.check.Before; b != nil {
			all = append(all, j.before(v, b.Bounds, q)...)
		}
		if c := j.check.Control; c != nil {
			all = append(all, j.control(v, c)...)
		}
	}
	if j.check.Slope != nil {
		all = append(all, j.slope()...)
	}
	for _, worst := range []run.Verdict{run.Fail, run.Inconclusive, run.Pass} {
		if s, found := tell(all, worst); found {
			return s
		}
	}
	return run.Sample{Verdict: run.Inconclusive, Reason: "the check has no bound"}
}

// tell makes a sample of the findings with one verdict: the numbers are the
// first one's.
func tell(all []finding, verdict run.Verdict) (run.Sample, bool) {
	s := run.Sample{Verdict: verdict, Early: true}
	var reasons []string
	for _, f := range all {
		if f.verdict != verdict {
			continue
		}
		if len(reasons) == 0 {
			s.Value, s.Bound = f.value, f.bound
		}
		s.Early = s.Early && f.early
		reasons = append(reasons, f.about+f.reason)
		if n := len(reasons); n > 1 && f.about != "" && strings.HasPrefix(reasons[0], f.about) {
			reasons[n-1] = f.reason // what it is about was said
		}
	}
	s.Reason = strings.Join(reasons, "; ")
	return s, len(reasons) > 0
}

// number returns the one number that was asked for in a role, or what is wrong
// with the answer. No data is no number, and neither is NaN or infinity, which
// come from dividing by nothing.
func (j *judgement) number(r Role) (n float64, trouble string) {
	return numberOf(j.answers[r][0])
}

func numberOf(a Answer) (n float64, trouble string) {
	switch {
	case a.Err != nil:
		return 0, a.Err.Error()
	case len(a.Points) == 0:
		return 0, "no data for " + short(a.Expr)
	}
	n = a.Points[len(a.Points)-1].Value
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, fmt.Sprintf("%v, which is no number, for %s", n, short(a.Expr))
	}
	return n, ""
}

// short cuts a query to what fits in a sentence.
func short(expr string) string {
	const most = 80
	expr = strings.Join(strings.Fields(expr), " ")
	if r := []rune(expr); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return expr
}

func (j *judgement) threshold(v float64) []finding {
	var all []finding
	if most := j.check.Max; most != nil {
		all = append(all, hold(v, *most, v <= *most, fmt.Sprintf("%s (at most %s)", Number(v), Number(*most))))
	}
	if least := j.check.Min; least != nil {
		all = append(all, hold(v, *least, v >= *least, fmt.Sprintf("%s (at least %s)", Number(v), Number(*least))))
	}
	return all
}

// hold makes a finding of whether a value is within a bound.
func hold(value, bound float64, good bool, reason string) finding {
	f := finding{verdict: run.Fail, reason: reason, value: &value, bound: &bound}
	if good {
		f.verdict = run.Pass
	}
	return f
}

func unclear(format string, args ...any) finding {
	return finding{verdict: run.Inconclusive, reason: fmt.Sprintf(format, args...)}
}

func early(format string, args ...any) finding {
	return finding{verdict: run.Inconclusive, early: true, reason: fmt.Sprintf(format, args...)}
}

// before compares v with what was right before the step.
func (j *judgement) before(v float64, bounds plan.Bounds, q run.Question) []finding {
	base, trouble := j.number(Before)
	if trouble != "" {
		return []finding{unclear("before the step (%s): %s", q.Began.UTC().Format("15:04Z"), trouble)}
	}
	return compare(v, base, bounds, "before")
}

// control compares v with the middle one of the unchanged hubs.
func (j *judgement) control(v float64, c *plan.ControlCheck) []finding {
	var values []float64
	last := ""
	for _, a := range j.answers[Control] {
		n, trouble := numberOf(a)
		if trouble != "" {
			last = trouble
			continue
		}
		values = append(values, n)
	}
	if len(values) == 0 {
		return []finding{unclear("none of the %d unchanged hubs has data: %s", len(c.Hubs), last)}
	}
	who := "on " + c.Hubs[0].Block.String()
	if len(values) > 1 || len(c.Hubs) > 1 {
		who = fmt.Sprintf("on %d unchanged hubs", len(values))
	}
	return compare(v, median(values), c.Bounds, who)
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// compare holds v against a base: by how many times, and by how much.
func compare(v, base float64, b plan.Bounds, where string) []finding {
	ratio := max(v, b.Floor) / max(base, b.Floor)
	difference := v - base
	var all []finding
	for _, c := range []struct {
		bound *float64
		value float64
		sign  float64 // 1: at most
		what  string
	}{
		{b.MaxRatio, ratio, 1, "%s times as much (at most %s)"}, {b.MinRatio, ratio, -1, "%s times as much (at least %s)"},
		{b.MaxDifference, difference, 1, "%s more (at most %s)"}, {b.MinDifference, difference, -1, "%s more (at least %s)"},
	} {
		if c.bound == nil {
			continue
		}
		f := hold(c.value, *c.bound, c.sign*c.value <= c.sign**c.bound, fmt.Sprintf(c.what, Number(c.value), Number(*c.bound)))
		f.about = fmt.Sprintf("%s against %s %s: ", Number(v), Number(base), where)
		all = append(all, f)
	}
	return all
}

// Number writes a measured number for people: three digits that matter, and a
// letter for thousands of millions.
func Number(v float64) string {
	size := math.Abs(v)
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}} {
		if size >= unit.size {
			return trim(v/unit.size) + unit.name
		}
	}
	if size >= 1000 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	return trim(v)
}

func trim(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	if size := math.Abs(rounded); size != 0 && size < 1e-4 {
		return strconv.FormatFloat(rounded, 'g', -1, 64)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// span writes a duration without the zeros at its end.
func span(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
