package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// verdicts are how hubcap says why a step did not go through.
var verdicts = regexp.MustCompile(`(?m)^\S+Z \[\d+/\d+\] (\S+ (?:failed|held): .*)$`)

// lesson is the reason in what hubcap said, or its last line.
func lesson(said string) string {
	if found := verdicts.FindAllStringSubmatch(said, -1); len(found) > 0 {
		return shorten(found[0][1])
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	return shorten(strings.TrimSpace(lines[len(lines)-1]))
}

// shorten keeps a line to what fits on a page.
func shorten(line string) string {
	const longest = 130
	if runes := []rune(line); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return line
}

// wanted writes what a config's variables are.
func wanted(values map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, name+" "+values[name])
	}
	return strings.Join(all, ", ")
}

// fewerDegraded is the least that hubcap has to do for its users.
func fewerDegraded(atOnce, staged lived) error {
	switch {
	case atOnce.Degraded < 20:
		return fmt.Errorf("the incident did not happen: %d degraded minutes all at once", atOnce.Degraded)
	case staged.Degraded*4 > atOnce.Degraded:
		return fmt.Errorf("hubcap saved too little: %d degraded minutes, all at once %d", staged.Degraded, atOnce.Degraded)
	case staged.Lost+staged.Interrupted > atOnce.Lost+atOnce.Interrupted:
		return fmt.Errorf("hubcap cost more sessions: %d lost and interrupted, all at once %d", staged.Lost+staged.Interrupted, atOnce.Lost+atOnce.Interrupted)
	}
	return nil
}
