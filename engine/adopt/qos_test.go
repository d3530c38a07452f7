package adopt

import (
	"testing"

	"hubcap/engine/resource"
)

// TestClassOf has what a class can be made of, and what it cannot.
func TestClassOf(t *testing.T) {
	half := func(pairs ...any) map[string]any {
		table := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			table[pairs[i].(string)] = pairs[i+1]
		}
		return table
	}
	for _, row := range []struct {
		reason string
		value  any
		want   class
		fits   bool
	}{
		{"requests and limits", half("requests", half("cpu", "1"), "limits", half("memory", "1Gi")), class{cpuRequest: "1", memoryLimit: "1Gi"}, true},
		{"defaults that are null", half("requests", half("cpu", "1", "memory", nil), "limits", nil), class{cpuRequest: "1"}, true},
		{"nothing but nulls", half("requests", half("cpu", nil), "limits", nil), class{}, false},
		{"a number, which charts print in another way", half("limits", half("cpu", int64(2))), class{}, false},
		{"a resource that classes have no word for", half("limits", half("nvidia.com/gpu", "1")), class{}, false},
		{"an empty half", half("limits", half()), class{}, false},
		{"no table", "1Gi", class{}, false},
	} {
		got, fits := classOf(row.value)
		if fits != row.fits || fits && got != row.want {
			t.Errorf("%s: %+v, %v; want %+v, %v", row.reason, got, fits, row.want, row.fits)
		}
	}
}

// TestClassIsWhole has a class hold what the chart says beneath the author's
// values, because it stands for all of it.
func TestClassIsWhole(t *testing.T) {
	said := resource.Object{"hub": map[string]any{"resources": map[string]any{"requests": map[string]any{"cpu": "10m"}}}}
	complete := resource.Object{"hub": map[string]any{"resources": map[string]any{
		"requests": map[string]any{"cpu": "10m", "memory": "100M"}, "limits": map[string]any{"memory": "1Gi"},
	}}}
	for _, row := range []struct {
		reason           string
		values, complete resource.Object
		want             class
	}{
		{"with the chart's defaults", said, complete, class{cpuRequest: "10m", memoryRequest: "100M", memoryLimit: "1Gi"}},
		{"they are not known", said, nil, class{cpuRequest: "10m"}},
		{"the author says nothing", resource.Object{}, complete, class{}},
	} {
		h := &hub{values: row.values, release: &Release{Complete: row.complete}}
		got, _ := classOf(h.whole(&taking{hub: h}, nil, []string{"hub", "resources"}))
		if got != row.want {
			t.Errorf("%s: %+v, want %+v", row.reason, got, row.want)
		}
	}
}

func TestQuantityOf(t *testing.T) {
	for _, test := range []struct {
		what string
		v    any
		want string // "" for none
	}{
		{"cpu", int64(2), "2"}, {"cpu", 0.5, "500m"}, {"cpu", 0.01, "10m"}, {"cpu", 0.0001, ""}, {"cpu", "1", ""}, {"cpu", int64(0), ""},
		{"memory", int64(2147483648), "2Gi"}, {"memory", int64(471859200), "450Mi"}, {"memory", int64(1500000000), "1500000000"},
		{"memory", "2G", ""}, {"memory", int64(512), ""}, {"memory", 1.5, ""}, {"memory", nil, ""},
	} {
		if got, _, isNumber := quantityOf(test.what, test.v); got != test.want || isNumber != (test.want != "") {
			t.Errorf("%s %v: %q, %v", test.what, test.v, got, isNumber)
		}
	}
}
