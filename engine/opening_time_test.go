package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hubcap/engine"
	"hubcap/engine/resource"
	"hubcap/providers/memory"
	"hubcap/schema"
)

// TestPlanFileTimes checks that the time of a plan file is nobody's choice: a file of a
// time to come, and one that something in the config begins or ends after, is stale.
func TestPlanFileTimes(t *testing.T) {
	w := memory.New("prod", "default")
	made := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	at := func(now time.Time, moments ...time.Time) *engine.Engine {
		e := newEngine(w, first)
		e.Now = func() time.Time { return now }
		for _, m := range moments {
			e.Config.Moments = append(e.Config.Moments, schema.Moment{
				Address: resource.Address{Kind: "repo_ban", Name: "miner"}, Attribute: "until", Time: m,
			})
		}
		return e
	}
	maker := at(made)
	document, err := maker.Document(t.Context(), mustPlan(t, maker))
	if err != nil {
		t.Fatal(err)
	}
	for what, one := range map[string]struct {
		now    time.Time
		moment time.Time
		stale  string
	}{
		"nothing in between":     {now: made.Add(90 * 24 * time.Hour), moment: made.Add(-time.Hour)},
		"what is to end":         {now: made.Add(time.Hour), moment: made.Add(2 * time.Hour)},
		"what ended":             {now: made.Add(3 * time.Hour), moment: made.Add(2 * time.Hour), stale: "repo_ban.miner: its until"},
		"a clock behind":         {now: made.Add(-4 * time.Minute), moment: made.Add(time.Hour)},
		"what ends in the skew":  {now: made.Add(-4 * time.Minute), moment: made.Add(-time.Minute), stale: "repo_ban.miner: its until"},
		"made in time to come":   {now: made.Add(-6 * time.Minute), moment: made.Add(time.Hour), stale: "still to come"},
		"made long after a time": {now: made.Add(-300 * 24 * time.Hour), moment: made.Add(-time.Hour), stale: "still to come"},
	} {
		_, err := at(one.now, one.moment).Open(t.Context(), document)
		switch {
		case one.stale == "" && err != nil:
			t.Errorf("%s: %v", what, err)
		case one.stale != "" && (!errors.Is(err, engine.ErrStale) || !strings.Contains(err.Error(), one.stale)):
			t.Errorf("%s: %v, want ErrStale that says %q", what, err, one.stale)
		}
	}
}
