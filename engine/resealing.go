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

// Seal seals what a person has looked at and takes for hubcap's own, each with the
// present key of its cluster, under the cluster's lock. It returns how many it sealed.
func (e *Engine) Seal(ctx context.Context, taken []resource.Unsealed) (int, error) {
	return e.eachSealed(ctx, taken, func(ctx context.Context, s *session) (seal.Key, error) {
		return s.signingKey(ctx, s.home)
	})
}

// Rotate draws new key pairs for all clusters, and seals again what the former ones had
// sealed and nothing desires any more; the rest is sealed by the next apply. It
// returns how many objects it sealed.
func (e *Engine) Rotate(ctx context.Context, orphans []resource.Live) (int, error) {
	under, origins := map[string]seal.Public{}, map[string]*Origin{}
	for _, name := range e.names() {
		key, err := e.signingKey(ctx, e.Clusters[name])
		if err != nil {
			return 0, fmt.Errorf("cluster %s: read the signing key: %w", name, err)
		}
		under[name] = key.Public()
		kept, isSealed, err := e.keptOrigin(ctx, e.Clusters[name])
		if err != nil {
			return 0, err
		}
		if isSealed {
			origins[name] = kept
		}
	}
	var again []resource.Unsealed
	for _, l := range orphans {
		again = append(again, resource.Unsealed{ID: l.ID, Says: l.Component, Version: l.Version, Under: under[l.ID.Cluster]})
	}
	rotated := false
	done, err := e.eachSealed(ctx, again, func(ctx context.Context, s *session) (seal.Key, error) {
		key, err := s.rotate(ctx, origins[s.home.Name])
		rotated = rotated || !key.IsZero()
		return key, err
	}, e.names()...)
	if err != nil && rotated && !errors.Is(err, ErrPartly) {
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

// eachSealed seals the objects of one cluster after the other under its lock, with the
// key that key returns then. always are clusters that are gone to although they have
// none of the objects.
func (e *Engine) eachSealed(ctx context.Context, taken []resource.Unsealed, key func(context.Context, *session) (seal.Key, error), always ...string) (int, error) {
	byCluster := map[string][]resource.Unsealed{}
	for _, u := range taken {
		byCluster[u.ID.Cluster] = append(byCluster[u.ID.Cluster], u)
	}
	done, begun := 0, false
	var failed error
	for _, name := range e.names() {
		if len(byCluster[name]) == 0 && !slices.Contains(always, name) {
			continue
		}
		n, err := e.sealWithin(ctx, e.Clusters[name], byCluster[name], key)
		done, begun = done+n, begun || n > 0 || errors.Is(err, ErrPartly)
		failed = errors.Join(failed, err)
	}
	if failed != nil && begun && !errors.Is(failed, ErrPartly) {
		failed = errors.Join(ErrPartly, failed)
	}
	return done, failed
}

// sealWithin seals objects of one cluster.
func (e *Engine) sealWithin(ctx context.Context, c *Cluster, taken []resource.Unsealed, key func(context.Context, *session) (seal.Key, error)) (int, error) {
	if c.Seals == nil || c.Sealer == nil || c.Rotator == nil {
		return 0, fmt.Errorf("cluster %s keeps no seals", c.Name)
	}
	r := journal.Run{ID: e.runID()}
	s := &session{Engine: e, plan: &plan.Plan{}, run: r, home: c, lost: make(chan struct{}), done: make(chan struct{})}
	defer s.close(ctx)
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	ctx = s.bind(ctx)
	signing, err := key(ctx, s)
	if err != nil {
		return 0, fmt.Errorf("cluster %s: the signing key: %w", c.Name, err)
	}
	done := 0
	var failed error
	for _, u := range taken {
		if err := c.Sealer.Seal(ctx, signing, u); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		done++
	}
	if failed != nil && done > 0 {
		failed = errors.Join(ErrPartly, failed)
	}
	return done, failed
}
