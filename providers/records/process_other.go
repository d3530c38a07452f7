//go:build !linux

package records

import "time"

// thisProcess is not known: a lock whose holder was killed on this machine is watched
// like any other.
func thisProcess() process { return process{} }

func hasEnded(process) bool { return false }

// uptime is the wall clock: it may jump, and the lock is given up then, but it goes on
// while the machine is asleep.
func uptime() time.Duration { return time.Duration(time.Now().UnixNano()) }
