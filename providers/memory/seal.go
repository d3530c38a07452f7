package memory

import (
	"context"
	"fmt"

	"hubcap/engine/seal"
)

// SigningKey returns the world's signing key and draws it when there is none, as
// engine.Seals says.
func (w *World) SigningKey(ctx context.Context) (seal.Key, error) {
	var key seal.Key
	err := w.do(ctx, Call{Name: "seal"}, func() (err error) {
		if w.state.SealKey == nil {
			if key, err = seal.Draw(); err != nil {
				return err
			}
			w.state.SealKey = key.Bytes()
		}
		if key, err = seal.ParseKey(w.state.SealKey); err != nil {
			return fmt.Errorf("read the signing key: %w", err)
		}
		w.state.SealPublic = key.Public().String()
		return nil
	})
	return key, err
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

// LoseKey drops the key pair, as if its Secret had been deleted.
func (w *World) LoseKey() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.SealKey, w.state.SealPublic = nil, ""
}
