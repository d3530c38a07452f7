//go:build e2e

package kube

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// BenchmarkReadUnchanged is the heart of a plan that has nothing to do, without
// rendering.
func BenchmarkReadUnchanged(b *testing.B) {
	const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: d%[1]d}
spec:
  replicas: 0
  selector: {matchLabels: {app: "d%[1]d"}}
  template:
    metadata: {labels: {app: "d%[1]d"}}
    spec:
      containers:
      - name: web
        image: example.org/web:1
        env: [{name: A, value: a}, {name: B, value: b}, {name: C, value: c}, {name: D, value: d}, {name: E, value: e}]
        resources: {requests: {cpu: 0.1, memory: 128Mi}}
        readinessProbe: {httpGet: {path: /health, port: 8000}}`
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%[1]d}\ndata: {a: a, b: b, c: c, d: d, e: e, f: \"%[1]d\"}"
	for _, bc := range []struct {
		name, document string
		n              int
	}{{"ConfigMaps", config, 1000}, {"ConfigMaps", config, 3000}, {"Deployments", deployment, 1000}} {
		b.Run(fmt.Sprintf("%s-%d", bc.name, bc.n), func(b *testing.B) {
			bench := newBench(b).makeNamespace()
			var documents []string
			for i := range bc.n {
				documents = append(documents, fmt.Sprintf(bc.document, i))
			}
			desired := bench.desire("web", strings.Join(documents, "\n---\n"))
			bench.fill(desired)
			bench.settled(desired)
			for b.Loop() {
				bench.read(desired)
			}
		})
	}
}

// fill creates objects many at a time.
func (b *bench) fill(desired []resource.Desired) {
	b.t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for _, c := range b.changes(desired) {
		group.Go(func() error { return b.p.Write(b.t.Context(), c, run.Sight{State: run.AtBefore}) })
	}
	if err := group.Wait(); err != nil {
		b.t.Fatal(err)
	}
}
