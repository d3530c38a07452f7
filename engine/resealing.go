package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/engine/seal"
)

// ErrPartly says that some of what was asked for was done, and that the same may be asked
// for again.
var ErrPartly = errors.New("not all of it was done")

// A Sealer seals on a person's word what hubcap itself would not act on.
type Sealer interface {
	// Seal seals with key an object that nothing desires, if it is still as it was shown;
	// else it returns a [resource.ErrChanged]. It never seals what is barred.
	Seal(ctx context.Context, key seal.Key, shown resource.Unsealed) error
}

// A Rotator replaces the key pair of a cluster's seals.
type Rotator interface {
	// Rotate draws a new key pair and returns its private half.
	Rotate(ctx context.Context) (seal.Key, error)
}

// Seen returns what lives beside what the config asks for: of it Unsealed is what
// bears the config's marks, is wanted no more, and is not known to be hubcap's; Orphans
// is what is; and Seals of an Observation says that the next apply seals it.
func (e *Engine) Seen(ctx context.Context) (resource.Reading, hcl.Diagnostics, error) {
	in, diags, err := e.gather(ctx, Options{})
	if diags.HasErrors() || err != nil {
		return resource.Reading{}, diags, err
	}
	return in.Reading, diags, nil
}

// A Sealed is what sealing came to.
type Sealed struct {
	Objects int
	Runs    []string   // of kind seal, one for each cluster
	Rotated []Rotation // by cluster
}

// A Rotation is a cluster's new key pair.
type Rotation struct {
	Cluster string   `json:"cluster"`
	Former  string   `json:"former_key"` // IDs of the keys
	Key     string   `json:"key"`
	Lost    []string `json:"untrusted_runs"` // of this config, that the former key sealed: they are not acted on any more
}

// Seal seals what a person has looked at and takes for hubcap's own, each with the
// present key of its cluster, under the cluster's lock. The journal of the cluster has it.
func (e *Engine) Seal(ctx context.Context, taken []resource.Unsealed) (Sealed, error) {
	return e.eachSealed(ctx, taken, func(ctx context.Context, s *session) (seal.Key, *Rotation, error) {
		key, err := s.signingKey(ctx, s.home)
		return key, nil, err
	})
}

// Rotate draws new key pairs for all clusters, and seals again what the former ones had
// sealed and nothing desires any more; the rest is sealed by the next apply. The journal of
// each cluster has it, sealed with the new key.
func (e *Engine) Rotate(ctx context.Context, orphans []resource.Live) (Sealed, error) {
	under, origins := map[string]seal.Public{}, map[string]*Origin{}
	for _, name := range e.names() {
		key, err := e.signingKey(ctx, e.Clusters[name])
		if err != nil {
			return Sealed{}, fmt.Errorf("cluster %s: read the signing key: %w", name, err)
		}
		under[name] = key.Public()
		kept, isSealed, err := e.keptOrigin(ctx, e.Clusters[name])
		if err != nil {
			return Sealed{}, err
		}
		if isSealed {
			origins[name] = kept
		}
	}
	var again []resource.Unsealed
	for _, l := range orphans {
		again = append(again, resource.Unsealed{ID: l.ID, Says: l.Component, Version: l.Version, Under: under[l.ID.Cluster]})
	}
	done, err := e.eachSealed(ctx, again, func(ctx context.Context, s *session) (seal.Key, *Rotation, error) {
		r := &Rotation{Cluster: s.home.Name, Former: under[s.home.Name].ID(), Lost: []string{}}
		s.home.trust(s.earlier, under[s.home.Name], nil)
		for _, earlier := range trusted(s.earlier) {
			if e.Owns(earlier) && earlier.IsOfPlan() {
				r.Lost = append(r.Lost, earlier.ID)
			}
		}
		key, err := s.rotate(ctx, origins[s.home.Name])
		r.Key = key.Public().ID()
		return key, r, err
	}, e.names()...)
	if err != nil && len(done.Rotated) > 0 && !errors.Is(err, ErrPartly) {
		err = errors.Join(ErrPartly, err)
	}
	return done, err
}

// rotate replaces the key pair of home, and seals with it where the config comes from.
func (s *session) rotate(ctx context.Context, known *Origin) (seal.Key, error) {
	key, err := s.home.Rotator.Rotate(ctx)
	if err != nil {
		return key, err
	}
	s.know(s.home.Name, key.Public())
	if known == nil {
		return key, nil
	}
	name := s.Config.Settings.Name
	known.Seal = key.Sign(known.statement(s.home.Identity, name))
	return key, s.home.Origins.SetOrigin(ctx, name, *known)
}

// A keySource returns the key to seal with, and how it came about where it is new.
type keySource func(context.Context, *session) (seal.Key, *Rotation, error)

// eachSealed seals the objects of one cluster after the other under its lock, with the
// key that key returns then. always are clusters that are gone to although they have
// none of the objects.
func (e *Engine) eachSealed(ctx context.Context, taken []resource.Unsealed, key keySource, always ...string) (Sealed, error) {
	byCluster := map[string][]resource.Unsealed{}
	for _, u := range taken {
		byCluster[u.ID.Cluster] = append(byCluster[u.ID.Cluster], u)
	}
	var done Sealed
	begun := false
	var failed error
	for _, name := range e.names() {
		if len(byCluster[name]) == 0 && !slices.Contains(always, name) {
			continue
		}
		one, err := e.sealWithin(ctx, e.Clusters[name], byCluster[name], key)
		done.Objects += one.Objects
		done.Runs, done.Rotated = append(done.Runs, one.Runs...), append(done.Rotated, one.Rotated...)
		begun = begun || one.Objects > 0 || errors.Is(err, ErrPartly)
		failed = errors.Join(failed, err)
	}
	if failed != nil && begun && !errors.Is(failed, ErrPartly) {
		failed = errors.Join(ErrPartly, failed)
	}
	return done, failed
}

// sealWithin seals objects of one cluster, as a run in that cluster's journal.
func (e *Engine) sealWithin(ctx context.Context, c *Cluster, taken []resource.Unsealed, key keySource) (Sealed, error) {
	var done Sealed
	if c.Seals == nil || c.Sealer == nil || c.Rotator == nil {
		return done, fmt.Errorf("cluster %s keeps no seals", c.Name)
	}
	s, err := e.sealing(c)
	if err != nil {
		return done, err
	}
	defer s.close(ctx)
	if err := s.lock(ctx); err != nil {
		return done, err
	}
	ctx = s.bind(ctx)
	if s.earlier, err = c.Store.Runs(ctx, s.run.Config); err != nil {
		return done, fmt.Errorf("cluster %s: read journal: %w", c.Name, err)
	}
	signing, rotation, err := key(ctx, s)
	if rotation != nil && !signing.IsZero() {
		done.Rotated = []Rotation{*rotation}
	}
	if err != nil {
		return done, fmt.Errorf("cluster %s: the signing key: %w", c.Name, err)
	}
	if err := s.beginSealing(ctx, rotation, taken); err != nil {
		return done, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	done.Runs = []string{s.run.ID}
	var failed error
	for _, u := range taken {
		if err := c.Sealer.Seal(ctx, signing, u); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		done.Objects++
	}
	if failed != nil && done.Objects > 0 {
		failed = errors.Join(ErrPartly, failed)
	}
	s.endSealing(ctx, done, failed)
	return done, failed
}

// sealing returns the session of a run that seals what lives in c. Its plan has nothing
// to do.
func (e *Engine) sealing(c *Cluster) (*session, error) {
	in := e.input()
	in.Back = true // asking for nothing is no mistake
	p, err := plan.Build(in)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	r := journal.Run{
		ID: e.runID(), Kind: journal.SealRun, Config: p.Config, Holder: e.Holder, Started: e.now().UTC(),
		PlanID: p.ID, PlanCreated: p.Created, Plan: p,
	}
	return &session{
		Engine: e, plan: p, run: r, home: c, store: c.Store, began: e.now(),
		lost: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

// beginSealing makes the run durable, with what it is about to do and whether the key is
// a new one. Only when that is drawn can the run be sealed with it.
func (s *session) beginSealing(ctx context.Context, r *Rotation, taken []resource.Unsealed) error {
	if err := s.create(ctx); err != nil {
		return err
	}
	var entries []journal.Entry
	if r != nil {
		entries = append(entries, journal.Entry{Mark: journal.Rotated, Reason: fmt.Sprintf(
			"%s instead of %s; %d runs of this config before it are shown and not acted on any more: plan and apply anew; to go back, with the config as it was",
			r.Key, r.Former, len(r.Lost))})
	}
	if len(taken) > 0 {
		e := journal.Entry{Mark: journal.Sealing}
		for _, u := range taken {
			e.Changes = append(e.Changes, u.ID)
		}
		entries = append(entries, e)
	}
	if err := s.Record(ctx, entries...); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// endSealing records how the run ended. That it could not be recorded is told.
func (s *session) endSealing(ctx context.Context, done Sealed, failed error) {
	e := journal.Entry{Mark: journal.RunFinished, Outcome: journal.Succeeded, Reason: fmt.Sprintf("%d objects sealed", done.Objects)}
	if failed != nil {
		e.Outcome, e.Reason = journal.WasHeld, e.Reason+"; "+failed.Error()
	}
	if err := s.Record(ctx, e); err != nil {
		s.tell(run.Warned{Text: "the journal does not say how the run ended: " + err.Error()})
	}
}
