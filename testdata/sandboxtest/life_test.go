package sandboxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// processesOf counts the processes of the sandbox in dir: its programs are told where their state is.
func processesOf(t *testing.T, dir string) (running []string) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err == nil && bytes.Contains(line, []byte(dir+"/")) {
			running = append(running, string(bytes.ReplaceAll(line[:min(len(line), 80)], []byte{0}, []byte{' '})))
		}
	}
	return running
}

// awaitGone waits until nothing of the sandbox is left: no process, no directory.
func awaitGone(t *testing.T, s *Sandbox) {
	t.Helper()
	await(t, 30*time.Second, func() string {
		if left := processesOf(t, s.Dir); len(left) > 0 {
			return "still running: " + strings.Join(left, "; ")
		}
		if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
			return "state directory is still there"
		}
		if _, err := net.Dial("tcp", strings.TrimPrefix(s.GKEEndpoint, "http://")); err == nil {
			return "the GKE emulator still answers"
		}
		return ""
	})
}

func TestStopLeavesNothing(t *testing.T) {
	s := Start(t)
	if n := len(processesOf(t, s.Dir)); n != 5 {
		t.Fatalf("found %d of the 5 programs: the test would not see what is left", n)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	awaitGone(t, s)
}

func TestDeadProgramIsNamed(t *testing.T) {
	s := Start(t, "--parent=0")
	kill(t, s.Dir, "kube-scheduler")
	<-s.gone
	if code := s.command.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	said := fmt.Sprint(s.command.Stderr)
	if !strings.Contains(said, "run kube-scheduler: ended with signal: killed") {
		t.Errorf("said %q", said)
	}
	awaitGone(t, s)
	s.err = nil // as wanted
}

// kill sends SIGKILL to the program of that name of the sandbox in dir.
func kill(t *testing.T, dir, name string) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range names {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte(dir+"/")) || !bytes.Contains(line, []byte("\x00"+name+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no process of %s in %s", name, dir)
}

func TestKilledSandboxLeavesNoProcess(t *testing.T) {
	s := Start(t, "--prometheus")
	if n := len(processesOf(t, s.Dir)); n != 6 {
		t.Fatalf("found %d of the 6 programs: the test would not see what is left", n)
	}
	if err := s.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.gone
	s.err = nil // as wanted
	await(t, 10*time.Second, func() string { return strings.Join(processesOf(t, s.Dir), "; ") })
	Start(t) // the next one removes what the killed one could not
	awaitGone(t, s)
}

// actAsParent makes this test binary start a sandbox, print where it is, and wait to be killed.
const actAsParent = "HUBCAP_SANDBOX_TEST_PARENT"

func parent() {
	s, err := start(os.Getenv(Variable))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(s)
	<-s.gone
	os.Exit(1)
}

func TestKilledParentLeavesNothing(t *testing.T) {
	path := program(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), actAsParent+"=1", Variable+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var s Sandbox
	if err := json.NewDecoder(out).Decode(&s); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	awaitGone(t, &s)
}

func TestKeptDirectoryResumes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	s := Start(t, "--dir="+dir, "--keep")
	s.createPool(t, map[string]any{"name": "core", "initialNodeCount": 1, "config": map[string]any{"machineType": "n2-standard-4"}})
	s.Apply(t, fmt.Sprintf(deployment, "kept", 1, "v1", "core", ""))
	s.awaitDeployment(t, "kept", 1)

	_, err := start(program(t), "--dir="+dir)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("a live sandbox (process %d) uses it", s.PID)) {
		t.Errorf("second sandbox in the same directory: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	again := Start(t, "--dir="+dir)
	if again.APIServer != s.APIServer || again.GKEEndpoint != s.GKEEndpoint {
		t.Errorf("resumed at %s and %s, was at %s and %s", again.APIServer, again.GKEEndpoint, s.APIServer, s.GKEEndpoint)
	}
	again.awaitNodes(t, "core", 1)
	again.awaitDeployment(t, "kept", 1)
	again.Apply(t, fmt.Sprintf(deployment, "new", 1, "v1", "core", ""))
	again.awaitDeployment(t, "new", 1)
	if pool := again.gke(t, http.MethodGet, "/clusters/hub/nodePools/core", nil); pool["status"] != "RUNNING" {
		t.Errorf("the pool is %v after the resume", pool["status"])
	}
}

func TestRefusals(t *testing.T) {
	path := program(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		reason string
		args   []string
		want   string
	}{
		{"a port in use is named", []string{"--api-port=" + strconv.Itoa(port)}, fmt.Sprintf("use port %d for kube-apiserver", port)},
		{"a directory with other things would be removed", []string{"--dir=" + foreign}, "it holds thesis.tex"},
		{"flags are checked", []string{"--no-such-flag"}, "flag provided but not defined"},
		{"arguments are checked", []string{"now"}, `unexpected argument "now"`},
	} {
		_, err := start(path, tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q: got %v, want %q in it", tt.reason, tt.args, err, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(foreign, "thesis.tex")); err != nil {
		t.Errorf("the foreign file: %v", err)
	}
}
