package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// Seals has the key pair of the cluster. It is the part of engine.Seals that a
// provider needs.
type Seals interface {
	SigningKey(ctx context.Context) (seal.Key, error)
	PublicKey(ctx context.Context) (seal.Public, error)
}

// signingKey returns the key that writes are sealed with, and that deletions ask for.
// It is read once. The zero key means that nothing is sealed here.
func (p *Provider) signingKey(ctx context.Context) (seal.Key, error) {
	if p.Seals == nil {
		return seal.Key{}, nil
	}
	p.sealing.Lock()
	defer p.sealing.Unlock()
	if p.signing.IsZero() {
		key, err := p.Seals.SigningKey(ctx)
		if err != nil {
			return seal.Key{}, fmt.Errorf("seal what is written: %w", err)
		}
		p.signing = key
	}
	return p.signing, nil
}

// publicKey returns the key that seals are verified with: the signing key's own half
// once that was read, else what is published.
func (p *Provider) publicKey(ctx context.Context) (seal.Public, error) {
	if p.Seals == nil {
		return seal.Public{}, nil
	}
	p.sealing.Lock()
	signing := p.signing
	p.sealing.Unlock()
	if !signing.IsZero() {
		return signing.Public(), nil
	}
	var public seal.Public
	err := retryRead(ctx, func() (err error) {
		public, err = p.Seals.PublicKey(ctx)
		return err
	})
	if err != nil {
		return seal.Public{}, err
	}
	p.sealing.Lock()
	defer p.sealing.Unlock()
	p.published = public
	return public, nil
}

// verifier returns the best key that was read so far.
func (p *Provider) verifier() seal.Public {
	p.sealing.Lock()
	defer p.sealing.Unlock()
	if !p.signing.IsZero() {
		return p.signing.Public()
	}
	return p.published
}

// statement is what the seal of an object at id is over.
func (p *Provider) statement(id resource.ID, o resource.Object) seal.Statement {
	return resource.Statement(id, p.Identity, p.Owner, o)
}

// doubt returns why u is not known to be ours, or "" when it is: its seal is valid,
// and its managed fields say that our manager wrote it. They alone prove nothing,
// whoever creates an object can write them.
func (p *Provider) doubt(u *unstructured.Unstructured, key seal.Public) string {
	if why := resource.Doubt(p.statement(p.id(u), u.Object), resource.SealOf(u.Object), key); why != "" {
		return why
	}
	if _, wrote := ownedBy(u, writerOf(u, p.manager())); !wrote {
		return "its managed fields do not say that hubcap wrote it"
	}
	return ""
}

// sealed puts the seal on a body that is about to be written.
func (p *Provider) sealed(ctx context.Context, id resource.ID, body resource.Object) error {
	key, err := p.signingKey(ctx)
	if err != nil || key.IsZero() {
		return err
	}
	setAnnotation(body, resource.AnnotationSeal, key.Sign(p.statement(id, body)))
	return nil
}

// wroteAs returns the field manager under which we wrote u: the one of now or, where
// a valid seal says so, the one that the config named before; "" when we did not. An
// entry of the former proves little, see [Provider.doubt], and is enough for what the
// config wants here anyway.
func (p *Provider) wroteAs(u *unstructured.Unstructured) string {
	if _, wrote := ownedBy(u, p.manager()); wrote {
		return p.manager()
	}
	former := writerOf(u, "")
	if _, wrote := ownedBy(u, former); former == "" || !wrote || resource.Doubt(p.statement(p.id(u), u.Object), resource.SealOf(u.Object), p.verifier()) != "" {
		return ""
	}
	return former
}

// writerOf returns the field manager that the record on u says wrote it last; ours
// when it does not say. It is to be believed only where the seal is valid.
func writerOf(u *unstructured.Unstructured, ours string) string {
	if last := applied(u); last != nil && last.Manager != "" {
		return last.Manager
	}
	return ours
}

// readKey reads the key that seals are verified with. Without it nothing is taken for
// ours that nothing desires.
func (s *survey) readKey(ctx context.Context) error {
	key, err := s.p.publicKey(ctx)
	if s.p.Client.hopeless(ctx, err) {
		return s.p.Client.explain("read", "public key of seals", err)
	}
	if err != nil {
		s.cannotRead("public key of seals", err, nil)
		s.keyless = true
		return nil
	}
	s.key = key
	return nil
}

// sort tells orphans from what only bears our label.
func (s *survey) sort() {
	for _, u := range s.strays {
		if why := s.p.doubt(u, s.key); why != "" {
			s.unsealed = append(s.unsealed, s.unsealedOf(u, why))
			continue
		}
		l := *s.p.live(u, nil)
		// What others wrote into it is not ours to bring back when it is made again.
		if owns, known := ownedBy(u, writerOf(u, s.p.manager())); known {
			was := &comparison{p: s.p, live: u, owns: owns, fields: owns}
			l.Object = was.part(u)
		}
		s.orphans = append(s.orphans, l)
	}
}

// lacksSeal reports whether the i-th desired object lives without a seal of the
// cluster's key, so that the next write seals it.
func (s *survey) lacksSeal(i int) bool {
	if s.p.Seals == nil || s.keyless || s.live[i] == nil {
		return false
	}
	return s.key.IsZero() || !s.p.bearsSeal(s.live[i], s.key)
}

// bearsSeal reports whether what is wanted bears a seal of the key. It is asked of every object and
// therefore looks only at which key a seal names: what is not ours by that is not
// deleted, and what is written gets a seal anyway. Of a record, which hubcap acts on, the
// seal is verified.
func (p *Provider) bearsSeal(live *unstructured.Unstructured, key seal.Public) bool {
	own := resource.SealOf(live.Object)
	if resource.IsRecord(live.Object) {
		return resource.Doubt(p.statement(p.id(live), live.Object), own, key) == ""
	}
	return seal.KeyOf(own) == key.ID()
}
