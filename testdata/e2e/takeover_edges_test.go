//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// app is a small chart: a configuration, what reads it, and two more objects.
var app = map[string]string{
	"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.2.3\n",
	"values.yaml": `{colour: blue, shape: round, image: "example.org/web:1", extra: true}
`,
	"templates/all.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  colour: {{ .Values.colour }}
  {{- with .Values.shape }}
  shape: {{ . }}
  {{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {checksum/settings: {{ .Values.colour | sha256sum }}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: web, image: {{ .Values.image | quote }}, envFrom: [{configMapRef: {name: settings}}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: hooked, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
{{- if .Values.extra }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
{{- end }}
`,
}

// An installed is a release of the small chart, and the config of the block that
// takes it over.
type installed struct {
	*world
	chart, namespace string
}

// newInstalled makes the chart and the config; nothing is installed yet.
func newInstalled(t *testing.T, name string) *installed {
	t.Helper()
	in := &installed{world: newWorld(t, name, name, nil), namespace: name + "-app"}
	in.chart = filepath.Join(in.dir, "app")
	if err := os.MkdirAll(filepath.Join(in.chart, "templates"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range app {
		in.write("app/"+file, text)
	}
	in.wants("")
	return in
}

// wants writes the config with values.
func (in *installed) wants(values string) {
	in.write("main.hcl", fmt.Sprintf(`
hubcap {
  name              = %[1]q
  journal_namespace = %[1]q
}
cluster "c" {}
chart "app" {
  namespace = %[2]q
  release   = "rel"
  chart     = "./app"
  values    = {%[3]s}
}
`, in.name, in.namespace, values))
}

// install has Helm install the release.
func (in *installed) install(args ...string) {
	in.t.Helper()
	helm(in.t, append([]string{"install", "rel", in.chart, "-n", in.namespace, "--create-namespace"}, args...)...)
}

// uninstall removes what Helm installed and hubcap took over, with its pods.
func (in *installed) uninstall() {
	in.t.Helper()
	helm(in.t, "uninstall", "rel", "-n", in.namespace, "--wait")
	await(in.t, time.Minute, "the pods to go", func() string {
		return kubectl(in.t, "get", "pods", "-n", in.namespace, "-o=name")
	})
}

// managers returns who owns fields of an object, "helm/Update" and so on.
func (in *installed) managers(object string) string {
	in.t.Helper()
	return kubectl(in.t, "get", object, "-n", in.namespace, "--show-managed-fields",
		`-o=jsonpath={range .metadata.managedFields[?(@.manager!="kube-controller-manager")]}{.manager}/{.operation} {end}`)
}

func (in *installed) colour() string {
	in.t.Helper()
	return kubectl(in.t, "get", "configmap", "settings", "-n", in.namespace, "-o=jsonpath={.data}")
}

// says is has, wherever the lines break.
func (r result) says(t *testing.T, texts ...string) {
	t.Helper()
	said := strings.Join(strings.Fields(r.out+r.err), " ")
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("%q is missing from: %s", text, r)
		}
	}
}

// TestTakeOverChanges takes a release over with a config that wants other values
// and fewer objects, out of a state in which Helm itself would not go on.
func TestTakeOverChanges(t *testing.T) {
	in := newInstalled(t, "takechange")
	site.sandbox.Apply(t, `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: takechange, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: example.org/none
`)
	in.install()
	kubectl(t, "delete", "storageclass", "takechange")
	if class := kubectl(t, "get", "pvc", "data", "-n", in.namespace, "-o=jsonpath={.spec.storageClassName}"); class != "takechange" {
		t.Errorf("the claim has the class %q: this test shows nothing about immutable defaults", class)
	}
	awaitPods(t, in.namespace, 1)
	stuck(t, "upgrade", "rel", in.chart, "-n", in.namespace, "--set", "image=example.org/web:2", "--wait", "--set", "colour=blue")
	kubectl(t, "patch", "configmap", "settings", "-n", in.namespace, "--type=merge", "--field-manager=somebody", `-p={"data":{"colour":"green"}}`)
	before := awaitPods(t, in.namespace, 1)
	in.wants(`colour = "blue", shape = null, image = "example.org/web:2", extra = false`)
	in.hubcap(reader, 2, "plan", "--detailed-exitcode", "-v").says(t, "takes over 5 objects of Helm release "+in.namespace+"/rel (revision 2, chart app-1.2.3, by Helm 3); restarts nothing; 1 of them gets other values",
		"Helm left the release in pending-upgrade", "data.shape", "data.colour was written by somebody at", "1 to change, 0 to remove, 4 to change owner only", "extra", "stays Helm's")
	in.hubcap(applier, 0, "apply", "--auto-approve")
	if got := in.colour(); got != `{"colour":"blue"}` {
		t.Errorf("settings are %s, want shape gone", got)
	}
	if now := awaitPods(t, in.namespace, 1); now != before {
		t.Errorf("pods are %s, were %s", now, before)
	}
	in.hubcap(reader, 0, "plan", "--detailed-exitcode")
	if left := kubectl(t, "get", "configmap", "extra", "-n", in.namespace, "-o=name"); left == "" {
		t.Error("what the config does not hold was deleted")
	}
}

// stuck begins an upgrade by Helm and kills it, so that the release is pending.
func stuck(t *testing.T, args ...string) {
	t.Helper()
	program := os.Getenv("HUBCAP_HELM")
	if program == "" {
		t.Skip("HUBCAP_HELM is not set (make e2e builds it)")
	}
	home := t.TempDir()
	cmd := exec.Command(program, append(args, "--kubeconfig", site.sandbox.Kubeconfig)...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	namespace := args[4]
	await(t, time.Minute, "Helm to write the object", func() string {
		if image := kubectl(t, "get", "deployment", "web", "-n", namespace, "-o=jsonpath={..image}"); !strings.HasSuffix(image, ":2") {
			return image
		}
		return ""
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// TestTakeOverRollback goes back from a take-over: the objects are Helm's again,
// as they were, and Helm goes on with them.
func TestTakeOverRollback(t *testing.T) {
	in := newInstalled(t, "takeback")
	in.install()
	awaitPods(t, in.namespace, 1)
	in.wants(`colour = "red"`)
	in.hubcap(applier, 0, "apply", "--auto-approve")
	if got := in.managers("configmap/settings"); !strings.Contains(got, "hubcap/Apply") {
		t.Errorf("after the take-over the fields are of %s", got)
	}
	in.hubcap(applier, 0, "rollback", "--auto-approve")
	in.isHelms(t)
	if got := in.colour(); got != `{"colour":"blue","shape":"round"}` {
		t.Errorf("settings are %s", got)
	}
	in.wants("")
	in.hubcap(reader, 2, "plan", "--detailed-exitcode").says(t, "takes over 6 objects", "restarts nothing", "0 to change")
	helm(t, "upgrade", "rel", in.chart, "-n", in.namespace, "--set", "shape=square")
	if got := in.colour(); got != `{"colour":"blue","shape":"square"}` {
		t.Errorf("after helm upgrade settings are %s", got)
	}
}

// TestTakeOverFails takes over with an image that does not exist: the step is undone,
// and what it took over is Helm's again.
func TestTakeOverFails(t *testing.T) {
	in := newInstalled(t, "takefail")
	in.install()
	awaitPods(t, in.namespace, 1)
	in.wants(`image = "example.org/web:badimage-1"`)
	in.hubcap(reader, 2, "plan", "--detailed-exitcode").says(t, "restarts chart.app (1 pod)")
	in.hubcap(applier, 4, "apply", "--auto-approve")
	in.isHelms(t)
	if image := kubectl(t, "get", "deployment", "web", "-n", in.namespace, "-o=jsonpath={..image}"); image != "example.org/web:1" {
		t.Errorf("the image is %s", image)
	}
	in.wants("")
	in.hubcap(applier, 0, "apply", "--auto-approve")
	in.hubcap(reader, 0, "plan", "--detailed-exitcode")
}

// isHelms fails the test unless all objects are Helm's and nothing of them ours.
func (in *installed) isHelms(t *testing.T) {
	t.Helper()
	for _, object := range []string{"configmap/settings", "configmap/extra", "deployment/web", "service/web", "pvc/data"} {
		if got := in.managers(object); got != "helm/Update" {
			t.Errorf("the fields of %s are of %q", object, got)
		}
	}
	if ours := kubectl(t, "get", "configmaps,deployments,services", "-n", in.namespace, "-l", "hubcap.dev/config", "-o=name"); ours != "" {
		t.Errorf("labelled as ours: %s", ours)
	}
	if notes := kubectl(t, "get", "configmaps,deployments,services", "-n", in.namespace, "-o=jsonpath={.items[*].metadata.annotations}"); strings.Contains(notes, "hubcap.dev/") {
		t.Errorf("annotated as ours: %s", notes)
	}
}

// TestTakeOverKilled kills a take-over after each of its writes. Whichever way is
// gone then, the objects are wholly hubcap's or wholly Helm's, and no pod restarts.
func TestTakeOverKilled(t *testing.T) {
	in := newInstalled(t, "takekill")
	in.proxy = newProxy(t)
	ways := []struct {
		name string
		then func(t *testing.T)
	}{
		{"resume", func(*testing.T) { in.hubcap(applier, 0, "resume", "--auto-approve") }},
		{"plan and apply", func(*testing.T) { in.applyAnew() }},
		{"rollback", func(t *testing.T) {
			in.hubcap(applier, 0, "rollback", "--auto-approve")
			in.isHelms(t)
			in.hubcap(applier, 0, "apply", "--auto-approve", "--retry")
		}},
	}
	for n := 1; n <= 9; n++ { // of one object nothing migrates: Helm owns nothing in it but its marks
		way := ways[n%len(ways)]
		in.run(fmt.Sprintf("write %d, %s", n, way.name), func(t *testing.T) {
			in.install()
			before := awaitPods(t, in.namespace, 1)
			in.killedAtWrite(n)
			way.then(t)
			in.hubcap(reader, 0, "plan", "--detailed-exitcode")
			for _, object := range []string{"configmap/settings", "deployment/web"} {
				if got := in.managers(object); !strings.Contains(got, "hubcap/Apply") {
					t.Errorf("the fields of %s are of %q", object, got)
				}
			}
			if now := pods(t, in.namespace); now != before {
				t.Errorf("pods are %s, were %s", now, before)
			}
			in.uninstall()
		})
	}
}

// killedAtWrite begins an apply and kills it when the API server has made the nth
// of its writes to the release's objects.
func (in *installed) killedAtWrite(n int) {
	in.t.Helper()
	var mu sync.Mutex
	var seen int
	var p *process
	started := make(chan struct{})
	in.proxy.hook(func(r *http.Response) {
		if r.Request.Method != http.MethodPatch || r.Request.URL.Query().Get("dryRun") != "" || !strings.Contains(r.Request.URL.Path, "/namespaces/"+in.namespace+"/") {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen == n {
			<-started
			p.kill()
		}
	})
	defer in.proxy.hook(nil)
	p = in.begin(applier, "apply", "--auto-approve", "--retry")
	close(started)
	r := p.wait()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		in.t.Fatalf("not killed at write %d: %s", n, r)
	}
}

// TestTakeOverAsked meets objects that may be taken over only when that is asked
// for, or not at all.
func TestTakeOverAsked(t *testing.T) {
	in := newInstalled(t, "takeask")
	in.install()
	manifest := func(more, object string) {
		in.write("main.hcl", fmt.Sprintf(`
hubcap {
  name              = %[1]q
  journal_namespace = %[1]q
}
cluster "c" {}
manifest "m" {
  namespace = %[2]q
  %[3]s
  object    = %[4]s
}
`, in.name, in.namespace, more, object))
	}
	in.run("another release's", func(t *testing.T) {
		manifest("adopt = true", `{ apiVersion = "v1", kind = "ConfigMap", metadata = { name = "settings" }, data = { colour = "red" } }`)
		in.hubcap(reader, 9, "plan").says(t, "belongs to Helm release "+in.namespace+"/rel", "only a hub or chart block of that release")
	})
	in.run("kubectl's", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "o.yaml")
		text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: byhand, namespace: %s}\ndata: {a: \"1\", b: \"2\"}\n", in.namespace)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		kubectl(t, "apply", "-f", file)
		object := `{ apiVersion = "v1", kind = "ConfigMap", metadata = { name = "byhand" }, data = { a = "1" } }`
		manifest("", object)
		in.hubcap(reader, 9, "plan").says(t, "kubectl-client-side-apply made it", "adopt = true in manifest.m")
		manifest("adopt = true", object)
		in.hubcap(reader, 2, "plan", "--detailed-exitcode", "-v").says(t, "manifest.m takes over 1 object of kubectl-client-side-apply", "data.b")
		in.hubcap(applier, 0, "apply", "--auto-approve")
		if got := kubectl(t, "get", "configmap", "byhand", "-n", in.namespace, "-o=jsonpath={.data}"); got != `{"a":"1"}` {
			t.Errorf("data is %s, want b gone", got)
		}
		manifest("", object)
		in.hubcap(reader, 0, "plan", "--detailed-exitcode")
	})
	in.run("Helm 4's", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "o.yaml")
		labels := fmt.Sprintf(`labels: {app.kubernetes.io/managed-by: Helm}, annotations: {meta.helm.sh/release-name: four, meta.helm.sh/release-namespace: %s}`, in.namespace)
		text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: four, namespace: %s, %s}\ndata: {a: \"1\", b: \"2\"}\n", in.namespace, labels)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		kubectl(t, "apply", "--server-side", "--field-manager=helm", "-f", file)
		in.write("app/templates/all.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: four}\ndata: {{ .Values.data | toJson }}\n")
		four := func(data string) {
			in.wants("data = " + data)
			in.write("main.hcl", strings.Replace(read(t, filepath.Join(in.dir, "main.hcl")), `"rel"`, `"four"`, 1))
		}
		four(`{ a = "1", b = "2" }`)
		in.hubcap(reader, 2, "plan", "--detailed-exitcode").says(t, "by Helm 4", "restarts nothing", "Helm has no record of it")
		in.hubcap(applier, 0, "apply", "--auto-approve") // the manifest's object goes
		in.hubcap(reader, 0, "plan", "--detailed-exitcode")
		four(`{ a = "1" }`)
		in.hubcap(applier, 0, "apply", "--auto-approve")
		if got := kubectl(t, "get", "configmap", "four", "-n", in.namespace, "-o=jsonpath={.data}"); got != `{"a":"1"}` {
			t.Errorf("data is %s, want b gone", got)
		}
		kubectl(t, "apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", file)
		in.hubcap(reader, 2, "drift").has(t, "data.b", "by helm")
		in.hubcap(applier, 0, "apply", "--auto-approve")
		if got := kubectl(t, "get", "configmap", "four", "-n", in.namespace, "-o=jsonpath={.data}"); got != `{"a":"1"}` {
			t.Errorf("data is %s, want b gone again", got)
		}
		in.hubcap(reader, 0, "plan", "--detailed-exitcode")
		if err := os.WriteFile(file, []byte(strings.Replace(text, `, b: "2"`, "", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		kubectl(t, "apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", file)
		in.hubcap(reader, 0, "drift").has(t, "Shared", "by Helm release "+in.namespace+"/four", "Drift: none")
	})
}
