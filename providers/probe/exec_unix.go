//go:build unix

package probe

import (
	"os/exec"
	"syscall"
)

// endTogether puts a program into a process group of its own, which is killed as
// a whole when it must end: what it started must not outlive it.
func endTogether(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
