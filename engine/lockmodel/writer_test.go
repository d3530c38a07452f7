package lockmodel

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// Histories of one writer at a time are told from others.
func TestOneWriter(t *testing.T) {
	op := func(from, to int64, c Call, version string) porcupine.Operation {
		return porcupine.Operation{Input: c, Output: Answer{Accepted: version != "", Version: version}, Call: from, Return: to}
	}
	lock := func(from int64, run, before, version string) porcupine.Operation {
		return op(from, from+1, Call{Lease: true, Object: "lease", Holder: run, Run: run, Before: before}, version)
	}
	write := func(from, to int64, run, before, version string) porcupine.Operation {
		return op(from, to, Call{Object: "x", Run: run, Before: before}, version)
	}
	for _, test := range []struct {
		reason  string
		history []porcupine.Operation
		want    bool
	}{
		{"one after the other", []porcupine.Operation{lock(0, "a", "", "1"), write(2, 3, "a", "", "2"), lock(4, "b", "1", "3"), write(6, 7, "b", "2", "4")}, true},
		{"a late one is refused", []porcupine.Operation{lock(0, "a", "", "1"), lock(4, "b", "1", "3"), write(2, 9, "a", "", ""), write(6, 7, "b", "", "4")}, true},
		{"a write that was under way when the lock changed hands", []porcupine.Operation{lock(0, "a", "", "1"), write(2, 9, "a", "", "2"), lock(4, "b", "1", "3")}, true},
		{"a write without the lock", []porcupine.Operation{lock(0, "a", "", "1"), lock(4, "b", "1", "3"), write(6, 7, "a", "", "2")}, false},
		{"a write on an older version", []porcupine.Operation{lock(0, "a", "", "1"), write(2, 3, "a", "", "2"), write(4, 5, "a", "1", "3")}, false},
		{"a lock that is taken twice", []porcupine.Operation{lock(0, "a", "", "1"), lock(4, "b", "1", "3"), lock(6, "c", "1", "4")}, false},
	} {
		if got := porcupine.CheckOperations(OneWriter, test.history); got != test.want {
			t.Errorf("%s: %v, want %v", test.reason, got, test.want)
		}
	}
}
