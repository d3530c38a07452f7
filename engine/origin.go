package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/engine/seal"
)

// ErrOrigin says that the name of the config is another config's in a cluster, or that
// nothing there proves the contrary.
var ErrOrigin = errors.New("the name is another config's")

// Origins keeps in a cluster where the configs come from that were applied to it. There
// is one record of a config in a cluster, wherever its journal is.
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

// A nameOwner is whose the name of this config is in a cluster, as far as what is sealed
// there proves it. The zero nameOwner: nothing there tells.
type nameOwner struct {
	Origin          // that is proven
	recorded bool   // by the record
	run      string // by this run, the last one that applied the config there, since no record proves it

	doubt   string // why nothing proves whose it is, although a record or runs of the name are there
	firm    bool   // an origin that is claimed does not outweigh the doubt: the last sealed run is hidden
	claimed string // the origin that a record names which the cluster's key did not seal
}

// isProven reports whether something sealed says whose the name is.
func (o nameOwner) isProven() bool { return o.recorded || o.run != "" }

// isOf reports whether the name may be that of the config with this origin, as far as
// records tell. A run that names no origin is of a version that knew none.
func (o nameOwner) isOf(own string) bool {
	switch {
	case o.isProven():
		return o.ID == own || o.run != "" && o.ID == ""
	case o.claimed != "":
		return o.claimed == own
	}
	return o.doubt == ""
}

// keptOrigin returns what a cluster keeps of where this config comes from, or nil, and
// whether the cluster's key sealed it.
func (e *Engine) keptOrigin(ctx context.Context, c *Cluster) (kept *Origin, isSealed bool, err error) {
	if c.Origins == nil {
		return nil, false, nil
	}
	name := e.Config.Settings.Name
	kept, err = c.Origins.Origin(ctx, name)
	if err != nil || kept == nil {
		return nil, false, err
	}
	public, err := e.publicKey(ctx, c)
	if err != nil {
		return nil, false, err
	}
	return kept, !public.IsZero() && public.Verify(kept.statement(c.Identity, name), kept.Seal), nil
}

// ownerOf finds out whose the config's name is in a cluster: by the sealed record, and
// where there is none by the last sealed run. Anybody who may write ConfigMaps can delete
// a record: that there is none proves nothing.
func (e *Engine) ownerOf(ctx context.Context, c *Cluster) (nameOwner, error) {
	if c.Origins == nil {
		return nameOwner{}, nil
	}
	kept, isSealed, err := e.keptOrigin(ctx, c)
	if err != nil {
		return nameOwner{}, err
	}
	if isSealed {
		return nameOwner{Origin: *kept, recorded: true}, nil
	}
	o, err := e.ownerByRuns(ctx, c)
	if err == nil && kept != nil && !o.firm {
		o.doubt, o.claimed = "its record is not sealed by the cluster's key", kept.ID
	}
	return o, err
}

// ownerByRuns finds out whose the config's name is by the last sealed run that applied
// it to the cluster. One that is not to be acted on and may be newer leaves it in doubt.
func (e *Engine) ownerByRuns(ctx context.Context, c *Cluster) (nameOwner, error) {
	all, err := e.History(ctx)
	if err != nil {
		return nameOwner{}, err
	}
	var none nameOwner
	for _, r := range slices.Backward(all) {
		switch {
		case r.Untrusted != "":
			if e.Owns(r) && r.FormatVersion != "" {
				none.doubt = fmt.Sprintf("run %s of that name is not to be acted on: %s", r.ID, r.Untrusted)
			}
			continue
		case r.Config != e.Config.Settings.Name, r.Kind != journal.ApplyRun && r.Kind != journal.OriginRun:
			continue
		}
		p, err := e.document(ctx, r.ID)
		var untrusted *UntrustedError
		switch {
		case errors.As(err, &untrusted):
			return nameOwner{firm: true, doubt: fmt.Sprintf("run %s of that name is not to be acted on: %s", r.ID, untrusted.Reason)}, nil
		case err != nil:
			return nameOwner{}, err
		case !concerns(p, c):
			continue
		}
		if u := inTheWay(all, r); u != nil {
			return nameOwner{firm: true, doubt: fmt.Sprintf("run %s, which may be of that name, is not to be acted on: %s", u.Run, u.Reason)}, nil
		}
		return nameOwner{Origin: Origin{ID: p.Origin, Who: r.Holder, Time: r.Started}, run: r.ID}, nil
	}
	return none, nil
}

// concerns reports whether a run of p made the config's name its origin's in a cluster.
func concerns(p *plan.Plan, c *Cluster) bool {
	for _, planned := range p.Clusters {
		if planned.Identity != c.Identity {
			continue
		}
		if p.Empty() {
			return true
		}
		for _, step := range p.Steps() {
			if slices.ContainsFunc(step.Changes, func(c resource.Change) bool { return c.ID.Cluster == planned.Name }) {
				return true
			}
		}
	}
	return false
}

// CheckOrigin returns an [ErrOrigin] when the name of the config is another origin's in
// one of the clusters, or may be, unless it is taken over: what the other made would be
// deleted as if this config had dropped it.
func (e *Engine) CheckOrigin(ctx context.Context) error {
	_, err := e.owners(ctx)
	return err
}

// owners returns whose the config's name is in each cluster, and an error as CheckOrigin
// does.
func (e *Engine) owners(ctx context.Context) (map[string]nameOwner, error) {
	owners := make(map[string]nameOwner, len(e.Clusters))
	for _, name := range e.names() {
		o, err := e.ownerOf(ctx, e.Clusters[name])
		if err != nil {
			return nil, fmt.Errorf("read where config %s of cluster %s comes from: %w", e.Config.Settings.Name, name, err)
		}
		if owners[name] = o; !o.isOf(e.Config.Settings.Origin) && !e.TakeOver {
			return nil, e.notOurs(name, o)
		}
	}
	return owners, nil
}

// checkSealed returns an [ErrOrigin] when nothing proves whose the config's name is in a
// cluster, and objects lie there that bear a seal as this config's: somebody applied it.
// Where a record names this origin that the present key did not seal, only what would be
// deleted counts, which that key did seal: a key that was replaced, or a cluster that was
// restored as another, leaves such a record behind.
func (e *Engine) checkSealed(owners map[string]nameOwner, reading resource.Reading) error {
	if e.TakeOver {
		return nil
	}
	for _, name := range e.names() {
		o := owners[name]
		if o.isProven() || e.Clusters[name].Origins == nil {
			continue
		}
		if found := sealedIn(name, e.Config.Settings.Name, reading, o.claimed != ""); len(found) > 0 {
			o.doubt = fmt.Sprintf("no record proves it, and objects bear a seal as this config's (%d, such as %s)", len(found), found[0])
			return e.notOurs(name, o)
		}
	}
	return nil
}

// forgedOrigins returns a line for each cluster whose record names another origin and is
// not sealed, while a sealed run says that the name is this config's.
func (e *Engine) forgedOrigins(owners map[string]nameOwner) []string {
	var lines []string
	for _, name := range e.names() {
		if o := owners[name]; o.run != "" && o.claimed != "" && o.claimed != e.Config.Settings.Origin {
			lines = append(lines, fmt.Sprintf("the record in cluster %s of where config %s is applied from names another origin (%s) and is not sealed by the cluster's key; "+
				"run %s is, so the next apply writes it anew", name, e.Config.Settings.Name, o.claimed, o.run))
		}
	}
	return lines
}

// sealedIn returns what lives in a cluster as the config's and bears a seal, or of that
// only what the present key sealed and the config wants no more.
func sealedIn(cluster, config string, reading resource.Reading, onlyOrphans bool) []resource.ID {
	var found []resource.ID
	note := func(id resource.ID, text string) {
		if id.Cluster == cluster && text != "" {
			found = append(found, id)
		}
	}
	for _, l := range reading.Orphans {
		note(l.ID, l.Seal)
	}
	if onlyOrphans {
		return found
	}
	for _, o := range reading.Observations {
		if o.Live != nil && o.Live.Owner == config {
			note(o.Live.ID, o.Live.Seal)
		}
	}
	for _, u := range reading.Unsealed {
		note(u.ID, u.Seal)
	}
	return found
}

// notOurs words that the name is another origin's in a cluster, or may be.
func (e *Engine) notOurs(cluster string, o nameOwner) error {
	name, mine := e.Config.Settings.Name, "this directory has no origin yet"
	if own := e.Config.Settings.Origin; own != "" {
		mine = "this one's is " + own
	}
	said := fmt.Sprintf("where config %q of cluster %s is applied from is not known: %s; %s", name, cluster, o.doubt, mine)
	if o.isProven() {
		by := "first by " + o.Who
		if o.run != "" {
			by = "by " + o.Who + " in run " + o.run
		}
		said = fmt.Sprintf("config %q of cluster %s is applied from another directory (origin %s, %s at %s; %s)",
			name, cluster, o.ID, by, o.Time.UTC().Format(time.RFC3339), mine)
	} else if o.claimed != "" && o.claimed != e.Config.Settings.Origin {
		said += ", and that record names " + o.claimed
	}
	return fmt.Errorf("%w: %s. What this directory does not ask for would be deleted, although another may have made it. "+
		"Give this config another name, or take hubcap.lock.hcl from where the other is under version control; to make the name this directory's: --take-over-config %s",
		ErrOrigin, said, name)
}

// owner is CheckOrigin under the lock, for a run that makes what the config asks for. A
// run that takes back what this one did has its authority from its record.
func (s *session) owner(ctx context.Context) error {
	if !s.isApply() {
		return nil
	}
	return s.CheckOrigin(ctx)
}

// isApply reports whether the run makes what the config asks for.
func (s *session) isApply() bool {
	return s.run.Kind == journal.ApplyRun || s.run.Kind == journal.OriginRun
}

// Unclaimed reports whether an apply has to record whose the config's name is, though it
// has nothing else to do: it is taken over, or the record that there was is gone.
func (e *Engine) Unclaimed(ctx context.Context) (bool, error) {
	own := e.Config.Settings.Origin
	if own == "" {
		return false, nil
	}
	for _, name := range e.names() {
		c := e.Clusters[name]
		o, err := e.ownerOf(ctx, c)
		if err != nil {
			return false, fmt.Errorf("read where config %s of cluster %s comes from: %w", e.Config.Settings.Name, name, err)
		}
		isRecorded := o.recorded && o.ID == own
		if c.Origins != nil && !isRecorded && (e.TakeOver || o.run != "" || o.claimed != "") {
			return true, nil
		}
	}
	return false, nil
}

// claim makes the name of the config this origin's in every cluster that the run
// touches, and records whose it was where it is taken over.
func (s *session) claim(ctx context.Context) error {
	own, name := s.Config.Settings.Origin, s.Config.Settings.Name
	if own == "" || !s.isApply() {
		return nil
	}
	for _, cluster := range s.touched() {
		c := s.Clusters[cluster]
		if c.Origins == nil {
			continue
		}
		kept, isSealed, err := s.keptOrigin(ctx, c)
		if err != nil {
			return err
		}
		if isSealed && kept.ID == own {
			continue
		}
		key, err := s.signingKey(ctx, c)
		if err != nil {
			return err
		}
		if err := s.recordTakeOver(ctx, cluster, kept, isSealed); err != nil {
			return err
		}
		o := Origin{ID: own, Who: s.Holder, Time: s.now().UTC()}
		o.Seal = key.Sign(o.statement(c.Identity, name))
		if err := c.Origins.SetOrigin(ctx, name, o); err != nil {
			return fmt.Errorf("keep where config %s of cluster %s comes from: %w", name, cluster, err)
		}
	}
	return nil
}

// recordTakeOver records that the name is taken over in a cluster, where it is.
func (s *session) recordTakeOver(ctx context.Context, cluster string, kept *Origin, isSealed bool) error {
	name := s.Config.Settings.Name
	if !s.TakeOver {
		if s.run.Kind == journal.OriginRun {
			s.tell(run.Noted{Text: fmt.Sprintf("cluster %s had no sealed record of where config %s is applied from; it is written anew", cluster, name)})
		}
		return nil
	}
	from := "; no sealed record said from which origin"
	if isSealed {
		from = " from origin " + kept.ID
	}
	reason := fmt.Sprintf("taken over by %s in cluster %s%s", s.Holder, cluster, from)
	if err := s.Record(ctx, journal.Entry{Mark: journal.Overridden, Guard: "config " + name, Reason: reason}); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}
