package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// A child is one of the stock programs, run from this file as a process of its own. The kernel kills it
// when the sandbox dies, however that happens.
type child struct {
	name string
	log  string
	cmd  *exec.Cmd
	gone chan struct{} // closed once the process has ended
}

// children are the programs of a sandbox, in the order they were started.
type children struct {
	logDir string
	all    []*child
	died   chan *child // receives each child that ends
	starts chan func()
}

// newChildren prepares for at most limit children.
func newChildren(logDir string, limit int) *children {
	c := &children{logDir: logDir, died: make(chan *child, limit), starts: make(chan func())}
	// The kernel sends a death signal when the *thread* that started the child ends, so one thread,
	// which lives as long as the process, starts them all.
	go func() {
		runtime.LockOSThread()
		for start := range c.starts {
			start()
		}
	}()
	return c
}

// start runs the applet of that name with args; its output goes to a log file of that name.
func (c *children) start(name string, args ...string) (*child, error) {
	return c.startProgram(name, "/proc/self/exe", append([]string{name}, args...)...)
}

// startProgram is start for a program that is a file of its own.
func (c *children) startProgram(name, program string, args ...string) (*child, error) {
	ch := &child{name: name, log: c.logDir + "/" + name + ".log", gone: make(chan struct{})}
	log, err := os.OpenFile(ch.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", name, err)
	}
	defer log.Close()
	ch.cmd = exec.Command(program, args...)
	ch.cmd.Stdout, ch.cmd.Stderr = log, log
	ch.cmd.Dir = c.logDir
	ch.cmd.Env = append(os.Environ(), "KWOK_WORKDIR="+c.logDir) // no configuration from the user's home
	ch.cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // Ctrl-C is for the sandbox alone, which then stops its children in order
	}
	started := make(chan error)
	c.starts <- func() { started <- ch.cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.all = append(c.all, ch)
	go func() {
		_ = ch.cmd.Wait() // how it ended is in ProcessState
		close(ch.gone)
		c.died <- ch
	}()
	return ch, nil
}

// stop ends all children, the last started first, and returns when none is left. Each has patience to end
// by itself; with none, all are killed at once.
func (c *children) stop(patience time.Duration) {
	if patience == 0 {
		for _, ch := range c.all {
			_ = ch.cmd.Process.Kill()
		}
	}
	for i := len(c.all) - 1; i >= 0; i-- {
		c.all[i].stop(patience)
	}
}

func (ch *child) stop(patience time.Duration) {
	_ = ch.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ch.gone:
	case <-time.After(patience):
		_ = ch.cmd.Process.Kill()
		<-ch.gone
	}
}

// A childError says which program ended and what it last wrote.
type childError struct {
	name, state, tail string
}

func (e *childError) Error() string {
	msg := fmt.Sprintf("run %s: ended with %s", e.name, e.state)
	if e.tail != "" {
		msg += "; its last lines:\n" + e.tail
	}
	return msg
}

// failure describes a child that has ended.
func (ch *child) failure() error {
	return &childError{name: ch.name, state: ch.cmd.ProcessState.String(), tail: tail(ch.log, 12)}
}

// tail is the last lines of a file, each cut at 300 bytes; "" when there is nothing to read.
func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return ""
	}
	all := bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n"))
	all = all[max(0, len(all)-lines):]
	for i, l := range all {
		all[i] = l[:min(len(l), 300)]
	}
	return string(bytes.Join(all, []byte("\n")))
}
