package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"hubcap/engine/run"
)

const (
	tryAgain    = 75      // EX_TEMPFAIL of sysexits.h
	largestSaid = 4 << 10 // what a program says, in bytes
	longestWord = 300     // of it in a reason, in characters
)

// An Exec runs the programs of gates on this machine. It is safe for concurrent
// use.
type Exec struct {
	// Hide takes what must not be shown out of a text. It may be nil.
	Hide func(text string) string
}

// Sample runs the gate's program once. Exit code 0 passes and 75 (try again later)
// is inconclusive; any other, or taking too long, fails. What it said last is the
// reason. A program that cannot be started is an error.
func (e *Exec) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	check := q.Gate.Exec
	if check == nil || len(check.Command) == 0 {
		return run.Sample{}, fmt.Errorf("sample gate %s: it runs no program", q.Gate.Name)
	}
	running, cancel := context.WithTimeout(ctx, check.Timeout)
	defer cancel()
	said := &tail{}
	command := exec.CommandContext(running, check.Command[0], check.Command[1:]...)
	command.Dir, command.Stdout, command.Stderr = check.Dir, said, said
	command.WaitDelay = time.Second
	command.Env = append(os.Environ(),
		"HUBCAP_RUN="+run.ID(ctx), "HUBCAP_GATE="+q.Gate.Name, "HUBCAP_BLOCK="+q.Component.Block.String(),
		"HUBCAP_COMPONENT="+q.Component.Name,
	)
	endTogether(command)
	err := command.Run()
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return run.Sample{}, ctx.Err()
	case running.Err() != nil:
		return failed("%s has not ended after %s", check.Command[0], check.Timeout), nil
	case err == nil:
		return run.Sample{Verdict: run.Pass, Reason: e.words(said, "exit code 0")}, nil
	case errors.As(err, &ended) && ended.ExitCode() == tryAgain:
		return run.Sample{Verdict: run.Inconclusive, Reason: e.words(said, "exit code 75")}, nil
	case errors.As(err, &ended):
		return run.Sample{Verdict: run.Fail, Reason: e.words(said, ended.String())}, nil
	}
	return run.Sample{}, fmt.Errorf("sample gate %s: %w", q.Gate.Name, err)
}

// words is how a program ended and the last line that it said.
func (e *Exec) words(said *tail, ended string) string {
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	last := []rune(strings.TrimSpace(lines[len(lines)-1]))
	if len(last) == 0 {
		return ended
	}
	text := string(last[max(0, len(last)-longestWord):])
	if e.Hide != nil {
		text = e.Hide(text)
	}
	return ended + ": " + text
}

// A tail keeps the last bytes that are written to it.
type tail struct{ bytes.Buffer }

// Write takes everything and keeps the end.
func (t *tail) Write(p []byte) (int, error) {
	t.Buffer.Write(p)
	if extra := t.Len() - largestSaid; extra > 0 {
		t.Next(extra)
	}
	return len(p), nil
}
