package expand

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWholly(t *testing.T) {
	amounts := func(pairs ...any) map[string]any {
		table := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			table[pairs[i].(string)] = pairs[i+1]
		}
		return table
	}
	tests := []struct {
		reason           string
		said, known, got map[string]any
	}{
		{"without defaults nothing is to be deleted", amounts("limits", amounts("memory", "1Gi")), amounts(), amounts("limits", amounts("memory", "1Gi"))},
		{"nor when the chart knows no resources", amounts("limits", amounts("memory", "1Gi")), nil, amounts("limits", amounts("memory", "1Gi"))},
		{"a default shows through", amounts("limits", amounts("memory", "1Gi")), amounts("limits", amounts("cpu", "2", "memory", "2Gi")), amounts("limits", amounts("memory", "1Gi", "cpu", nil))},
		{"a half of them does", amounts("limits", amounts("memory", "1Gi")), amounts("requests", amounts("cpu", "200m")), amounts("limits", amounts("memory", "1Gi"), "requests", nil)},
		{"what is no table goes as a whole", amounts(), amounts("requests", "text"), amounts("requests", nil)},
	}
	for _, test := range tests {
		var known any
		if test.known != nil {
			known = test.known
		}
		if diff := cmp.Diff(test.got, wholly(test.said, known)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}
