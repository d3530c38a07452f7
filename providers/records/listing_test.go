package records

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8stesting "k8s.io/client-go/testing"

	"hubcap/engine/journal"
)

// TestRunsOfOneConfig checks that a config lists its own runs, with all parts of their
// entries, also those that another process made, and what versions left that did not
// label them; whatever its name is.
func TestRunsOfOneConfig(t *testing.T) {
	r, client := testRecords()
	ctx := t.Context()
	long, longer := strings.Repeat("n", 80), strings.Repeat("n", 81)
	for id, config := range map[string]string{"1": "a", "2": "b", "3": long, "4": longer, "5": "not a label", "old": "a"} {
		run := testRun(id)
		run.Config = config
		if err := r.Create(ctx, run, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"1", "2", "old"} {
		again := New(client, "hubcap", "prod") // goes on with what it did not begin
		if err := again.Append(ctx, id, many(2, 900), many(3, 900)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := client.CoreV1().ConfigMaps("hubcap").List(ctx, metav1.ListOptions{LabelSelector: labelRun + "=old"})
	if err != nil || len(list.Items) < 3 {
		t.Fatalf("%d parts, %v; want several", len(list.Items), err)
	}
	for _, cm := range list.Items {
		delete(cm.Labels, labelRunConfig)
		if _, err := client.CoreV1().ConfigMaps("hubcap").Update(ctx, &cm, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for config, want := range map[string][]string{
		"": {"1", "2", "3", "4", "5", "old"}, "a": {"1", "old"}, "b": {"2", "old"}, long: {"3", "old"}, longer: {"4", "old"}, "not a label": {"5", "old"},
	} {
		client.ClearActions()
		runs, err := r.Runs(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, run := range runs {
			got = append(got, run.ID)
			if slices.Contains([]string{"1", "2", "old"}, run.ID) && (len(run.Entries) != 3 || run.Untrusted != "") {
				t.Errorf("of %.5q: run %s has %d entries (%s), want 3", config, run.ID, len(run.Entries), run.Untrusted)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("runs of %.5q: %q, want %q", config, got, want)
		}
		for _, a := range client.Actions() {
			if l, isList := a.(k8stesting.ListAction); config != "" && (!isList || !strings.Contains(l.GetListRestrictions().Labels.String(), labelRunConfig)) {
				t.Errorf("of %.5q: it asks to %s with %s", config, a.GetVerb(), l.GetListRestrictions().Labels)
			}
		}
	}
}

// TestPruneOwn: a config with many runs prunes its own, and no other's.
func TestPruneOwn(t *testing.T) {
	r, _ := testRecords()
	r.keep = 1
	for _, id := range []string{"1", "2", "3"} {
		for _, config := range []string{"a", "b"} {
			run := testRun(id + config)
			run.Config, run.Number = config, int64(id[0])
			run.Entries = append(run.Entries, journal.Entry{Seq: 2, Mark: journal.RunFinished, Outcome: journal.Succeeded})
			if err := r.Create(t.Context(), run, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	runs, err := r.Runs(t.Context(), "")
	if err != nil || len(runs) != 2 || runs[0].ID != "3a" || runs[1].ID != "3b" {
		t.Errorf("left: %d runs, %v; want the last of each config", len(runs), err)
	}
}
