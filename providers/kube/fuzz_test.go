package kube

import (
	"bytes"
	"encoding/json"
	"testing"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Our reading of managed fields agrees with the library's wherever both can read
// them, and never panics.
func FuzzTreeSet(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"f:data":{}}`, `{"f:data":{".":{},"f:a":{}}}`, `{"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}}`,
		`{"f:metadata":{"f:finalizers":{"v:\"keep\"":{}}}}`, `{"f:items":{"i:3":{}}}`, `{"f:a":null}`, `{".":{}}`, `{"k:{":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var fields map[string]any
		if json.Unmarshal(text, &fields) != nil || !isTreeOfObjects(fields) {
			return
		}
		got, err := treeSet(fields)
		again, marshalErr := json.Marshal(fields) // without keys that are there twice
		want := fieldpath.NewSet()
		if marshalErr != nil || err != nil || want.FromJSON(bytes.NewReader(again)) != nil {
			return
		}
		if !got.Equals(want) {
			t.Errorf("%s\n got %s\nwant %s", again, got, want)
		}
	})
}

// isTreeOfObjects reports what managed fields always are.
func isTreeOfObjects(fields map[string]any) bool {
	for _, v := range fields {
		below, isMap := v.(map[string]any)
		if !isMap || !isTreeOfObjects(below) {
			return false
		}
	}
	return true
}
