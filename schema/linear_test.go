//go:build unix

package schema

import (
	"syscall"
	"testing"
	"time"
)

// TestLoadIsLinear loads the same blocks four times over and asks that it takes
// less than ten times the processor time: far from the sixteen of a quadratic
// loader, with room for the garbage collector of a busy machine.
func TestLoadIsLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	least := func(dir string) time.Duration {
		best := time.Hour
		for range 3 {
			start := processorTime(t)
			if _, diags := Load(dir, Options{}); len(diags) > 0 {
				t.Fatal(diags)
			}
			best = min(best, processorTime(t)-start)
		}
		return best
	}
	small, large := least(writeLarge(t, 30, 25)), least(writeLarge(t, 120, 25))
	t.Logf("750 blocks %v, 3,000 blocks %v of processor time", small, large)
	if large > 10*small {
		t.Errorf("3,000 blocks take %v, which is %.1f times the %v of 750", large, float64(large)/float64(small), small)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
