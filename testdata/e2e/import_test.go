//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// madeByHand are node pools as people make them, and what import has to write of
// each.
var madeByHand = []struct {
	body map[string]any
	want string
}{
	{map[string]any{"name": "byhand-plain", "initialNodeCount": 0, "config": map[string]any{"machineType": "n2-standard-4"}}, `
node_pool "byhand-plain" {
  name         = "byhand-plain"
  machine_type = "n2-standard-4"
}
`},
	{map[string]any{
		"name": "byhand-user", "initialNodeCount": 0,
		"config": map[string]any{
			"machineType": "n1-highmem-8", "diskType": "pd-ssd", "diskSizeGb": 800, "localSsdCount": 1,
			"labels":         map[string]any{"hub.jupyter.org/node-purpose": "user"},
			"taints":         []any{map[string]any{"key": "hub.jupyter.org_dedicated", "value": "user", "effect": "NO_SCHEDULE"}},
			"oauthScopes":    []any{"https://www.googleapis.com/auth/logging.write", "https://www.googleapis.com/auth/devstorage.read_only"},
			"resourceLabels": map[string]any{"team": "binder"}, "tags": []any{"hub"}, "gvnic": map[string]any{"enabled": true},
		},
		"autoscaling":     map[string]any{"enabled": true, "minNodeCount": 0, "maxNodeCount": 12},
		"upgradeSettings": map[string]any{"maxSurge": 2, "maxUnavailable": 1},
	}, `
node_pool "byhand-user" {
  name         = "byhand-user"
  machine_type = "n1-highmem-8"
  labels = {
    "hub.jupyter.org/node-purpose" = "user"
  }
  tags = ["hub"]
  resource_labels = {
    team = "binder"
  }
  oauth_scopes = [
    "https://www.googleapis.com/auth/devstorage.read_only",
    "https://www.googleapis.com/auth/logging.write",
  ]

  disk {
    type    = "pd-ssd"
    size_gb = 800
  }

  local_ssd {
    count = 1
  }

  autoscaling {
    max = 12
  }

  taint {
    key    = "hub.jupyter.org_dedicated"
    value  = "user"
    effect = "NoSchedule"
  }

  upgrade {
    max_surge       = 2
    max_unavailable = 1
  }
}
`},
}

// binderChart lays out the built-in BinderHub chart as Helm needs it.
func binderChart(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "binderhub")
	lay(t, "../../modules/charts/binderhub", dir, "jupyterhub")
	return dir
}

const importedValues = `
imageBuilderType: dind
service: {type: ClusterIP}
config:
  BinderHub: {image_prefix: registry.example.org/r2d-, per_repo_quota: 100, use_registry: true}
  GitHubRepoProvider:
    banned_specs: ["^badguy/tunnel/", "^[^/]+/.*miner.*"]
dind: {hostLibDir: /var/lib/dind}
imageCleaner: {enabled: false}
jupyterhub:
  cull: {timeout: 600, every: 660, maxAge: 21600}
  hub:
    db: {type: sqlite-memory}
    services: {health: {apiToken: imported-s3cr3t-0815}}
    resources: {requests: {cpu: 200m, memory: 512Mi}, limits: {cpu: "1", memory: 1Gi}}
    extraConfig:
      10-greeting: |
        c.JupyterHub.template_vars = {"greeting": "hello ${name}"}
  proxy: {service: {type: ClusterIP}}
  singleuser: {storage: {type: none}, memory: {guarantee: 450M, limit: 2G}}
  scheduling: {userScheduler: {enabled: false}, userPlaceholder: {enabled: false}}
  prePuller: {hook: {enabled: false}, continuous: {enabled: false}}
`

// TestImport installs a BinderHub by Helm and makes node pools by hand, and has
// hubcap write the config for both: by an account that may only read, and without
// a request that writes. The plan of that config changes no value and restarts
// nothing; applying it makes it hubcap's, and the next plan is empty.
func TestImport(t *testing.T) {
	setUp(t)
	const namespace = "imported"
	w := newWorld(t, "imported", "imported-runs", map[string]string{"main.hcl": `
hubcap {
  name              = "imported"
  journal_namespace = "imported-runs"
}
`})
	w.hidden = []string{"imported-s3cr3t-0815"}
	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte(importedValues), 0o600); err != nil {
		t.Fatal(err)
	}
	helm(t, "install", "binder", binderChart(t), "-n", namespace, "--create-namespace", "-f", values)
	for _, p := range madeByHand {
		idle(t)
		emulator(t, "POST", "/v1/"+site.sandbox.GKECluster+"/nodePools", map[string]any{"nodePool": p.body})
	}
	idle(t)
	secrets := filepath.Join(t.TempDir(), "secrets.vars")
	gke := strings.NewReplacer("projects/", "", "/locations", "", "/clusters", "").Replace(site.sandbox.GKECluster)
	into := []string{"import", "--gke", gke, "--gke-endpoint", site.sandbox.GKEEndpoint, "--namespace", namespace, "--out", w.dir, "--add"}

	w.run("writes the config and nothing else", func(t *testing.T) {
		w.proxy = newProxy(t)
		r := w.hubcap(reader, 0, append(into, "--secrets-file", secrets)...)
		r.has(t, "hub.binder plans to nothing", "1 secrets are in", "node_pool.byhand-user config.gvnic.enabled")
		for _, method := range []string{"PATCH ", "PUT ", "DELETE ", "POST "} {
			if writes := w.proxy.take().with(method); len(writes) > 0 {
				t.Errorf("import writes: %v", writes)
			}
		}
		w.proxy = nil
		pools := read(t, filepath.Join(w.dir, "node_pools.hcl"))
		for _, p := range madeByHand {
			if !strings.Contains("\n"+pools, p.want) {
				t.Errorf("node_pools.hcl lacks:%s\nit is:\n%s", p.want, pools)
			}
		}
		hub := read(t, filepath.Join(w.dir, "hub-binder.hcl"))
		hub = regexp.MustCompile(` +`).ReplaceAllString(hub, " ")
		for _, text := range []string{
			`chart = "builtin:binderhub"`, `namespace = "imported"`, "per_repo = 100", `repo = "badguy/tunnel"`, `timeout = "10m"`,
			`host_lib_dir = "/var/lib/dind"`, `image_cache "binder"`, "hello $${name}", `apiToken = var.binder_secrets[`,
		} {
			if !strings.Contains(hub, text) {
				t.Errorf("%q is missing from:\n%s", text, hub)
			}
		}
		w.hubcap(reader, 0, append(into, "--var-file", secrets)...).has(t, "nothing that is not described already")
	})
	withSecrets := "--var-file=" + secrets
	w.run("the plan changes owners only", func(t *testing.T) {
		r := w.hubcap(reader, 0, "plan", withSecrets, "--only", "hub.binder")
		r.has(t, "hub.binder takes over", "restarts nothing", "Plan: 0 to add, 0 to change, 0 to remove")
		for _, p := range madeByHand {
			name := p.body["name"].(string)
			shown := w.hubcap(reader, 0, "plan", withSecrets, "-v", "--only", "node_pool."+name)
			shown.has(t, "adopts existing pool "+name)
			if others := regexp.MustCompile(`(?m)^.*config\.[a-zA-Z]+.*$`).FindAllString(shown.out, -1); len(others) > 0 {
				for _, line := range others {
					if !strings.Contains(line, "resourceLabels") {
						t.Errorf("the plan changes more than labels: %s", line)
					}
				}
			}
		}
	})
	w.run("apply restarts nothing", func(t *testing.T) {
		before := pods(t, namespace)
		w.hubcap(applier, 0, "apply", "--auto-approve", withSecrets, "--except", "node_pool.base")
		if now := pods(t, namespace); now != before {
			t.Errorf("pods are\n%s\nand were\n%s", now, before)
		}
		w.hubcap(reader, 0, "plan", "--detailed-exitcode", withSecrets, "--except", "node_pool.base").has(t, "No changes")
	})
	w.run("who may not read is told so", func(t *testing.T) {
		r := w.hubcap(nobody, 3, "import", "--out", filepath.Join(t.TempDir(), "new"))
		r.has(t, "could not read Helm releases", "forbidden")
	})
}
