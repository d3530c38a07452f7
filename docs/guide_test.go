package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestGuidesShowWhatWasSaid holds the consoles of a guide to the transcripts that
// an end-to-end test keeps: what is typed, and the lines that come, with "…" for
// lines left out.
func TestGuidesShowWhatWasSaid(t *testing.T) {
	files, err := filepath.Glob("../testdata/e2e/adopt/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	var said []string
	for _, file := range files {
		said = append(said, commands(text(t, file))...)
	}
	guide := text(t, "guides/adopt-a-running-hub.md")
	shown := 0
	for i, part := range strings.Split(guide, "```console\n")[1:] {
		console, _, closed := strings.Cut(part, "```")
		if !closed {
			t.Fatalf("console %d is not closed", i+1)
		}
		for _, c := range commands(console) {
			shown++
			if !slices.ContainsFunc(said, func(s string) bool { return quotes(c, s) }) {
				t.Errorf("nothing of the kind was said; run TestAdopt with -update and mend the guide:\n$ %s", c)
			}
		}
	}
	if shown < 15 {
		t.Errorf("only %d commands are shown", shown)
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// commands splits a console into commands, each with what it said.
func commands(console string) []string {
	var all []string
	for _, c := range strings.Split("\n"+console, "\n$ ")[1:] {
		all = append(all, strings.TrimSpace(c))
	}
	return all
}

// quotes reports whether a quotation has the lines of said, apart from those for
// which "…" stands.
func quotes(quotation, said string) bool {
	rest := strings.Split(said, "\n")
	skipping := false
	for _, line := range strings.Split(quotation, "\n") {
		if line == "…" {
			skipping = true
			continue
		}
		at := slices.Index(rest, line)
		if at < 0 || at > 0 && !skipping {
			return false
		}
		rest, skipping = rest[at+1:], false
	}
	return skipping || len(rest) == 0
}
