package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A stage is the sandbox that both sides of a replay live in.
type stage struct {
	dir        string // of everything that is written
	kubeconfig string
	gke        string // URL of the GKE emulator
	simulator  string // URL
	prometheus string // URL
	stop       func() error
}

const gkeCluster = "/v1/projects/sandbox/locations/us-central1-a/clusters/hub"

// setStage starts the sandbox, with nodes for everybody. The sandbox watches this
// process, and ends when it ends.
func setStage(ctx context.Context, dir string, factor float64) (*stage, error) {
	cmd := exec.CommandContext(ctx, "bin/sandbox", "up", "--dir", filepath.Join(dir, "sandbox"), "--prometheus",
		"--factor", fmt.Sprint(factor))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var ready struct{ Kubeconfig, GKEEndpoint, Simulator, Prometheus string }
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the sandbox: %w", err), cmd.Wait(), errors.New(said.String()))
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	s := &stage{dir: dir, kubeconfig: ready.Kubeconfig, gke: ready.GKEEndpoint, simulator: ready.Simulator, prometheus: ready.Prometheus}
	s.stop = func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		return cmd.Wait()
	}
	pool := map[string]any{"nodePool": map[string]any{
		"name": "base", "initialNodeCount": 4, "config": map[string]any{"machineType": "n2-standard-32"},
	}}
	if err := s.post(ctx, s.gke+gkeCluster+"/nodePools", pool, nil); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// post sends a value as JSON and decodes the answer into into, unless that is nil.
func (s *stage) post(ctx context.Context, to string, value, into any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	return s.do(req, into)
}

func (s *stage) get(ctx context.Context, from string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	return s.do(req, into)
}

func (s *stage) do(req *http.Request, into any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // for the message
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, strings.TrimSpace(string(text)))
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// query asks Prometheus for one number; there is none when it knows nothing.
func (s *stage) query(ctx context.Context, promQL string) (value float64, known bool, err error) {
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := s.get(ctx, s.prometheus+"/api/v1/query?query="+url.QueryEscape(promQL), &answer); err != nil {
		return 0, false, err
	}
	if len(answer.Data.Result) != 1 {
		return 0, false, nil
	}
	text, isText := answer.Data.Result[0].Value[1].(string)
	if !isText {
		return 0, false, fmt.Errorf("ask Prometheus: %v is no number", answer.Data.Result[0].Value[1])
	}
	value, err = strconv.ParseFloat(text, 64)
	return value, err == nil && value == value, err
}

// A lived is what the people of one hub lived through, as the simulator counts it.
type lived struct {
	Minutes     int  `json:"minutes"`
	Degraded    int  `json:"degraded_minutes"`
	Launches    int  `json:"launches"`
	Failed      int  `json:"failed"`
	Rejected    int  `json:"rejected"`
	Lost        int  `json:"sessions_lost"`
	Interrupted int  `json:"sessions_interrupted"`
	Running     int  `json:"running_servers"`
	HubUp       bool `json:"hub_up"`
}

// hubs reads the simulator's clock, in seconds, and its hubs by namespace.
func (s *stage) hubs(ctx context.Context) (clock float64, hubs map[string]lived, err error) {
	var answer struct {
		Seconds float64
		Hubs    map[string]lived
	}
	err = s.get(ctx, s.simulator+"/_sim/hubs", &answer)
	return answer.Seconds, answer.Hubs, err
}

// run runs a program to its end. Its exit code is an answer, not an error.
func (s *stage) run(ctx context.Context, env []string, program string, args ...string) (code int, said string, err error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	cmd.Env = append(append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "NO_COLOR=1"), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, "", fmt.Errorf("run %s: %w", program, err)
	}
	return cmd.ProcessState.ExitCode(), string(out), ctx.Err()
}

// must is run for what has to succeed.
func (s *stage) must(ctx context.Context, program string, args ...string) (string, error) {
	code, said, err := s.run(ctx, nil, program, args...)
	if err == nil && code != 0 {
		err = fmt.Errorf("run %s %s: exit code %d: %s", program, strings.Join(args, " "), code, said)
	}
	return said, err
}

func (s *stage) kubectl(ctx context.Context, args ...string) (string, error) {
	return s.must(ctx, "bin/sandbox", append([]string{"kubectl", "--kubeconfig", s.kubeconfig}, args...)...)
}
