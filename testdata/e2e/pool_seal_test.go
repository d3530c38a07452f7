//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestUnsealedPool: a pool that bears hubcap's labels and of which no record is kept,
// as one of an older version, is named and stays; wanted, the next apply seals it and
// changes nothing else, and then it goes as any.
func TestUnsealedPool(t *testing.T) {
	w := newPool(t, "unsealed")
	w.applied()
	old := w.pool()
	with := fmt.Sprintf(onePool, w.name, site.sandbox.GKEEndpoint, usual)
	without := with[:strings.Index(with, "node_pool")] + `
manifest "m" {
  object = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "m", namespace = "unsealed" }, data = {} }
}
`
	kubectl(t, "-n", w.journal, "delete", "configmap", "-l", "hubcap.dev/record=pool")
	w.write("main.hcl", without)
	w.hubcap(reader, 0, "plan").has(t, old.Name, "keeps no record that hubcap made it")
	w.hubcap(applier, 0, "apply", "--auto-approve")
	if now := w.pool(); now.Name != old.Name {
		t.Fatalf("the pool became %s", now.Name)
	}

	w.write("main.hcl", with)
	w.hubcap(reader, 2, "plan", "--detailed-exitcode", "--only=node_pool.unsealed").has(t, "1 to seal")
	w.hubcap(applier, 0, "apply", "--auto-approve")
	if now := w.pool(); now.Config.ResourceLabels["hubcap-seal"] != old.Config.ResourceLabels["hubcap-seal"] {
		t.Errorf("labels %v became %v", old.Config.ResourceLabels, now.Config.ResourceLabels)
	}
	w.hubcap(reader, 0, "plan", "--detailed-exitcode")

	w.write("main.hcl", without)
	w.applied()
	if own := w.poolsOf(); len(own) > 0 {
		t.Errorf("%d pools are left", len(own))
	}
}
