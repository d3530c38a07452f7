package main

import (
	"context"
	"errors"
	"fmt"
)

// launchDay is 2018-02-20, a tenth of it: an announcement brings many people to
// one repository, whose limit is raised while they come. The hub bears the old
// limit, and not the new one; Grafana, which is told of every deploy, hangs.
func launchDay() *incident {
	return &incident{
		name: "launch-day", title: "2018-02-20: a limit raised under load, a hub saturated, a Grafana that hangs",
		hour: 14, minute: 17, minutes: 330, factor: 90,
		before: map[string]string{"limit": "30"},
		load: map[string]any{
			"launches_per_minute": 0.5, "session_minutes": 20, "capacity": 46, "seed": 220,
			"repos": []map[string]any{{"name": "jupyterlab/jupyterlab-demo", "weight": 19}, {"name": "binder-examples/requirements", "weight": 1}},
		},
		atOnce: launchAtOnce, staged: launchStaged, better: fewerDegraded,
	}
}

// The announcement goes live when the story begins, and is old news at its end.
const (
	crowd    = 10.0 // launches a minute
	oldNews  = 255.0
	raisedAt = 48.0
)

func (s *side) announce(ctx context.Context) error {
	s.tell(ctx, "the announcement goes live")
	return errors.Join(
		s.load(ctx, map[string]any{"launches_per_minute": crowd}),
		s.post(ctx, s.simulator+"/_sim/grafana", map[string]bool{"hang": true}, nil),
	)
}

// launchAtOnce does what was done: the times between the steps are the incident's.
func launchAtOnce(ctx context.Context, s *side) error {
	if err := s.announce(ctx); err != nil {
		return err
	}
	steps := []struct {
		at   float64 // minutes
		tell string
		do   func() error
	}{
		{raisedAt + 10, "deploy of the limit 50: it tells Grafana first, and hangs there until it is given up", nil},
		{raisedAt + 27, "the deploy goes through without Grafana: limit 50", func() error { s.values["limit"] = "50"; return s.helm(ctx) }},
		{121, "the hub is restarted", func() error { return s.deletePods(ctx, "hub") }},
		{132, "hub and proxy are restarted", func() error { return s.deletePods(ctx, "hub", "proxy") }},
		{136, "the binder is restarted", func() error { return s.deletePods(ctx, "binder") }},
		{226, "the oldest fifth of the sessions is deleted, the limit is 30 again", func() error {
			s.values["limit"] = "30"
			return errors.Join(s.drop(ctx, 0.2), s.helm(ctx))
		}},
		{241, "the hub is deleted, to come back on another node", func() error { return s.deletePods(ctx, "hub") }},
		{253, "the older half of the sessions is deleted", func() error { return s.drop(ctx, 0.5) }},
		{oldNews, "the crowd goes home", func() error { return s.load(ctx, map[string]any{"launches_per_minute": 0.5}) }},
	}
	for _, step := range steps {
		if err := s.until(ctx, step.at); err != nil {
			return err
		}
		if err := s.observe(ctx); err != nil {
			return err
		}
		s.tell(ctx, "%s", step.tell)
		if step.do == nil {
			continue
		}
		if err := step.do(); err != nil {
			return err
		}
	}
	return nil
}

// observe tells how launches go.
func (s *side) observe(ctx context.Context) error {
	share, known, err := s.launching(ctx, 10)
	if err == nil && known {
		s.tell(ctx, "launch success is at %.0f %%", share*100)
	}
	return err
}

// drop deletes sessions, as people do in an emergency.
func (s *side) drop(ctx context.Context, share float64) error {
	n, err := s.cull(ctx, share)
	s.tell(ctx, "%d sessions are deleted", n)
	return err
}

// launchStaged asks hubcap for the same limit at the same time, and again when the
// crowd has gone home.
func launchStaged(ctx context.Context, s *side) error {
	if err := s.announce(ctx); err != nil {
		return err
	}
	if err := s.until(ctx, raisedAt+10); err != nil {
		return err
	}
	s.values["limit"] = "50"
	code, said, err := s.hubcap(ctx, "apply", "--auto-approve")
	if err != nil {
		return err
	}
	s.tell(ctx, "hubcap apply, limit 50: exit code %d: %s", code, lesson(said))
	if code != 6 {
		return fmt.Errorf("hubcap apply under load: exit code %d, want it held: %s", code, said)
	}
	if err := s.until(ctx, oldNews); err != nil {
		return err
	}
	s.tell(ctx, "the crowd goes home")
	if err := s.load(ctx, map[string]any{"launches_per_minute": 0.5}); err != nil {
		return err
	}
	if err := s.after(ctx, 35); err != nil {
		return err
	}
	code, said, err = s.hubcap(ctx, "resume", "--auto-approve")
	if err != nil {
		return err
	}
	s.tell(ctx, "hubcap resume: exit code %d: %s", code, lesson(said))
	if code != 0 {
		return fmt.Errorf("hubcap resume in the evening: exit code %d: %s", code, said)
	}
	return nil
}
