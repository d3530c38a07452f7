package expand

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/schema"
)

const quickstart = `
cluster "main" {
  project  = "hub-project"
  location = "us-central1-a"
  name     = "main"
}

node_pool "user" {
  machine_type = "n2-highmem-8"
  labels       = { "hub.jupyter.org/node-purpose" = "user" }
}

hub "prod" {
  chart     = "builtin:binderhub"
  namespace = "prod"
  values = {
    imageBuilderType = "dind"
    ingress          = { enabled = true, hosts = ["mybinder.example.org"] }
    jupyterhub = {
      ingress    = { enabled = true, hosts = ["hub.example.org"] }
      scheduling = { userScheduler = { enabled = true }, podPriority = { enabled = true }, userPlaceholder = { replicas = 2 } }
      prePuller  = { continuous = { enabled = true }, hook = { enabled = true } }
    }
  }
}

hub "students" {
  chart     = "builtin:jupyterhub"
  namespace = "students"
}

manifest "extra" {
  namespace = "prod"
  objects = [
    { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "motd" }, data = { text = "hello" } },
    { apiVersion = "v1", kind = "Secret", metadata = { name = "token" }, stringData = { token = "tell-nobody" } },
  ]
}
`

// offline is a cluster where nothing lives yet; nil facts are for a look only.
var offline = map[string]Facts{}

func mustConfig(t *testing.T, cfg *schema.Config, facts map[string]Facts) []resource.Desired {
	t.Helper()
	desired, diags := Config(cfg, facts)
	if diags.HasErrors() {
		t.Fatalf("expand:\n%s", describe(diags))
	}
	return desired
}

func byAddress(desired []resource.Desired) map[string]resource.Desired {
	m := map[string]resource.Desired{}
	for _, d := range desired {
		m[d.Address.String()] = d
	}
	return m
}

// Every object of the built-in charts belongs to the component that is rolled
// out with it.
func TestComponentsOfBuiltinCharts(t *testing.T) {
	want := map[string][]string{
		"hub.prod/binder": {"Deployment/binder", "PodDisruptionBudget/binderhub", "ServiceAccount/binderhub", "Role/binderhub",
			"RoleBinding/binderhub", "Secret/binder-secret", "Secret/binder-build-docker-config", "Service/binder", "Ingress/binderhub"},
		"hub.prod/image-builder": {"DaemonSet/prod-dind"},
		"hub.prod/image-cleaner": {"DaemonSet/prod-image-cleaner", "ServiceAccount/prod-image-cleaner",
			"ClusterRole/prod-image-cleaner", "ClusterRoleBinding/prod-image-cleaner"},
		"hub.prod/hub": {"ConfigMap/hub", "Deployment/hub", "NetworkPolicy/hub", "PersistentVolumeClaim/hub-db-dir", "Role/hub",
			"RoleBinding/hub", "Secret/hub", "Service/hub", "ServiceAccount/hub"},
		"hub.prod/proxy":      {"Deployment/proxy", "NetworkPolicy/proxy", "Service/proxy-api", "Service/proxy-public"},
		"hub.prod/singleuser": {"NetworkPolicy/singleuser"},
		"hub.prod/ingress":    {"Ingress/jupyterhub"},
		"hub.prod/user-scheduler": {"ConfigMap/user-scheduler", "Deployment/user-scheduler", "PodDisruptionBudget/user-scheduler",
			"ServiceAccount/user-scheduler", "ClusterRole/prod-user-scheduler", "ClusterRoleBinding/prod-user-scheduler",
			"ClusterRoleBinding/prod-user-scheduler-base", "ClusterRoleBinding/prod-user-scheduler-volumes"},
		"hub.prod/user-placeholder": {"StatefulSet/user-placeholder", "PodDisruptionBudget/user-placeholder",
			"PriorityClass/prod-user-placeholder-priority"},
		"hub.prod/image-puller": {"DaemonSet/continuous-image-puller", "PriorityClass/prod-image-puller-priority"},
		"hub.prod/scheduling":   {"PriorityClass/prod-default-priority"},
		"hub.prod/namespace":    {"Namespace/prod"},
	}
	got := map[string][]string{}
	for _, d := range mustConfig(t, parse(t, quickstart), nil) {
		if d.Address.Kind == "hub" && d.Address.Name == "prod" {
			got[d.Component.String()] = append(got[d.Component.String()], d.Address.Object)
		}
	}
	sortLists := cmp.Transformer("set", func(list []string) map[string]bool {
		m := map[string]bool{}
		for _, s := range list {
			m[s] = true
		}
		return m
	})
	if diff := cmp.Diff(want, got, sortLists); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
}

func TestComponentOf(t *testing.T) {
	labelled := resource.Object{"metadata": map[string]any{"name": "x", "labels": map[string]any{"component": "grafana"}}}
	bare := resource.Object{"metadata": map[string]any{"name": "x"}}
	tests := []struct {
		source string
		object resource.Object
		want   string
		reason string
	}{
		{"jupyterhub/templates/hub/deployment.yaml", bare, "hub", "the folder"},
		{"a/charts/b/charts/jupyterhub/templates/proxy/deployment.yaml", bare, "proxy", "the innermost chart counts"},
		{"jupyterhub/templates/proxy/autohttps/deployment.yaml", bare, "autohttps", "a folder inside the proxy's"},
		{"jupyterhub/templates/scheduling/user-scheduler/pdb.yaml", bare, "user-scheduler", "scheduling says nothing"},
		{"jupyterhub/templates/image-pull-secret.yaml", bare, "image-pull-secret", "a file at the top"},
		{"binderhub/templates/dind/daemonset.yaml", bare, "image-builder", "the old name of the folder"},
		{"binderhub/templates/httproute.yaml", bare, "binder", "what is nobody else's is the binder's"},
		{"umbrella/templates/static/deployment.yaml", bare, "static", "an umbrella's folder"},
		{"umbrella/templates/pdb-grafana.yaml", bare, "grafana", "an umbrella's file, without the word for a kind"},
		{"umbrella/templates/minesweeper-rbac.yaml", bare, "minesweeper", "the word for a kind may stand behind"},
		{"umbrella/templates/user-configmap.yaml", bare, "singleuser", "what users' servers mount"},
		{"umbrella/templates/priorityclass.yaml", bare, "", "a class of the whole block"},
		{"umbrella/templates/netpol.yaml", labelled, "grafana", "a policy whose labels tell"},
		{"umbrella/templates/federation-redirect/configmap.yaml", bare, "federation-redirect", "a folder with a dash"},
		{"umbrella/templates/rbac.yaml", labelled, "grafana", "a file name that tells only the kind: labels"},
		{"umbrella/templates/rbac.yaml", bare, "", "nothing tells"},
		{"umbrella/charts/traefik/templates/rbac/role.yaml", bare, "traefik", "any other dependency is one component"},
		{"umbrella/charts/traefik/crds/routes.yaml", bare, "crds", "definitions"},
	}
	for _, test := range tests {
		if got := componentOf(chart.Object{Source: test.source, Object: test.object}, "umbrella"); got != test.want {
			t.Errorf("%s: %s: got %q, want %q", test.source, test.reason, got, test.want)
		}
	}
}

func TestMarksScopeAndNeeds(t *testing.T) {
	desired := mustConfig(t, parse(t, quickstart), nil)
	namespace := resource.ID{Cluster: "main", Kind: "Namespace", Name: "prod"}
	namespaces := 0
	for _, d := range desired {
		switch {
		case d.Presence == resource.Ensured:
			if d.ID == namespace {
				namespaces++
			}
			if _, isMarked := d.Object.Value("metadata", "labels"); isMarked {
				t.Errorf("%s is marked, and is not hubcap's", d.Address)
			}
			continue
		case d.ID.Group == resource.GroupGKE:
			continue
		}
		if got := d.Object.Text("metadata", "labels", labelConfig); got != "default" {
			t.Errorf("%s: owner %q", d.Address, got)
		}
		if got := d.Object.Text("metadata", "annotations", annotationAddress); got != d.Address.String() {
			t.Errorf("%s: marked as %q", d.Address, got)
		}
		if _, isMarked := d.Object.Value("spec", "template", "metadata", "annotations", annotationAddress); isMarked {
			t.Errorf("%s: its pods are marked", d.Address)
		}
		isClusterWide := strings.HasPrefix(d.ID.Kind, "Cluster") || d.ID.Kind == "PriorityClass"
		if (d.ID.Namespace == "") != isClusterWide {
			t.Errorf("%s: namespace %q", d.Address, d.ID.Namespace)
		}
		if d.ID.Namespace == "prod" && (len(d.Needs) == 0 || d.Needs[0] != namespace) {
			t.Errorf("%s: needs %v, not its namespace", d.Address, d.Needs)
		}
	}
	if namespaces != 1 {
		t.Errorf("the namespace that a hub and a manifest need is there %d times", namespaces)
	}
}

func TestCustomResourcesNeedTheirDefinition(t *testing.T) {
	desired := byAddress(mustConfig(t, parse(t, `
cluster "main" { context = "test" }
manifest "crd" {
  objects = [
    { apiVersion = "example.org/v1", kind = "Widget", metadata = { name = "w", namespace = "dropped" } },
    { apiVersion = "apiextensions.k8s.io/v1", kind = "CustomResourceDefinition", metadata = { name = "widgets.example.org" },
      spec = { group = "example.org", scope = "Cluster", names = { kind = "Widget" } } },
  ]
}`), nil))
	widget := desired["manifest.crd/Widget/w"]
	want := []resource.ID{{Cluster: "main", Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition", Name: "widgets.example.org"}}
	if diff := cmp.Diff(want, widget.Needs); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	if widget.ID.Namespace != "" {
		t.Errorf("an object of a cluster-wide kind got the namespace %q", widget.ID.Namespace)
	}
}

// plain returns the objects with every sensitive value plain; what was generated
// becomes the same everywhere.
func plain(desired []resource.Desired) []resource.Desired {
	out := make([]resource.Desired, len(desired))
	for i, d := range desired {
		d.Object = resource.Object(blank(map[string]any(d.Object)).(map[string]any))
		out[i] = d
	}
	return out
}

func blank(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := map[string]any{}
		for k, e := range v {
			c[k] = blank(e)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = blank(e)
		}
		return c
	case resource.Sensitive:
		if v.Generated {
			return "generated"
		}
		return v.Reveal()
	}
	return v
}

// generated counts the leaves that are left to chance.
func generated(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n += generated(e)
		}
	case []any:
		for _, e := range v {
			n += generated(e)
		}
	case resource.Sensitive:
		if v.Generated {
			n++
		}
	}
	return n
}

func TestShuffledBlocksGiveTheSameObjects(t *testing.T) {
	cfg := parse(t, quickstart)
	want := plain(mustConfig(t, cfg, offline))
	for seed := range int64(3) {
		r := rand.New(rand.NewSource(seed))
		r.Shuffle(len(cfg.Hubs), func(i, j int) { cfg.Hubs[i], cfg.Hubs[j] = cfg.Hubs[j], cfg.Hubs[i] })
		r.Shuffle(len(cfg.NodePools), func(i, j int) { cfg.NodePools[i], cfg.NodePools[j] = cfg.NodePools[j], cfg.NodePools[i] })
		if diff := cmp.Diff(want, plain(mustConfig(t, cfg, offline))); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

// What is applied is a fixpoint: expanding again with the first result live gives
// the same objects, and nothing is left to chance any more.
func TestExpandingAgainAfterApplyChangesNothing(t *testing.T) {
	cfg := parse(t, quickstart)
	first := mustConfig(t, cfg, offline)
	drawn := 0
	live := map[string]map[string]any{}
	for _, d := range first {
		drawn += generated(map[string]any(d.Object))
		live[d.ID.Kind+" "+d.ID.Namespace+" "+d.ID.Name] = resource.Reveal(d.Object).(map[string]any)
	}
	if drawn == 0 {
		t.Fatal("a first render draws no token at all")
	}
	second := mustConfig(t, cfg, map[string]Facts{"main": {Lookup: func(_, kind, namespace, name string) (map[string]any, error) {
		return live[kind+" "+namespace+" "+name], nil
	}}})
	for i := range second {
		if n := generated(map[string]any(second[i].Object)); n > 0 {
			t.Errorf("%s: %d leaves are still left to chance", second[i].Address, n)
		}
		kept := resource.KeepSensitive(second[i].Object, resource.Reveal(first[i].Object).(map[string]any)) // as readers do
		if !resource.Equal(resource.Reveal(first[i].Object), resource.Reveal(kept)) {
			t.Errorf("%s changed", second[i].Address)
		}
	}
}

func TestSecretsAreSensitive(t *testing.T) {
	for _, d := range mustConfig(t, parse(t, quickstart), nil) {
		if d.ID.Kind != "Secret" {
			continue
		}
		if _, isThere := d.Object["stringData"]; isThere {
			t.Errorf("%s has stringData", d.Address)
		}
		data, _ := d.Object["data"].(map[string]any)
		if len(data) == 0 {
			t.Errorf("%s has no data", d.Address)
		}
		for key, value := range data {
			secret, isSensitive := value.(resource.Sensitive)
			if !isSensitive {
				t.Errorf("%s: %s is plain", d.Address, key)
				continue
			}
			if _, err := base64.StdEncoding.DecodeString(secret.Reveal()); err != nil {
				t.Errorf("%s: %s: %v", d.Address, key, err)
			}
		}
	}
}

func TestSensitiveVariableIsFoundWhereverItEndsUp(t *testing.T) {
	const source = `
variable "password" {
  type      = string
  sensitive = true
  default   = "hunter2hunter2"
}
cluster "main" { context = "test" }
hub "prod" {
  chart  = "builtin:jupyterhub"
  values = {
    hub = {
      extraConfig = { auth = "c.DummyAuthenticator.password = '${var.password}'" }
      extraEnv    = { PASSWORD = var.password }
    }
  }
}
`
	found := 0
	for _, d := range mustConfig(t, parse(t, source), nil) {
		var walk func(v any, at string)
		walk = func(v any, at string) {
			switch v := v.(type) {
			case map[string]any:
				for k, e := range v {
					walk(e, at+"."+k)
				}
			case []any:
				for i, e := range v {
					walk(e, fmt.Sprintf("%s[%d]", at, i))
				}
			case string:
				if strings.Contains(v, "hunter2hunter2") {
					t.Errorf("%s%s is plain", d.Address, at)
				}
			case resource.Sensitive:
				if d.ID.Kind != "Secret" && strings.Contains(v.Reveal(), "hunter2hunter2") {
					found++
				}
			}
		}
		walk(map[string]any(d.Object), "")
	}
	if found == 0 {
		t.Error("the password is nowhere outside of Secrets: the test tests nothing")
	}
}

func TestLookupErrorsReachTheAuthor(t *testing.T) {
	_, diags := Config(parse(t, quickstart), map[string]Facts{"main": {Lookup: func(string, string, string, string) (map[string]any, error) {
		return nil, errors.New("secrets is forbidden")
	}}})
	if !diags.HasErrors() || !strings.Contains(describe(diags), "which could not be read: Secrets is forbidden.") {
		t.Errorf("got:\n%s", describe(diags))
	}
	for _, d := range diags {
		if _, isUnread := d.Extra.(Unread); !isUnread || strings.Contains(d.Detail, "template") {
			t.Errorf("it is taken for a fault of the chart's: %s", d.Detail)
		}
	}
}

func TestTwoHubsOfOneReleaseInANamespace(t *testing.T) {
	cfg := parse(t, quickstart)
	twin := cfg.Hubs[1]
	twin.Address.Name = "twin"
	twin.Range.Start.Line += 100
	cfg.Hubs = append(cfg.Hubs, twin)
	_, diags := Config(cfg, nil)
	if len(diags) != 1 || diags[0].Severity != hcl.DiagError {
		t.Fatalf("want one error, got:\n%s", describe(diags))
	}
	for _, want := range []string{"hub.twin and hub.students, at ", "and 13 more"} {
		if !strings.Contains(diags[0].Detail, want) {
			t.Errorf("%q is not in %q", want, diags[0].Detail)
		}
	}
	if diags[0].Subject.Start.Line != twin.Range.Start.Line {
		t.Errorf("points at line %d, not at the later block", diags[0].Subject.Start.Line)
	}
}
