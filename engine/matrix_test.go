package engine_test

import (
	"fmt"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"

	"hubcap/providers/memory"
)

// TestMain collects garbage as the command does: with heaps as small as these it would be
// a fifth of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

// matrix visits a world at every place of every variant: n is the number of a call, or of
// what else can be counted, from 1. visit reports whether there was such a place. Variants
// go side by side, each in a bubble of its own. Fewer places than least are an error: what
// is visited has become too small to show anything.
func matrix[V any](t *testing.T, least int, variants []V, visit func(t *testing.T, v V, n int) bool) {
	t.Helper()
	var mu sync.Mutex
	count, ended := 0, 0
	for _, v := range variants {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				places := 0
				for n := 1; visit(t, v, n); n += stride() {
					places += stride()
				}
				mu.Lock()
				defer mu.Unlock()
				count += places
				ended++
			})
		})
	}
	t.Cleanup(func() {
		t.Logf("%d places visited", count)
		if ended == len(variants) && count < least {
			t.Errorf("only %d places, want at least %d: what is visited has become too small to show anything", count, least)
		}
	})
}

// A crash is what is done about the death of a process at a moment of its calls.
type crash struct {
	remedy
	at memory.Moment
}

func (c crash) String() string { return fmt.Sprintf("%s, moment %d", c.name, c.at) }

// death is that at the n-th call.
func (c crash) death(n int) death { return death{n, c.at} }

// crashes are those with each remedy, right before and right after the effect of a call.
func crashes(all ...remedy) []crash {
	var variants []crash
	for _, r := range all {
		variants = append(variants, crash{r, memory.BeforeEffect}, crash{r, memory.AfterEffect})
	}
	return variants
}

// resumes are crashes after which the run is resumed, wherever that leads.
func resumes() []crash { return crashes(remedy{name: "resume"}) }

// bubbles keeps what worlds were like that a test has made, by test and key.
var bubbles sync.Map

// made returns a world as make makes it, which is asked once in each test: whoever visits
// many places begins each with a copy.
func made(t *testing.T, key string, make func() *memory.World) *memory.World {
	t.Helper()
	type place struct {
		t   *testing.T
		key string
	}
	at := place{t, key}
	first, known := bubbles.Load(at)
	if !known {
		w := make()
		first = w.Clone()
		bubbles.Store(at, first)
		t.Cleanup(func() { bubbles.Delete(at) })
		return w
	}
	return first.(*memory.World).Clone()
}
