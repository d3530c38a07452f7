package kube

import "testing"

// TestNoErrorIsNone: what judges errors is asked of calls that may have succeeded.
func TestNoErrorIsNone(t *testing.T) {
	for name, judge := range map[string]func(error) bool{
		"isNetwork": isNetwork, "isCutStream": isCutStream, "isTransient": isTransient, "hopeless": func(err error) bool { return (&Client{}).hopeless(t.Context(), err) }, "isDoubtful": isDoubtful, "isNoKind": isNoKind,
	} {
		if judge(nil) {
			t.Errorf("%s: no error is one", name)
		}
	}
}
