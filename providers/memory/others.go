package memory

import (
	"slices"
	"strings"

	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// Seat sets the people on the cluster.
func (w *World) Seat(c resource.Census) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Census = c
}

// Forbid makes writes of a kind be denied.
func (w *World) Forbid(kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state.Denied == nil {
		w.state.Denied = map[string]bool{}
	}
	w.state.Denied[kind] = true
}

// Put makes an object that hubcap does not own, or owned by the config owner. What is
// this world's owner's is sealed, as if hubcap had written it.
func (w *World) Put(id resource.ID, o resource.Object, owner string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Version++
	r := &record{ID: id, Object: plain(o), Owner: owner, Version: w.state.Version}
	if owner == w.Owner {
		r.Applied = r.Object.Copy()
		if err := w.seal(r); err != nil {
			panic("memory: " + err.Error())
		}
	}
	w.delete(id)
	w.insert(r)
}

// Copy makes a copy of an object under another ID, with all that is noted on it, as
// somebody does who exports it and creates it elsewhere.
func (w *World) Copy(from, to resource.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Version++
	r := *w.state.index[from]
	r.ID, r.Object, r.Version = to, r.Object.Copy(), w.state.Version
	w.insert(&r)
}

// Publish replaces the public key, as somebody may who can write ConfigMaps.
func (w *World) Publish(key seal.Public) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.SealPublic = key.String()
}

// SealWith seals an object with another key than the world's.
func (w *World) SealWith(id resource.ID, key seal.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.state.index[id]
	r.Seal = key.Sign(w.statement(r))
}

// Unseal takes the seal off an object, as on what older versions wrote.
func (w *World) Unseal(id resource.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.index[id].Seal = ""
}

// Edit changes one field of an object behind hubcap's back; a nil value removes
// it.
func (w *World) Edit(id resource.ID, manager string, value any, path ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.state.index[id]
	if value == nil {
		parent, _ := r.Object.Value(path[:len(path)-1]...)
		delete(asMap(parent), path[len(path)-1])
	} else {
		r.Object.Set(value, path...)
	}
	w.state.Version++
	r.Version = w.state.Version
	if r.Edits == nil {
		r.Edits = map[string]edit{}
	}
	r.Edits[strings.Join(path, ".")] = edit{Manager: manager, Time: w.now()}
}

// Remove deletes an object behind hubcap's back.
func (w *World) Remove(id resource.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delete(id)
}

// Objects returns a copy of everything that lives, by ID.
func (w *World) Objects() map[resource.ID]resource.Object {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[resource.ID]resource.Object, len(w.state.Objects))
	for _, r := range w.state.Objects {
		all[r.ID] = r.Object.Copy()
	}
	return all
}

// Object returns a copy of one object; nil when there is none.
func (w *World) Object(id resource.ID) resource.Object {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.state.index[id]; r != nil {
		return r.Object.Copy()
	}
	return nil
}

// Save writes the world's file, after changes made from outside.
func (w *World) Save() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.save()
}

// IDs returns what lives, in order.
func (w *World) IDs() []resource.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []resource.ID
	for _, r := range w.state.Objects {
		ids = append(ids, r.ID)
	}
	return slices.Clip(ids)
}

// lookup answers charts' questions about what lives, as expand.Facts says.
func (w *World) lookup(_, kind, namespace, name string) (map[string]any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	items := []any{}
	for _, r := range w.state.Objects {
		if r.ID.Kind != kind || namespace != "" && r.ID.Namespace != namespace {
			continue
		}
		o := map[string]any(r.Object.Copy())
		if r.ID.Name == name {
			return o, nil
		}
		items = append(items, o)
	}
	if name != "" {
		return nil, nil
	}
	return map[string]any{"kind": "List", "items": items}, nil
}

// Reidentify gives the world another identity, as if it were another cluster with all
// that this one holds.
func (w *World) Reidentify(identity string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Identity = identity
}
