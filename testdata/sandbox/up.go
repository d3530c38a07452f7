package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"hubcap/providers/gke/emulator"
)

// options are the flags of "sandbox up".
type options struct {
	dir     string
	keep    bool
	apiPort int
	gkePort int
	parent  int
	egress  string
	home    emulator.ClusterRef
	watch   watching
}

// A readiness is the one line "sandbox up" prints on stdout, once everything answers. Its field names are
// read by hubcap/testdata/sandboxtest and by the demo.
type readiness struct {
	Kubeconfig  string            `json:"kubeconfig"`
	APIServer   string            `json:"apiServer"`            // URL
	GKEEndpoint string            `json:"gkeEndpoint"`          // URL, for option.WithEndpoint
	GKECluster  string            `json:"gkeCluster"`           // projects/P/locations/L/clusters/C, which exists from the start
	Simulator   string            `json:"simulator,omitempty"`  // URL of the hubs, see docs/SANDBOX.md
	Prometheus  string            `json:"prometheus,omitempty"` // URL
	Dir         string            `json:"dir"`
	PID         int               `json:"pid"`
	Versions    map[string]string `json:"versions"` // of kubernetes, etcd and kwok
}

// errStopped ends a sandbox that was asked to end: it is no failure.
var errStopped = errors.New("stopped")

// upMain is "sandbox up". It returns the exit code: 0 when it was ready and then asked to stop, 1 when it did not
// get ready or one of its programs ended, 2 for wrong flags.
func upMain(args []string) int {
	opts, err := parseUp(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	ctx, cancel := stopContext(opts.parent)
	defer cancel()
	err = up(ctx, opts)
	if err == errStopped { // once it was ready; before that it is wrapped
		return 0
	}
	fmt.Fprintln(os.Stderr, "sandbox:", err)
	return 1
}

func parseUp(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("sandbox up", flag.ContinueOnError)
	fs.StringVar(&o.dir, "dir", "", "state `directory`: empty, new, or kept by an earlier run (default a temporary one)")
	fs.BoolVar(&o.keep, "keep", false, "leave the state directory at the end, to be resumed with --dir (a resumed one always stays)")
	fs.IntVar(&o.apiPort, "api-port", 0, "`port` of the API server (default any free one)")
	fs.IntVar(&o.gkePort, "gke-port", 0, "`port` of the GKE emulator (default any free one)")
	fs.StringVar(&o.egress, "egress", "", "the API server reaches pods and services through the HTTP CONNECT proxy at this Unix `socket`: nobody else routes to them")
	fs.IntVar(&o.parent, "parent", os.Getppid(), "stop when this `process` is no longer the parent; 0: never")
	o.watch.flags(fs)
	fs.StringVar(&o.home.Project, "gke-project", "sandbox", "`project` of the GKE cluster that exists from the start")
	fs.StringVar(&o.home.Location, "gke-location", "us-central1-a", "its `location`")
	fs.StringVar(&o.home.Name, "gke-cluster", "hub", "its `name`; its API server is this sandbox's")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if err := o.watch.settle(); err != nil {
		fmt.Fprintln(fs.Output(), "sandbox up:", err)
		return o, err
	}
	if fs.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", fs.Arg(0))
		fmt.Fprintln(fs.Output(), "sandbox up:", err)
		return o, err
	}
	return o, nil
}

// stopContext is cancelled, with errStopped, by SIGINT, SIGTERM, SIGHUP or the end of the parent process.
func stopContext(parent int) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// Who read what is said here may be gone, and that must not be the end without an end: what is asked for is an
	// error from the write, not the signal.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	tick := time.NewTicker(200 * time.Millisecond)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
				cancel(errStopped)
			case <-tick.C:
				if parent != 0 && os.Getppid() != parent {
					cancel(errStopped)
				}
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// A sandbox is all that runs.
type sandbox struct {
	dir    *stateDir
	plane  *controlPlane
	google *google // nil until the control plane is up
	home   emulator.ClusterRef
	watch  watching
	player *player // nil: pods are not simulated
}

// up runs a sandbox until ctx is done or a part of it fails.
func up(ctx context.Context, opts options) error {
	start := time.Now()
	dir, err := claimDir(opts.dir)
	if err != nil {
		return err
	}
	dir.kept = dir.kept || opts.keep
	plane, err := prepare(dir, opts)
	if err != nil {
		return errors.Join(err, dir.release())
	}
	s := &sandbox{dir: dir, plane: plane, home: opts.home, watch: opts.watch}
	defer s.stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case ch := <-plane.children.died:
			cancel(ch.failure())
		case <-ctx.Done():
		}
	}()
	if err := s.start(ctx, cancel); err != nil {
		return fmt.Errorf("start: %w", firstCause(ctx, err))
	}
	if err := json.NewEncoder(os.Stdout).Encode(s.readiness()); err != nil {
		return fmt.Errorf("print readiness: %w", err)
	}
	fmt.Fprintf(os.Stderr, "sandbox: ready after %v, logs in %s\n", time.Since(start).Round(10*time.Millisecond), dir.file("log"))
	<-ctx.Done()
	return context.Cause(ctx)
}

// firstCause is why ctx ended, which is why err came about, or err itself.
func firstCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// prepare makes or reads everything the programs need to start.
func prepare(dir *stateDir, opts options) (*controlPlane, error) {
	var s settings
	var err error
	if dir.resumed {
		if s, err = dir.load(); err != nil {
			return nil, err
		}
	}
	if opts.apiPort != 0 {
		s.Ports.API = opts.apiPort
	}
	if opts.gkePort != 0 {
		s.Ports.GKE = opts.gkePort
	}
	s.Kept = dir.kept
	if err := s.Ports.settle(); err != nil {
		return nil, err
	}
	if !dir.resumed {
		if err := writePKI(dir.path); err != nil {
			return nil, err
		}
	}
	plane := &controlPlane{dir: dir, ports: s.Ports, children: newChildren(dir.file("log"), 8), egress: opts.egress}
	if err := plane.writeKubeconfig(); err != nil {
		return nil, err
	}
	return plane, dir.save(s) // last: it is what makes the directory one that can be resumed
}

// start brings everything up, in order, and returns when all of it answers. What fails later goes to failed.
func (s *sandbox) start(ctx context.Context, failed func(error)) error {
	if err := s.plane.startEtcd(ctx); err != nil {
		return err
	}
	if err := s.plane.startAPIServer(ctx); err != nil {
		return err
	}
	if s.dir.resumed {
		if err := s.plane.freeNodes(ctx); err != nil {
			return err
		}
	}
	if err := s.plane.startControllers(); err != nil {
		return err
	}
	g, err := newGoogle(s.plane, s.home)
	if err != nil {
		return err
	}
	s.google = g
	if err := g.start(ctx, loopback(s.plane.ports.GKE), failed); err != nil {
		return err
	}
	if err := s.plane.awaitAccount(ctx); err != nil {
		return err
	}
	return s.startWatching(ctx, failed)
}

// stop ends everything. Programs whose state is thrown away are killed; others get time to end well.
func (s *sandbox) stop() {
	if s.player != nil {
		s.player.stop()
	}
	if s.google != nil {
		s.google.stop()
	}
	patience := time.Duration(0)
	if s.dir.kept {
		patience = 10 * time.Second
	}
	s.plane.children.stop(patience)
	if err := s.dir.release(); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox: remove state directory:", err)
	}
}

func (s *sandbox) readiness() readiness {
	r := readiness{
		Kubeconfig:  s.dir.file("kubeconfig"),
		APIServer:   s.plane.apiURL(),
		GKEEndpoint: "http://" + loopback(s.plane.ports.GKE),
		GKECluster:  s.home.String(),
		Dir:         s.dir.path,
		PID:         os.Getpid(),
		Versions:    map[string]string{},
	}
	if s.watch.simulate {
		r.Simulator = s.simulatorURL()
	}
	if s.watch.prometheus {
		r.Prometheus = "http://" + loopback(s.plane.ports.Prometheus)
	}
	build, _ := debug.ReadBuildInfo()
	names := map[string]string{
		"k8s.io/kubernetes":         "kubernetes",
		"go.etcd.io/etcd/server/v3": "etcd",
		"sigs.k8s.io/kwok":          "kwok",
	}
	for _, m := range build.Deps {
		if name, ok := names[m.Path]; ok {
			r.Versions[name] = m.Version
		}
	}
	return r
}
