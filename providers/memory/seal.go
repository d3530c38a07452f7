package memory

import (
	"context"
	"fmt"
	"strconv"

	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// SigningKey returns the world's signing key and draws it when there is none, as
// engine.Seals says.
func (w *World) SigningKey(ctx context.Context) (seal.Key, error) {
	var key seal.Key
	err := w.do(ctx, Call{Name: "seal"}, func() (err error) {
		key, err = w.signingKey()
		return err
	})
	return key, err
}

func (w *World) signingKey() (seal.Key, error) {
	if w.state.SealKey == nil {
		drawn, err := seal.Draw()
		if err != nil {
			return seal.Key{}, err
		}
		w.state.SealKey = drawn.Bytes()
	}
	key, err := seal.ParseKey(w.state.SealKey)
	if err != nil {
		return seal.Key{}, fmt.Errorf("read the signing key: %w", err)
	}
	w.state.SealPublic = key.Public().String()
	return key, nil
}

// seal seals an object as it is.
func (w *World) seal(r *record) error {
	key, err := w.signingKey()
	if err != nil {
		return err
	}
	r.Seal = key.Sign(w.statement(r))
	return nil
}

// statement is what an object's seal is over: what this world keeps beside the object
// is noted on it for that, as it is in a real cluster.
func (w *World) statement(r *record) seal.Statement {
	o := r.Object.Copy()
	o.Set(r.Address.String(), "metadata", "annotations", "hubcap.dev/address")
	o.Set(r.Component.String(), "metadata", "annotations", "hubcap.dev/component")
	return resource.Statement(r.ID, w.state.Identity, r.Owner, o)
}

// doubt returns why an object is not known to be hubcap's, or "".
func (w *World) doubt(r *record) string {
	public, _ := seal.ParsePublic(w.state.SealPublic)
	return resource.Doubt(w.statement(r), r.Seal, public)
}

// lacksSeal reports whether the next write seals an object that has no seal of the
// world's key. Of a record, which hubcap acts on, the seal is verified.
func (w *World) lacksSeal(r *record) bool {
	public, _ := seal.ParsePublic(w.state.SealPublic)
	if resource.IsRecord(r.Object) {
		return w.doubt(r) != ""
	}
	return public.IsZero() || seal.KeyOf(r.Seal) != public.ID()
}

// PublicKey returns the public half, as engine.Seals says.
func (w *World) PublicKey(ctx context.Context) (seal.Public, error) {
	var public seal.Public
	err := w.do(ctx, Call{Name: "public"}, func() (err error) {
		if w.state.SealPublic != "" {
			public, err = seal.ParsePublic(w.state.SealPublic)
		}
		return err
	})
	return public, err
}

// unsealed describes a record that is not known to be hubcap's for the reason why.
func (w *World) unsealed(r *record, why string) resource.Unsealed {
	return resource.Unsealed{
		ID: r.ID, Reason: why, Says: r.Component, Record: r.Object.Text("metadata", "annotations", resource.AnnotationRecord),
		Version: strconv.FormatInt(r.Version, 10), Seal: r.Seal, Barred: w.barred(r),
	}
}

// barred returns why r may not be sealed on a person's word: somebody else made it, or
// the present key sealed something else.
func (w *World) barred(r *record) string {
	if r.Applied == nil {
		return "its managed fields do not say that hubcap wrote it"
	}
	public, _ := seal.ParsePublic(w.state.SealPublic)
	return resource.BarredSeal(r.Seal, public)
}

// Seal seals on a person's word what was shown, as engine.Sealer says.
func (w *World) Seal(ctx context.Context, key seal.Key, shown resource.Unsealed) error {
	return w.do(ctx, Call{Name: "seal object", ID: shown.ID}, func() error {
		r := w.state.index[shown.ID]
		if r == nil || strconv.FormatInt(r.Version, 10) != shown.Version {
			return fmt.Errorf("seal %s: %w", shown.ID, resource.ErrChanged)
		}
		why := w.barred(r)
		if !shown.Under.IsZero() {
			why = resource.Doubt(w.statement(r), r.Seal, shown.Under)
		}
		if why != "" {
			return fmt.Errorf("seal %s: %s", shown.ID, why)
		}
		w.state.Version++
		r.Version, r.Seal = w.state.Version, key.Sign(w.statement(r))
		return nil
	})
}

// Rotate draws a new key pair, as engine.Sealer says.
func (w *World) Rotate(ctx context.Context) (seal.Key, error) {
	var key seal.Key
	err := w.do(ctx, Call{Name: "rotate"}, func() (err error) {
		w.state.SealKey = nil
		key, err = w.signingKey()
		return err
	})
	return key, err
}

// LoseKey drops the key pair, as if its Secret had been deleted.
func (w *World) LoseKey() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.SealKey, w.state.SealPublic = nil, ""
}
