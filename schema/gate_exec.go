package schema

import "time"

// ExecCheck runs a program where hubcap runs.
type ExecCheck struct {
	Command []string
	Dir     string // of the file that says so
	Timeout time.Duration
}

// ManualCheck asks people.
type ManualCheck struct {
	Prompt string // what to look at
}

// execTimeout bounds a program that does not say.
const execTimeout = 30 * time.Second

func (b *body) execCheck() *ExecCheck {
	e := b.block("exec")
	if e == nil {
		return nil
	}
	e.require("command")
	check := &ExecCheck{Command: e.texts("command"), Timeout: e.positive("timeout"), Dir: b.scope.module.source.dir}
	if e.has("command") && !*e.bad && (len(check.Command) == 0 || check.Command[0] == "") {
		e.errorIn("command", "Empty command", "exec.command is a program and its arguments, as in [\"./check.sh\", \"--quick\"].")
	}
	if check.Timeout == 0 {
		check.Timeout = execTimeout
	}
	e.done()
	return check
}

func (b *body) manualCheck() *ManualCheck {
	m := b.block("manual")
	if m == nil {
		return nil
	}
	check := &ManualCheck{Prompt: m.text("prompt")}
	m.done()
	return check
}
