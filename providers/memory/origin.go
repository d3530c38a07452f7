package memory

import (
	"context"

	"hubcap/engine"
)

// Origin returns where a config comes from, as engine.Origins says.
func (w *World) Origin(ctx context.Context, config string) (*engine.Origin, error) {
	var kept *engine.Origin
	err := w.do(ctx, Call{Name: "origin"}, func() error {
		if o, has := w.state.Origins[config]; has {
			kept = &o
		}
		return nil
	})
	return kept, err
}

// ForgetOrigin drops what is kept of where a config comes from, as whoever may delete a
// ConfigMap can.
func (w *World) ForgetOrigin(config string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.state.Origins, config)
}

// SetOrigin keeps where a config comes from.
func (w *World) SetOrigin(ctx context.Context, config string, o engine.Origin) error {
	return w.do(ctx, Call{Name: "claim"}, func() error {
		if w.state.Origins == nil {
			w.state.Origins = map[string]engine.Origin{}
		}
		w.state.Origins[config] = o
		return nil
	})
}
