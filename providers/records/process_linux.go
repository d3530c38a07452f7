package records

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// thisProcess returns the process that runs this. Its parts are empty where /proc
// does not tell, or tells of another PID namespace than ours.
func thisProcess() process {
	pid := os.Getpid()
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(pid) {
		return process{}
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return process{}
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return process{}
	}
	return process{boot: strings.TrimSpace(string(boot)), space: space, pid: pid, start: startOf(pid)}
}

// startOf returns when a process began, in ticks since boot; "" when it is not known.
func startOf(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The second field is the program's name, in parentheses; it may hold any character.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const start = 22 - 3 // of the fields after the name
	if len(fields) <= start {
		return ""
	}
	return fields[start]
}

// hasEnded reports whether a process of this PID namespace has ended. One that cannot be
// looked at, since it is another user's, lives.
func hasEnded(p process) bool {
	if errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH) {
		return true
	}
	start := startOf(p.pid)
	return start != "" && start != p.start
}

// uptime is for how long the machine has been on, the time that it was asleep
// included; zero when it does not tell.
func uptime() time.Duration {
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}
