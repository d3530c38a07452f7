package providertest

import (
	"testing"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Seals is what others do to the seal of Wanted, once it lives.
type Seals struct {
	// Strip takes it off, as on what versions without seals left.
	Strip func(t *testing.T)

	// Rekey gives the cluster another key than made it.
	Rekey func(t *testing.T)

	// Copy makes an object elsewhere with all that is noted on Wanted, its seal
	// included, and, where objects have managed fields, in the name of hubcap's field manager.
	Copy func(t *testing.T) resource.ID
}

// sealedWhenWritten: what was written bears a seal, and what is wanted no more is hubcap's to
// delete by that.
func sealedWhenWritten(t *testing.T, w World) {
	w.apply(t, w.Wanted)
	o := w.read(t, w.Wanted).Observations[0]
	if o.Live == nil || o.Live.Seal == "" || o.Seals {
		t.Errorf("after creation: %+v, to be sealed: %v; want it to bear a seal", o.Live, o.Seals)
	}
	w.apply(t, w.Other)
	if o := w.read(t, w.Other).Observations[0]; o.Live == nil || o.Live.Seal == "" || o.Seals {
		t.Errorf("after an update: %+v, to be sealed: %v; want it to bear a seal", o.Live, o.Seals)
	}
	if r := w.read(t); len(r.Orphans) != 1 || len(r.Unsealed) != 0 || r.Orphans[0].Seal == "" {
		t.Errorf("wanted no more: orphans %+v, without a seal %+v; want it to be an orphan", r.Orphans, r.Unsealed)
	}
}

func unsealed(t *testing.T, w World) { kept(t, w, w.Seals.Strip) }
func otherKey(t *testing.T, w World) { kept(t, w, w.Seals.Rekey) }

// isIn reports whether the object, and no other, is kept and named.
func isIn(r resource.Reading, id resource.ID) bool {
	return len(r.Orphans) == 0 && len(r.Unsealed) == 1 && r.Unsealed[0].ID == id && r.Unsealed[0].Reason != ""
}

// kept holds that an object which the cluster's key did not seal as it is, is neither taken
// for hubcap's nor deleted when nothing wants it, also by a plan that was made before; and
// that where it is wanted the next write seals it, and changes nothing else.
func kept(t *testing.T, w World, spoil func(*testing.T)) {
	if spoil == nil {
		t.Skip("nobody tampers with seals here")
	}
	w.apply(t, w.Wanted)
	deletion := w.change(t)
	spoil(t)
	if r := w.read(t); !isIn(r, w.Wanted.ID) {
		t.Fatalf("wanted no more: orphans %+v, without a seal %+v; want it kept, and named with the reason", r.Orphans, r.Unsealed)
	}
	w.stays(t, deletion, w.Wanted)
	if c := w.apply(t, w.Wanted); !c.Seals || len(c.Fields) > 0 {
		t.Errorf("wanted, the change seals: %v, and has %d fields; want it to seal and nothing else", c.Seals, len(c.Fields))
	}
	w.settled(t, w.Wanted)
	if r := w.read(t); len(r.Orphans) != 1 || len(r.Unsealed) != 0 {
		t.Errorf("sealed again, and wanted no more: orphans %+v, without a seal %+v", r.Orphans, r.Unsealed)
	}
}

// copied holds that a copy with all marks and the seal of an object is not hubcap's.
func copied(t *testing.T, w World) {
	if w.Seals.Copy == nil {
		t.Skip("nobody tampers with seals here")
	}
	w.apply(t, w.Wanted)
	deletion := w.change(t)
	deletion.ID = w.Seals.Copy(t)
	r := w.read(t, w.Wanted)
	if !isIn(r, deletion.ID) || !r.Observations[0].Same {
		t.Fatalf("orphans %+v, without a seal %+v; want the copy kept, and named with the reason", r.Orphans, r.Unsealed)
	}
	if r.Unsealed[0].Barred == "" {
		t.Error("a person may take the copy for hubcap's, although the cluster's key sealed something else")
	}
	w.stays(t, deletion)
	if r := w.read(t, w.Wanted); !isIn(r, deletion.ID) {
		t.Errorf("after its deletion was refused: %+v; want the copy there", r)
	}
}

// stays fails the test unless a deletion is refused; wanted is read as living after it.
func (w World) stays(t *testing.T, deletion resource.Change, wanted ...resource.Desired) {
	t.Helper()
	sight, err := w.Provider.Look(t.Context(), deletion)
	if err != nil {
		t.Fatalf("Look: %v", err)
	}
	if sight.State != run.Elsewhere {
		if _, err := w.Provider.Write(t.Context(), deletion, sight); err == nil {
			t.Error("it is deleted")
		}
	}
	for _, o := range w.read(t, wanted...).Observations {
		if o.Live == nil {
			t.Error("it is gone")
		}
	}
}
