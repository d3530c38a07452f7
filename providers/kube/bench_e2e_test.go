//go:build e2e

package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// BenchmarkReadUnchanged is the heart of a plan that has nothing to do, without
// rendering, as a ratio to the bare reading of the same objects in the same run.
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
			floor := time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				floor += bench.list(desired[0])
				b.StartTimer()
				bench.read(desired)
			}
			// The floor is one LIST of the same objects, decoded and dropped.
			b.ReportMetric(float64(b.Elapsed())/float64(floor), "×floor")
		})
	}
}

// list reads the objects of like's kind and namespace once, and returns how long
// that took.
func (b *bench) list(like resource.Desired) time.Duration {
	b.t.Helper()
	gvk := gvkOf(like.Object)
	mapping, err := b.p.Client.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		b.t.Fatal(err)
	}
	began := time.Now()
	if _, err := b.p.Client.Dynamic.Resource(mapping.Resource).Namespace(like.ID.Namespace).List(b.t.Context(), metav1.ListOptions{}); err != nil {
		b.t.Fatal(err)
	}
	return time.Since(began)
}

// fill creates objects many at a time.
func (b *bench) fill(desired []resource.Desired) {
	b.t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for _, c := range b.changes(desired) {
		group.Go(func() error {
			_, err := b.p.Write(b.t.Context(), c, run.Sight{State: run.AtBefore})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.t.Fatal(err)
	}
}
