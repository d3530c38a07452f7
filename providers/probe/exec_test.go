//go:build unix

package probe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

func TestExec(t *testing.T) {
	hide := func(text string) string { return strings.ReplaceAll(text, "hush", "(sensitive)") }
	for _, test := range []struct {
		reason, script string
		want           run.Verdict
		says           string
	}{
		{"exit code 0 passes", "echo 12 users; echo all well", run.Pass, "exit code 0: all well"},
		{"nothing said", "exit 0", run.Pass, "exit code 0"},
		{"any other fails", "echo too slow >&2; exit 3", run.Fail, "exit status 3: too slow"},
		{"75 is try again later", "echo no data yet; exit 75", run.Inconclusive, "exit code 75: no data yet"},
		{"killed by a signal", "kill -9 $$", run.Fail, "signal: killed"},
		{"too slow", "sleep 60", run.Fail, "sh has not ended after 300ms"},
		{"secrets are not repeated", "echo token hush", run.Pass, "exit code 0: token (sensitive)"},
		{"it knows what it is about", `echo $HUBCAP_GATE $HUBCAP_BLOCK $HUBCAP_COMPONENT $HUBCAP_RUN`, run.Pass, "exit code 0: g hub.prod hub r1"},
		{"much output", `i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done`, run.Pass, "exit code 0: line 2999"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			gate := plan.Gate{Name: "g", Exec: &plan.ExecCheck{Command: []string{"sh", "-c", test.script}, Timeout: 10 * time.Second}}
			if test.reason == "too slow" {
				gate.Exec.Timeout = 300 * time.Millisecond
			}
			c := resource.Component{Block: resource.Address{Kind: "hub", Name: "prod"}, Name: "hub"}
			got, err := (&Exec{Hide: hide}).Sample(run.WithID(t.Context(), "r1"), run.Question{Gate: gate, Component: c})
			if err != nil || got.Verdict != test.want || got.Reason != test.says {
				t.Errorf("got %q %q (%v), want %q %q", got.Verdict, got.Reason, err, test.want, test.says)
			}
		})
	}
	if _, err := (&Exec{}).Sample(t.Context(), run.Question{Gate: plan.Gate{Exec: &plan.ExecCheck{Command: []string{"no-such-program-here"}, Timeout: time.Second}}}); err == nil {
		t.Error("a program that does not exist is no error")
	}
}

// TestExecEndsWhatItStarted checks that nothing outlives the sample.
func TestExecEndsWhatItStarted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	gate := plan.Gate{Exec: &plan.ExecCheck{Command: []string{"sh", "-c", "sleep 600 & echo $! > " + file + ".new; mv " + file + ".new " + file + "; wait"}, Timeout: time.Minute}}
	go func() {
		for {
			if _, err := os.Stat(file); err == nil {
				cancel()
				return
			}
			if ctx.Err() != nil {
				return
			}
		}
	}()
	if _, err := (&Exec{}).Sample(ctx, run.Question{Gate: gate}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid := 0
	for _, r := range strings.TrimSpace(string(text)) {
		pid = pid*10 + int(r-'0')
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/stat")
		if err != nil && syscall.Kill(pid, 0) != nil || strings.Contains(string(state), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d lives on", pid)
		}
	}
}
