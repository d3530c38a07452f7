package emulator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	container "google.golang.org/api/container/v1"
)

// A ledger is a sink that remembers.
type ledger struct {
	mu    sync.Mutex
	nodes map[string]int
	seen  []string
	fail  error
	wait  chan struct{}
}

func (l *ledger) Apply(ctx context.Context, p Pool, nodes int) error {
	if l.wait != nil {
		select {
		case <-l.wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	if l.nodes == nil {
		l.nodes = map[string]int{}
	}
	l.nodes[p.NodePool.Name] = nodes
	l.seen = append(l.seen, fmt.Sprint(p.NodePool.Name, " ", nodes, " ", p.NodePool.Config.Labels))
	return nil
}

func (l *ledger) Remove(_ context.Context, p Pool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.nodes, p.NodePool.Name)
	l.seen = append(l.seen, p.NodePool.Name+" removed")
	return l.fail
}

func TestNodes(t *testing.T) {
	l := &ledger{}
	in(t, Options{Nodes: l}, func(t *testing.T, c *client) {
		c.ok("POST", poolsPath, poolBody)
		c.ok("PUT", poolsPath+"/user", `{"labels":{"labels":{"a":"1"}}}`)
		if err := c.SetNodes(t.Context(), home, "user", 5); err != nil {
			t.Fatal(err)
		}
		c.ok("DELETE", poolsPath+"/user", "")
		want := []string{"user 2 map[]", "user 2 map[a:1]", "user 5 map[a:1]", "user removed"}
		if d := cmp.Diff(want, l.seen); d != "" {
			t.Errorf("the sink was told (-want +got):\n%s", d)
		}
		if err := c.SetNodes(t.Context(), home, "none", 5); err == nil {
			t.Error("nodes for a pool that is not there")
		}
	})
}

func TestNodesFail(t *testing.T) {
	l := &ledger{fail: errors.New("no room")}
	in(t, Options{Nodes: l}, func(t *testing.T, c *client) {
		op := c.ok("POST", poolsPath, poolBody)
		if !strings.Contains(fmt.Sprint(op["error"]), "no room") {
			t.Errorf("operation: %v", op)
		}
		if got := c.Pools()[0].NodePool; got.Status != "ERROR" || len(got.Conditions) != 1 {
			t.Errorf("pool: %s %v", got.Status, got.Conditions)
		}
	})
}

// What was under way when the server was closed goes on when it is opened again.
func TestResume(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "gke.json")
	for _, cut := range []time.Duration{0, 25 * time.Millisecond, time.Second} {
		for _, kind := range []string{"create", "delete"} {
			t.Run(fmt.Sprint(kind, " ", cut), func(t *testing.T) {
				file := file + fmt.Sprint(cut, kind)
				stuck := &ledger{wait: make(chan struct{})}
				synctest.Test(t, func(t *testing.T) {
					stuck.wait = make(chan struct{})
					o := Options{Project: "demo", Clusters: []*container.Cluster{{Location: home.Location, Name: home.Name}}, StateFile: file}
					if kind == "create" {
						o.Nodes = stuck
					}
					s, err := New(o)
					if err != nil {
						t.Fatal(err)
					}
					c := &client{Server: s, t: t}
					if kind == "delete" {
						c.ok("POST", poolsPath, poolBody)
						c.do("DELETE", poolsPath+"/user", "")
					} else {
						c.do("POST", poolsPath, poolBody)
					}
					time.Sleep(cut)
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				})
				l := &ledger{}
				in(t, Options{StateFile: file, Nodes: l}, func(t *testing.T, c *client) {
					time.Sleep(time.Minute)
					_, ops := c.do("GET", "/v1/projects/demo/locations/us-central1-a/operations", "")
					for _, op := range ops["operations"].([]any) {
						if got := op.(map[string]any); got["status"] != "DONE" || got["error"] != nil {
							t.Errorf("operation: %v", got)
						}
					}
					if kind == "delete" && len(c.Pools()) != 0 {
						t.Errorf("pools: %v", c.Pools())
					}
					if kind == "create" && (len(c.Pools()) != 1 || c.Pools()[0].Nodes != 2 || l.nodes["user"] != 2) {
						t.Errorf("pools: %v, nodes: %v", c.Pools(), l.nodes)
					}
				})
			})
		}
	}
}

func TestBrokenState(t *testing.T) {
	dir := t.TempDir()
	if _, err := New(Options{StateFile: dir}); err == nil {
		t.Error("a directory for a state file is taken")
	}
	if _, err := New(Options{Clusters: []*container.Cluster{{Name: "x"}}}); err == nil {
		t.Error("a cluster without location is taken")
	}
	if _, err := New(Options{Faults: []Fault{{Kind: "what"}}}); err == nil {
		t.Error("an unknown fault is taken")
	}
}
