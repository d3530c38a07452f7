package process

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Current returns the process that runs this. Its parts are empty where /proc
// does not tell, or tells of another PID namespace than ours.
func Current() Process {
	pid := os.Getpid()
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(pid) {
		return Process{}
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Process{}
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return Process{}
	}
	return Process{Boot: strings.TrimSpace(string(boot)), Space: space, PID: pid, Start: startOf(pid)}
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
func hasEnded(p Process) bool {
	if errors.Is(syscall.Kill(p.PID, 0), syscall.ESRCH) {
		return true
	}
	start := startOf(p.PID)
	return start != "" && start != p.Start
}

// Uptime is for how long the machine has been on, the time that it was asleep
// included; zero when it does not tell.
func Uptime() time.Duration {
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
