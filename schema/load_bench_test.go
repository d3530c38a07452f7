package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeLarge writes files with blocks that refer to each other: of every 25
// blocks one is a cluster, two are QoS classes, five pools, five hubs, and the
// others are locals, limits and bans.
func writeLarge(t testing.TB, files, blocksPerFile int) string {
	t.Helper()
	dir := t.TempDir()
	for f := range files {
		var text strings.Builder
		for g := range blocksPerFile / 25 {
			writeGroup(&text, f*1000+g)
		}
		name := filepath.Join(dir, fmt.Sprintf("f%04d.hcl", f))
		if err := os.WriteFile(name, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "name.hcl"), []byte("hubcap { name = \"large\" }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func writeGroup(w *strings.Builder, id int) {
	fmt.Fprintf(w, "cluster \"c%d\" {\n  project  = \"binder-prod\"\n  location = \"us-central1\"\n  name     = \"prod%d\"\n}\n", id, id)
	fmt.Fprintf(w, "locals {\n  labels%d = { pool = \"p%d\", size = format(\"%%d\", %d) }\n}\n", id, id, id)
	for i := range 2 {
		fmt.Fprintf(w, "qos_class \"q%d-%d\" {\n  mode   = \"guaranteed\"\n  cpu    = \"1\"\n  memory = \"${1 + %d}Gi\"\n}\n", id, i, i)
	}
	fmt.Fprintf(w, "node_pool \"p%d-0\" {\n  cluster      = cluster.c%d\n  machine_type = \"n1-highmem-8\"\n  labels       = local.labels%d\n"+
		"  disk {\n    size_gb = 100\n  }\n  local_ssd {\n    count = 1\n  }\n  autoscaling {\n    min = 1\n    max = 10\n  }\n}\n", id, id, id)
	for i := 1; i < 5; i++ {
		fmt.Fprintf(w, "node_pool \"p%d-%d\" {\n  like   = node_pool.p%d-%d\n  labels = merge(local.labels%d, { n = \"%d\" })\n}\n", id, i, id, i-1, id, i)
	}
	for i := range 5 {
		fmt.Fprintf(w, "hub \"h%d-%d\" {\n  cluster    = cluster.c%d\n  chart      = \"builtin:binderhub\"\n  node_pools = { user = node_pool.p%d-%d }\n"+
			"  qos        = { hub = qos_class.q%d-0, user = qos_class.q%d-1 }\n  values     = { config = { BinderHub = { banner = \"hub %d\" }, list = [1, 2, 3] } }\n"+
			"  culling {\n    timeout = \"10m\"\n  }\n  limits {\n    per_repo = 100\n  }\n}\n", id, i, id, id, i, id, id, i)
	}
	for i := range 11 {
		fmt.Fprintf(w, "repo_limit \"l%d-%d\" {\n  hub      = hub.h%d-%d\n  repo     = \"user/repo%d\"\n  sessions = %d\n}\n", id, i, id, i%5, i, i+1)
	}
}

// BenchmarkLoad loads 200 files with 5,000 blocks: under a second.
func BenchmarkLoad(b *testing.B) {
	dir := writeLarge(b, 200, 25)
	for b.Loop() {
		config, diags := Load(dir, Options{})
		if len(diags) > 0 || len(config.Hubs) != 1000 {
			b.Fatalf("%d hubs, %v", len(config.Hubs), diags)
		}
	}
}
