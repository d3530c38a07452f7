//go:build e2e

package e2e

import (
	"net/http"
	"testing"
)

// TestFlakyAPIServer applies while the API server refuses, throttles, and cuts
// connections before and after it did what it was asked. Whatever the exit code
// says has to be so.
func TestFlakyAPIServer(t *testing.T) {
	w := newParts(t, "flaky")
	w.proxy = newProxy(t)
	random := seeded(t)
	w.hubcap(applier, 0, "apply", "--auto-approve", of(1))
	w.isAt(1)
	at := 1
	for _, c := range []struct {
		name  string
		fates []fate
		one   int // request in so many is spoilt
	}{
		{"refuses", []fate{refused}, 6},
		{"throttles", []fate{throttled}, 12},
		{"cuts connections", []fate{cut}, 8},
		{"loses answers", []fate{lost}, 8},
		{"all of it", []fate{refused, throttled, cut, lost}, 6},
	} {
		w.run(c.name, func(t *testing.T) {
			w.proxy.spoil(func(*http.Request) fate {
				if random.IntN(c.one) > 0 {
					return passed
				}
				return c.fates[random.IntN(len(c.fates))]
			})
			defer w.proxy.spoil(nil)
			to := 3 - at
			r := w.begin(applier, "apply", "--auto-approve", of(to)).wait()
			w.proxy.spoil(nil)
			switch r.code {
			case 0:
				at = to
			case 6: // held: the journal could not be written
				t.Log(r)
				w.hubcap(applier, 0, "resume")
				at = to
			case 1, 3, 4: // nothing was changed, or it was undone
				t.Log(r)
			default:
				t.Fatalf("exit code %d: %s", r.code, r)
			}
			w.isAt(at)
		})
	}
}
