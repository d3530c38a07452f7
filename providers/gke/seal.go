package gke

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// Seals has the key pair of the cluster. It is the part of engine.Seals that a
// provider needs.
type Seals interface {
	SigningKey(ctx context.Context) (seal.Key, error)
	PublicKey(ctx context.Context) (seal.Public, error)
}

// Records keeps in the cluster what hubcap wrote down of its node pools, by their
// places; see [Provider.statement].
type Records interface {
	// Pools returns all that is kept.
	Pools(ctx context.Context) (map[string]string, error)
	// SetPool keeps text of the pool at place, instead of what is kept.
	SetPool(ctx context.Context, place, text string) error
	// DropPool forgets the pool at place, if anything is kept of it.
	DropPool(ctx context.Context, place string) error
}

// A record is what hubcap wrote down of a pool before it made it, or sealed it later:
// the pool is hubcap's where its resource label and the record hold the same nonce.
// Labels alone prove nothing: whoever may label a pool can copy them.
type record struct {
	Nonce string `json:"nonce"`
	Seal  string `json:"seal"`
}

// parseRecord returns the zero record for what is none: it has no seal.
func parseRecord(text string) record {
	var r record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return record{}
	}
	return r
}

func (r record) String() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic("gke: a record of texts is JSON")
	}
	return string(text)
}

// nonceBytes are random; a resource label holds twice as many characters.
const nonceBytes = 15

func drawNonce() (string, error) {
	b := make([]byte, nonceBytes)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("draw a nonce: %w", err)
	}
	return lower.EncodeToString(b), nil
}

// place is what a pool's record is found by.
func (p *Provider) place(pool string) string {
	return seal.Place(p.c.Project, p.c.Location, p.c.Name, pool)
}

// statement is what the seal of a pool's record is over.
func (p *Provider) statement(pool, nonce string) seal.Statement {
	return seal.Statement{
		Type: "pool", Cluster: p.ClusterUID, Config: p.c.Owner, Place: p.place(pool), Content: seal.Digest([]byte(nonce)),
	}
}

// seals are what was read of the seals of a cluster's pools.
type seals struct {
	p       *Provider
	key     seal.Public
	records map[string]string
	unread  []resource.Unreadable // what could not be read: then nothing is known to be ours
}

// readSeals reads the records, and by what to verify them.
func (p *Provider) readSeals(ctx context.Context) (*seals, error) {
	s := &seals{p: p}
	if p.Seals == nil {
		return s, nil
	}
	var err error
	if s.key, err = p.Seals.PublicKey(ctx); err != nil {
		s.unread = append(s.unread, resource.Unreadable{What: "public key of seals of node pools", Reason: err.Error()})
	}
	if s.records, err = p.Records.Pools(ctx); err != nil {
		s.unread = append(s.unread, resource.Unreadable{What: "records of node pools", Reason: err.Error()})
	}
	return s, ctx.Err()
}

// doubt returns why the pool is not known to be ours, or "" when it is.
func (s *seals) doubt(pool string, labels map[string]string) string {
	own, nonce := parseRecord(s.records[s.p.place(pool)]).Seal, labels[noteSeal]
	switch {
	case len(s.unread) > 0:
		return "whether hubcap made it cannot be checked: " + s.unread[0].Reason
	case nonce != "" && own == "" && !s.key.IsZero():
		return "bears hubcap's labels, and this cluster keeps no record that hubcap made it"
	case nonce == "":
		own = ""
	}
	return resource.Doubt(s.p.statement(pool, nonce), own, s.key)
}

// why returns what could not be read as an error, or nil.
func (s *seals) why() error {
	if len(s.unread) == 0 {
		return nil
	}
	return errors.New(s.unread[0].What + ": " + s.unread[0].Reason)
}

// lack reports whether the next write seals a pool that the config wants.
func (s *seals) lack(live *resource.Live) bool {
	return s.p.Seals != nil && len(s.unread) == 0 && s.doubt(live.ID.Name, labelsOf(live.Object)) != ""
}

// barred returns why not even a person's word makes a pool ours that is in doubt.
func (s *seals) barred(live *resource.Live) string {
	if len(s.unread) > 0 {
		return "its seal cannot be checked"
	}
	if labelsOf(live.Object)[noteSeal] == "" {
		return "" // the record of a pool that was of this name
	}
	return resource.BarredSeal(parseRecord(s.records[s.p.place(live.ID.Name)]).Seal, s.key)
}

// sort tells a pool that is ours and wanted no more from one that only says so.
func (s *seals) sort(reading *resource.Reading, live *resource.Live) {
	if why := s.doubt(live.ID.Name, labelsOf(live.Object)); why != "" {
		reading.Unsealed = append(reading.Unsealed, resource.Unsealed{
			ID: live.ID, Reason: why, Says: live.Component, Version: live.Version, Seal: live.Seal, Barred: s.barred(live),
		})
		return
	}
	reading.Orphans = append(reading.Orphans, *live)
}

// signed reads the records, and verifies them by the signing key: for what acts.
func (p *Provider) signed(ctx context.Context) (*seals, seal.Key, error) {
	if p.Seals == nil {
		return nil, seal.Key{}, errors.New("no seals are kept here")
	}
	key, err := p.Seals.SigningKey(ctx)
	if err != nil {
		return nil, key, fmt.Errorf("read the signing key: %w", err)
	}
	records, err := p.Records.Pools(ctx)
	if err != nil {
		return nil, key, fmt.Errorf("read what is sealed of node pools: %w", err)
	}
	return &seals{p: p, key: key.Public(), records: records}, key, nil
}

// vouch makes sure that the record of the pool is sealed, and sets the nonce that the
// pool is to bear. It does so before the pool is made or labelled: cut off in between,
// the next write goes on with the same nonce. live are the labels of the pool, if it
// exists. A pool that is given back bears none.
func (w *write) vouch(ctx context.Context, live map[string]string) error {
	switch {
	case w.change.After.Text("config", "resourceLabels", LabelConfig) == "":
		w.nonce = ""
		return nil
	case w.Seals == nil:
		w.nonce = live[noteSeal]
		return nil
	case w.nonce != "":
		return nil
	}
	s, key, err := w.signed(ctx)
	if err != nil {
		return err
	}
	known, nonce := parseRecord(s.records[w.place(w.name)]), live[noteSeal]
	if nonce == "" && s.doubt(w.name, map[string]string{noteSeal: known.Nonce}) == "" {
		nonce = known.Nonce
	}
	if nonce == "" {
		if nonce, err = drawNonce(); err != nil {
			return err
		}
	}
	if s.doubt(w.name, map[string]string{noteSeal: nonce}) != "" {
		sealed := record{Nonce: nonce, Seal: key.Sign(w.statement(w.name, nonce))}
		if err := w.keep(ctx, func(ctx context.Context) error { return w.Records.SetPool(ctx, w.place(w.name), sealed.String()) }); err != nil {
			return fmt.Errorf("seal that hubcap makes it: %w", err)
		}
	}
	w.nonce = nonce
	return nil
}

// keep writes a record, while the lock of the run is held.
func (p *Provider) keep(ctx context.Context, put func(context.Context) error) error {
	_, err := change(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, put(ctx) })
	return err
}

// ours returns an error unless the pool is known to be ours, by the signing key and
// as it is now.
func (w *write) ours(ctx context.Context, live *resource.Live) error {
	s, _, err := w.signed(ctx)
	if err != nil {
		return err
	}
	if why := s.doubt(w.name, labelsOf(live.Object)); why != "" {
		return fmt.Errorf("it %s: hubcap deletes only what is its own", why)
	}
	return nil
}

// forget drops the record of a pool that is ours no more.
func (w *write) forget(ctx context.Context) error {
	if w.Seals == nil {
		return nil
	}
	return w.keep(ctx, func(ctx context.Context) error { return w.Records.DropPool(ctx, w.place(w.name)) })
}
