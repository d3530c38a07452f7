package gke

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/engine/seal"
	"hubcap/providers/gke/emulator"
)

// A cabinet keeps a cluster's key pair and the records of its pools.
type cabinet struct {
	mu     sync.Mutex
	key    seal.Key
	kept   map[string]string
	writes int
	err    error // of reading records
}

func newCabinet() *cabinet { return &cabinet{key: testKey("0"), kept: map[string]string{}} }

// testKey returns the key that is made of a letter.
func testKey(letter string) seal.Key {
	key, err := seal.ParseKey([]byte(strings.Repeat(letter, 32)))
	if err != nil {
		panic(err)
	}
	return key
}

func (c *cabinet) SigningKey(context.Context) (seal.Key, error)   { return c.key, nil }
func (c *cabinet) PublicKey(context.Context) (seal.Public, error) { return c.key.Public(), nil }

func (c *cabinet) Pools(context.Context) (map[string]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.kept), c.err
}

func (c *cabinet) SetPool(_ context.Context, place, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[place], c.writes = text, c.writes+1
	return nil
}

func (c *cabinet) DropPool(_ context.Context, place string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, place)
	return nil
}

// edit changes a pool in the way of somebody who does not use hubcap.
func (w *world) edit(t *testing.T, name string, f func(np *container.NodePool)) {
	t.Helper()
	if err := w.server.Edit(home, name, f); err != nil {
		t.Fatal(err)
	}
}

// TestUnsealedPoolsAreKept: of what bears our labels and nothing wants, only what the
// cluster's key sealed under the pool's own nonce is an orphan. What is not is named,
// and a deletion that was planned before is refused. Wanted, it is sealed by a write that
// changes nothing else, and then it is an orphan as any.
func TestUnsealedPoolsAreKept(t *testing.T) {
	for reason, tc := range map[string]struct {
		change func(t *testing.T, w *world)
		says   string
	}{
		"an older version made it": {func(t *testing.T, w *world) {
			w.edit(t, "user", func(np *container.NodePool) { delete(np.Config.ResourceLabels, noteSeal) })
			clear(w.sealed.kept)
		}, "no seal"},
		"its label was changed": {func(t *testing.T, w *world) {
			w.edit(t, "user", func(np *container.NodePool) { np.Config.ResourceLabels[noteSeal] = "abc" })
		}, "of another object"},
		"the record is lost": {func(_ *testing.T, w *world) { clear(w.sealed.kept) }, "no record"},
		"the record is no record": {func(_ *testing.T, w *world) {
			w.sealed.kept[w.place("user")] = "{"
		}, "no record"},
		"the key is lost":      {func(_ *testing.T, w *world) { w.sealed.key = testKey("1") }, "another key"},
		"of another cluster":   {func(_ *testing.T, w *world) { w.ClusterUID = "another" }, "of another object"},
		"the record is forged": {func(_ *testing.T, w *world) { forge(w, testKey("1")) }, "another key"},
	} {
		in(t, emulator.Options{}, func(t *testing.T, w *world) {
			w.apply(t, desired("user"))
			deletion := w.changes(t)[0]
			tc.change(t, w)
			r, err := w.Read(w.ctx, nil)
			if err != nil || len(r.Orphans) != 0 || len(r.Unsealed) != 1 || !strings.Contains(r.Unsealed[0].Reason, tc.says) {
				t.Fatalf("%s: Read: orphans %v, unsealed %v, %v; want the pool kept, with %q", reason, r.Orphans, r.Unsealed, err, tc.says)
			}
			if _, err := w.Write(w.ctx, deletion, run.Sight{State: run.AtBefore}); err == nil || w.pool("user") == nil {
				t.Errorf("%s: it is deleted (%v)", reason, err)
			}
			changes := w.apply(t, desired("user"))
			if len(changes) != 1 || !changes[0].Seals || len(changes[0].Fields) > 0 {
				t.Errorf("%s: wanted, the changes are %+v; want one that seals and nothing else", reason, changes)
			}
			w.settled(t, desired("user"))
			if w.apply(t); w.pool("user") != nil || len(w.sealed.kept) > 0 {
				t.Errorf("%s: sealed, and wanted no more, it stays, or its record: %v", reason, w.sealed.kept)
			}
		})
	}
}

func forge(w *world, key seal.Key) {
	place := w.place("user")
	r := parseRecord(w.sealed.kept[place])
	r.Seal = key.Sign(w.statement("user", r.Nonce))
	w.sealed.kept[place] = r.String()
}

// TestCopiedPoolIsKept: a pool that somebody made with all the labels of ours is not
// ours, whatever record they copy.
func TestCopiedPoolIsKept(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		w.copyPool(t, "user", "theirs")
		r, err := w.Read(w.ctx, []resource.Desired{desired("user")})
		if err != nil || len(r.Orphans) != 0 || len(r.Unsealed) != 1 || r.Unsealed[0].ID.Name != "theirs" || !r.Observations[0].Same {
			t.Errorf("Read: %+v, %v; want the copy kept and named", r, err)
		}
	})
}

// TestUnreadableSeals: what cannot be checked is not taken for ours, is not said to
// lack a seal, and makes the reading incomplete.
func TestUnreadableSeals(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		deletion := w.changes(t)[0]
		w.sealed.err = errors.New("forbidden")
		r, err := w.Read(w.ctx, []resource.Desired{desired("user")})
		if err != nil || len(r.Unreadable) != 1 || !r.Observations[0].Same {
			t.Errorf("Read: %+v, %v; want it incomplete and the pool as desired", r, err)
		}
		if r, err = w.Read(w.ctx, nil); err != nil || len(r.Orphans) != 0 || len(r.Unsealed) != 1 {
			t.Errorf("Read: %+v, %v; want no orphan", r, err)
		}
		if _, err := w.Write(w.ctx, deletion, run.Sight{State: run.AtBefore}); err == nil || w.pool("user") == nil {
			t.Errorf("it is deleted (%v)", err)
		}
	})
}

// TestSealIsWrittenOnce: a pool is vouched for before it is made, and not again by
// what changes it later; another shape of it has a nonce of its own.
func TestSealIsWrittenOnce(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		w.apply(t, desired("user"))
		nonce := w.pool("user").NodePool.Config.ResourceLabels[noteSeal]
		bigger := desired("user", setting(int64(9), "autoscaling", "maxNodeCount"), setting("yes", "config", "resourceLabels", "more"))
		w.apply(t, bigger)
		w.settled(t, bigger)
		if now := w.pool("user").NodePool.Config.ResourceLabels[noteSeal]; nonce == "" || now != nonce || w.sealed.writes != 1 {
			t.Errorf("nonce %q, then %q, after %d writes of the record", nonce, now, w.sealed.writes)
		}
		w.apply(t, bigger, desired("user-2"))
		if other := w.pool("user-2").NodePool.Config.ResourceLabels[noteSeal]; other == "" || other == nonce {
			t.Errorf("two pools have the nonces %q and %q", nonce, other)
		}
	})
}

// TestSealOnAWord: a pool that an older version made, and that nothing wants, is sealed
// when a person says so, if it is as it was shown, and then it is an orphan as any. Its
// notes stay as they are. What the present key sealed otherwise is never taken.
func TestSealOnAWord(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		shown := func() resource.Unsealed {
			t.Helper()
			r, err := w.Read(w.ctx, nil)
			if err != nil || len(r.Unsealed) != 1 {
				t.Fatalf("Read: %+v, %v; want one pool without a seal", r, err)
			}
			return r.Unsealed[0]
		}
		w.apply(t, desired("user"))
		notes := maps.Clone(w.pool("user").NodePool.Config.ResourceLabels)
		w.edit(t, "user", func(np *container.NodePool) { np.Config.ResourceLabels[noteSeal] = "copied" })
		if u := shown(); u.Barred == "" || w.Seal(w.ctx, w.sealed.key, u) == nil {
			t.Errorf("what the present key sealed otherwise is taken: %+v", u)
		}
		clear(w.sealed.kept)
		w.edit(t, "user", func(np *container.NodePool) { delete(np.Config.ResourceLabels, noteSeal) })
		u := shown()
		w.edit(t, "user", func(np *container.NodePool) { np.Config.ResourceLabels["theirs"] = "x" })
		if err := w.Seal(w.ctx, w.sealed.key, u); !errors.Is(err, resource.ErrChanged) {
			t.Errorf("sealing what was changed since: %v", err)
		}
		if err := w.Seal(w.ctx, w.sealed.key, shown()); err != nil {
			t.Fatal(err)
		}
		notes["theirs"], notes[noteSeal] = "x", w.pool("user").NodePool.Config.ResourceLabels[noteSeal]
		if now := w.pool("user").NodePool.Config.ResourceLabels; !maps.Equal(now, notes) {
			t.Errorf("labels %v, want %v", now, notes)
		}
		former := w.sealed.key
		r, err := w.Read(w.ctx, nil)
		if err != nil || len(r.Orphans) != 1 {
			t.Fatalf("Read: %+v, %v; want it ours", r, err)
		}
		w.sealed.key = testKey("1") // rotated
		again := resource.Unsealed{ID: r.Orphans[0].ID, Version: r.Orphans[0].Version, Under: testKey("2").Public()}
		if err := w.Seal(w.ctx, w.sealed.key, again); err == nil {
			t.Error("what the former key had not sealed is sealed again")
		}
		again.Under = former.Public()
		if err := w.Seal(w.ctx, w.sealed.key, again); err != nil {
			t.Error(err)
		}
		if w.apply(t); w.pool("user") != nil {
			t.Error("it is ours and stays")
		}
	})
}
