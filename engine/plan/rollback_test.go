package plan

import (
	"strings"
	"testing"

	"hubcap/engine/resource"
)

// TestKeepBackup holds that the Job that brings a database back stays on a way back: always
// when a person asked for it, and when the run goes back by itself if it made a copy.
func TestKeepBackup(t *testing.T) {
	id := resource.ID{Cluster: "c", Group: "batch", Kind: "Job", Namespace: "hub", Name: "hub-database-backup-1"}
	for _, test := range []struct {
		name        string
		asked, back bool
		copies      int64
		annotations map[string]any
		keeps       bool
	}{
		{"asked for", true, true, 0, map[string]any{AnnotationBackup: "file"}, true},
		{"by itself, with a copy", false, true, 1, map[string]any{AnnotationBackup: "file"}, true},
		{"by itself, without a copy", false, true, 0, map[string]any{AnnotationBackup: "file"}, false},
		{"another job", true, true, 1, map[string]any{}, false},
	} {
		o := resource.Object{"kind": "Job", "metadata": map[string]any{"annotations": test.annotations}, "status": map[string]any{"succeeded": test.copies}}
		b := newBuilder(Input{Back: test.back, Asked: test.asked, Reading: resource.Reading{Orphans: []resource.Live{{ID: id, Object: o}}}})
		c := resource.Change{ID: id, Action: resource.Delete, Before: o.Image()}
		reason := b.objection(&c)
		if keeps := strings.Contains(reason, "bring the database back"); keeps != test.keeps {
			t.Errorf("%s: it says %q, want it kept: %t", test.name, reason, test.keeps)
		}
	}
}
