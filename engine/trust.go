package engine

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/seal"
)

// ErrUntrusted says that a run is shown and not acted on: that it is hubcap's own record
// cannot be proved.
var ErrUntrusted = errors.New("its record is not to be acted on")

// An UntrustedError is an [ErrUntrusted], and what to do instead.
type UntrustedError struct{ Run, Reason string }

func (e *UntrustedError) Error() string {
	return fmt.Sprintf("run %s is shown and not acted on: %s; make a new plan and apply it instead (to go back, with the config as it was before)", e.Run, e.Reason)
}

// Unwrap returns ErrUntrusted.
func (e *UntrustedError) Unwrap() error { return ErrUntrusted }

// A keyring is what an engine knows of its clusters' keys, and where its config's
// journal is. It is safe for concurrent use.
type keyring struct {
	mu     sync.Mutex
	public map[string]seal.Public // by cluster
	home   string                 // the cluster that keeps the journal; empty: not known yet
}

// publicKey returns the public half of a cluster's key as it is published: what is
// verified by it may be shown and planned with. Who acts uses [Engine.signingKey].
func (e *Engine) publicKey(ctx context.Context, c *Cluster) (seal.Public, error) {
	e.keys.mu.Lock()
	known := e.keys.public[c.Name]
	e.keys.mu.Unlock()
	if !known.IsZero() || c.Seals == nil {
		return known, nil
	}
	public, err := c.Seals.PublicKey(ctx)
	if err == nil && !public.IsZero() {
		e.know(c.Name, public)
	}
	return public, err
}

func (e *Engine) know(cluster string, public seal.Public) {
	e.keys.mu.Lock()
	defer e.keys.mu.Unlock()
	if e.keys.public == nil {
		e.keys.public = make(map[string]seal.Public)
	}
	e.keys.public[cluster] = public
}

// signingKey returns the key that signs a cluster's records, for whoever acts. When
// another public half was published, all that this engine read before was verified
// wrongly: that is an [ErrStale].
func (e *Engine) signingKey(ctx context.Context, c *Cluster) (seal.Key, error) {
	if c.Seals == nil {
		return seal.Key{}, fmt.Errorf("cluster %s keeps no signing key", c.Name)
	}
	e.keys.mu.Lock()
	known := e.keys.public[c.Name]
	e.keys.mu.Unlock()
	key, err := c.Seals.SigningKey(ctx)
	if err != nil {
		return key, err
	}
	e.know(c.Name, key.Public())
	if !known.IsZero() && known != key.Public() {
		return key, fmt.Errorf("%w: the public key that cluster %s had published was not that of its signing key; plan again", ErrStale, c.Name)
	}
	return key, nil
}

// trust says of each of the runs that a cluster keeps why it is not to be acted on, if so.
// err is why the public key could not be read.
func (c *Cluster) trust(runs []journal.Run, public seal.Public, err error) {
	for i := range runs {
		if err != nil {
			runs[i].Untrusted = "its seal cannot be checked: " + err.Error()
		} else if _, err := runs[i].Verify(public, c.Identity); err != nil {
			runs[i].Untrusted = err.Error()
		}
	}
}

// trusted returns those of the runs that are to be acted on.
func trusted(runs []journal.Run) []journal.Run {
	return slices.DeleteFunc(slices.Clone(runs), func(r journal.Run) bool { return r.Untrusted != "" })
}

// verifyRecord makes sure that a record is what hubcap wrote, the plan and what it hides
// included. key is that of the digests.
func verifyRecord(record Record, public seal.Public, cluster string, key []byte) (journal.Chain, error) {
	chain, err := record.Run.Verify(public, cluster)
	switch {
	case err != nil:
	case seal.Digest(record.Document) != record.Run.DocumentDigest:
		err = errors.New("its seal does not fit: its plan was changed since it was written, or is another run's")
	case record.Hidden != nil: // the reader sees no secrets, and none were changed for him
	case record.Run.SecretsDigest != secretsDigest(key, record.Run.ID, planSecrets(record)):
		err = errors.New("its seal does not fit: the Secrets with what its plan hides were changed since they were written, or the key of digests is another one")
	}
	if err != nil {
		return chain, &UntrustedError{Run: record.Run.ID, Reason: err.Error()}
	}
	return chain, nil
}

// planSecrets returns what the plan of a record hides. After-images, which come later,
// are verified by what their entries say of them.
func planSecrets(record Record) map[string]string {
	secrets := make(map[string]string, len(record.Secrets))
	for place, text := range record.Secrets {
		if part := strings.SplitN(place, "#", 3); len(part) < 3 || !strings.HasPrefix(part[1], "image") {
			secrets[place] = text
		}
	}
	return secrets
}

// secretsDigest is over what a run keeps in Secrets. It lies in a ConfigMap, and so it
// is made under the key of digests: nobody finds out a short secret by trying.
func secretsDigest(key []byte, id string, secrets map[string]string) string {
	if len(secrets) == 0 {
		return ""
	}
	text, err := json.Marshal(secrets)
	if err != nil {
		panic("engine: a map of texts is JSON")
	}
	return keyedDigest(key, "secrets of run "+id, text)
}

// handoverDigest is over what a run is handed over with; empty where it is not.
func handoverDigest(key []byte, id string, handover []byte) string {
	if handover == nil {
		return ""
	}
	return keyedDigest(key, "handover of run "+id, handover)
}

func keyedDigest(key []byte, what string, text []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(what + "\n"))
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// document returns the plan of a run that is to be acted on, as it was stored: sensitive
// values are masked in it.
func (e *Engine) document(ctx context.Context, id string) (*plan.Plan, error) {
	home, record, err := e.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if seal.Digest(record.Document) != record.Run.DocumentDigest {
		return nil, &UntrustedError{Run: id, Reason: "its seal does not fit: its plan was changed since it was written, or is another run's"}
	}
	public, err := e.publicKey(ctx, home)
	if err != nil {
		return nil, err
	}
	if _, err := record.Run.Verify(public, home.Identity); err != nil {
		return nil, &UntrustedError{Run: id, Reason: err.Error()}
	}
	return plan.Decode(record.Document)
}

// inTheWay returns an [UntrustedError] of a record that keeps r, a run of this config, from
// being taken for the last one by whoever names none: r itself, or one that may be
// newer. What an untrusted record says of its config and its number says nothing, so one
// of any config counts, by its number or by when the cluster got it.
func (e *Engine) inTheWay(ctx context.Context, r journal.Run) error {
	all, err := e.History(ctx)
	if err != nil {
		return err
	}
	if u := inTheWay(all, r); u != nil {
		return u
	}
	return nil
}

// inTheWay is [Engine.inTheWay] among all runs; nil when nothing is.
func inTheWay(all []journal.Run, r journal.Run) *UntrustedError {
	for _, u := range slices.Backward(all) {
		newer := u.ID == r.ID || u.Number > r.Number || u.Created.After(r.Created)
		if u.Untrusted != "" && newer {
			return &UntrustedError{Run: u.ID, Reason: u.Untrusted}
		}
	}
	return nil
}
