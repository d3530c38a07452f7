package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"hubcap/schema"
)

// Limits on what a values command may say.
const (
	maxPrinted = 16 << 20 // on standard output, in bytes
	maxBlamed  = 2 << 10  // of standard error, in bytes, in a message
	leastTold  = 4        // letters that a text must have to be looked for in a message
)

// valuesCommand runs a command of values_files. Its output is secret: an error
// has what it wrote to standard error, without anything of its output.
func valuesCommand(c schema.Command) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	out, said := &limited{most: maxPrinted}, &limited{most: maxBlamed}
	command := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	command.Dir, command.Stdout, command.Stderr = c.Dir, out, said
	command.WaitDelay = time.Second
	err := command.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("there is no program %s in the PATH", c.Argv[0])
	case ctx.Err() != nil:
		return nil, fmt.Errorf("it has not ended after %s", c.Timeout)
	case err != nil:
		if words := without(said.String(), out.String()); words != "" {
			return nil, fmt.Errorf("%w, and says:\n%s", err, words)
		}
		return nil, err
	case out.over:
		return nil, fmt.Errorf("it prints more than %d bytes", maxPrinted)
	case len(bytes.TrimSpace(out.Bytes())) == 0:
		return nil, errors.New("it prints nothing")
	}
	return out.Bytes(), nil
}

// without returns a message without the lines and values of an output.
func without(message, output string) string {
	hide := func(text string) {
		if text = strings.Trim(strings.TrimSpace(text), `"'`); len(text) >= leastTold {
			message = strings.ReplaceAll(message, text, "(sensitive)")
		}
	}
	for line := range strings.Lines(output) {
		hide(line)
		if _, value, isPair := strings.Cut(line, ": "); isPair {
			hide(value)
		}
	}
	return strings.TrimSpace(message)
}

// limited keeps the first bytes that are written to it.
type limited struct {
	bytes.Buffer
	most int
	over bool
}

// Write takes everything and keeps what fits.
func (l *limited) Write(p []byte) (int, error) {
	fits := min(len(p), l.most-l.Len())
	l.over = l.over || fits < len(p)
	l.Buffer.Write(p[:fits])
	return len(p), nil
}
