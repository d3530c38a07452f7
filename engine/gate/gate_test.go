package gate_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/gate"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

func question(check plan.PrometheusCheck, at time.Duration) run.Question {
	if check.Window == 0 {
		check.Window = 10 * time.Minute
	}
	check.Cluster = "c"
	g := plan.Gate{Name: "g", Bake: time.Hour, Interval: 30 * time.Second, Failures: 3, Prometheus: &check}
	return run.Question{Gate: g, Began: noon.Add(-2 * time.Minute), Baking: noon, At: noon.Add(at)}
}

// TestAsk holds what is asked, and over which windows: never over what was before
// the step, except by before.
func TestAsk(t *testing.T) {
	control := &plan.ControlCheck{Hubs: []plan.Control{{Cluster: "d", Query: `rate(x{n="b"}[$window])`}}}
	full := plan.PrometheusCheck{
		Query: `rate(x{n="a"}[$window])`, Before: &plan.BeforeCheck{Window: 30 * time.Minute}, Control: control,
		Slope:    &plan.SlopeCheck{Per: "spawns"},
		Evidence: &plan.Evidence{Query: "increase(launches[$bake])"},
	}
	for _, test := range []struct {
		reason string
		at     time.Duration
		want   []string
	}{
		{"too early to ask", 59 * time.Second, nil},
		{"a window that grows with the bake", 2 * time.Minute, []string{
			"7 c increase(launches[120s]) at 12:02:00", `1 c rate(x{n="a"}[120s]) at 12:02:00`, `2 c rate(x{n="a"}[1800s]) at 11:58:00`, `3 d rate(x{n="b"}[120s]) at 12:02:00`,
			`4 c rate(x{n="a"}[60s]) at 12:02:00 from 12:00:00 by 30s`, "5 c spawns at 12:02:00 from 12:00:00 by 30s",
		}},
		{"but only so far; what counts as evidence is the whole bake", 40 * time.Minute, []string{
			"7 c increase(launches[2400s]) at 12:40:00", `1 c rate(x{n="a"}[600s]) at 12:40:00`, `2 c rate(x{n="a"}[1800s]) at 11:58:00`, `3 d rate(x{n="b"}[600s]) at 12:40:00`,
			`4 c rate(x{n="a"}[60s]) at 12:40:00 from 12:00:00 by 30s`, "5 c spawns at 12:40:00 from 12:00:00 by 30s",
		}},
	} {
		var got []string
		for _, q := range gate.Ask(question(full, test.at)) {
			line := fmt.Sprintf("%d %s %s at %s", q.Role, q.Cluster, q.Expr, q.At.Format("15:04:05"))
			if !q.From.IsZero() {
				line += fmt.Sprintf(" from %s by %s", q.From.Format("15:04:05"), q.Step)
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}

// answers answers each role with one number.
func answers(q run.Question, values map[gate.Role]float64) []gate.Answer {
	var all []gate.Answer
	for _, query := range gate.Ask(q) {
		a := gate.Answer{Query: query}
		if v, has := values[query.Role]; has {
			a.Points = []gate.Point{{Time: query.At, Value: v}}
		}
		all = append(all, a)
	}
	return all
}

// TestJudge holds every bound, at it and beyond it, and that nothing but numbers
// passes.
func TestJudge(t *testing.T) {
	type values = map[gate.Role]float64
	before := func(b plan.Bounds) plan.PrometheusCheck {
		return plan.PrometheusCheck{Before: &plan.BeforeCheck{Bounds: b, Window: time.Minute}}
	}
	control := func(b plan.Bounds) plan.PrometheusCheck {
		hubs := []plan.Control{{Block: resource.ParseAddress("hub.b")}, {Block: resource.ParseAddress("hub.c")}}
		return plan.PrometheusCheck{Control: &plan.ControlCheck{Bounds: b, Hubs: hubs}}
	}
	most, least := plan.PrometheusCheck{Max: ptr(0.7)}, plan.PrometheusCheck{Min: ptr(0.95)}
	seen := plan.PrometheusCheck{Min: ptr(0.95), Evidence: &plan.Evidence{AtLeast: 200, Unit: "launches"}}
	flood := plan.Bounds{MaxRatio: ptr(3.0), Floor: 0.1}
	for _, test := range []struct {
		reason string
		check  plan.PrometheusCheck
		values values
		want   run.Verdict
		says   string
	}{
		{"at most is good", most, values{gate.Value: 0.7}, run.Pass, "0.7 (at most 0.7)"},
		{"more is not", most, values{gate.Value: 0.71}, run.Fail, "0.71 (at most 0.7)"},
		{"at least is good", least, values{gate.Value: 0.95}, run.Pass, "0.95 (at least 0.95)"},
		{"less is not", least, values{gate.Value: 0.94}, run.Fail, "0.94 (at least 0.95)"},
		{"no data never passes", most, nil, run.Inconclusive, "no data"},
		{"nor does NaN", most, values{gate.Value: math.NaN()}, run.Inconclusive, "NaN"},
		{"nor is infinity a number", most, values{gate.Value: math.Inf(1)}, run.Inconclusive, "+Inf"},
		{"minus infinity is no good one either", most, values{gate.Value: math.Inf(-1)}, run.Inconclusive, "-Inf"},

		{"three times as much is allowed", before(flood), values{gate.Value: 3, gate.Before: 1}, run.Pass, "3 against 1 before: 3 times as much (at most 3)"},
		{"four times is not", before(flood), values{gate.Value: 4, gate.Before: 1}, run.Fail, "4 times as much (at most 3)"},
		{"from nothing to next to nothing is no flood", before(flood), values{gate.Value: 0.05, gate.Before: 0}, run.Pass, "1 times"},
		{"from nothing to much is one", before(flood), values{gate.Value: 5, gate.Before: 0}, run.Fail, "50 times"},
		{"without a before there is no verdict", before(flood), values{gate.Value: 1}, run.Inconclusive, "before the step (11:58Z): no data"},
		{"a before that is NaN is none", before(flood), values{gate.Value: 1, gate.Before: math.NaN()}, run.Inconclusive, "NaN"},
		{"too little is a ratio, too", before(plan.Bounds{MinRatio: ptr(0.5), Floor: 0.1}), values{gate.Value: 0.4, gate.Before: 1}, run.Fail, "0.4 times as much (at least 0.5)"},
		{"a difference needs no floor", before(plan.Bounds{MaxDifference: ptr(1.0)}), values{gate.Value: 1.5, gate.Before: 0}, run.Fail, "1.5 more (at most 1)"},
		{"nor does one downwards", before(plan.Bounds{MinDifference: ptr(-0.1)}), values{gate.Value: 0.7, gate.Before: 0.9}, run.Fail, "-0.2 more (at least -0.1)"},

		{"as slow as the others is the weather", control(flood), values{gate.Value: 9, gate.Control: 8}, run.Pass, "9 against 8 on 2 unchanged hubs"},
		{"slower than the others is the change", control(flood), values{gate.Value: 9, gate.Control: 1}, run.Fail, "9 times as much"},
		{"controls without data are no controls", control(flood), values{gate.Value: 9}, run.Inconclusive, "none of the 2 unchanged hubs has data"},

		{"too few launches are no evidence, good or bad", seen, values{gate.Value: 0.1, gate.Evidence: 12.7}, run.Inconclusive, "12 of 200 launches seen"},
		{"enough are", seen, values{gate.Value: 0.1, gate.Evidence: 200}, run.Fail, "0.1 (at least 0.95)"},
		{"evidence that cannot be had is none", seen, values{gate.Value: 1}, run.Inconclusive, "evidence: no data"},
	} {
		q := question(test.check, 20*time.Minute)
		got := gate.Judge(q, answers(q, test.values))
		if got.Verdict != test.want || !strings.Contains(got.Reason, test.says) {
			t.Errorf("%s: %s: %s, want %s with %q", test.reason, got.Verdict, got.Reason, test.want, test.says)
		}
		if got.Verdict == run.Fail && (got.Value == nil || got.Bound == nil) {
			t.Errorf("%s: a failure without its numbers", test.reason)
		}
	}
}

// TestWorstDecides holds how several bounds add up, and that an error outranks
// none of them.
func TestWorstDecides(t *testing.T) {
	check := plan.PrometheusCheck{Max: ptr(1.0), Before: &plan.BeforeCheck{Bounds: plan.Bounds{MaxRatio: ptr(2.0), Floor: 0.1}}}
	q := question(check, 20*time.Minute)
	for _, test := range []struct {
		reason string
		values map[gate.Role]float64
		want   run.Verdict
	}{
		{"both hold", map[gate.Role]float64{gate.Value: 0.5, gate.Before: 0.5}, run.Pass},
		{"one fails", map[gate.Role]float64{gate.Value: 0.5, gate.Before: 0.1}, run.Fail},
		{"one cannot tell, the other fails", map[gate.Role]float64{gate.Value: 2}, run.Fail},
		{"one cannot tell, the other holds", map[gate.Role]float64{gate.Value: 0.5}, run.Inconclusive},
	} {
		if got := gate.Judge(q, answers(q, test.values)); got.Verdict != test.want {
			t.Errorf("%s: %s: %s, want %s", test.reason, got.Verdict, got.Reason, test.want)
		}
	}
	broken := answers(q, map[gate.Role]float64{gate.Before: 0.5})
	broken[0].Err = errors.New("ask Prometheus p: 503 Service Unavailable")
	if got := gate.Judge(q, broken); got.Verdict != run.Inconclusive || !strings.Contains(got.Reason, "503") || got.Early {
		t.Errorf("a Prometheus that is down: %+v", got)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.95: "0.95", 1.0 / 3: "0.333", 12.345: "12.3", 999.6: "1000", 123456: "123456", 3.2e6: "3.2M", 1073741824: "1.07G", -0.2: "-0.2", 0.00002: "0.00002", 2.5e13: "25T",
	} {
		if got := gate.Number(v); got != want && !(v == 0.00002 && got == "2e-05") {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
}

func TestSelectors(t *testing.T) {
	for expr, want := range map[string][]string{
		`sum(rate(a_count{status="success",namespace="x,}y"}[5m])) / sum(rate(a_count{namespace="x"}[5m]))`: {
			`a_count{status="success",namespace="x,}y"}`, `a_count{namespace="x"}`},
		`histogram_quantile(0.99, sum by (le, pod) (rate(b_bucket[10m])))`:       {"b_bucket"},
		`max by(pod) (c) * on (pod) group_left (node) kube_pod_info # d_comment`: {"c", "kube_pod_info"},
		`sum without (x) (e) > bool 1e3 and f offset 5m or vector(1)`:            {"e", "f"},
		`predict_linear(g{a=~'h.*'}[1h], 3600) unless {__name__="i"}`:            {`g{a=~'h.*'}`, `{__name__="i"}`},
		`j:rate5m{} - 1 / 2.5`: {"j:rate5m"},
		`1`:                    nil,
	} {
		var got []string
		for _, s := range gate.Selectors(expr) {
			got = append(got, s.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expr, diff)
		}
	}
}

func TestBuilds(t *testing.T) {
	check := plan.BuildsCheck{MaxPerPod: ptr(4.0), MaxPending: ptr(3), MaxShare: ptr(0.5), MinBuilds: 4}
	mixed := gate.Builds{Running: 8, PerRepo: map[string]int{"a": 3, "b": 3, "c": 2}}
	asked := func(n float64) gate.Answer { return gate.Answer{Points: []gate.Point{{Value: n}}} }
	for _, test := range []struct {
		reason string
		pods   gate.Builds
		asked  gate.Answer
		want   run.Verdict
		says   string
	}{
		{"a busy binder", mixed, asked(20), run.Pass, "20 builds in progress for 8 running pods"},
		{"many nominal slots, one that builds", gate.Builds{Running: 1, PerRepo: map[string]int{"a": 1}}, asked(40), run.Fail, "40 builds in progress for 1 running pods: 40 each (at most 4)"},
		{"builds asked for, and no pod at all", gate.Builds{}, asked(4), run.Pass, "4 each"},
		{"… and more of them", gate.Builds{}, asked(5), run.Fail, "5 each"},
		{"a quiet night", gate.Builds{}, asked(0), run.Pass, "fewer than 4"},
		{"one repository has them all", gate.Builds{Running: 8, PerRepo: map[string]int{"a": 6, "b": 2}}, asked(8), run.Fail, "a has 6 of 8 running builds, 0.75 of them"},
		{"nodes that do not come", gate.Builds{Running: 8, Pending: 4, PerRepo: mixed.PerRepo}, asked(12), run.Fail, "4 build pods pending (at most 3)"},
		{"a gauge that is gone", mixed, gate.Answer{Query: gate.Query{Expr: "sum(x)"}}, run.Inconclusive, "no data for sum(x)"},
		{"a Prometheus that is down", mixed, gate.Answer{Err: errors.New("no route")}, run.Inconclusive, "no route"},
	} {
		got := gate.JudgeBuilds(check, test.pods, test.asked)
		if got.Verdict != test.want || !strings.Contains(got.Reason, test.says) {
			t.Errorf("%s: %s: %s, want %s with %q", test.reason, got.Verdict, got.Reason, test.want, test.says)
		}
	}
}
