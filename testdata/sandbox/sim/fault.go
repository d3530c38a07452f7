package sim

import (
	"slices"
	"strings"
)

// A Fault is one way in which a program is bad. It is told by the tag of a
// container's image, in any container of the pod.
type Fault string

// The faults. Hub: leak, flood, underload, slowstart, errors. Binder: binder-599,
// buildstuck.
const (
	Leak       Fault = "leak"       // memory and threads grow with each spawn
	Flood      Fault = "flood"      // the culler asks to stop what has stopped, and deletes nobody
	Underload  Fault = "underload"  // spawns fail above a number of launches a minute
	SlowStart  Fault = "slowstart"  // the hub takes long to start
	Errors     Fault = "errors"     // part of the requests end in 500
	Binder599  Fault = "binder-599" // the binder's connections to the hub are used up and never given back
	BuildStuck Fault = "buildstuck" // builds are asked for and no build pod appears
)

var faults = []Fault{Leak, Flood, Underload, SlowStart, Errors, Binder599, BuildStuck}

// broken are the tags with which KWOK never lets a pod get ready: no program runs.
var broken = []string{"crash", "notready", "badimage"}

// faultsOf returns the faults of a pod with images of these tags. A fault counts
// at the start of a tag and after each of its dashes and dots, so that
// "4.0.1-leak" leaks and "binder-599-2" is a binder-599.
func faultsOf(tags []string) []Fault {
	var found []Fault
	for _, f := range faults {
		if slices.ContainsFunc(tags, func(tag string) bool { return mentions(tag, string(f)) }) {
			found = append(found, f)
		}
	}
	return found
}

func mentions(tag, word string) bool {
	for tag != "" {
		if strings.HasPrefix(tag, word) {
			return true
		}
		i := strings.IndexAny(tag, "-.")
		if i < 0 {
			return false
		}
		tag = tag[i+1:]
	}
	return false
}

func isBroken(tags []string) bool {
	return slices.ContainsFunc(tags, func(tag string) bool {
		return slices.ContainsFunc(broken, func(b string) bool { return strings.HasPrefix(tag, b) })
	})
}

// tagOf returns the tag of an image reference, or "".
func tagOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	i := strings.LastIndexByte(image, ':')
	if i < 0 || strings.Contains(image[i:], "/") {
		return ""
	}
	return image[i+1:]
}
