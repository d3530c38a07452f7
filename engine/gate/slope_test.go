package gate_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"hubcap/engine/gate"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// curve answers the curve and the work of a question from functions of the hours
// since the bake began.
func curve(q run.Question, memory, work func(hours float64) float64) []gate.Answer {
	var all []gate.Answer
	for _, query := range gate.Ask(q) {
		a := gate.Answer{Query: query}
		of := memory
		switch query.Role {
		case gate.Work:
			of = work
		case gate.Load:
			of = servers
		}
		for at := query.From; !at.After(query.At); at = at.Add(query.Step) {
			a.Points = append(a.Points, gate.Point{Time: at, Value: of(at.Sub(noon).Hours())})
		}
		all = append(all, a)
	}
	return all
}

// servers come in the morning, stay, and some of them go.
func servers(hours float64) float64 { return 100*math.Min(hours*4, 1) + 20*math.Sin(hours*20) }

const mib = 1 << 20

func TestSlope(t *testing.T) {
	noise := func(size float64) func() float64 {
		r := rand.New(rand.NewPCG(1, 2))
		return func() float64 { return r.NormFloat64() * size }
	}
	steady := func(float64) float64 { return 300 * mib }
	leak := func(perHour float64) func(float64) float64 {
		n := noise(2 * mib)
		return func(h float64) float64 { return 300*mib + perHour*mib*h + n() }
	}
	launches := func(h float64) float64 { return 360 * h }
	limit := plan.SlopeCheck{Limit: ptr(1024.0 * mib), Within: 24 * time.Hour, MinPoints: 10, Confidence: 0.95}
	threads := plan.SlopeCheck{Per: "spawns", Max: ptr(0.5), MinPoints: 10, MinWork: 30, Confidence: 0.95}
	crowd := limit
	crowd.Load = "running"
	morning := func(leaked float64) func(float64) float64 {
		return func(h float64) float64 { return leak(leaked)(h) + 2*mib*servers(h) }
	}
	perSpawn := func(n, size float64) func(float64) float64 {
		e := noise(size)
		return func(h float64) float64 { return 40 + n*launches(h) + e() }
	}
	for _, test := range []struct {
		reason string
		check  plan.SlopeCheck
		at     time.Duration
		y, x   func(float64) float64
		want   run.Verdict
		early  bool
		says   string
	}{
		{"flat as a board", limit, 30 * time.Minute, steady, nil, run.Pass, false, "0 per hour"},
		{"a leak far below every threshold, that reaches the limit tonight", limit, 30 * time.Minute, leak(80), nil, run.Fail, false, "(limit 1.07G), reached in 8h34m"},
		{"one that does not reach it in a day", limit, 90 * time.Minute, leak(10), nil, run.Pass, false, "in 24h"},
		{"one that may or may not: more points are needed", limit, 10 * time.Minute, leak(30), nil, run.Inconclusive, true, "cannot tell yet"},
		{"memory that is freed fast is no leak", limit, 30 * time.Minute, leak(-80), nil, run.Pass, false, "per hour"},
		{"beyond the limit already", limit, 30 * time.Minute, func(float64) float64 { return 1100 * mib }, nil, run.Fail, false, "beyond the limit"},
		{"four points are too few", limit, 2 * time.Minute, leak(80), nil, run.Inconclusive, true, "5 of 10 points seen"},
		{"a leak per spawn shows after few of them", threads, 12 * time.Minute, perSpawn(3.9, 5), launches, run.Fail, false, "3.95 per unit of work"},
		{"its absence, too", threads, 30 * time.Minute, perSpawn(0, 5), launches, run.Pass, false, "(at most 0.5)"},
		{"nobody launches: nothing is known", threads, 30 * time.Minute, perSpawn(0, 5), func(float64) float64 { return 7 }, run.Inconclusive, true, "0 of 30 units of work seen"},
		{"a night of few launches", threads, 4 * time.Minute, perSpawn(3.9, 5), launches, run.Inconclusive, true, "24 of 30 units of work seen"},
		{"a counter that was reset goes on", threads, 30 * time.Minute, perSpawn(3.9, 5), func(h float64) float64 { return math.Mod(launches(h), 50) }, run.Fail, false, "per unit of work"},
		{"a morning looks like a leak", limit, 30 * time.Minute, morning(0), nil, run.Fail, false, "reached in"},
		{"but is none, once the users are taken out", crowd, 30 * time.Minute, morning(0), nil, run.Pass, false, "in 24h"},
		{"a leak in the morning is still one", crowd, 30 * time.Minute, morning(80), nil, run.Fail, false, "reached in"},
		{"while users only come, nobody can tell", crowd, 5 * time.Minute, func(h float64) float64 { return 300*mib + 2*mib*servers(h) }, nil, run.Inconclusive, true, "cannot tell yet"},
		{"no curve", limit, 30 * time.Minute, func(float64) float64 { return math.NaN() }, nil, run.Inconclusive, false, "NaN"},
		{"no work", threads, 30 * time.Minute, steady, func(float64) float64 { return math.NaN() }, run.Inconclusive, false, "work: NaN"},
	} {
		q := question(plan.PrometheusCheck{Slope: &test.check}, test.at)
		got := gate.Judge(q, curve(q, test.y, test.x))
		if got.Verdict != test.want || got.Early != test.early && test.want == run.Inconclusive || !strings.Contains(got.Reason, test.says) {
			t.Errorf("%s: %s (early: %t): %s, want %s with %q", test.reason, got.Verdict, got.Early, got.Reason, test.want, test.says)
		}
	}
}

// TestFit holds the interval of a slope against a table of Student's distribution
// and against its own promise: it misses the truth about as often as it says.
func TestFit(t *testing.T) {
	for _, test := range []struct {
		points int
		want   float64 // quantile at 95 %, two-sided, with points-2 degrees of freedom
	}{{4, 4.303}, {5, 3.182}, {7, 2.571}, {12, 2.228}, {32, 2.042}, {122, 1.980}} {
		var xs, ys []float64
		for i := range test.points {
			xs, ys = append(xs, float64(i)), append(ys, float64(i%2)) // neighbours stray apart: nothing is widened
		}
		l, fits := gate.Fit(xs, ys, nil, 0.95)
		if !fits {
			t.Fatal("no fit")
		}
		var squares, sxx float64
		middle := float64(test.points-1) / 2
		for i := range xs {
			r := ys[i] - l.At(xs[i])
			squares += r * r
			sxx += (xs[i] - middle) * (xs[i] - middle)
		}
		got := (l.High - l.Slope) / math.Sqrt(squares/float64(test.points-2)/sxx)
		if math.Abs(got-test.want) > 0.01 {
			t.Errorf("%d points: the interval is %.3f deviations wide, want %.3f", test.points, got, test.want)
		}
	}
	missed, r := 0, rand.New(rand.NewPCG(3, 4))
	const rounds = 2000
	for range rounds {
		var xs, ys []float64
		burst := 0.0
		for i := range 60 {
			burst = 0.6*burst + r.NormFloat64() // what is freed in bursts
			xs, ys = append(xs, float64(i)), append(ys, 2*float64(i)+5*burst)
		}
		if l, _ := gate.Fit(xs, ys, nil, 0.95); l.Low > 2 || l.High < 2 {
			missed++
		}
	}
	if share := float64(missed) / rounds; share > 0.12 {
		t.Errorf("with noise in bursts the interval missed the truth in %.1f %% of the rounds, want about 5 %%", share*100)
	}
	for _, xs := range [][]float64{nil, {1, 2}, {5, 5, 5}} {
		if _, fits := gate.Fit(xs, make([]float64, len(xs)), nil, 0.95); fits {
			t.Errorf("a line through %v", xs)
		}
	}
}
