package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A side is one of the two ways in which an incident is lived through: a namespace
// with a hub of its own and the same people as the other's.
type side struct {
	*stage
	name      string // for people
	namespace string
	incident  *incident
	began     float64 // on the simulator's clock, when the story begins
	values    map[string]string
	told      func(text string)
}

// minute is how far the story is.
func (s *side) minute(ctx context.Context) (float64, error) {
	clock, _, err := s.hubs(ctx)
	return (clock - s.began) / 60, err
}

// tell says what happens, with the time in the story.
func (s *side) tell(ctx context.Context, format string, args ...any) {
	at, err := s.minute(ctx)
	if err != nil {
		return // it shows in the next thing that is done
	}
	h, m := s.incident.clock(at)
	s.told(fmt.Sprintf("%02d:%02d  %-12s %s", h, m, s.name, fmt.Sprintf(format, args...)))
}

// until waits for a minute of the story.
func (s *side) until(ctx context.Context, minute float64) error {
	for {
		now, err := s.minute(ctx)
		if err != nil {
			return err
		}
		if now >= minute {
			return nil
		}
		if err := sleep(ctx, time.Duration((minute-now)*60/s.incident.factor*float64(time.Second))); err != nil {
			return err
		}
	}
}

// after waits for so many minutes of the story.
func (s *side) after(ctx context.Context, minutes float64) error {
	now, err := s.minute(ctx)
	if err != nil {
		return err
	}
	return s.until(ctx, now+minutes)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 20*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// launching is the share of the launches of the last minutes that succeeded.
// Launches that were turned away for a limit are no failures.
func (s *side) launching(ctx context.Context, minutes float64) (share float64, known bool, err error) {
	of := func(status string) string {
		return fmt.Sprintf(`sum(increase(binderhub_launch_time_seconds_count{namespace=%q,status=~%q}[%dms]))`,
			s.namespace, status, int(minutes*60/s.incident.factor*1000))
	}
	return s.query(ctx, of("success")+" / "+of("success|failure"))
}

// untilOutage waits until most launches fail, and says whether that came to be
// before the story's end.
func (s *side) untilOutage(ctx context.Context) (bool, error) {
	for {
		now, err := s.minute(ctx)
		if err != nil || now >= s.incident.minutes {
			return false, err
		}
		share, known, err := s.launching(ctx, 10)
		if err != nil {
			return false, err
		}
		if known && share < 0.5 {
			s.tell(ctx, "launch success is at %.0f %%", share*100)
			return true, nil
		}
		if err := s.after(ctx, 1); err != nil {
			return false, err
		}
	}
}

// valuesFile writes the chart's values of this side.
func (s *side) valuesFile() (string, error) {
	text, err := os.ReadFile(filepath.Join("testdata/replay", s.incident.name, "values.yaml"))
	if err != nil {
		return "", err
	}
	var pairs []string
	for key, value := range s.values {
		pairs = append(pairs, "${"+key+"}", value)
	}
	path := filepath.Join(s.dir, s.namespace+".yaml")
	return path, os.WriteFile(path, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600)
}

// helm upgrades the whole release at once.
func (s *side) helm(ctx context.Context) error {
	values, err := s.valuesFile()
	if err != nil {
		return err
	}
	_, err = s.must(ctx, "bin/helm", "upgrade", "--install", "--create-namespace", s.namespace, filepath.Join(s.dir, "chart"),
		"--namespace", s.namespace, "--values", values)
	return err
}

// hubcap runs hubcap on the incident's config, and returns its exit code.
func (s *side) hubcap(ctx context.Context, args ...string) (int, string, error) {
	args = append(args, "--chdir", filepath.Join("testdata/replay", s.incident.name))
	for key, value := range s.values {
		args = append(args, "--var", key+"="+value)
	}
	for key, value := range map[string]string{
		"kubeconfig": s.kubeconfig, "prometheus": s.prometheus, "simulator": s.simulator, "namespace": s.namespace,
	} {
		args = append(args, "--var", key+"="+value)
	}
	return s.run(ctx, []string{"XDG_STATE_HOME=" + s.dir}, "bin/hubcap", args...)
}

// deletePods deletes the pods of a component.
func (s *side) deletePods(ctx context.Context, components ...string) error {
	_, err := s.kubectl(ctx, "delete", "pods", "--namespace", s.namespace, "--wait=false",
		"--selector", "component in ("+strings.Join(components, ",")+")")
	return err
}

// cull deletes a share of the users' servers, the oldest first, as people do in an
// emergency.
func (s *side) cull(ctx context.Context, share float64) (int, error) {
	out, err := s.kubectl(ctx, "get", "pods", "--namespace", s.namespace, "--selector", "component=singleuser-server",
		"--sort-by=.metadata.creationTimestamp", "--output=name")
	if err != nil {
		return 0, err
	}
	pods := strings.Fields(out)
	pods = pods[:int(float64(len(pods))*share)]
	if len(pods) == 0 {
		return 0, nil
	}
	_, err = s.kubectl(ctx, append([]string{"delete", "--namespace", s.namespace, "--wait=false", "--ignore-not-found"}, pods...)...)
	return len(pods), err
}

// load changes what the side's people do.
func (s *side) load(ctx context.Context, load map[string]any) error {
	load["namespace"] = s.namespace
	return s.post(ctx, s.simulator+"/_sim/load", load, nil)
}
