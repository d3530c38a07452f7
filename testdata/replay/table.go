package main

import (
	"fmt"
	"strings"
)

// table shows the two sides beside each other.
func table(sides [2]lived) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-34s%14s%14s\n", "", "all at once", "hubcap")
	for _, row := range []struct {
		what string
		of   func(lived) int
	}{
		{"minutes observed", func(l lived) int { return l.Minutes }},
		{"degraded minutes", func(l lived) int { return l.Degraded }},
		{"launches asked for", func(l lived) int { return l.Launches }},
		{"launches failed", func(l lived) int { return l.Failed }},
		{"launches turned away by the limit", func(l lived) int { return l.Rejected }},
		{"sessions lost", func(l lived) int { return l.Lost }},
		{"sessions interrupted", func(l lived) int { return l.Interrupted }},
	} {
		fmt.Fprintf(&b, "%-34s%14d%14d\n", row.what, row.of(sides[0]), row.of(sides[1]))
	}
	return b.String()
}
