package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"hubcap/engine/journal"
)

// Owns reports whether a run is of this config. Version 1.0 did not always say; of what
// cannot be read at all nobody knows.
func (e *Engine) Owns(r journal.Run) bool {
	return r.Config == e.Config.Settings.Name || r.Config == "" && !r.Started.IsZero()
}

// home returns the cluster that keeps the journal and the key of digests of this config:
// the first, by name, that has runs of it, and where none has any the first. So the
// journal stays where it is when a cluster is added or renamed.
func (e *Engine) home(ctx context.Context) (*Cluster, error) {
	names := e.names()
	if len(names) == 0 {
		return nil, errors.New("find the journal: no cluster is connected")
	}
	if len(names) == 1 {
		return e.Clusters[names[0]], nil
	}
	e.keys.mu.Lock()
	known := e.Clusters[e.keys.home]
	e.keys.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if _, err := e.journals(ctx, e.Config.Settings.Name); err != nil {
		return nil, err
	}
	e.keys.mu.Lock()
	defer e.keys.mu.Unlock()
	return e.Clusters[e.keys.home], nil
}

// Home returns the name of the cluster that keeps this config's journal.
func (e *Engine) Home(ctx context.Context) (string, error) {
	home, err := e.home(ctx)
	if err != nil {
		return "", err
	}
	return home.Name, nil
}

// Runs returns the runs of this config that one cluster keeps, oldest first. Those
// that are not to be acted on say so in Untrusted.
func (e *Engine) Runs(ctx context.Context, c *Cluster) ([]journal.Run, error) {
	runs, err := e.kept(ctx, c, e.Config.Settings.Name)
	return slices.DeleteFunc(runs, func(r journal.Run) bool { return !e.Owns(r) }), err
}

// kept returns the runs that one cluster keeps, as [Store] says.
func (e *Engine) kept(ctx context.Context, c *Cluster, config string) ([]journal.Run, error) {
	var runs []journal.Run
	var err error
	var wait sync.WaitGroup
	wait.Go(func() { runs, err = c.Store.Runs(ctx, config) })
	public, keyErr := e.publicKey(ctx, c)
	wait.Wait()
	if err != nil {
		return nil, fmt.Errorf("read journal of cluster %s: %w", c.Name, err)
	}
	c.trust(runs, public, keyErr)
	return runs, nil
}

// journals returns the runs that each cluster keeps, as [Store] says, and finds out which of
// them is home.
func (e *Engine) journals(ctx context.Context, config string) (map[string][]journal.Run, error) {
	names := e.names()
	runs, errs := make([][]journal.Run, len(names)), make([]error, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Go(func() { runs[i], errs[i] = e.kept(ctx, e.Clusters[name], config) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	all := make(map[string][]journal.Run, len(names))
	for i, name := range names {
		all[name] = runs[i]
	}
	e.setHome(all)
	return all, nil
}

// setHome remembers which cluster is home: a run of kind seal says nothing of that. What is not to be acted on says so only where
// nothing else does: in a journal of version 1.0.
func (e *Engine) setHome(all map[string][]journal.Run) {
	home, untrusted := "", ""
	for _, name := range e.names() {
		for _, r := range all[name] {
			switch {
			case !e.Owns(r) || r.Kind == journal.SealRun: // which lies in the cluster whose objects it seals
			case r.Untrusted == "" && home == "":
				home = name
			case r.Untrusted != "" && untrusted == "":
				untrusted = name
			}
		}
	}
	for _, name := range append([]string{home, untrusted}, e.names()...) {
		if name != "" {
			e.keys.mu.Lock()
			e.keys.home = name
			e.keys.mu.Unlock()
			return
		}
	}
}

// find returns the cluster that keeps run id, and its record, or [ErrNoRun].
func (e *Engine) find(ctx context.Context, id string) (*Cluster, Record, error) {
	for _, name := range e.names() {
		record, err := e.Clusters[name].Store.Load(ctx, id)
		if errors.Is(err, ErrNoRun) {
			continue
		}
		if err != nil {
			return nil, record, fmt.Errorf("load run %s: %w", id, err)
		}
		return e.Clusters[name], record, nil
	}
	return nil, Record{}, fmt.Errorf("load run %s: %w", id, ErrNoRun)
}
