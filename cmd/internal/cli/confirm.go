package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"hubcap/cmd/internal/render"
)

// confirm asks for a literal "yes" on the terminal, after repeating what matters.
func (s *session) confirm(ctx context.Context, a *approval, question, matter string) error {
	if a.auto {
		return nil
	}
	if !a.input || !isTerminal(s.in) {
		return errors.New("ask for approval: there is no terminal to ask on; " +
			"pass --auto-approve, or, to apply, a plan file (hubcap plan --out FILE, then hubcap apply FILE)")
	}
	fmt.Fprintf(s.err, "\n%s\n%s\n  Only \"yes\" is taken as approval: ", question, render.Indented(matter, s.style(s.err)))
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(s.in).ReadString('\n') // an end of input is no approval
		answers <- line
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.err)
		return ctx.Err()
	case line := <-answers:
		fmt.Fprintln(s.err)
		if strings.TrimSpace(line) != "yes" {
			return errors.New("not approved; nothing was changed")
		}
	}
	return nil
}
