//go:build e2e

package kube

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// A recorder keeps the writes that go through it.
type recorder struct {
	next   http.RoundTripper
	mu     sync.Mutex
	writes []*http.Request
	bodies [][]byte
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	isWrite := q.Method != http.MethodGet && q.Method != http.MethodPost && q.URL.Query().Get("dryRun") == ""
	if isWrite {
		var body []byte
		if q.Body != nil {
			var err error
			if body, err = io.ReadAll(q.Body); err != nil {
				return nil, err
			}
			q.Body = io.NopCloser(bytes.NewReader(body))
		}
		r.mu.Lock()
		r.writes, r.bodies = append(r.writes, q.Clone(q.Context())), append(r.bodies, body)
		r.mu.Unlock()
	}
	return r.next.RoundTrip(q)
}

// late sends every write that was made so far once more, as if it arrived only now, and
// returns those that the server did not refuse.
func (r *recorder) late(t *testing.T) (accepted []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.writes) == 0 {
		t.Fatal("nothing was written")
	}
	for i, q := range r.writes {
		again := q.Clone(t.Context())
		again.Body = io.NopCloser(bytes.NewReader(r.bodies[i]))
		resp, err := r.next.RoundTrip(again)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode < 300 {
			accepted = append(accepted, fmt.Sprintf("%s %s: %d %.200s", q.Method, q.URL.Path, resp.StatusCode, answer))
		}
	}
	r.writes, r.bodies = nil, nil
	return accepted
}

// A request of a former holder of the lock that arrives when the new holder has written
// already is refused by the server, whatever it was to do.
func TestLateRequestsAreRefused(t *testing.T) {
	b := newBench(t).makeNamespace()
	rec := &recorder{}
	_, apply := kubeconfigs(t)
	client, err := Connect(Options{Kubeconfig: apply, WrapTransport: func(next http.RoundTripper) http.RoundTripper {
		rec.next = next
		return rec
	}})
	if err != nil {
		t.Fatal(err)
	}
	ours := b.p.Client
	config := func(value string) []resource.Desired {
		return b.desire("web", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: "+value+"}")
	}
	web := func(app string) []resource.Desired {
		return b.desire("web", strings.ReplaceAll(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: APP}}
  template: {metadata: {labels: {app: APP}}, spec: {containers: [{name: web, image: "example.org/web:1"}]}}`, "APP", app))
	}
	for _, test := range []struct {
		reason      string
		kind, name  string
		former, new func()
	}{
		{"a creation", "configmap", "config", func() { b.apply(config("one")) }, func() { b.apply(config("two")) }},
		{"an update", "configmap", "config", func() { b.apply(config("three")) }, func() { b.apply(config("four")) }},
		{"an update of what was made once more", "configmap", "config", func() { b.apply(config("five")) }, func() {
			b.kubectl("delete", "configmap", "config")
			b.apply(config("six"))
		}},
		{"a deletion", "configmap", "config", func() { b.apply(nil) }, func() { b.apply(config("seven")) }},
		{"a replacement", "deployment", "web", func() { b.apply(web("one")); b.apply(web("two")) }, func() { b.apply(web("three")) }},
	} {
		b.p.Client = client
		test.former()
		b.p.Client = ours
		test.new()
		version := func() string {
			return b.kubectl("get", test.kind, test.name, "-o", "jsonpath={.metadata.uid}/{.metadata.resourceVersion}/{.metadata.generation}/{.data}{.spec.selector}")
		}
		before := version()
		if accepted := rec.late(t); len(accepted) > 0 {
			t.Errorf("%s that comes late is accepted: %s", test.reason, strings.Join(accepted, "; "))
		}
		if after := version(); test.kind == "configmap" && after != before {
			t.Errorf("%s that comes late changed %s to %s", test.reason, before, after)
		}
	}
}

// The same for hooks, whose objects are made anew each time.
func TestLateHooksAreRefused(t *testing.T) {
	b := newBench(t).makeNamespace()
	rec := &recorder{}
	_, apply := kubeconfigs(t)
	client, err := Connect(Options{Kubeconfig: apply, WrapTransport: func(next http.RoundTripper) http.RoundTripper {
		rec.next = next
		return rec
	}})
	if err != nil {
		t.Fatal(err)
	}
	ours := b.p.Client
	hook := func(id string) {
		d := b.desire("web", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {hubcap.dev/hook: pre-upgrade}}\ndata: {run: "+id+"}")[0]
		c := resource.Change{
			ID: d.ID, Address: d.Address, Component: d.Component, Action: resource.Create, After: d.Object,
			Hook: &resource.Hook{Event: "pre-upgrade"},
		}
		ctx := run.WithID(t.Context(), id)
		s, err := b.p.Look(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.p.Write(ctx, c, s); err != nil {
			t.Fatal(err)
		}
	}
	b.p.Client = client
	hook("run-1")
	hook("run-2")
	b.p.Client = ours
	hook("run-3")
	if accepted := rec.late(t); len(accepted) > 0 {
		t.Errorf("accepted: %s", strings.Join(accepted, "; "))
	}
	if out := b.kubectl("get", "configmap", "hook", "-o", "jsonpath={.data.run}"); out != "run-3" {
		t.Errorf("the hook's object is of %q", out)
	}
}
