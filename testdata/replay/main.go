// Command replay lives through an incident twice, in one sandbox and with the same
// people: once with everything changed at once, judged after ten minutes and undone
// as one lump, as it was, and once with hubcap. It prints what people lived through
// side by side, as the simulator and Prometheus measured it, and exits with 1 when
// hubcap did not do better.
//
// Place in the pipeline: outside; it is two users at two terminals. It runs
// bin/hubcap, bin/sandbox, bin/prometheus and bin/helm, as built by make.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// An incident is a story of some hours.
type incident struct {
	name    string // of its folder
	title   string
	hour    int // on the wall, when it begins
	minute  int
	minutes float64 // that it lasts
	factor  float64 // simulated seconds in a real one
	before  map[string]string
	load    map[string]any

	atOnce, staged func(context.Context, *side) error
	better         func(atOnce, staged lived) error
}

// clock is the time on the wall at a minute of the story.
func (i *incident) clock(minute float64) (h, m int) {
	all := i.hour*60 + i.minute + int(minute)
	return all / 60 % 24, all % 60
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	known := map[string]*incident{"culler-flood": cullerFlood(), "launch-day": launchDay()}
	var chosen *incident
	if len(os.Args) == 2 {
		chosen = known[os.Args[1]]
	}
	if chosen == nil {
		fmt.Fprintln(os.Stderr, "usage: replay culler-flood|launch-day")
		os.Exit(2)
	}
	if err := replay(ctx, chosen); err != nil {
		fmt.Fprintln(os.Stderr, "\nreplay failed:", err)
		stop()
		os.Exit(1)
	}
}

func replay(ctx context.Context, i *incident) error {
	began := time.Now()
	dir, err := os.MkdirTemp("", "hubcap-replay-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := copyChart(filepath.Join(dir, "chart")); err != nil {
		return err
	}
	fmt.Printf("%s\n%.0f minutes of it in %.0f, twice: the same people, the same changes\n", i.title, i.minutes, i.minutes/i.factor)
	st, err := setStage(ctx, dir, i.factor)
	if err != nil {
		return err
	}
	results, err := both(ctx, st, i)
	if stopErr := st.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	fmt.Println(table(results))
	fmt.Printf("took %s\n", time.Since(began).Round(time.Second))
	return i.better(results[0], results[1])
}

// both lets the two sides live through the incident at the same time.
func both(ctx context.Context, st *stage, i *incident) ([2]lived, error) {
	var results [2]lived
	var errs [2]error
	var speak sync.Mutex
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for n, s := range []*side{
		{stage: st, name: "all at once", namespace: "at-once", incident: i},
		{stage: st, name: "hubcap", namespace: "staged", incident: i},
	} {
		s.told = func(text string) {
			speak.Lock()
			defer speak.Unlock()
			fmt.Println(text)
		}
		work.Go(func() {
			if results[n], errs[n] = s.live(ctx, n == 0); errs[n] != nil {
				errs[n] = fmt.Errorf("%s: %w", s.name, errs[n])
				cancel()
			}
		})
	}
	work.Wait()
	return results, errors.Join(errs[:]...)
}

// live lives through the incident from a quiet day to the story's end.
func (s *side) live(ctx context.Context, atOnce bool) (lived, error) {
	s.values = map[string]string{}
	for key, value := range s.incident.before {
		s.values[key] = value
	}
	if err := s.settle(ctx, atOnce); err != nil {
		return lived{}, err
	}
	act := s.incident.staged
	if atOnce {
		act = s.incident.atOnce
	}
	if err := act(ctx, s); err != nil {
		return lived{}, err
	}
	if err := s.until(ctx, s.incident.minutes); err != nil {
		return lived{}, err
	}
	_, hubs, err := s.hubs(ctx)
	return hubs[s.namespace], err
}

// settle makes the hub as it was before, with its people, and begins the story
// when half an hour has passed.
func (s *side) settle(ctx context.Context, atOnce bool) error {
	if atOnce {
		if err := s.helm(ctx); err != nil {
			return err
		}
	} else if code, said, err := s.hubcap(ctx, "apply", "--auto-approve", "--var", "gated=false"); err != nil || code != 0 {
		return errors.Join(err, fmt.Errorf("make the hub: exit code %d: %s", code, said))
	}
	if err := s.load(ctx, s.incident.load); err != nil {
		return err
	}
	clock, _, err := s.hubs(ctx)
	if err != nil {
		return err
	}
	s.began = clock
	if err := s.until(ctx, 30); err != nil {
		return err
	}
	s.began += 30 * 60
	return s.post(ctx, s.simulator+"/_sim/ledger", map[string]string{"namespace": s.namespace}, nil)
}

// copyChart lays the chart of BinderHub and the one it needs into one folder, as
// hubcap does for itself.
func copyChart(dir string) error {
	if err := os.CopyFS(dir, os.DirFS("modules/charts/binderhub")); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(dir, "charts", "jupyterhub"), os.DirFS("modules/charts/jupyterhub")); err != nil {
		return err
	}
	if _, err := exec.LookPath("bin/helm"); err != nil {
		return fmt.Errorf("find Helm: %w (make helmpeer builds it)", err)
	}
	return nil
}
