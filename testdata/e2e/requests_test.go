//go:build e2e

package e2e

import (
	"fmt"
	"testing"
)

// many is a config of n ConfigMaps.
const many = `
hubcap {
  name              = "many"
  journal_namespace = "many"
}

variable "n" {
  type    = number
  default = 5
}

cluster "c" {}

manifest "namespace" {
  object = { apiVersion = "v1", kind = "Namespace", metadata = { name = "many-app" } }
}

manifest "map" {
  namespace = "many-app"
  objects   = [for i in range(var.n) : { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "map-${i}" }, data = { i = tostring(i) } }]
}
`

// TestRequestsOfAPlan counts what a plan asks the API server right after an apply:
// no dry run, and no more with 200 unchanged objects more.
func TestRequestsOfAPlan(t *testing.T) {
	w := newWorld(t, "many", "many", map[string]string{"main.hcl": many})
	w.proxy = newProxy(t)
	counts := map[int]requests{}
	for _, n := range []int{5, 205} {
		size := fmt.Sprintf("--var=n=%d", n)
		w.hubcap(applier, 0, "apply", "--auto-approve", size)
		w.proxy.take()
		w.hubcap(applier, 0, "plan", "--detailed-exitcode", size)
		counts[n] = w.proxy.take()
		if dry := counts[n].with("dryRun"); len(dry) > 0 {
			t.Errorf("the plan right after the apply makes dry runs: %v", dry)
		}
		for _, method := range []string{"PATCH ", "PUT ", "DELETE ", "POST "} {
			if writes := counts[n].with(method); len(writes) > 0 {
				t.Errorf("the plan writes: %v", writes)
			}
		}
	}
	if few, lots := len(counts[5]), len(counts[205]); few == 0 || lots > few {
		t.Errorf("%d requests with 5 objects, %d with 205:\n%s\n\n%s", few, lots, counts[5], counts[205])
	}
	t.Logf("%d requests, whether there are 5 objects or 205", len(counts[5]))

	// As many dry runs as there are objects that differ, and not one more.
	kubectl(t, "-n", "many-app", "patch", "configmap", "map-7", "--type=merge", "-p", `{"data":{"i":"by hand"}}`)
	w.proxy.take()
	w.hubcap(applier, 2, "plan", "--detailed-exitcode", "--var=n=205")
	if dry := w.proxy.take().with("dryRun"); len(dry) != 1 {
		t.Errorf("%d dry runs for one object that differs: %v", len(dry), dry)
	}
}
