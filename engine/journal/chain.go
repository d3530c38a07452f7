package journal

import (
	"encoding/json"
	"errors"
	"fmt"

	"hubcap/engine/seal"
)

// FormatVersion is the version of a run's records. Those of version 1.0 have no seals:
// they are shown and never acted on.
const FormatVersion = "2.0"

// The types of the statements that records are sealed with.
const (
	sealRun   = "run"
	sealEntry = "journal entry"
	sealOrder = "order"
)

// A Chain is the records of one run as far as they are sealed: the run itself, then
// its entries, each over the digest of the record before it. What was changed, removed,
// inserted or put in another order breaks it. A journal whose newest entries are gone is
// whole: it is that of a run which died before it wrote them. A Chain is a value: what
// failed to be written leaves it as it was.
type Chain struct {
	cluster, config, run string
	last                 string // digest of the newest record, which has those before in it
}

// Start seals the run r, whose records the cluster of this identity keeps.
func (r *Run) Start(key seal.Key, cluster string) (Chain, error) {
	r.FormatVersion = FormatVersion
	s, err := r.statement(cluster)
	if err != nil {
		return Chain{}, err
	}
	r.Seal = key.Sign(s)
	return Chain{cluster: cluster, config: r.Config, run: r.ID, last: s.Content}, nil
}

// statement is what the seal of a run is over: all of its record but the seal.
func (r Run) statement(cluster string) (seal.Statement, error) {
	r.Seal, r.Untrusted, r.Entries = "", "", nil
	text, err := json.Marshal(r)
	if err != nil {
		return seal.Statement{}, fmt.Errorf("encode run %s: %w", r.ID, err)
	}
	return seal.Statement{Type: sealRun, Cluster: cluster, Config: r.Config, Place: seal.Place(r.ID), Content: seal.Digest(text)}, nil
}

// Append returns e sealed as the next entry, and the chain with it.
func (c Chain) Append(key seal.Key, e Entry) (Entry, Chain, error) {
	s, err := c.statement(e)
	if err != nil {
		return e, c, err
	}
	e.Seal, c.last = key.Sign(s), s.Content
	return e, c, nil
}

func (c Chain) statement(e Entry) (seal.Statement, error) {
	e.Seal = ""
	text, err := json.Marshal(e)
	if err != nil {
		return seal.Statement{}, fmt.Errorf("encode journal entry %d: %w", e.Seq, err)
	}
	return seal.Statement{
		Type: sealEntry, Cluster: c.cluster, Config: c.config, Place: seal.Place(c.run, fmt.Sprint(e.Seq)),
		Content: seal.Digest([]byte(c.last + "\n" + string(text))),
	}, nil
}

// Verify returns the chain of r, whose entries are as they were stored, or an error that
// says in words why it is not to be acted on.
func (r Run) Verify(public seal.Public, cluster string) (Chain, error) {
	switch {
	case r.Untrusted != "":
		return Chain{}, errors.New(r.Untrusted)
	case r.FormatVersion == "":
		return Chain{}, errors.New("it has no seal: hubcap before records of version " + FormatVersion + " wrote it, or somebody else")
	case public.IsZero():
		return Chain{}, errors.New("its seal cannot be checked: the cluster has no public key")
	}
	s, err := r.statement(cluster)
	if err != nil {
		return Chain{}, err
	}
	if !public.Verify(s, r.Seal) {
		return Chain{}, errors.New(mismatch(public, r.Seal, "it was changed since it was written, or is another config's, run's or cluster's"))
	}
	c := Chain{cluster: cluster, config: r.Config, run: r.ID, last: s.Content}
	newest := s
	for i, e := range r.Entries {
		if e.Seq != i+1 {
			return c, fmt.Errorf("entry %d of its journal is missing", i+1)
		}
		if newest, err = c.statement(e); err != nil {
			return c, err
		}
		c.last = newest.Content
	}
	// The newest seal is over all entries before it.
	if n := len(r.Entries); n > 0 && !public.Verify(newest, r.Entries[n-1].Seal) {
		return c, errors.New(mismatch(public, r.Entries[n-1].Seal, "entries of its journal were changed, removed, added or put in another order"))
	}
	return c, nil
}

// mismatch says why a seal is none of public's: what was sealed is another thing, or the
// key is another one.
func mismatch(public seal.Public, text, otherwise string) string {
	if key := seal.KeyOf(text); key != "" && key != public.ID() {
		return fmt.Sprintf("its seal is of key %.20q, and the cluster's is %s: the key was rotated or lost since, or it is another cluster's", key, public.ID())
	}
	return "its seal does not fit: " + otherwise
}

// Sign seals an order for a run whose records the cluster of this identity keeps.
func (o *Order) Sign(key seal.Key, cluster string, r Run) error {
	s, err := o.statement(cluster, r)
	if err != nil {
		return err
	}
	o.Seal = key.Sign(s)
	return nil
}

// IsSealed reports whether somebody who may apply gave the order, for the run r.
func (o Order) IsSealed(public seal.Public, cluster string, r Run) bool {
	s, err := o.statement(cluster, r)
	return err == nil && public.Verify(s, o.Seal)
}

func (o Order) statement(cluster string, r Run) (seal.Statement, error) {
	o.Seal = ""
	text, err := json.Marshal(o)
	if err != nil {
		return seal.Statement{}, fmt.Errorf("encode order: %w", err)
	}
	return seal.Statement{Type: sealOrder, Cluster: cluster, Config: r.Config, Place: seal.Place(r.ID), Content: seal.Digest(text)}, nil
}
