// Package process tells processes of this machine apart, so that a lock whose holder was
// killed here is free at once.
package process

import (
	"strconv"
	"strings"
)

// A Process is one process of one machine since it was switched on.
type Process struct {
	Boot  string // of the machine
	Space string // the namespace in which PID counts
	PID   int
	Start string // when it began, since boot: another process may get its number later
}

// String returns the process as a lock's holder notes it; "" when it is not known which
// it is.
func (p Process) String() string {
	if p.Boot == "" || p.Space == "" || p.Start == "" {
		return ""
	}
	return strings.Join([]string{p.Boot, p.Space, strconv.Itoa(p.PID), p.Start}, "/")
}

// parse is the inverse of String.
func parse(text string) (Process, bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 4 {
		return Process{}, false
	}
	pid, err := strconv.Atoi(parts[2])
	p := Process{Boot: parts[0], Space: parts[1], PID: pid, Start: parts[3]}
	return p, err == nil && pid > 0 && p.String() == text
}

// HasEnded reports whether the process that a lock's holder noted, as String writes it and
// with its number, ran on this machine and has ended. Where that is not sure it is not.
func HasEnded(text string, pid int) bool {
	p, ok := parse(text)
	me := Current()
	if !ok || p.PID != pid || me.String() == "" || p.Boot != me.Boot || p.Space != me.Space {
		return false
	}
	return hasEnded(p)
}
