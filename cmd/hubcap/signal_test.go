package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// begin begins hubcap in the script's folder.
func begin(ts *testscript.TestScript, out, err io.Writer, args ...string) *exec.Cmd {
	cmd := exec.Command("hubcap", args...)
	cmd.Path = filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "hubcap")
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), out, err
	for _, name := range []string{"HUBCAP_MEMORY", "XDG_STATE_HOME", "PATH", "HOME"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(cmd.Start())
	return cmd
}

func ends(ts *testscript.TestScript, cmd *exec.Cmd, want, said string) {
	err := cmd.Wait()
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != want {
		ts.Fatalf("exit code %s (%v), want %s\n%s", got, err, want, said)
	}
}

// hangup runs hubcap, hangs up on it so many times once world.json matches, and checks
// signalled returns a command that runs hubcap, sends it a signal so many times once
// world.json matches, and checks its exit code, which is -1 when the signal ended it:
// SIGNAL CODE TIMES PATTERN ARGS…
func signalled(signal os.Signal) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		var stderr strings.Builder
		cmd := begin(ts, nil, &stderr, args[3:]...)
		waitfor(ts, false, []string{"world.json", args[2]})
		times, err := strconv.Atoi(args[1])
		ts.Check(err)
		for range times {
			ts.Check(cmd.Process.Signal(signal))
			pause := time.NewTimer(100 * time.Millisecond) // two at the same instant are one
			<-pause.C
		}
		ends(ts, cmd, args[0], stderr.String())
		ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), []byte(stderr.String()), 0o644))
	}
}

// unread runs hubcap with a reader of all its output that goes away once world.json
// matches, and checks its exit code: unread CODE PATTERN ARGS…
func unread(ts *testscript.TestScript, _ bool, args []string) {
	r, w, err := os.Pipe()
	ts.Check(err)
	cmd := begin(ts, w, w, args[2:]...)
	ts.Check(w.Close())
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, r) // it ends when r is closed
		close(read)
	}()
	waitfor(ts, false, []string{"world.json", args[1]})
	ts.Check(r.Close())
	<-read
	ends(ts, cmd, args[0], "")
}
