package charts

import (
	"path/filepath"
	"sync"
	"testing"
)

// TestOneOriginIsDrawn has several create a lock file at once: all go on with the origin
// that it holds, and no later write takes that away.
func TestOneOriginIsDrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), LockFile)
	got := make([]string, 8)
	var wait sync.WaitGroup
	for i := range got {
		wait.Go(func() {
			l, err := CreateLock(path, (&Lock{}).WithOrigin(DrawOrigin()))
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = l.Origin
		})
	}
	wait.Wait()
	for _, origin := range got {
		if origin == "" || origin != got[0] {
			t.Fatalf("several origins: %q", got)
		}
	}
	for _, l := range []*Lock{{}, (&Lock{}).WithOrigin(DrawOrigin())} {
		if err := WriteLock(path, l); err != nil {
			t.Fatal(err)
		}
		if kept := originIn(path); kept != got[0] {
			t.Errorf("the origin is %q, and was %q", kept, got[0])
		}
	}
}
