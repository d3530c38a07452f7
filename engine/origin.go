package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/seal"
)

// ErrOrigin says that the name of the config is another config's in a cluster.
var ErrOrigin = errors.New("the name is another config's")

// Origins keeps in a cluster where the configs come from that were applied to it.
type Origins interface {
	// Origin returns what is kept of a config, or nil.
	Origin(ctx context.Context, config string) (*Origin, error)
	// SetOrigin keeps o of a config, instead of what is kept.
	SetOrigin(ctx context.Context, config string, o Origin) error
}

// An Origin tells one config from others of its name: the directory whose lock file has
// this ID owns the name in the cluster.
type Origin struct {
	ID   string    `json:"origin"`
	Who  string    `json:"who"` // user@host that applied it first
	Time time.Time `json:"time"`
	Seal string    `json:"seal,omitempty"`
}

// statement is what the seal is over: all of the record, and whose it is.
func (o Origin) statement(cluster, config string) seal.Statement {
	o.Seal = ""
	text, err := json.Marshal(o)
	if err != nil {
		panic("engine: an origin is JSON")
	}
	return seal.Statement{Type: "origin", Cluster: cluster, Config: config, Place: seal.Place("config", config), Content: seal.Digest(text)}
}

// knownOrigin returns the origin that a cluster knows of this config: nil when it knows none,
// or when what is kept is not sealed by the cluster's key, which says nothing.
func (e *Engine) knownOrigin(ctx context.Context, c *Cluster) (*Origin, error) {
	if c.Origins == nil {
		return nil, nil
	}
	name := e.Config.Settings.Name
	kept, err := c.Origins.Origin(ctx, name)
	if err != nil || kept == nil {
		return nil, err
	}
	public, err := e.publicKey(ctx, c)
	if err != nil {
		return nil, err
	}
	if public.IsZero() || !public.Verify(kept.statement(c.Identity, name), kept.Seal) {
		return nil, nil
	}
	return kept, nil
}

// CheckOrigin returns an [ErrOrigin] when one of the clusters knows the config's name
// from another origin, unless it is taken over: what the other made would be deleted as
// if this config had dropped it.
func (e *Engine) CheckOrigin(ctx context.Context) error {
	for _, name := range e.names() {
		known, err := e.knownOrigin(ctx, e.Clusters[name])
		if err != nil {
			return fmt.Errorf("read where config %s of cluster %s comes from: %w", e.Config.Settings.Name, name, err)
		}
		if known == nil || known.ID == e.Config.Settings.Origin || e.TakeOver {
			continue
		}
		mine := "this directory has no origin yet"
		if own := e.Config.Settings.Origin; own != "" {
			mine = "this one's is " + own
		}
		return fmt.Errorf("%w: config %q of cluster %s is applied from another directory (origin %s, first by %s at %s; %s). What one of them does not ask for would be deleted. "+
			"Give this config another name, or take hubcap.lock.hcl from where the other is under version control; to make the name this directory's: --take-over-config %s",
			ErrOrigin, e.Config.Settings.Name, name, known.ID, known.Who, known.Time.UTC().Format(time.RFC3339), mine, e.Config.Settings.Name)
	}
	return nil
}

// owner is CheckOrigin under the lock, for a run that makes what the config asks for. A
// run that takes back what this one did has its authority from its record.
func (s *session) owner(ctx context.Context) error {
	if s.run.Kind != journal.ApplyRun {
		return nil
	}
	return s.CheckOrigin(ctx)
}

// claim makes the name of the config this origin's in every cluster that the run
// touches, and records whose it was where it is taken over.
func (s *session) claim(ctx context.Context) error {
	own, name := s.Config.Settings.Origin, s.Config.Settings.Name
	if own == "" || s.run.Kind != journal.ApplyRun {
		return nil
	}
	for _, cluster := range s.touched() {
		c := s.Clusters[cluster]
		if c.Origins == nil {
			continue
		}
		known, err := s.knownOrigin(ctx, c)
		if err != nil {
			return err
		}
		if known != nil && known.ID == own {
			continue
		}
		key, err := s.signingKey(ctx, c)
		if err != nil {
			return err
		}
		o := Origin{ID: own, Who: s.Holder, Time: s.now().UTC()}
		o.Seal = key.Sign(o.statement(c.Identity, name))
		if known != nil {
			reason := fmt.Sprintf("taken over by %s in cluster %s from origin %s", s.Holder, cluster, known.ID)
			if err := s.Record(ctx, journal.Entry{Mark: journal.Overridden, Guard: "config " + name, Reason: reason}); err != nil {
				return fmt.Errorf("write journal: %w", err)
			}
		}
		if err := c.Origins.SetOrigin(ctx, name, o); err != nil {
			return fmt.Errorf("keep where config %s of cluster %s comes from: %w", name, cluster, err)
		}
	}
	return nil
}
