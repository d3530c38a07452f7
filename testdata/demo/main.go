// Command demo runs hubcap's main job on the sandbox, checks that it did what it
// says, and exits with 1 when anything did not.
//
// Place in the pipeline: outside; it is a user at a terminal. It runs bin/hubcap
// and bin/sandbox, as built by make.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo failed:", err)
		stop()
		os.Exit(1)
	}
}

// A stage is the sandbox and the folder in which the demo's user stands.
type stage struct {
	kubeconfig string
	endpoint   string // of the GKE emulator
	config     string // folder with the quickstart's files
	state      string // where hubcap keeps its local copies
	seen       []string
}

func demo(ctx context.Context) error {
	began := time.Now()
	dir, err := os.MkdirTemp("", "hubcap-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// hubcap writes the lock file beside the config.
	s := &stage{config: filepath.Join(dir, "quickstart"), state: dir}
	if err := os.CopyFS(s.config, os.DirFS("examples/quickstart")); err != nil {
		return err
	}
	say("Starting a real Kubernetes control plane on loopback (etcd, kube-apiserver, scheduler, …)")
	stopSandbox, err := s.start(ctx, filepath.Join(dir, "sandbox"))
	if err != nil {
		return err
	}
	err = s.play(ctx)
	if stopErr := stopSandbox(); err == nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	say("Done in %s. What you saw:", time.Since(began).Round(time.Second))
	for _, line := range s.seen {
		fmt.Println("  ✓", line)
	}
	return nil
}

// start runs the sandbox and returns how to stop it. The sandbox watches this
// process, and ends when it ends.
func (s *stage) start(ctx context.Context, dir string) (func() error, error) {
	cmd := exec.CommandContext(ctx, "bin/sandbox", "up", "--dir", dir,
		"--gke-project", "hubcap-demo", "--gke-location", "us-central1-a", "--gke-cluster", "binder")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var ready struct{ Kubeconfig, GKEEndpoint string }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox did not get ready: %w", err), cmd.Wait())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	s.kubeconfig, s.endpoint = ready.Kubeconfig, ready.GKEEndpoint
	return func() error {
		say("Stopping the sandbox")
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("stop sandbox: %w", err)
		}
		return nil
	}, nil
}

// play is the story, scene by scene.
func (s *stage) play(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{
		s.install, s.raiseLimit, s.rollBack, s.drift, s.repair,
	} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) install(ctx context.Context) error {
	say("What would be made of an empty cluster?")
	if _, err := s.hubcap(ctx, 2, "plan", "--detailed-exitcode"); err != nil {
		return err
	}
	say("Make it: node pools first, then the BinderHub, one component per step")
	if _, err := s.hubcap(ctx, 0, "apply", "--auto-approve"); err != nil {
		return err
	}
	nodes, err := s.kubectl(ctx, "get", "nodes", "-o", "name")
	if err != nil {
		return err
	}
	if n := len(strings.Fields(nodes)); n < 2 {
		return fmt.Errorf("the pools have %d nodes, want at least 2", n)
	}
	if err := s.check(ctx, "binder", "hub", "proxy"); err != nil {
		return err
	}
	say("And the next plan?")
	if _, err := s.hubcap(ctx, 0, "plan", "--detailed-exitcode"); err != nil {
		return err
	}
	s.see("two node pools and a BinderHub made, and the next plan is empty")
	return nil
}

// check makes sure that the deployments are available.
func (s *stage) check(ctx context.Context, deployments ...string) error {
	for _, d := range deployments {
		if _, err := s.kubectl(ctx, "-n", "binder", "rollout", "status", "deployment/"+d, "--timeout=10s"); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) raiseLimit(ctx context.Context) error {
	say("People arrive: 12 sessions")
	if err := s.sessions(ctx, 12); err != nil {
		return err
	}
	before, err := s.generations(ctx)
	if err != nil {
		return err
	}
	say("Raise one repository's limit from 200 to 250 sessions")
	if _, err := s.hubcap(ctx, 0, "apply", "--auto-approve", "--var", "demo_sessions=250"); err != nil {
		return err
	}
	after, err := s.generations(ctx)
	if err != nil {
		return err
	}
	for name := range before {
		if moved := before[name] != after[name]; moved != (name == "binder") {
			return fmt.Errorf("deployment %s: generation %s before and %s after; only the binder may be touched", name, before[name], after[name])
		}
	}
	s.see("one repository's limit raised: only the binder was touched, 12 sessions went on")
	return nil
}

func (s *stage) rollBack(ctx context.Context) error {
	before, err := s.generations(ctx)
	if err != nil {
		return err
	}
	image, err := s.hubImage(ctx)
	if err != nil {
		return err
	}
	say("A hub image that never gets ready")
	_, err = s.hubcap(ctx, 4, "apply", "--auto-approve", "--var", "demo_sessions=250",
		"--var", "hub_image=quay.io/jupyterhub/k8s-hub:notready-4.4.0", "--var", "step_timeout=15s")
	if err != nil {
		return err
	}
	now, err := s.hubImage(ctx)
	if err != nil {
		return err
	}
	if now != image {
		return fmt.Errorf("the hub runs %s after the rollback, want %s", now, image)
	}
	after, err := s.generations(ctx)
	if err != nil {
		return err
	}
	for name := range before {
		if name != "hub" && before[name] != after[name] {
			return fmt.Errorf("deployment %s was touched by the rollback of the hub", name)
		}
	}
	if err := s.check(ctx, "hub"); err != nil {
		return err
	}
	s.see("a hub image that never gets ready: the hub was rolled back, nothing else was touched, exit 4")
	return nil
}

func (s *stage) drift(ctx context.Context) error {
	say("Somebody edits the proxy by hand, behind hubcap's back")
	_, err := s.kubectl(ctx, "-n", "binder", "patch", "deployment", "proxy", "--field-manager=kubectl-edit", "--type=strategic",
		"-p", `{"spec":{"template":{"spec":{"containers":[{"name":"chp","resources":{"limits":{"memory":"64Mi"},"requests":{"memory":"64Mi"}}}]}}}}`)
	if err != nil {
		return err
	}
	out, err := s.hubcap(ctx, 2, "drift", "--var", "demo_sessions=250")
	if err != nil {
		return err
	}
	for _, want := range []string{"memory", "kubectl-edit", time.Now().UTC().Format("2006-01-02")} {
		if !strings.Contains(out, want) {
			return fmt.Errorf("drift does not name %q", want)
		}
	}
	s.see("a manual edit found: drift names field, manager and time, exit 2")
	return nil
}

func (s *stage) repair(ctx context.Context) error {
	say("Put it right, and look back")
	if _, err := s.hubcap(ctx, 0, "apply", "--auto-approve", "--var", "demo_sessions=250"); err != nil {
		return err
	}
	if _, err := s.hubcap(ctx, 0, "drift", "--var", "demo_sessions=250"); err != nil {
		return err
	}
	if _, err := s.hubcap(ctx, 0, "history"); err != nil {
		return err
	}
	s.see("put right, and the journal tells it all")
	return nil
}

func (s *stage) see(format string, args ...any) {
	s.seen = append(s.seen, fmt.Sprintf(format, args...))
}

// hubcap runs the program in the quickstart's folder, shows what it prints, and
// returns its answer. Another exit code than want is an error.
func (s *stage) hubcap(ctx context.Context, want int, args ...string) (string, error) {
	show("hubcap", args)
	args = append(args, "--chdir", s.config, "--var", "gke_endpoint="+s.endpoint) // which says where the cluster is
	cmd := exec.CommandContext(ctx, "bin/hubcap", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+s.state)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(os.Stdout, &out), os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", err
	}
	if code := cmd.ProcessState.ExitCode(); code != want {
		return "", fmt.Errorf("hubcap %s: exit code %d, want %d", args[0], code, want)
	}
	return out.String(), nil
}

func (s *stage) kubectl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "bin/sandbox", append([]string{"kubectl", "--kubeconfig", s.kubeconfig}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// generations returns each deployment's generation, which counts its writes.
func (s *stage) generations(ctx context.Context) (map[string]string, error) {
	out, err := s.kubectl(ctx, "-n", "binder", "get", "deployments",
		"-o", `jsonpath={range .items[*]}{.metadata.name}={.metadata.generation} {end}`)
	if err != nil {
		return nil, err
	}
	generations := map[string]string{}
	for _, field := range strings.Fields(out) {
		name, generation, _ := strings.Cut(field, "=")
		generations[name] = generation
	}
	return generations, nil
}

func (s *stage) hubImage(ctx context.Context) (string, error) {
	return s.kubectl(ctx, "-n", "binder", "get", "deployment", "hub", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
}

// sessions starts n pods that look like users' servers.
func (s *stage) sessions(ctx context.Context, n int) error {
	var manifest strings.Builder
	for i := range n {
		fmt.Fprintf(&manifest, `---
apiVersion: v1
kind: Pod
metadata:
  name: jupyter-user-%d
  namespace: binder
  labels: {app: jupyterhub, component: singleuser-server, hub.jupyter.org/username: user-%d}
spec:
  nodeSelector: {hub.jupyter.org/node-purpose: user}
  containers: [{name: notebook, image: "quay.io/jupyter/base-notebook:latest", resources: {requests: {memory: 450Mi}}}]
`, i, i)
	}
	cmd := exec.CommandContext(ctx, "bin/sandbox", "kubectl", "--kubeconfig", s.kubeconfig, "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("start sessions: %w: %s", err, out)
	}
	_, err := s.kubectl(ctx, "-n", "binder", "wait", "pods", "-l", "component=singleuser-server", "--for=condition=Ready", "--timeout=60s")
	return err
}

func say(format string, args ...any) { fmt.Printf("\n━━ "+format+"\n", args...) }

func show(name string, args []string) { fmt.Printf("\n$ %s %s\n", name, strings.Join(args, " ")) }
