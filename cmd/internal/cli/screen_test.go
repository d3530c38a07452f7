package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// hostile is what a cluster, a chart or a registry might say.
const hostile = "no\x1b[2J\x1b]0;owned\a\u202egnp.exe\u200b\u009b1A\rhubcap: done\x7f \xff\nhubcap: all is well"

// TestNothingHostileIsSaid: every way in which a command says something goes through
// the screen, so that what comes from outside cannot act on the terminal, nor pass
// for a line of hubcap's own.
func TestNothingHostileIsSaid(t *testing.T) {
	said := errors.New(hostile)
	ways := map[string]func(s *session){
		"an error":        func(s *session) { s.report(said) },
		"a wrapped error": func(s *session) { s.report(fmt.Errorf("apply: %w", said)) },
		"joined errors": func(s *session) {
			s.report(errors.Join(errors.New("one"), fmt.Errorf("two: %w", errors.Join(said, said))))
		},
		"an error of use": func(s *session) { s.report(usage("%w", said)) },
		"a warning":       func(s *session) { s.warn("beware: %s", strings.ReplaceAll(hostile, "\n", " ")) },
		"an answer":       func(s *session) { _ = s.print(strings.ReplaceAll(hostile, "\n", " ")) },
		"a diagnostic": func(s *session) {
			_ = s.diagnose(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: hostile, Detail: strings.ReplaceAll(hostile, "\n", " ")}}, nil)
		},
		"a line of a run": func(s *session) { watchOne(s, run.Warned{Text: hostile}) },
		"a step of a run": func(s *session) {
			watchOne(s, run.StepMoved{Step: plan.Step{ID: "1"}, Mark: journal.Failed, Reason: hostile})
		},
		"a wrong argument": func(s *session) { s.run(t.Context(), []string{"plan", "--" + strings.ReplaceAll(hostile, "\n", " ")}) },
	}
	for _, color := range []string{"", "1"} {
		for name, say := range ways {
			s, out, errs := newSession(map[string]string{"CLICOLOR_FORCE": color})
			s.screen()
			say(s)
			text := out.String() + errs.String()
			if !strings.Contains(text, "owned") {
				t.Errorf("%s: it is not said: %q", name, text)
			}
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "hubcap: all is well") && name != "a diagnostic" { // that is a block of text
					t.Errorf("%s: a line passes for hubcap's own: %q", name, text)
				}
			}
			for _, r := range ownColours.Replace(text) {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Errorf("%s: %U is said: %q", name, r, text)
					break
				}
			}
		}
	}
}

var ownColours = strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[1;4m", "", "\x1b[31m", "", "\x1b[33m", "", "\x1b[90m", "")

func watchOne(s *session, e run.Event) {
	w := s.watch()
	w.notify(e)
	w.close()
}

// TestJSONStaysJSON: what the screen escapes means the same.
func TestJSONStaysJSON(t *testing.T) {
	s, out, _ := newSession(nil)
	s.screen()
	text := strings.ToValidUTF8(hostile, "?")
	if err := s.writeJSON(map[string]string{"said": text}); err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["said"] != text {
		t.Errorf("%v: %q", err, back["said"])
	}
	for _, r := range out.String() {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%U is said", r)
		}
	}
}

// TestNoticesAreClean: a notice goes where no screen stands before.
func TestNoticesAreClean(t *testing.T) {
	var c run.Crier
	c.Hear(run.RunBegan{Run: "r", Plan: &plan.Plan{}}, time.Now())
	n, worthy := c.Hear(run.StepMoved{Mark: journal.Failed, Reason: hostile}, time.Now())
	if !worthy || strings.ContainsFunc(n.Text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%q", n.Text)
	}
}
