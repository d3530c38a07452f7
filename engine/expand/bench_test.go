package expand

import (
	"testing"

	"hubcap/engine/resource"
	"hubcap/schema"
)

// BenchmarkConfig expands two hubs whose Secrets are live, as every plan but the
// first does.
func BenchmarkConfig(b *testing.B) {
	cfg, diags := schema.Load("testdata/bench", schema.Options{})
	if diags.HasErrors() {
		b.Fatal(diags)
	}
	live := map[string]map[string]any{}
	first, _ := Config(cfg, nil)
	for _, d := range first {
		live[d.ID.Kind+" "+d.ID.Namespace+" "+d.ID.Name] = resource.Reveal(d.Object).(map[string]any)
	}
	facts := map[string]Facts{"main": {Lookup: func(_, kind, namespace, name string) (map[string]any, error) {
		return live[kind+" "+namespace+" "+name], nil
	}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, diags := Config(cfg, facts); diags.HasErrors() {
			b.Fatal(diags)
		}
	}
}
