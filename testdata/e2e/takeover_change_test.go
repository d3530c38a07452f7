//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// choices are objects of which each has one of two fields, told so by the server's
// validation of a built-in kind and by a rule of a definition.
var choices = map[string]string{
	"Chart.yaml": "apiVersion: v2\nname: choices\nversion: 1.0.0\n",
	"templates/all.yaml": `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  {{ .Values.budget }}: 1
---
apiVersion: takechoice.example.org/v1
kind: Choice
metadata: {name: main}
spec: { {{ .Values.arm }}: 1, list: [a, b] }
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: { {{ .Values.arm }}: "1", stays: "1" }
`,
}

const choiceDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: choices.takechoice.example.org}
spec:
  group: takechoice.example.org
  scope: Namespaced
  names: {kind: Choice, plural: choices}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {left: {type: integer}, right: {type: integer}, list: {type: array, items: {type: string}}}
            x-kubernetes-validations: [{rule: "has(self.left) != has(self.right)", message: "one of left and right"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: takechoice}
rules: [{apiGroups: [takechoice.example.org], resources: [choices], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: takechoice}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: takechoice}
subjects: [{kind: ServiceAccount, name: reader, namespace: hubcap}, {kind: ServiceAccount, name: applier, namespace: hubcap}]
`

// newChosen is an installed with the files of another chart.
func newChosen(t *testing.T, name string, files map[string]string) *installed {
	t.Helper()
	in := newInstalled(t, name)
	for file := range app {
		if err := os.Remove(filepath.Join(in.chart, file)); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range files {
		in.write("app/"+file, text)
	}
	return in
}

// TestTakeOverAndChange takes over and changes at once what can only be changed when the
// former owner's fields are hubcap's: the plan tries it as it will be by then. One
// release is recorded as one of a cluster that still served an older version.
func TestTakeOverAndChange(t *testing.T) {
	setUp(t)
	site.sandbox.Apply(t, choiceDefinition)
	kubectl(t, "wait", "--for=condition=established", "crd/choices.takechoice.example.org")
	for _, name := range []string{"takechoice", "takechoice-old"} {
		t.Run(name, func(t *testing.T) {
			in := newChosen(t, name, choices)
			in.install("--set", "budget=minAvailable,arm=left")
			if name == "takechoice-old" {
				in.ages("web")
			}
			in.wants(`budget = "maxUnavailable", arm = "right"`)
			in.hubcap(reader, 2, "plan", "--detailed-exitcode", "-v").says(t, "takes over 3 objects", "3 of them get other values", "maxUnavailable", "spec.right")
			in.hubcap(applier, 0, "apply", "--auto-approve")
			for object, want := range map[string]string{
				"pdb/web": `1 `, "choice.takechoice.example.org/main": ` 1`, "configmap/settings": ` 1`,
			} {
				path := map[string]string{"pdb/web": "{.spec.maxUnavailable} {.spec.minAvailable}", "configmap/settings": "{.data.left} {.data.right}"}[object]
				if path == "" {
					path = "{.spec.left} {.spec.right}"
				}
				if got := site.sandbox.Kubectl(t, "get", object, "-n", in.namespace, "-o=jsonpath="+path); got != want {
					t.Errorf("%s has %q, want %q", object, got, want)
				}
			}
			in.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes")
			in.hubcap(applier, 0, "rollback", "--auto-approve")
			if got := kubectl(t, "get", "pdb/web", "-n", in.namespace, "-o=jsonpath={.spec.minAvailable}"); got != "1" {
				t.Errorf("after the rollback minAvailable is %q", got)
			}
		})
	}
}

// ages makes the release and one of its budgets what Helm left in a cluster that still
// served policy/v1beta1, and that somebody wrote since.
func (in *installed) ages(budget string) {
	in.t.Helper()
	var object struct{ Metadata metav1.ObjectMeta }
	if err := json.Unmarshal([]byte(kubectl(in.t, "get", "pdb", budget, "-n", in.namespace, "-o=json", "--show-managed-fields")), &object); err != nil {
		in.t.Fatal(err)
	}
	entries := object.Metadata.ManagedFields
	for i := range entries {
		if entries[i].Subresource == "" {
			entries[i].APIVersion = "policy/v1beta1"
		}
	}
	patch, err := json.Marshal([]any{map[string]any{"op": "replace", "path": "/metadata/managedFields", "value": entries}})
	if err != nil {
		in.t.Fatal(err)
	}
	kubectl(in.t, "patch", "pdb", budget, "-n", in.namespace, "--type=json", "-p="+string(patch)) // with a write the server forgets who wrote in it
	if got := in.managers("pdb/" + budget); strings.Contains(got, "helm") {
		in.t.Fatalf("the fields are of %s: this test shows nothing", got)
	}
	secrets := site.admin.CoreV1().Secrets(in.namespace)
	record, err := secrets.Get(in.t.Context(), "sh.helm.release.v1.rel.v1", metav1.GetOptions{})
	if err != nil {
		in.t.Fatal(err)
	}
	record.Data["release"] = repack(in.t, record.Data["release"], func(text string) string {
		return strings.ReplaceAll(text, "policy/v1", "policy/v1beta1")
	})
	if _, err := secrets.Update(in.t.Context(), record, metav1.UpdateOptions{}); err != nil {
		in.t.Fatal(err)
	}
}

// repack changes the text of a record of Helm's.
func repack(t *testing.T, packed []byte, change func(string) string) []byte {
	t.Helper()
	zipped, err := base64.StdEncoding.DecodeString(string(packed))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(change(string(text)))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(b.Bytes()))
}

// drawing draws anew at each rendering what it never looks up.
var drawing = map[string]string{
	"Chart.yaml": "apiVersion: v2\nname: drawing\nversion: 1.0.0\n",
	"templates/all.yaml": `
{{- $file := printf "colour: %s\ntoken: %s\n" .Values.colour (randAlphaNum 24) }}
{{- $ca := genCA "ca" 365 }}
{{- $cert := genSignedCert "web" nil (list "web.svc") 365 $ca }}
apiVersion: v1
kind: Secret
metadata: {name: drawn}
stringData: {ca: {{ $ca.Cert | quote }}, crt: {{ $cert.Cert | quote }}, key: {{ $cert.Key | quote }}, lower: {{ randAlphaNum 20 | lower }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {file: {{ $file | quote }}, at: {{ now | date "2006-01-02 15:04:05" | quote }}, id: {{ uuidv4 }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {checksum/settings: {{ $file | sha256sum }}}}
    spec: {containers: [{name: web, image: "example.org/web:1"}]}
`,
}

// TestTakeOverDrawn imports and takes over a release whose chart draws anew at each
// rendering: what import proved is what the plan says, and a change restarts what it has to.
func TestTakeOverDrawn(t *testing.T) {
	in := newChosen(t, "takedrawn", drawing)
	in.install("--set", "colour=blue")
	pods := awaitPods(t, in.namespace, 1)
	if err := os.Remove(filepath.Join(in.dir, "main.hcl")); err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	in.hubcap(reader, 0, "import", "--namespace", in.namespace, "--chart", "rel="+in.chart, "--out", into).has(t, "chart.rel plans to nothing")
	in.wants(`colour = "blue"`)
	in.hubcap(reader, 2, "plan", "--detailed-exitcode").says(t, "takes over 3 objects", "restarts nothing", "0 to change")
	in.hubcap(applier, 0, "apply", "--auto-approve")
	in.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes")
	in.hubcap(reader, 0, "drift")
	if now := awaitPods(t, in.namespace, 1); now != pods {
		t.Errorf("pods are %s, were %s", now, pods)
	}
	token := func() string {
		_, token, _ := strings.Cut(kubectl(t, "get", "configmap", "settings", "-n", in.namespace, "-o=jsonpath={.data.file}"), "token: ")
		return token
	}
	was := token()
	in.wants(`colour = "green"`)
	in.hubcap(applier, 0, "apply", "--auto-approve").says(t, "restart")
	if now := token(); now != was || now == "" {
		t.Errorf("the token is %q, and was %q", now, was)
	}
	in.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes")
}

// TestImportUnknownKinds imports a release of which one object is in a version that is
// removed, and one of a kind that went: both are named and counted.
func TestImportUnknownKinds(t *testing.T) {
	setUp(t)
	gone := strings.NewReplacer("takechoice", "takegone", "Choice", "Vanished", "choices", "vanished") // a kind that no other test defines
	site.sandbox.Apply(t, gone.Replace(choiceDefinition))
	kubectl(t, "wait", "--for=condition=established", "crd/vanished.takegone.example.org")
	in := newChosen(t, "takegone", map[string]string{
		"Chart.yaml":         choices["Chart.yaml"],
		"templates/all.yaml": gone.Replace(choices["templates/all.yaml"]),
	})
	in.install("--set", "budget=minAvailable,arm=left")
	in.ages("web")
	in.write("app/templates/all.yaml", strings.ReplaceAll(read(t, filepath.Join(in.chart, "templates/all.yaml")), "policy/v1", "policy/v1beta1"))
	kubectl(t, "delete", "crd", "vanished.takegone.example.org")
	in.hubcap(reader, 2, "import", "--namespace", in.namespace, "--chart", "rel="+in.chart, "--out", t.TempDir()).says(t,
		"2 of its 3 objects are of kinds that the cluster does not have",
		"PodDisruptionBudget/web: the server knows no kind PodDisruptionBudget in policy/v1beta1, only in policy/v1",
		"Vanished/main: the server knows no kind Vanished in takegone.example.org/v1, and no block defines it")
	in.wants(`budget = "minAvailable", arm = "left"`)
	in.hubcap(reader, 9, "plan").says(t, "only in policy/v1")
}
