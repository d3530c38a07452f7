package records

import (
	"strconv"
	"strings"
)

// A process names one process of one machine since it was switched on.
type process struct {
	boot  string // of the machine
	space string // the namespace in which pid counts
	pid   int
	start string // when it began, since boot: another process may get its number later
}

// String returns the process as a lock's holder notes it; "" when it is not known which
// it is.
func (p process) String() string {
	if p.boot == "" || p.space == "" || p.start == "" {
		return ""
	}
	return strings.Join([]string{p.boot, p.space, strconv.Itoa(p.pid), p.start}, "/")
}

// parseProcess is the inverse of String.
func parseProcess(text string) (process, bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 4 {
		return process{}, false
	}
	pid, err := strconv.Atoi(parts[2])
	p := process{boot: parts[0], space: parts[1], pid: pid, start: parts[3]}
	return p, err == nil && pid > 0 && p.String() == text
}

// isGone reports whether the process that a lock's holder noted ran on this machine and
// has ended. Where that is not sure it is not: then the lock has to be watched.
func isGone(text string, pid int) bool {
	p, ok := parseProcess(text)
	me := thisProcess()
	if !ok || p.pid != pid || me.String() == "" || p.boot != me.boot || p.space != me.space {
		return false
	}
	return hasEnded(p)
}
