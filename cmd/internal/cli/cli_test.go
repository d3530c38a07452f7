package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hubcap/cmd/internal/render"
	"hubcap/engine"
	"hubcap/engine/expand"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Accepted so that one -update serves all of cmd; nothing here is golden.
var _ = flag.Bool("update", false, "has no effect here")

func newSession(env map[string]string) (*session, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	return &session{
		in: strings.NewReader(""), out: &out, err: &err, now: time.Now,
		env: func(name string) (string, bool) { v, isSet := env[name]; return v, isSet },
	}, &out, &err
}

// The table of exit codes is in the help, and each error has its row.
func TestExitCodes(t *testing.T) {
	s, out, _ := newSession(nil)
	if got := s.run(t.Context(), []string{"--help"}); got != exitOK {
		t.Fatalf("--help exits %d", got)
	}
	unread := &hcl.Diagnostic{Severity: hcl.DiagError, Extra: expand.Unread{}}
	for want, diags := range map[code]hcl.Diagnostics{
		exitOK: {{Severity: hcl.DiagWarning}}, exitIncomplete: {unread, {Severity: hcl.DiagWarning}}, exitError: {unread, {Severity: hcl.DiagError}},
	} {
		if got := codeOf(diags); got != want {
			t.Errorf("%v exits %d, want %d", diags, got, want)
		}
	}
	for _, e := range exits {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^ +%d  %s$`, e.code, regexp.QuoteMeta(e.meaning))).MatchString(out.String()) {
			t.Errorf("the help does not say what %d means", e.code)
		}
	}
	for _, test := range []struct {
		err  error
		want code
	}{
		{nil, exitOK},
		{errors.New("boom"), exitError},
		{engine.ErrDenied, exitError},
		{fmt.Errorf("connect: %w", &engine.LockedError{}), exitLocked},
		{fmt.Errorf("%w: x", engine.ErrStale), exitStale},
		{engine.ErrUsed, exitStale},
		{engine.ErrRefused, exitDenied},
		{engine.ErrUnnamed, exitDenied},
		{engine.ErrOrigin, exitDenied},
		{plan.ErrEmptyConfig, exitDenied},
		{engine.ErrIncomplete, exitIncomplete},
		{engine.ErrNothing, exitOK},
		{fmt.Errorf("resume: %w", &engine.EndedError{Outcome: journal.Succeeded}), exitOK},
		{fmt.Errorf("resume: %w", &engine.EndedError{Outcome: journal.WasRolledBack}), exitRolledBack},
		{plan.ErrNoSuchAddress, exitUsage},
		{engine.ErrNoGuard, exitUsage},
		{usage("no"), exitUsage},
		{context.Canceled, exitInterrupted},
		{engine.ErrInterrupted, exitInterrupted},
	} {
		if got := codeOf(test.err); got != test.want {
			t.Errorf("%v exits %d, want %d", test.err, got, test.want)
		}
	}
	for outcome, want := range map[journal.Outcome]code{
		journal.Succeeded: exitOK, journal.WasRolledBack: exitRolledBack, journal.Incomplete: exitStuck,
		journal.WasHeld: exitHeld, journal.WasInterrupted: exitInterrupted, journal.Refused: exitError,
	} {
		if got := codeOfOutcome(outcome); got != want {
			t.Errorf("%s exits %d, want %d", outcome, got, want)
		}
	}
}

// What makes a plan unusable outranks that it differs.
func TestCodeOfPlan(t *testing.T) {
	step := []plan.Wave{{Steps: []plan.Step{{ID: "01"}}}}
	for _, test := range []struct {
		reason string
		plan   plan.Plan
		want   code
	}{
		{"nothing to do", plan.Plan{}, exitOK},
		{"changes", plan.Plan{Waves: step}, exitDiffers},
		{"changes, and something hidden", plan.Plan{Waves: step, Unreadable: []resource.Unreadable{{}}}, exitIncomplete},
		{"hidden, and refused", plan.Plan{Refused: []plan.Refused{{}}, Unreadable: []resource.Unreadable{{}}}, exitDenied},
	} {
		if got := codeOfPlan(&test.plan, exitDiffers); got != test.want {
			t.Errorf("%s: %d, want %d", test.reason, got, test.want)
		}
	}
}

// The documentation has the same table as the code.
func TestExitCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/OUTPUT.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := strings.ReplaceAll(string(text), "`", "")
	for _, e := range exits {
		if !strings.Contains(documented, fmt.Sprintf("| %d | %s |", e.code, e.meaning)) {
			t.Errorf("docs/OUTPUT.md lacks %d: %s", e.code, e.meaning)
		}
	}
}

func TestDoubleDashes(t *testing.T) {
	s, _, _ := newSession(nil)
	for _, test := range []struct {
		reason    string
		give, get []string
	}{
		{"long flags, with and without value", []string{"plan", "-out", "x", "-var=a=b", "-auto-approve"}, []string{"plan", "--out", "x", "--var=a=b", "--auto-approve"}},
		{"short ones stay", []string{"plan", "-v", "-o", "json", "-ojson", "-h"}, []string{"plan", "-v", "-o", "json", "-ojson", "-h"}},
		{"double dashes stay", []string{"--out=x"}, []string{"--out=x"}},
		{"what is no flag stays", []string{"-nonsense", "-", "-5"}, []string{"-nonsense", "-", "-5"}},
		{"after a double dash nothing is a flag", []string{"fmt", "--", "-out"}, []string{"fmt", "--", "-out"}},
		{"Terraform's habits", []string{"-chdir=x", "apply", "-input=false", "-lock-timeout=60s", "-json", "-no-color"}, []string{"--chdir=x", "apply", "--input=false", "--lock-timeout=60s", "--json", "--no-color"}},
	} {
		if diff := cmp.Diff(test.get, doubleDashes(s.root(), test.give)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}

func TestColored(t *testing.T) {
	for _, test := range []struct {
		reason string
		env    map[string]string
		flag   bool
		want   bool
	}{
		{"no terminal", nil, false, false},
		{"forced", map[string]string{"CLICOLOR_FORCE": "1"}, false, true},
		{"forced the other way", map[string]string{"FORCE_COLOR": "3"}, false, true},
		{"forced to nothing", map[string]string{"FORCE_COLOR": "0"}, false, false},
		{"NO_COLOR wins", map[string]string{"FORCE_COLOR": "1", "NO_COLOR": "1"}, false, false},
		{"an empty NO_COLOR is none", map[string]string{"FORCE_COLOR": "1", "NO_COLOR": ""}, false, true},
		{"the flag wins", map[string]string{"FORCE_COLOR": "1"}, true, false},
	} {
		s, out, _ := newSession(test.env)
		s.noColor = test.flag
		if got := s.colored(out); got != test.want {
			t.Errorf("%s: %v, want %v", test.reason, got, test.want)
		}
	}
}

// TestSentence checks that an error reads as a sentence, and addresses as in the config.
func TestSentence(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		"not ready: pod hub-1 crashed":        "Not ready: pod hub-1 crashed.",
		"guard.quiet: 51 sessions, at most 5": "guard.quiet: 51 sessions, at most 5.",
		`module.a["b"].guard.quiet: outside of them`: `module.a["b"].guard.quiet: outside of them.`,
		"timeout.": "Timeout.",
	} {
		if got := sentence(text); got != want {
			t.Errorf("sentence(%q) = %q, want %q", text, got, want)
		}
	}
}

// A failed step points at the line that asked for the object that failed, with
// its snippet.
func TestBlame(t *testing.T) {
	src := "one\ntwo\n  image = \"x\"\nfour"
	files := map[string]*hcl.File{"main.hcl": {Bytes: []byte(src)}}
	step := plan.Step{ID: "03-hub.prod/hub", Changes: []resource.Change{
		{ID: resource.ID{Kind: "ConfigMap", Name: "hub"}, Origin: resource.Range{File: "main.hcl", Line: 1}},
		{ID: resource.ID{Kind: "Deployment", Name: "hub"}, Origin: resource.Range{File: "main.hcl", Line: 3, Column: 3}},
	}}
	s, _, stderr := newSession(nil)
	d := blame(&run.StepError{Step: step, Err: errors.New("Deployment/hub: image not found")}, files)
	if err := s.diagnose(hcl.Diagnostics{d}, files); codeOf(err) != exitError {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"Error: Step 03-hub.prod/hub failed", "on main.hcl line 3", `image = "x"`, "Deployment/hub: image not found."} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("lacks %q:\n%s", want, stderr)
		}
	}
	for _, r := range []resource.Range{{}, {File: "gone.hcl", Line: 9}, {File: "main.hcl"}, {File: "main.hcl", Line: 99, Column: 99}, {File: "main.hcl", Line: 4, Column: 99}} {
		step.Changes[1].Origin = r // none of these may panic
		d := blame(&run.StepError{Step: step, Err: errors.New("Deployment/hub")}, files)
		if err := s.diagnose(hcl.Diagnostics{d}, files); codeOf(err) != exitError {
			t.Errorf("%+v: got %v", r, err)
		}
	}
}

// A second interrupt ends even what does not listen.
func TestBoundedEndsWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := newSession(nil)
		edge := t.Context()
		hard, now := context.WithCancel(t.Context())
		release := make(chan struct{})
		time.AfterFunc(time.Minute, now)
		start := time.Now()
		o, err := s.bounded(&interruption{edge: edge, hard: hard}, func(context.Context) (engine.Outcome, error) {
			<-release
			return engine.Outcome{}, nil
		})
		close(release)
		if !errors.Is(err, engine.ErrInterrupted) || o.Outcome != journal.WasInterrupted {
			t.Errorf("got %+v, %v", o, err)
		}
		if took := time.Since(start); took != time.Minute+lastBreath {
			t.Errorf("took %s", took)
		}
	})
}

// A lock is waited for as long as --lock-timeout says, and taken when it is free.
func TestLockTimeout(t *testing.T) {
	for _, test := range []struct {
		reason       string
		wait, freeAt time.Duration
		want         code
		tries        int
	}{
		{"not waited for", 0, time.Hour, exitLocked, 1},
		{"free in time", time.Minute, 5 * time.Second, exitOK, 4},
		{"never free", 10 * time.Second, time.Hour, exitLocked, 6},
	} {
		t.Run(test.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, _ := newSession(nil)
				start, tries := time.Now(), 0
				e := &engine.Engine{Notify: func(run.Event) {}}
				i := &interruption{edge: t.Context(), hard: t.Context()}
				_, err := s.locked(i, e, &approval{lockTimeout: test.wait}, func(context.Context) (engine.Outcome, error) {
					tries++
					if time.Since(start) < test.freeAt {
						return engine.Outcome{}, &engine.LockedError{}
					}
					return engine.Outcome{}, nil
				})
				if codeOf(err) != test.want || tries != test.tries {
					t.Errorf("%d after %d tries, want %d after %d", codeOf(err), tries, test.want, test.tries)
				}
			})
		})
	}
}

// A live view is redrawn in place; lines that stay scroll above it.
func TestLiveView(t *testing.T) {
	p := &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{
		{ID: "01", Component: resource.Component{Block: resource.Address{Kind: "hub", Name: "prod"}}},
	}}}}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	w := &watch{out: &out, live: true, size: func() (int, int) { return 80, 24 }, now: func() time.Time { return now }}
	w.waiting = []run.Event{run.RunBegan{Run: "r", Kind: journal.ApplyRun, Plan: p}}
	w.show()
	if strings.Contains(out.String(), "\x1b[1A") || w.drawn != 2 {
		t.Errorf("the first frame goes up, or is not two lines: %q", out.String())
	}
	out.Reset()
	w.waiting = []run.Event{run.Warned{Text: "look"}, run.StepMoved{Step: p.Steps()[0], Mark: journal.Done}}
	w.show()
	lines := strings.Split(out.String(), "\n")
	if !strings.HasPrefix(lines[0], "\x1b[2A") || !strings.Contains(lines[0], "warning: look") || !strings.Contains(lines[2], "✓ hub.prod  done") {
		t.Errorf("got %q", out.String())
	}
}

// A notice that is longer than the terminal is wide leaves nothing of the frame that
// it is written over.
func TestLiveViewWithLongNotices(t *testing.T) {
	const width = 60
	p := &plan.Plan{Waves: []plan.Wave{{Steps: []plan.Step{
		{ID: "01", Component: resource.Component{Block: resource.Address{Kind: "hub", Name: "prod"}}},
		{ID: "02", Component: resource.Component{Block: resource.Address{Kind: "hub", Name: "staging"}}},
	}}}}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	w := &watch{out: &out, live: true, size: func() (int, int) { return width, 24 }, now: func() time.Time { return now }}
	w.waiting = []run.Event{run.RunBegan{Run: "r", Kind: journal.ApplyRun, Plan: p}}
	w.show()
	for _, notice := range []string{strings.Repeat("long ", 40), "short", "two\nlines of " + strings.Repeat("x", 2*width-10)} {
		w.waiting = []run.Event{run.Warned{Text: notice}}
		w.show()
	}
	screen := screenOf(out.String(), width)
	var frame []string
	for _, line := range w.progress.Frame(now, render.Style{Width: width}, 23) {
		frame = append(frame, strings.TrimRight(line, " "))
	}
	if got := screen[len(screen)-len(frame):]; !slices.Equal(got, frame) {
		t.Errorf("the frame is %q, want %q", got, frame)
	}
	told := strings.Join(screen[:len(screen)-len(frame)], "")
	if strings.Contains(told, "hub.prod") || strings.Contains(told, "steps done") || strings.Count(told, "long") != 40 || strings.Count(told, "x") != 2*width-10 {
		t.Errorf("above the frame: %q", screen[:len(screen)-len(frame)])
	}
}

// screenOf returns the rows of a terminal of that width after output.
func screenOf(output string, width int) []string {
	rows, y, x := []string{""}, 0, 0
	for len(output) > 0 {
		if up := regexp.MustCompile(`^\x1b\[(\d+)A`).FindStringSubmatch(output); up != nil {
			n, _ := strconv.Atoi(up[1])
			y, output = y-n, output[len(up[0]):]
			continue
		}
		if code := regexp.MustCompile(`^\x1b\[[0-9;]*[A-Za-z]`).FindString(output); code != "" {
			if strings.HasSuffix(code, "K") {
				rows[y] = ""
			}
			output = output[len(code):]
			continue
		}
		r, size := utf8.DecodeRuneInString(output)
		output = output[size:]
		switch {
		case r == '\r':
			x = 0
			continue
		case r == '\n':
			y, x = y+1, 0
		default:
			if x == width {
				y, x = y+1, 0
			}
			for y >= len(rows) {
				rows = append(rows, "")
			}
			row := []rune(rows[y])
			for len(row) <= x {
				row = append(row, ' ')
			}
			row[x] = r
			rows[y], x = string(row), x+1
		}
		for y >= len(rows) {
			rows = append(rows, "")
		}
	}
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	for len(rows) > 0 && rows[len(rows)-1] == "" {
		rows = rows[:len(rows)-1]
	}
	return rows
}

// Diagnostics never show values: they may be sensitive.
func TestDiagnosticsShowNoValues(t *testing.T) {
	d := (&session{}).plain(&hcl.Diagnostic{Summary: "s", EvalContext: &hcl.EvalContext{}, Expression: hcl.StaticExpr(cty.StringVal("hunter2"), hcl.Range{})})
	if d.EvalContext != nil || d.Expression != nil {
		t.Error("the writer would print values")
	}
}

func TestFindRun(t *testing.T) {
	runs := []journal.Run{{ID: "20261121-120000-aaaa"}, {ID: "20261121-130000-bbbb"}}
	for id, want := range map[string]string{"20261121-130000-bbbb": "20261121-130000-bbbb", "20261121-13": "20261121-130000-bbbb"} {
		if r, err := find(runs, id); err != nil || r.ID != want {
			t.Errorf("%s: %s, %v", id, r.ID, err)
		}
	}
	for _, id := range []string{"20261121", "nosuch"} {
		if _, err := find(runs, id); err == nil {
			t.Errorf("%s: found", id)
		}
	}
}

// Every command has a group, a line of help and an example of itself in the help.
func TestCommandsAreDescribed(t *testing.T) {
	s, _, _ := newSession(nil)
	var names []string
	for _, c := range s.root().Commands() {
		names = append(names, c.Name())
		if c.Short == "" || c.GroupID == "" {
			t.Errorf("%s: no description or no group", c.Name())
		}
	}
	want := []string{"abort", "apply", "doctor", "drift", "fmt", "gate", "history", "import", "pause", "plan", "promote", "resume", "rollback", "seal", "show", "status", "validate", "version"}
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}
