package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hubcap.dev/sandbox/sim"
)

// A watching says what plays the programs in the pods, and what watches them.
type watching struct {
	simulate   bool
	seed       uint64
	factor     float64
	prometheus bool
	program    string // of Prometheus
	interval   time.Duration
}

func (o *watching) flags(fs *flag.FlagSet) {
	fs.BoolVar(&o.simulate, "simulate", false, "play the hubs, proxies and binders in the pods, and their users")
	fs.Uint64Var(&o.seed, "seed", 1, "`number` from which the simulated users' ways are drawn")
	fs.Float64Var(&o.factor, "factor", 60, "simulated seconds in a real `second`")
	fs.BoolVar(&o.prometheus, "prometheus", false, "start a Prometheus that watches them; implies --simulate")
	fs.StringVar(&o.program, "prometheus-program", "", "`path` of Prometheus (default: prometheus beside this program)")
	fs.DurationVar(&o.interval, "scrape-interval", time.Second, "how `often` Prometheus asks")
}

// settle fills in what follows from the flags.
func (o *watching) settle() error {
	o.simulate = o.simulate || o.prometheus
	switch {
	case o.factor <= 0:
		return fmt.Errorf("--factor is %v, want more than 0", o.factor)
	case o.interval < time.Millisecond:
		return fmt.Errorf("--scrape-interval is %v, want 1ms or more", o.interval)
	case !o.prometheus || o.program != "":
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find Prometheus: %w", err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return fmt.Errorf("find Prometheus: %w", err)
	}
	o.program = filepath.Join(filepath.Dir(self), "prometheus")
	if _, err := os.Stat(o.program); err != nil {
		return fmt.Errorf("find Prometheus: %w (make prometheus builds it)", err)
	}
	return nil
}

func (s *sandbox) simulatorURL() string { return "http://" + loopback(s.plane.ports.Simulator) }

// startWatching starts the simulator and Prometheus, as far as they are wanted.
func (s *sandbox) startWatching(ctx context.Context, failed func(error)) error {
	if !s.watch.simulate {
		return nil
	}
	p, err := play(ctx, s, failed)
	if err != nil {
		return err
	}
	s.player = p
	if !s.watch.prometheus {
		return nil
	}
	return s.startPrometheus(ctx)
}

// A player is the running simulator.
type player struct {
	server *http.Server
	loops  sync.WaitGroup
	cancel context.CancelFunc
	log    *os.File
}

// play starts the simulator. What fails later goes to failed.
func play(ctx context.Context, s *sandbox, failed func(error)) (*player, error) {
	api, err := s.plane.client()
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(s.dir.file("log/simulator.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of the simulator: %w", err)
	}
	out := log.New(file, "", log.LstdFlags|log.LUTC)
	simulator := sim.New(sim.Options{
		API: api, URL: s.simulatorURL(), Seed: s.watch.seed, Factor: s.watch.factor,
		Report: func(err error) { out.Print(err) },
	})
	listener, err := net.Listen("tcp", loopback(s.plane.ports.Simulator))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for the simulator: %w", err), file.Close())
	}
	p := &player{log: file, server: &http.Server{Handler: simulator.Handler(), ErrorLog: out, ReadHeaderTimeout: 10 * time.Second}}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.cancel = cancel
	p.loops.Go(func() {
		if err := p.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("serve the simulator: %w", err))
		}
	})
	p.loops.Go(func() {
		if err := simulator.Run(run); err != nil && run.Err() == nil {
			failed(fmt.Errorf("run the simulator: %w", err))
		}
	})
	return p, nil
}

func (p *player) stop() {
	p.cancel()
	_ = p.server.Close()
	p.loops.Wait()
	_ = p.log.Close()
}

// scraping is Prometheus' configuration: the programs in the pods are found as
// Kubernetes' discovery would find them, the rest is what kube-state-metrics and
// cAdvisor would say.
const scraping = `global:
  scrape_interval: %[2]s
  scrape_timeout: %[2]s
scrape_configs:
- job_name: kubernetes-pods
  http_sd_configs: [{url: "%[1]s/_sim/targets/pods", refresh_interval: 1s}]
  relabel_configs:
  - {source_labels: [namespace, pod], separator: /, target_label: instance}
- job_name: kubernetes
  honor_labels: true
  http_sd_configs: [{url: "%[1]s/_sim/targets/kube", refresh_interval: 1s}]
`

// startPrometheus returns once Prometheus is ready.
func (s *sandbox) startPrometheus(ctx context.Context) error {
	config := s.dir.file("prometheus.yaml")
	text := fmt.Sprintf(scraping, s.simulatorURL(), durationOf(s.watch.interval))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write Prometheus' configuration: %w", err)
	}
	address := loopback(s.plane.ports.Prometheus)
	ch, err := s.plane.children.startProgram("prometheus", s.watch.program,
		"--config.file="+config,
		"--storage.tsdb.path="+s.dir.file("prometheus"),
		"--storage.tsdb.retention.time=1d",
		"--web.listen-address="+address,
		"--log.level=warn",
	)
	if err != nil {
		return err
	}
	return ch.await(ctx, func(ctx context.Context) error {
		return answersOK(ctx, http.DefaultClient, "http://"+address+"/-/ready")
	})
}

// durationOf writes a duration as Prometheus reads it.
func durationOf(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }
