package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/plan"
)

// A code is an exit code. They are stable: scripts and CI branch on them.
type code int

// The exit codes.
const (
	exitOK          code = 0
	exitError       code = 1
	exitDiffers     code = 2
	exitIncomplete  code = 3
	exitRolledBack  code = 4
	exitStuck       code = 5
	exitHeld        code = 6
	exitStale       code = 7
	exitLocked      code = 8
	exitDenied      code = 9
	exitUsage       code = 64
	exitInterrupted code = 130
)

// exits is the one table of exit codes; --help prints it and a test compares it
// with the documentation.
var exits = []struct {
	code    code
	meaning string
}{
	{exitOK, "done, or nothing to do"},
	{exitError, "error; nothing was changed"},
	{exitDiffers, "changes (plan --detailed-exitcode) or drift (drift)"},
	{exitIncomplete, "incomplete: something could not be read"},
	{exitRolledBack, "apply failed and was rolled back cleanly"},
	{exitStuck, "apply failed and the rollback is incomplete: a person is needed"},
	{exitHeld, "held or inconclusive; resumable"},
	{exitStale, "the plan is stale or already used"},
	{exitLocked, "locked by another run"},
	{exitDenied, "denied by a policy or guard"},
	{exitUsage, "usage"},
	{exitInterrupted, "interrupted at a step's edge"},
}

func exitTable() string {
	var b strings.Builder
	for _, e := range exits {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.meaning)
	}
	return b.String()
}

// An exit ends the program with its code. A nil Err means that all was said.
type exit struct {
	code code
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// silently ends with code; everything was said.
func silently(c code) error {
	if c == exitOK {
		return nil
	}
	return &exit{code: c}
}

// usage is an error of whoever typed the command.
func usage(format string, args ...any) error {
	return &exit{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// codeOf maps an error to its exit code.
func codeOf(err error) code {
	var e *exit
	var locked *engine.LockedError
	var ended *engine.EndedError
	var diags hcl.Diagnostics
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &diags):
		return codeOfDiagnostics(diags)
	case errors.As(err, &e):
		return e.code
	case errors.As(err, &locked):
		return exitLocked
	case errors.Is(err, engine.ErrStale), errors.Is(err, engine.ErrUsed):
		return exitStale
	case errors.Is(err, plan.ErrEmptyConfig), errors.Is(err, engine.ErrRefused), errors.Is(err, engine.ErrGuarded), errors.Is(err, engine.ErrPolicy),
		errors.Is(err, engine.ErrUnnamed), errors.Is(err, engine.ErrOrigin):
		return exitDenied
	case errors.Is(err, engine.ErrPartly):
		return exitHeld
	case errors.Is(err, engine.ErrIncomplete):
		return exitIncomplete
	case errors.As(err, &ended): // of a run that has ended nothing is left to do, and it is as it was
		return codeOfOutcome(ended.Outcome)
	case errors.Is(err, engine.ErrNothing):
		return exitOK
	case errors.Is(err, plan.ErrNoSuchAddress), errors.Is(err, engine.ErrNoGuard):
		return exitUsage
	case errors.Is(err, engine.ErrInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitError
}

// codeOfOutcome maps the end of a run to its exit code.
func codeOfOutcome(o journal.Outcome) code {
	switch o {
	case journal.Succeeded:
		return exitOK
	case journal.WasRolledBack:
		return exitRolledBack
	case journal.Incomplete:
		return exitStuck
	case journal.WasHeld:
		return exitHeld
	case journal.WasInterrupted:
		return exitInterrupted
	}
	return exitError
}

// codeOfPlan is what a plan ends with when nothing else went wrong. What makes
// it unusable outranks that it differs.
func codeOfPlan(p *plan.Plan, differs code) code {
	switch {
	case len(p.Refused) > 0, len(p.Forbidden()) > 0:
		return exitDenied
	case len(p.Unreadable) > 0:
		return exitIncomplete
	case !p.Empty():
		return differs
	}
	return exitOK
}
