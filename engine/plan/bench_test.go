package plan_test

import (
	"fmt"
	"testing"

	"hubcap/engine/plan"
)

// BenchmarkBuild plans the first installation of many hubs.
func BenchmarkBuild(b *testing.B) {
	var objects []object
	for h := range 40 {
		block := fmt.Sprintf("hub.h%02d", h)
		for c := range 10 {
			component := fmt.Sprintf("part%d", c)
			objects = append(objects, object{block: block, component: component, kind: "Deployment", name: component, want: pods("x:1", "a", "hub", component), line: h})
			for _, kind := range []string{"Secret", "ConfigMap", "Service"} {
				objects = append(objects, object{block: block, component: component, kind: kind, name: component, want: data("a", "b"), line: h})
			}
		}
	}
	in := input(objects...)
	b.ReportMetric(float64(len(in.Changes)), "changes")
	for b.Loop() {
		if _, err := plan.Build(in); err != nil {
			b.Fatal(err)
		}
	}
}
