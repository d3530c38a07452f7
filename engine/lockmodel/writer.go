// Package lockmodel says what the lock, the journal and the writes of runs have to be
// like: a model of them, explored in its test, and the specification against which
// histories of real writes are held.
//
// Place in the pipeline: outside; tests use it.
package lockmodel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// A Call is one write as it was sent: of the lease, or of an object on behalf of a run.
type Call struct {
	Lease   bool
	Holder  string // that the lease is to have; empty: nobody
	Run     string
	Object  string
	Before  string // the version that it is based on
	Creates bool   // it is based on there being none
}

// An Answer is what the server said to a call.
type Answer struct {
	Accepted bool
	Version  string // that the object has then
}

// A writer is what the calls so far have led to: who has the lock, and the version of
// each object, as "name=version" joined by semicolons.
type writer struct{ holder, run, versions string }

func (w writer) version(object string) string {
	for pair := range strings.SplitSeq(w.versions, ";") {
		if name, version, _ := strings.Cut(pair, "="); name == object {
			return version
		}
	}
	return ""
}

func (w writer) with(object, version string) writer {
	pairs := slices.DeleteFunc(strings.Split(w.versions, ";"), func(pair string) bool {
		return pair == "" || strings.HasPrefix(pair, object+"=")
	})
	pairs = append(pairs, object+"="+version)
	slices.Sort(pairs)
	w.versions = strings.Join(pairs, ";")
	return w
}

// OneWriter is the specification of histories of [Call] and [Answer]: a write is accepted
// only while its run has the lock, and only on the version that it is based on. What is
// there when a history begins may have any version.
var OneWriter = porcupine.Model{
	Init: func() any { return writer{} },
	Step: func(state, input, output any) (bool, any) {
		w, c, a := state.(writer), input.(Call), output.(Answer)
		live := w.version(c.Object)
		switch {
		case !a.Accepted:
			return true, w
		case live != "" && (c.Creates || live != c.Before):
			return false, w
		case c.Lease:
			w.holder, w.run = c.Holder, c.Run
		case w.holder == "" || w.run != c.Run:
			return false, w
		}
		return true, w.with(c.Object, a.Version)
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v %+v", input, output) },
}
