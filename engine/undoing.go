package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"hubcap/engine/diff"
	"hubcap/engine/journal"
	"hubcap/engine/observe"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/engine/seal"
)

// History returns the runs of all configs and clusters, oldest first. Those that are not to
// be acted on say so in Untrusted.
func (e *Engine) History(ctx context.Context) ([]journal.Run, error) { return e.history(ctx, "") }

// OwnHistory returns the runs of this config, oldest first. It costs what they do, however
// many configs share the journals. It is for what is shown and planned: what may be
// decided because a run is not there is decided by History.
func (e *Engine) OwnHistory(ctx context.Context) ([]journal.Run, error) {
	runs, err := e.history(ctx, e.Config.Settings.Name)
	return slices.DeleteFunc(runs, func(r journal.Run) bool { return !e.Owns(r) }), err
}

func (e *Engine) history(ctx context.Context, config string) ([]journal.Run, error) {
	runs, err := e.journals(ctx, config)
	if err != nil {
		return nil, err
	}
	var all [][]journal.Run
	for _, name := range e.names() {
		all = append(all, runs[name])
	}
	return journal.Merge(all...), nil
}

// Load returns run id with its plan; secrets are in it as they were, or masked for
// whoever may not read them. With an
// empty id it is an [ErrNoRun]. A run that is not to be acted on says so in Untrusted.
func (e *Engine) Load(ctx context.Context, id string) (journal.Run, error) {
	home, record, err := e.find(ctx, id)
	if err != nil {
		return journal.Run{}, err
	}
	public, err := e.publicKey(ctx, home)
	if err != nil {
		record.Run.Untrusted = "its seal cannot be checked: " + err.Error()
	}
	return e.revive(ctx, home, record, public)
}

// Run returns run id without its plan, at less cost than Load: for whoever looks at it
// again and again.
func (e *Engine) Run(ctx context.Context, id string) (journal.Run, error) {
	for _, name := range e.names() {
		r, err := e.Clusters[name].Journal.Run(ctx, id)
		if errors.Is(err, ErrNoRun) {
			continue
		}
		return r, err
	}
	return journal.Run{}, fmt.Errorf("read journal of run %s: %w", id, ErrNoRun)
}

// own returns the runs of this config that carry out a plan, oldest first. Configs share
// a cluster's journal, and none may undo or go on with what is another's.
func (e *Engine) own(ctx context.Context) ([]journal.Run, error) {
	runs, err := e.History(ctx) // which one is the last may depend on one that is hidden
	return slices.DeleteFunc(runs, func(r journal.Run) bool { return !e.Owns(r) || r.Untrusted == "" && !r.IsOfPlan() }), err
}

// loadOwn is Load for a run of this config that is acted on, and returns the cluster
// that keeps it. One that is not to be acted on is an [UntrustedError].
func (e *Engine) loadOwn(ctx context.Context, id string) (journal.Run, *Cluster, error) {
	home, record, err := e.find(ctx, id)
	if err != nil {
		return journal.Run{}, nil, err
	}
	key, err := e.signingKey(ctx, home)
	if err != nil {
		return journal.Run{}, nil, fmt.Errorf("load run %s: %w", id, err)
	}
	if record.Hidden != nil {
		return journal.Run{}, nil, record.Hidden
	}
	r, err := e.revive(ctx, home, record, key.Public())
	switch {
	case err != nil:
	case r.Untrusted != "":
		err = &UntrustedError{Run: id, Reason: r.Untrusted}
	case r.Plan.Config != e.Config.Settings.Name:
		err = fmt.Errorf("load run %s: it is of config %q, and this is config %q", id, r.Plan.Config, e.Config.Settings.Name)
	}
	if err == nil {
		err = e.same(r.Plan.Clusters)
	}
	return r, home, err
}

// revive puts a stored run together again, and says why it is not to be acted on when
// its record is not sealed by the key of that cluster. Of what cannot be decoded there
// is no plan.
func (e *Engine) revive(ctx context.Context, home *Cluster, record Record, public seal.Public) (journal.Run, error) {
	m, err := maskOf(ctx, home)
	if err != nil {
		return record.Run, err
	}
	if _, err := verifyRecord(record, public, home.Identity, m.Key); err != nil {
		var untrusted *UntrustedError
		if errors.As(err, &untrusted) {
			record.Run.Untrusted = untrusted.Reason
		}
	}
	r := record.Run
	p, err := plan.Decode(record.Document)
	if err == nil && record.Hidden == nil {
		err = plan.Unmask(p, m, func(place string) (string, bool) {
			text, found := record.Secrets[place]
			return text, found
		})
	}
	if err != nil && r.Untrusted != "" {
		return r, &UntrustedError{Run: r.ID, Reason: r.Untrusted}
	}
	if err != nil {
		return r, fmt.Errorf("load run %s: %w", r.ID, err)
	}
	p.ID, r.Plan = r.PlanID, p
	unmaskImages(r.Entries, m, record.Secrets)
	giveImages(p, r.Entries)
	return r, nil
}

// An EndedError is an [ErrNothing]: a run that was to go on has ended for good.
type EndedError struct {
	Run     string
	Outcome journal.Outcome
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("%v: run %s %s", ErrNothing, e.Run, ending(e.Outcome))
}

// Unwrap returns ErrNothing.
func (e *EndedError) Unwrap() error { return ErrNothing }

func ending(o journal.Outcome) string {
	if o == journal.Succeeded {
		return "succeeded"
	}
	return "ended: " + string(o)
}

// Resume goes on with the run id, or with the last one when id is empty. It ends
// as Apply does. A run that has ended for good is an [EndedError].
func (e *Engine) Resume(ctx context.Context, id string) (Outcome, error) {
	if id == "" {
		runs, err := e.own(ctx)
		if err != nil {
			return Outcome{}, err
		}
		if len(runs) == 0 {
			return Outcome{}, fmt.Errorf("resume: %w: there is no run", ErrNothing)
		}
		if err := e.inTheWay(ctx, runs[len(runs)-1]); err != nil {
			return Outcome{}, fmt.Errorf("resume: %w; to go on with run %s, name it", err, runs[len(runs)-1].ID)
		}
		id = runs[len(runs)-1].ID
	}
	r, home, err := e.loadOwn(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	if err := e.checkOverrides(r.Plan, r.Entries); err != nil {
		return Outcome{}, err
	}
	s, err := e.open(run.WithID(ctx, r.ID), home, r)
	if err != nil {
		return Outcome{}, err
	}
	ctx = s.bind(ctx)
	defer s.close(ctx)
	if err := s.reread(ctx); err != nil {
		return Outcome{}, err
	}
	s.adoptPrograms()
	if !journal.Resumable(s.run.Entries) {
		outcome, _ := journal.Ended(s.run.Entries)
		return Outcome{}, fmt.Errorf("resume: %w", &EndedError{Run: id, Outcome: outcome})
	}
	runs, err := e.own(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if newer := journal.Superseded(r, runs); newer != "" {
		return Outcome{}, fmt.Errorf("resume run %s: %w: run %s has changed the same since; make a new plan", id, ErrStale, newer)
	}
	if err := s.permits(ctx); err != nil {
		return Outcome{}, err
	}
	if err := s.Record(ctx, journal.Entry{Mark: journal.RunStarted, Reason: "resumed by " + e.Holder}); err != nil {
		return Outcome{}, fmt.Errorf("write journal: %w", err)
	}
	if err := s.confess(ctx); err != nil {
		return Outcome{}, err
	}
	s.tell(run.RunBegan{Run: s.run.ID, Kind: s.run.Kind, Plan: s.plan})
	return s.conclude(ctx, s.runner(s).Execute(ctx, s.plan, s.run.Entries))
}

// Undo works out how to undo the run id, or the last apply when id is empty: see
// [Engine.Undoable]. It changes nothing; the plan it returns is carried out by
// ApplyUndo. What someone else changed since, or cannot go back, is left alone and
// listed as refused, and so is a hub with people on it that o.Delete does not name.
// Components named in o.Except are left out. A way back goes by nothing else of o.
func (e *Engine) Undo(ctx context.Context, id string, o Options) (*plan.Plan, error) {
	id, err := e.Undoable(ctx, id)
	if err != nil {
		return nil, err
	}
	r, _, err := e.loadOwn(ctx, id)
	if err != nil {
		return nil, err
	}
	entries, err := e.withTail(ctx, r)
	if err != nil {
		return nil, err
	}
	before, touched := journal.Before(r.Plan, entries)
	return e.way(ctx, past{before: before, touched: touched, asked: true, events: []string{"pre-rollback", "post-rollback"}, except: o.Except, remove: o.Delete})
}

// ApplyUndo carries out a plan that Undo made for the same id. It ends as Apply
// does, but what cannot go back is left as it is, and the rest goes ahead: the outcome
// is Incomplete then, and Undo can be tried again.
func (e *Engine) ApplyUndo(ctx context.Context, p *plan.Plan, id string) (Outcome, error) {
	id, err := e.Undoable(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	return e.start(ctx, p, journal.Run{Kind: journal.RollbackRun, Undoes: id})
}

// Undoable returns the run that undoing id is about; when id is empty, the last apply.
// An [ErrNothing] says that there is none, that it left nothing changed, or that it was
// undone since: what an apply before it did is taken back only by name.
func (e *Engine) Undoable(ctx context.Context, id string) (string, error) {
	if id != "" {
		return id, nil
	}
	runs, err := e.own(ctx)
	if err != nil {
		return "", err
	}
	undone := make(map[string]string)
	for _, r := range slices.Backward(runs) {
		if err := e.inTheWay(ctx, r); err != nil {
			return "", fmt.Errorf("undo: %w; to go back behind a run before it, name that one", err)
		}
		outcome, ended := journal.Ended(r.Entries)
		switch {
		case r.Kind == journal.RollbackRun && outcome == journal.Succeeded && !journal.LeavesOut(r.Entries):
			undone[r.Undoes] = r.ID
		case r.Kind == journal.RollbackRun:
		case ended && !journal.Lasting(r.Entries):
			return "", fmt.Errorf("undo: %w: run %s has left nothing to take back; to go back behind a run before it, name that one", ErrNothing, r.ID)
		case undone[r.ID] != "":
			return "", fmt.Errorf("undo: %w: run %s was undone by run %s", ErrNothing, r.ID, undone[r.ID])
		default:
			return r.ID, nil
		}
	}
	return "", fmt.Errorf("undo: %w: no run has changed anything", ErrNothing)
}

// componentOf returns the component of a change.
func componentOf(changes []resource.Change, id resource.ID) resource.Component {
	for _, c := range changes {
		if c.ID == id {
			return c.Component
		}
	}
	return resource.Component{}
}

// A past is what a way back leads to.
type past struct {
	before  []resource.Desired
	touched []resource.Change
	events  []string // of hooks that run
	except  []string // components that stay as they are
	remove  []string // addresses that may be deleted although people's work is on them
	asked   bool     // by a person
}

// way plans the way from what is to what was before, within what was touched. An
// object that is neither as before nor as after was changed by someone else: it
// is refused, not overwritten, and so is what cannot be read. Hooks of events run around
// the steps of their blocks.
func (e *Engine) way(ctx context.Context, was past) (*plan.Plan, error) {
	before, touched := was.before, was.touched
	sights, errs := e.lookEach(ctx, touched)
	if ctx.Err() != nil {
		return nil, errors.Join(slices.Collect(maps.Values(errs))...)
	}
	var moved []plan.Refused
	astray := make(map[resource.ID]bool)
	for _, c := range touched {
		reason := ""
		if err := errs[c.ID]; err != nil {
			reason = "it could not be looked at: " + err.Error()
		} else if s := sights[c.ID]; s.State == run.Elsewhere {
			reason = "changed by someone else since: " + s.Moved
		}
		if reason != "" {
			astray[c.ID] = true
			moved = append(moved, plan.Refused{ID: c.ID, Address: c.Address, Origin: c.Origin, Reason: reason})
		}
	}
	before = slices.DeleteFunc(slices.Clone(before), func(d resource.Desired) bool { return astray[d.ID] })
	touched = slices.DeleteFunc(slices.Clone(touched), func(c resource.Change) bool { return astray[c.ID] })
	in, unread, err := e.readBack(ctx, before, touched)
	if err != nil {
		return nil, err
	}
	moved = append(moved, unread...)
	in.Except, in.Delete, in.Asked = was.except, was.remove, was.asked
	e.judgeDatabases(&in)
	in.Hooks = slices.DeleteFunc(in.Hooks, func(h resource.Desired) bool { return !slices.Contains(was.events, h.Hook.Event) })
	p, err := plan.Build(in)
	if err != nil {
		return nil, fmt.Errorf("plan the way back: %w", err)
	}
	for _, r := range moved {
		if component := componentOf(touched, r.ID); plan.Selects(nil, was.except, component) {
			p.Refused = append(p.Refused, r)
		}
	}
	return p, nil
}

// readBack reads what was touched. What did not exist before counts as wanted no
// more; what else lives there is none of this plan's business. What could not be read
// is returned as refused.
func (e *Engine) readBack(ctx context.Context, before []resource.Desired, touched []resource.Change) (plan.Input, []plan.Refused, error) {
	in := e.input()
	in.Back = true
	was := make(map[resource.ID]bool)
	desired := slices.Clone(before)
	for _, d := range before {
		was[d.ID] = true
	}
	made := make(map[resource.ID]resource.Change)
	for _, c := range touched {
		if !was[c.ID] {
			made[c.ID] = c
			desired = append(desired, resource.Desired{ID: c.ID, Address: c.Address, Component: c.Component, Object: c.After, Presence: resource.Managed})
		}
	}
	reading, err := observe.Read(ctx, e.readers(), desired)
	if err != nil {
		return in, nil, err
	}
	seen := make(map[resource.ID]bool)
	for _, o := range reading.Observations {
		seen[o.Desired.ID] = true
		c, wasMade := made[o.Desired.ID]
		switch {
		case !wasMade:
			in.Reading.Observations = append(in.Reading.Observations, o)
		case o.Live != nil:
			l := *o.Live
			l.Address, l.Component = c.Address, c.Component
			in.Reading.Orphans = append(in.Reading.Orphans, l)
		}
	}
	in.Hooks = hooksBeside(before, reading.Orphans)
	in.Changes = diff.Compare(in.Reading)
	in.Census, in.Reading.Unreadable = e.count(ctx)
	for i := range in.Clusters {
		in.Clusters[i].Sessions = in.Census[in.Clusters[i].Name].Sessions
	}
	in.Reading.Unreadable = append(in.Reading.Unreadable, e.countTouched(ctx, in.Census, in.Changes)...)
	in.Mask, err = e.mask(ctx)
	var unread []plan.Refused
	for _, c := range touched {
		if !seen[c.ID] && c.Hook == nil {
			unread = append(unread, plan.Refused{ID: c.ID, Address: c.Address, Origin: c.Origin, Reason: unreadText(reading.Unreadable)})
		}
	}
	return in, unread, err
}

// unreadText says why an object could not be read.
func unreadText(all []resource.Unreadable) string {
	text := "it could not be read"
	for _, u := range all {
		text += "; " + u.What + ": " + u.Reason
	}
	return text
}
