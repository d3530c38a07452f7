package main

import (
	"context"
	"strings"
)

// cullerFlood is 2018-04-18: a culler that floods the hub, a spawner that leaks and
// an image cleaner that does not start came with one deploy.
func cullerFlood() *incident {
	return &incident{
		name: "culler-flood", title: "2018-04-18: culler, spawner and image cleaner changed in one deploy",
		hour: 12, minute: 35, minutes: 240, factor: 60,
		before: map[string]string{"hub": "4.0.0", "culler": "1.0", "cleaner": "1.0", "binder": "1.0.0"},
		load:   map[string]any{"launches_per_minute": 5, "session_minutes": 20, "build_share": 0.05, "seed": 418},
		atOnce: cullerAtOnce, staged: cullerStaged, better: fewerDegraded,
	}
}

// deployed is what the one deploy changed.
var deployed = map[string]string{"hub": "4.1.0-leak", "culler": "2.0-flood", "cleaner": "crash-2.0", "binder": "1.1.0"}

// cullerAtOnce does what was done: the times between the steps are the incident's.
func cullerAtOnce(ctx context.Context, s *side) error {
	old := s.values
	s.values = deployed
	s.tell(ctx, "helm upgrade: hub, culler, image cleaner and binder")
	if err := s.helm(ctx); err != nil {
		return err
	}
	if err := s.judge(ctx); err != nil {
		return err
	}
	out, err := s.untilOutage(ctx)
	if err != nil || !out {
		return err
	}
	for _, act := range []struct {
		after float64 // minutes
		tell  string
		do    func() error
	}{
		{44, "the outage is reported by a user; the network is suspected, the proxy restarted", func() error { return s.deletePods(ctx, "proxy") }},
		{20, "the hub is restarted", func() error { return s.deletePods(ctx, "hub") }},
		{47, "helm upgrade: everything as it was before", func() error { s.values = old; return s.helm(ctx) }},
	} {
		if err := s.after(ctx, act.after); err != nil {
			return err
		}
		s.tell(ctx, "%s", act.tell)
		if err := act.do(); err != nil {
			return err
		}
	}
	return nil
}

// judge is what a deploy was judged by: everything rolled out within ten minutes,
// and a launch.
func (s *side) judge(ctx context.Context) error {
	for _, d := range []string{"hub", "proxy", "binder"} {
		if _, err := s.kubectl(ctx, "rollout", "status", "--namespace", s.namespace, "deployment/"+d, "--timeout=60s"); err != nil {
			return err
		}
	}
	if err := s.after(ctx, 10); err != nil {
		return err
	}
	share, known, err := s.launching(ctx, 5)
	if err != nil {
		return err
	}
	if known && share > 0.9 {
		s.tell(ctx, "after ten minutes launches work: judged good")
	} else {
		s.tell(ctx, "after ten minutes %.0f %% of the launches work", share*100)
	}
	return nil
}

// cullerStaged applies the same changes with hubcap. What it rejects the operator
// takes out, and applies the rest.
func cullerStaged(ctx context.Context, s *side) error {
	old := s.values
	s.values = map[string]string{}
	for key, value := range deployed {
		s.values[key] = value
	}
	for range 4 {
		s.tell(ctx, "hubcap apply: %s", wanted(s.values))
		code, said, err := s.hubcap(ctx, "apply", "--auto-approve")
		if err != nil {
			return err
		}
		s.tell(ctx, "exit code %d: %s", code, lesson(said))
		if code != 4 {
			return nil
		}
		switch reason := lesson(said); {
		case strings.Contains(reason, "image-cleaner"):
			s.values["cleaner"] = old["cleaner"]
		case strings.Contains(reason, "errors"):
			s.values["culler"] = old["culler"]
		default:
			s.values["hub"] = old["hub"]
		}
	}
	return nil
}
