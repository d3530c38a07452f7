package run_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/resource"
)

// TestMeasure checks what a step is said to have done to people: what was counted,
// not what was predicted.
func TestMeasure(t *testing.T) {
	proxy := resource.Impact{SessionsInterrupted: 412, LaunchGap: 90 * time.Second, PodsRestarted: 1, Basis: "predicted"}
	for _, test := range []struct {
		reason    string
		predicted resource.Impact
		counts    []int // in turn; -1: cannot be counted
		want      resource.Impact
	}{
		{"counted before and after", proxy, []int{300, 290}, resource.Impact{SessionsLost: 10, SessionsInterrupted: 300, LaunchGap: 20 * time.Second, PodsRestarted: 1, Basis: "measured"}},
		{"more came than went", proxy, []int{300, 310}, resource.Impact{SessionsInterrupted: 300, LaunchGap: 20 * time.Second, PodsRestarted: 1, Basis: "measured"}},
		{"who cannot be counted", proxy, []int{300, -1}, resource.Impact{SessionsInterrupted: 412, LaunchGap: 20 * time.Second, PodsRestarted: 1, Basis: "measured, but for the sessions: they could not be counted"}},
		{"nobody is disturbed: nobody is counted", resource.Impact{LaunchGap: time.Minute}, nil, resource.Impact{LaunchGap: 20 * time.Second, Basis: "measured"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &stage{}
			k := &kept{stage: s}
			s.health = func(since time.Duration) (resource.Health, error) {
				return resource.Health{Ready: since >= 20*time.Second, Reason: "not yet"}, nil
			}
			r := s.runner()
			target := r.Targets["c"]
			target.People = func(context.Context, resource.Places) (resource.Census, error) {
				if len(test.counts) == 0 {
					t.Errorf("%s: counted once too often", test.reason)
					return resource.Census{}, nil
				}
				n := test.counts[0]
				test.counts = test.counts[1:]
				if n < 0 {
					return resource.Census{}, errors.New("forbidden")
				}
				return resource.Census{PerNamespace: map[string]int{"prod": n, "other": 7}}, nil
			}
			r.Targets["c"], r.Recorder = target, k
			p := steps(nil, "a")
			p.Waves[0].Steps[0].Impact = test.predicted
			p.Waves[0].Steps[0].Changes[0].ID.Namespace = "prod"
			if got := r.Execute(t.Context(), p, nil); got.Outcome != journal.Succeeded {
				t.Fatalf("%s: %+v", test.reason, got)
			}
			end := k.entries[len(k.entries)-1]
			if end.Mark != journal.Done || end.Impact == nil {
				t.Fatalf("%s: %+v", test.reason, end)
			}
			got := *end.Impact
			got.LaunchGap = got.LaunchGap.Truncate(10 * time.Second)
			if got != test.want {
				t.Errorf("%s: %+v, want %+v", test.reason, got, test.want)
			}
		})
	}
}
