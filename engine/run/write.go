package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

const (
	// conflicts is how many times a write is tried when the object was written
	// meanwhile without being moved: others write their fields all the time.
	conflicts = 5

	writers   = 16  // calls at once
	batchSize = 250 // changes that one entry of the journal announces
)

// write makes the changes of the step, batch by batch: each batch is looked at
// and announced before it is made, and what is made already is skipped.
func (x *execution) write(ctx context.Context) error {
	calls := context.WithoutCancel(ctx) // an interrupt lets the calls of a step finish
	for _, batch := range batches(x.step.Changes) {
		if err := x.writeBatch(calls, batch); err != nil {
			return err
		}
	}
	return nil
}

// batches splits the changes of a step, in their order, into those that may be
// made side by side: objects of one kind that do not need each other. Node pools
// are made one by one, as GKE does.
func batches(changes []resource.Change) [][]resource.Change {
	var all [][]resource.Change
	here := make(map[resource.ID]bool) // in the last batch
	for i, c := range changes {
		last := len(all) - 1
		alone := i == 0 || c.ID.Kind == resource.KindNodePool || len(all[last]) == batchSize ||
			c.ID.Kind != changes[i-1].ID.Kind || c.ID.Group != changes[i-1].ID.Group || c.Action == resource.Delete != (changes[i-1].Action == resource.Delete)
		for _, need := range c.Needs {
			alone = alone || here[need]
		}
		if alone {
			all, here = append(all, nil), make(map[resource.ID]bool)
			last++
		}
		all[last] = append(all[last], c)
		here[c.ID] = true
	}
	return all
}

func (x *execution) writeBatch(ctx context.Context, batch []resource.Change) error {
	if err := x.mayWrite(); err != nil {
		return err
	}
	sights, errs := x.lookAt(ctx, batch)
	var open, made, left []resource.Change // to be made; made by an execution that was cut off; that cannot be made
	var whys []error
	state := x.state
	for i, c := range batch {
		err := errs[i]
		switch s := sights[i]; {
		case err != nil && !x.mayLeave(err):
			return err
		case err != nil:
			left, whys = append(left, c), append(whys, err)
		case s.State == AtBefore:
			open = append(open, c)
		case s.State == AtAfter:
			if state.Intended[c.ID] && !state.Written[c.ID] {
				c.Image = s.Image
				made = append(made, c)
			}
		case s.State != Elsewhere:
			panic(fmt.Sprintf("run: look at %s returned the state %d", c.ID, s.State))
		case x.Persist:
			left, whys = append(left, c), append(whys, fmt.Errorf("%w: %s", ErrMoved, s.Moved))
		default:
			return fmt.Errorf("%s: %w: %s", c.Address, ErrMoved, s.Moved)
		}
	}
	if err := x.recount(ctx, open); err != nil {
		if !x.mayLeave(err) {
			return err
		}
		disturbing := slices.DeleteFunc(slices.Clone(open), func(c resource.Change) bool { return !plan.Disturbs(c) })
		open = slices.DeleteFunc(open, plan.Disturbs)
		left = append(left, disturbing...)
		whys = append(whys, slices.Repeat([]error{err}, len(disturbing))...)
	}
	if err := x.leave(ctx, left, whys); err != nil {
		return err
	}
	if err := x.wrote(ctx, made); err != nil || len(open) == 0 {
		return err
	}
	if err := x.record(ctx, x.announced(open)); err != nil {
		return err
	}
	seen := make(map[resource.ID]Sight, len(batch))
	for i, c := range batch {
		seen[c.ID] = sights[i]
	}
	return x.make(ctx, open, seen)
}

// announced returns the entry that says that changes are about to be made, with whom
// that is expected to interrupt: it may have been done, however the step ends.
func (x *execution) announced(open []resource.Change) journal.Entry {
	e := about(journal.Intended, open)
	if !slices.ContainsFunc(open, func(c resource.Change) bool { return c.Impact.SessionsLost+c.Impact.SessionsInterrupted > 0 }) {
		return e
	}
	impact := x.step.Impact
	if x.counted && impact.SessionsInterrupted > 0 {
		impact.SessionsInterrupted = x.people
	}
	return x.withImpact(e, &impact)
}

// withImpact returns an entry that says what the step does to people, and to whom.
func (x *execution) withImpact(e journal.Entry, i *resource.Impact) journal.Entry {
	e.Impact, e.Class, e.Cluster, e.Relies = i, x.step.Class, x.step.Cluster, x.step.Relies
	return e
}

// about returns an entry about changes.
func about(m journal.Mark, changes []resource.Change) journal.Entry {
	e := journal.Entry{Mark: m}
	if len(changes) == 1 {
		e.Change = &changes[0].ID
		return e
	}
	for _, c := range changes {
		e.Changes = append(e.Changes, c.ID)
	}
	return e
}

// lookAt returns what is to be seen of each change: what was seen right before
// the run, once, or what a look shows.
func (x *execution) lookAt(ctx context.Context, batch []resource.Change) ([]Sight, []error) {
	sights, errs := make([]Sight, len(batch)), make([]error, len(batch))
	each(len(batch), func(i int) {
		c := batch[i]
		if s, has := x.sights[c.ID]; has {
			sights[i] = s
			return
		}
		target, connected := x.Targets[c.ID.Cluster]
		if !connected {
			errs[i] = fmt.Errorf("look at %s: cluster %s is not connected", c.ID, c.ID.Cluster)
			return
		}
		if sights[i], errs[i] = target.Writer.Look(ctx, c); errs[i] != nil {
			errs[i] = fmt.Errorf("look at %s: %w", c.ID, errs[i])
		}
	})
	for _, c := range batch {
		delete(x.sights, c.ID)
	}
	return sights, errs
}

// make makes the changes that were announced. The first error is returned; what
// was made besides is recorded all the same.
func (x *execution) make(ctx context.Context, open []resource.Change, seen map[resource.ID]Sight) error {
	errs := make([]error, len(open))
	x.began = time.Now() // of the last batch: pods come last
	each(len(open), func(i int) {
		if errs[i] = x.mayWrite(); errs[i] == nil {
			open[i].Image, errs[i] = x.writeOne(ctx, open[i], seen[open[i].ID])
		}
	})
	var written, left []resource.Change
	var whys []error
	for i, c := range open {
		if errs[i] != nil && x.mayLeave(errs[i]) {
			left, whys, errs[i] = append(left, c), append(whys, errs[i]), nil
			x.wroteAny() // it may have been
			continue
		}
		switch {
		case errs[i] == nil:
			written = append(written, c)
			x.wroteAny()
		case !errors.Is(errs[i], ErrMoved) && !errors.Is(errs[i], ErrLost):
			x.wroteAny() // it may have been
		}
	}
	if err := x.wrote(ctx, written); err != nil {
		return err
	}
	if err := x.recount(ctx, open); err != nil {
		if !x.mayLeave(err) {
			return err
		}
		disturbing := slices.DeleteFunc(slices.Clone(open), func(c resource.Change) bool { return !plan.Disturbs(c) })
		open = slices.DeleteFunc(open, plan.Disturbs)
		left = append(left, disturbing...)
		whys = append(whys, slices.Repeat([]error{err}, len(disturbing))...)
	}
	if err := x.leave(ctx, left, whys); err != nil {
		return err
	}
	return first(errs)
}

// writeOne makes one change and returns its after-image. Where another writer comes
// between, it looks again, and
// tries again only while the lock is held.
func (x *execution) writeOne(ctx context.Context, c resource.Change, sight Sight) (resource.Object, error) {
	w := x.Targets[c.ID.Cluster].Writer
	ctx = x.lastCheck(ctx, c)
	for try := 1; ; try++ {
		answer, err := w.Write(ctx, c, sight)
		if err != nil && (try == conflicts || !errors.Is(err, ErrMoved)) {
			return nil, fmt.Errorf("write %s: %w", c.ID, err)
		}
		if err == nil {
			return answer.Image, nil
		}
		if err := x.mayWrite(); err != nil {
			return nil, err
		}
		if sight, err = w.Look(ctx, c); err != nil {
			return nil, fmt.Errorf("look at %s: %w", c.ID, err)
		}
		switch sight.State {
		case AtAfter:
			return sight.Image, nil
		case Elsewhere:
			return nil, fmt.Errorf("%s: %w: %s", c.Address, ErrMoved, sight.Moved)
		}
		if err := x.mayWrite(); err != nil {
			return nil, err
		}
	}
}

// imagesPerEntry is how many after-images one entry of the journal holds.
const imagesPerEntry = 20

// wrote records that changes were made, with their after-images, and tells.
func (x *execution) wrote(ctx context.Context, changes []resource.Change) error {
	if len(changes) == 0 {
		return nil
	}
	x.land(changes)
	var plain, changed []resource.Change // as they were wanted; as the server changed them
	for _, c := range changes {
		if c.Image == nil {
			plain = append(plain, c)
		} else {
			changed = append(changed, c)
		}
	}
	parts := slices.Collect(slices.Chunk(changed, imagesPerEntry))
	if len(plain) > 0 {
		parts = append(parts, plain)
	}
	for _, part := range parts {
		e := about(journal.Written, part)
		for _, c := range part {
			if c.Image != nil {
				e.Images = append(e.Images, journal.Image{ID: c.ID, Object: c.Image})
			}
		}
		if err := x.record(ctx, e); err != nil {
			return err
		}
	}
	for _, c := range changes {
		x.tell(ChangeMade{Step: x.step.ID, Change: c})
	}
	return nil
}

// land gives the step's changes their after-images: what follows compares with them.
func (x *execution) land(changes []resource.Change) {
	for _, made := range changes {
		for i := range x.step.Changes {
			if x.step.Changes[i].ID == made.ID {
				x.step.Changes[i].Image = made.Image
			}
		}
	}
}

// each calls do with 0 to n-1, several at once.
func each(n int, do func(i int)) {
	if n == 1 {
		do(0)
		return
	}
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(n, writers) {
		wait.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}

func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
