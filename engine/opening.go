package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hubcap/engine/plan"
)

// Open reads a plan file for [Engine.Apply]. The file narrows: it says which changes
// are meant and what they expect to find. What is carried out is the plan that the
// config at hand gives now, at the file's time, in its scope, and without what the file
// has nothing of; where the file says other than that it is [ErrStale]. named are the
// addresses that may be deleted although people's work is on them: a file with such
// needs them said again ([ErrUnnamed]).
func (e *Engine) Open(ctx context.Context, document []byte, named ...string) (*plan.Plan, error) {
	file, err := plan.Decode(document)
	if err != nil {
		return nil, err
	}
	if file.FormatVersion != plan.FormatVersion {
		return nil, fmt.Errorf("%w: its format is %s, and only plans of format %s can be applied; plan again", plan.ErrDocument, file.FormatVersion, plan.FormatVersion)
	}
	// A plan that was carried out is stale by that, too: say the plainer thing.
	runs, err := e.OwnHistory(ctx)
	if err != nil {
		return nil, err
	}
	if err := used(runs, file); err != nil {
		return nil, err
	}
	if err := e.timely(file); err != nil {
		return nil, err
	}
	if err := namedAgain(file.Scope.Delete, named); err != nil {
		return nil, err
	}
	return e.renew(ctx, file)
}

// clockSkew is how far ahead of the clock here that of a plan file's maker may be.
const clockSkew = 5 * time.Minute

// timely refuses a file whose time the config at hand is not to be read at: nobody
// knows what is still to come, and where something begins or ends between then and now
// the config asks for something else by now. So a file chooses no time: each gives the
// same plan.
func (e *Engine) timely(file *plan.Plan) error {
	now := e.now()
	if file.Created.After(now.Add(clockSkew)) {
		return fmt.Errorf("%w: it says that it was made at %s, which is still to come (it is %s): plan again",
			ErrStale, file.Created.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if m := e.Config.Between(file.Created, now); m != nil {
		return fmt.Errorf("%w: %s: its %s, %s, lies between when the file was made (%s) and now: plan again",
			ErrStale, m.Address, m.Attribute, m.Time.UTC().Format(time.RFC3339), file.Created.UTC().Format(time.RFC3339))
	}
	return nil
}

// namedAgain reports a name that stands behind a plan file's deletions and was not
// given with it: a file is nobody's word for what people's work is on.
func namedAgain(recorded, named []string) error {
	for _, name := range recorded {
		if !slices.Contains(named, name) {
			return fmt.Errorf("%w: the plan may delete %s although people's work is on it: --dangerous-delete %s", ErrUnnamed, name, name)
		}
	}
	for _, name := range named {
		if !slices.Contains(recorded, name) {
			return fmt.Errorf("%w: the plan file was made without --dangerous-delete %s; make it with it", ErrUnnamed, name)
		}
	}
	return nil
}

// renew plans again what file is about, and returns that.
func (e *Engine) renew(ctx context.Context, file *plan.Plan) (*plan.Plan, error) {
	scope := file.Scope
	in, diags, err := e.gather(ctx, Options{Only: scope.Only, Except: scope.Except, Delete: scope.Delete, At: file.Created})
	if diags.HasErrors() {
		return nil, diags
	}
	if err != nil {
		return nil, err
	}
	if file.Config != in.Config { // before all that follows from it
		return nil, fmt.Errorf("%w: it is a plan of config %q, and this is config %q", ErrStale, file.Config, in.Config)
	}
	if len(in.Reading.Unreadable) > 0 { // what it says could not be compared
		u := in.Reading.Unreadable[0]
		return nil, fmt.Errorf("%w: %s: %s", ErrIncomplete, u.What, u.Reason)
	}
	in.Without = file.Beside(in.Changes)
	now, err := plan.Build(*in)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be planned again: %w", ErrStale, err)
	}
	difference, err := plan.Compare(file, now, in.Mask)
	if err != nil {
		return nil, err
	}
	if difference != nil {
		return nil, e.stale(file, difference)
	}
	now.Restrict(file)
	return now, nil
}

// stale words a difference, and what may be the reason of it.
func (e *Engine) stale(file *plan.Plan, d *plan.Difference) error {
	var missing []string
	for _, name := range file.Given {
		if !slices.Contains(e.Config.Given, name) {
			missing = append(missing, name)
		}
	}
	switch {
	case len(missing) > 0:
		return fmt.Errorf("%w: %s (the variables differ: plan was given a value of %s, and apply was not; give it the same --var and --var-file)",
			ErrStale, d.Text, strings.Join(missing, ", "))
	case d.Secret:
		return fmt.Errorf("%w: %s (does apply see the config, the variables and the secrets that plan saw?)", ErrStale, d.Text)
	}
	return fmt.Errorf("%w: %s; make a new plan", ErrStale, d.Text)
}
