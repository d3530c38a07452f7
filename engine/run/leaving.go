package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/journal"
	"hubcap/engine/resource"
)

// ErrLeftOut says that an object could not go back, and that the rest went.
var ErrLeftOut = errors.New("left out")

// mayLeave reports whether the step goes on without a change that met err.
func (x *execution) mayLeave(err error) bool {
	return x.Persist && !errors.Is(err, ErrLost) && !errors.Is(err, errJournal)
}

// leave leaves changes out of the step and records why.
func (x *execution) leave(ctx context.Context, changes []resource.Change, whys []error) error {
	for i, c := range changes {
		reason := whys[i].Error()
		if err := x.record(ctx, journal.Entry{Mark: journal.LeftOut, Change: &c.ID, Reason: reason}); err != nil {
			return err
		}
		x.left = append(x.left, c.Address.String()+": "+reason)
		x.tell(Warned{Text: fmt.Sprintf("%s stays as it is: %s", c.Address, reason)})
	}
	x.step.Changes = slices.DeleteFunc(slices.Clone(x.step.Changes), func(c resource.Change) bool {
		return slices.ContainsFunc(changes, func(left resource.Change) bool { return left.ID == c.ID })
	})
	return nil
}

// withLeft returns err, if there is one, beside what was left out.
func (x *execution) withLeft(err error) error {
	if len(x.left) == 0 {
		return err
	}
	left := fmt.Errorf("%w: %s", ErrLeftOut, strings.Join(x.left, "; "))
	if err == nil {
		return left
	}
	return fmt.Errorf("%w; %w", left, err)
}
