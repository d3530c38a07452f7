//go:build e2e

package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"hubcap/engine/diff"
	"hubcap/engine/resource"
	"hubcap/engine/seal"
	"hubcap/providers/providertest"
	"hubcap/testdata/sandboxtest"
)

func TestMain(m *testing.M) { sandboxtest.Main(m) }

// accounts are made once: one bound to the read-only role, one to both, as the
// roles ship.
var accounts struct {
	once        sync.Once
	read, apply string // kubeconfigs
}

func kubeconfigs(t testing.TB) (read, apply string) {
	t.Helper()
	s := sandboxtest.Shared(t)
	accounts.once.Do(func() {
		for _, file := range []string{"../../docs/rbac/read-only.yaml", "../../docs/rbac/apply.yaml"} {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s.Apply(t, string(text))
		}
		s.Apply(t, `
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: hubcap}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: applier, namespace: hubcap}
`)
		for binding, account := range map[string]string{"hubcap-read": "reader", "hubcap-read-too": "applier", "hubcap-apply": "applier"} {
			role := strings.TrimSuffix(binding, "-too")
			s.Kubectl(t, "create", "clusterrolebinding", binding, "--clusterrole="+role, "--serviceaccount=hubcap:"+account)
		}
		s.Kubectl(t, "create", "rolebinding", "journal", "-n", "hubcap", "--role=hubcap-journal", "--serviceaccount=hubcap:applier")
		s.Kubectl(t, "create", "rolebinding", "lock", "-n", "hubcap", "--role=hubcap-lock", "--serviceaccount=hubcap:applier")
		accounts.read, accounts.apply = keep(t, "reader"), keep(t, "applier")
	})
	return accounts.read, accounts.apply
}

// keep puts an account's kubeconfig where it outlives the test.
func keep(t testing.TB, account string) string {
	t.Helper()
	s := sandboxtest.Shared(t)
	text, err := os.ReadFile(s.KubeconfigFor(t, "hubcap", account))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir, account+".kubeconfig")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A counter counts requests by kind of call. Dry runs are counted as such.
type counter struct {
	next                  http.RoundTripper
	reads, writes, dryRun atomic.Int64
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case r.Method == http.MethodGet:
		c.reads.Add(1)
	case r.URL.Query().Get("dryRun") != "":
		c.dryRun.Add(1)
	case r.Method == http.MethodPatch || r.Method == http.MethodDelete:
		c.writes.Add(1)
	}
	return c.next.RoundTrip(r)
}

func (c *counter) wrap(next http.RoundTripper) http.RoundTripper {
	c.next = next
	return c
}

// A bench is a namespace of its own, with a provider that acts with the apply
// role.
type bench struct {
	t         testing.TB
	p         *Provider
	namespace string
	count     *counter
	sandbox   *sandboxtest.Sandbox
}

var benches atomic.Int64

func newBench(t testing.TB) *bench {
	t.Helper()
	_, apply := kubeconfigs(t)
	return benchAs(t, apply, fmt.Sprintf("kube-%d", benches.Add(1)))
}

func benchAs(t testing.TB, kubeconfig, namespace string) *bench {
	t.Helper()
	b := &bench{t: t, namespace: namespace, count: &counter{}, sandbox: sandboxtest.Shared(t)}
	client, err := Connect(Options{Kubeconfig: kubeconfig, WrapTransport: b.count.wrap, UserAgent: "hubcap/test"})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	b.p = &Provider{
		Client: client, Cluster: "prod", Owner: "config-" + namespace, FieldManager: "hubcap", Identity: "sandbox", Seals: fakeSeals{},
	}
	return b
}

// kubectl acts behind hubcap's back.
func (b *bench) kubectl(args ...string) string {
	b.t.Helper()
	return b.sandbox.Kubectl(b.t, append([]string{"-n", b.namespace}, args...)...)
}

func (b *bench) makeNamespace() *bench {
	b.t.Helper()
	b.sandbox.Apply(b.t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+b.namespace+"}\n")
	return b
}

// desire makes desired objects of one component from YAML documents.
func (b *bench) desire(component, documents string) []resource.Desired {
	b.t.Helper()
	var all []resource.Desired
	for _, document := range strings.Split(documents, "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			b.t.Fatalf("%v in:\n%s", err, document)
		}
		all = append(all, b.desired(component, whole(o).(map[string]any)))
	}
	return all
}

func (b *bench) desired(component string, o resource.Object) resource.Desired {
	namespaced := !strings.HasPrefix(o.Text("kind"), "Cluster") && o.Text("kind") != "Namespace" && o.Text("kind") != "PriorityClass" &&
		o.Text("kind") != "CustomResourceDefinition"
	if namespaced {
		o.Set(b.namespace, "metadata", "namespace")
	}
	gvk := gvkOf(o)
	d := resource.Desired{
		ID:        resource.ID{Cluster: "prod", Group: gvk.Group, Kind: gvk.Kind, Namespace: o.Text("metadata", "namespace"), Name: o.Text("metadata", "name")},
		Address:   resource.Address{Kind: "hub", Name: "prod", Object: gvk.Kind + "/" + o.Text("metadata", "name")},
		Component: resource.Component{Block: resource.Address{Kind: "hub", Name: "prod"}, Name: component},
		Object:    o,
		Presence:  resource.Managed,
	}
	return d
}

func (b *bench) read(desired []resource.Desired) resource.Reading {
	b.t.Helper()
	r, err := b.p.Read(b.t.Context(), desired)
	if err != nil {
		b.t.Fatalf("read: %v", err)
	}
	for _, u := range r.Unreadable {
		b.t.Fatalf("read: %s: %s", u.What, u.Reason)
	}
	return r
}

// changes returns what it takes to get to desired, which nothing may refuse.
func (b *bench) changes(desired []resource.Desired) []resource.Change {
	b.t.Helper()
	r := b.read(desired)
	for _, o := range r.Observations {
		if o.Refused != "" {
			b.t.Fatalf("%s refused: %s", o.Desired.ID, o.Refused)
		}
	}
	return diff.Compare(r)
}

// apply makes every change, in the order of desired.
func (b *bench) apply(desired []resource.Desired) []resource.Change {
	b.t.Helper()
	changes := b.changes(desired)
	for _, d := range desired {
		for _, c := range changes {
			if c.ID == d.ID {
				b.write(c)
			}
		}
	}
	for _, c := range changes {
		if c.Action == resource.Delete {
			b.write(c)
		}
	}
	return changes
}

func (b *bench) write(c resource.Change) {
	b.t.Helper()
	s, err := b.p.Look(b.t.Context(), c)
	if err != nil {
		b.t.Fatalf("look at %s: %v", c.ID, err)
	}
	if _, err := b.p.Write(b.t.Context(), c, s); err != nil {
		b.t.Fatalf("%s %s: %v", c.Action, c.ID, err)
	}
}

// await probes until ok is content with every change.
func (b *bench) await(changes []resource.Change, ok func(resource.Health) bool) map[string]resource.Health {
	b.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(90 * time.Second)
	for {
		seen, content := map[string]resource.Health{}, true
		for _, c := range changes {
			h, err := b.p.Probe(b.t.Context(), c)
			if err != nil {
				b.t.Fatalf("probe %s: %v", c.ID, err)
			}
			seen[c.ID.Kind+"/"+c.ID.Name] = h
			content = content && ok(h)
		}
		if content {
			return seen
		}
		select {
		case <-tick.C:
		case <-limit:
			b.t.Fatalf("not settled: %+v", seen)
		}
	}
}

func isSettled(h resource.Health) bool { return h.Ready }

// settled fails the test unless nothing is left to do, found out without a dry
// run.
func (b *bench) settled(desired []resource.Desired) {
	b.t.Helper()
	before := b.count.dryRun.Load()
	for _, c := range b.changes(desired) {
		b.t.Errorf("still to do: %s %s %v %v", c.Action, c.ID, c.Fields, c.Notes)
	}
	if n := b.count.dryRun.Load() - before; n > 0 {
		b.t.Errorf("an unchanged world was dry-run %d times", n)
	}
}

func TestLaws(t *testing.T) {
	providertest.Run(t, func(t *testing.T, law func(*testing.T, providertest.World)) {
		b := newBench(t).makeNamespace()
		text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: %s, \"a.py\": \"x = 1\"}\n"
		law(t, providertest.World{
			Provider: b.p,
			Wanted:   b.desire("hub", fmt.Sprintf(text, "blue"))[0],
			Other:    b.desire("hub", fmt.Sprintf(text, "green"))[0],
			Move: func(t *testing.T) {
				b.kubectl("patch", "configmap", "settings", "--type=merge", "--field-manager=somebody", `-p={"data":{"colour":"red"}}`)
			},
			Writes: func() int { return int(b.count.writes.Load()) },
			Seals: providertest.Seals{
				Strip: func(*testing.T) { b.kubectl("annotate", "configmap", "settings", resource.AnnotationSeal+"-") },
				Rekey: b.rekey,
				Copy:  b.copySettings,
			},
		})
	})
}

// keySeals are the key pair of a cluster.
type keySeals struct{ key seal.Key }

func (s keySeals) SigningKey(context.Context) (seal.Key, error)   { return s.key, nil }
func (s keySeals) PublicKey(context.Context) (seal.Public, error) { return s.key.Public(), nil }

// rekey gives the provider's cluster another key.
func (b *bench) rekey(t *testing.T) {
	key, err := seal.Draw()
	if err != nil {
		t.Fatal(err)
	}
	b.p.sealing.Lock()
	defer b.p.sealing.Unlock()
	b.p.signing, b.p.published, b.p.Seals = seal.Key{}, seal.Public{}, keySeals{key}
}

// copySettings makes a copy of the ConfigMap settings with all that is noted on it, in the
// name of hubcap's field manager, and returns where.
func (b *bench) copySettings(t *testing.T) resource.ID {
	var o map[string]any
	if err := json.Unmarshal([]byte(b.kubectl("get", "configmap", "settings", "-o", "json")), &o); err != nil {
		t.Fatal(err)
	}
	was := o["metadata"].(map[string]any)
	o["metadata"] = map[string]any{"name": "theirs", "namespace": b.namespace, "labels": was["labels"], "annotations": was["annotations"]}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "theirs.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b.kubectl("apply", "--server-side", "--field-manager=hubcap", "-f", file)
	return resource.ID{Cluster: "prod", Kind: "ConfigMap", Namespace: b.namespace, Name: "theirs"}
}
