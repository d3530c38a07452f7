//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// helm4 leaves what Helm 4 leaves of a revision: the objects, applied by the
// server in the name of helm and with Helm's marks, and a record that says so. It
// is not built here for that; Helm 3 renders the chart.
func (in *installed) helm4(revision int, set ...string) {
	in.t.Helper()
	args := []string{"template", "rel", in.chart, "-n", in.namespace}
	for _, s := range set {
		args = append(args, "--set", s)
	}
	manifest := helm(in.t, args...)
	var objects, kept strings.Builder
	hooks := []any{}
	for _, text := range strings.Split(manifest, "\n---\n") {
		object := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			in.t.Fatal(err)
		}
		meta := object["metadata"].(map[string]any)
		meta["namespace"] = in.namespace
		meta["labels"] = map[string]any{"app.kubernetes.io/managed-by": "Helm"}
		if meta["annotations"] != nil { // a hook bears no marks, and is recorded apart
			hooks = append(hooks, map[string]any{"manifest": text})
		} else {
			kept.WriteString("---\n" + text + "\n")
			meta["annotations"] = map[string]any{"meta.helm.sh/release-name": "rel", "meta.helm.sh/release-namespace": in.namespace}
		}
		marked, err := yaml.Marshal(object)
		if err != nil {
			in.t.Fatal(err)
		}
		objects.WriteString("---\n" + string(marked))
	}
	file := filepath.Join(in.t.TempDir(), "objects.yaml")
	if err := os.WriteFile(file, []byte(objects.String()), 0o600); err != nil {
		in.t.Fatal(err)
	}
	kubectl(in.t, "apply", "--server-side", "--force-conflicts", "--field-manager=helm", "-f", file)
	in.record4(revision, kept.String(), hooks)
}

// record4 writes the record of a revision as Helm 4 does.
func (in *installed) record4(revision int, manifest string, hooks []any) {
	in.t.Helper()
	record, err := json.Marshal(map[string]any{
		"name": "rel", "namespace": in.namespace, "version": revision, "manifest": manifest, "hooks": hooks, "config": map[string]any{}, "apply_method": "ssa",
		"info":  map[string]any{"status": "deployed", "first_deployed": "2026-01-02T03:04:05Z", "last_deployed": "2026-01-02T03:04:05Z"},
		"chart": map[string]any{"metadata": map[string]any{"name": "app", "version": "1.2.3", "apiVersion": "v2"}},
	})
	if err != nil {
		in.t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(record); err != nil {
		in.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		in.t.Fatal(err)
	}
	for n := 1; n < revision; n++ {
		kubectl(in.t, "label", "secret", fmt.Sprintf("sh.helm.release.v1.rel.v%d", n), "-n", in.namespace, "--overwrite", "status=superseded")
	}
	site.sandbox.Apply(in.t, fmt.Sprintf(`
apiVersion: v1
kind: Secret
type: helm.sh/release.v1
metadata:
  name: sh.helm.release.v1.rel.v%[1]d
  namespace: %[2]s
  labels: {owner: helm, name: rel, status: deployed, version: "%[1]d", modifiedAt: "1795289297"}
stringData:
  release: %[3]s
`, revision, in.namespace, base64.StdEncoding.EncodeToString(packed.Bytes())))
}

// TestTakeOverHelm4 takes over a release that Helm 4 applied on the server's side,
// takes a value away, is told of what Helm 4 forces through, and gives it back.
func TestTakeOverHelm4(t *testing.T) {
	in := newInstalled(t, "takefour")
	site.sandbox.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", in.namespace))
	in.helm4(1)
	before := awaitPods(t, in.namespace, 1)
	in.run("import and take over", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "new")
		in.hubcap(reader, 0, "import", "--namespace", in.namespace, "--chart", "rel="+in.chart, "--out", out).has(t, "chart.rel plans to nothing")
		in.hubcap(reader, 2, "plan", "--detailed-exitcode").says(t, "by Helm 4", "revision 1", "restarts nothing", "Plan: 0 to add, 0 to change, 0 to remove")
		in.hubcap(applier, 0, "apply", "--auto-approve")
		if now := pods(t, in.namespace); now != before {
			t.Errorf("pods are\n%s\nand were\n%s", now, before)
		}
		in.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes")
	})
	in.run("what is removed goes", func(t *testing.T) {
		in.wants(`shape = null`)
		in.hubcap(applier, 0, "apply", "--auto-approve")
		if got := in.colour(); got != `{"colour":"blue"}` {
			t.Errorf("the settings are %s", got)
		}
	})
	in.run("what Helm forces through is drift by its name", func(t *testing.T) {
		in.helm4(2, "colour=red")
		r := in.hubcap(reader, 2, "drift")
		r.says(t, "data.colour blue → red, by helm (revision 2 of Helm release "+in.namespace+"/rel) at 2")
		in.hubcap(reader, 2, "plan", "--detailed-exitcode").says(t, "takes back", "by Helm 4")
		in.hubcap(applier, 0, "apply", "--auto-approve")
		if got := in.colour(); got != `{"colour":"blue"}` {
			t.Errorf("the settings are %s", got)
		}
		in.hubcap(reader, 0, "plan", "--detailed-exitcode").has(t, "No changes")
		in.hubcap(reader, 0, "drift")
	})
}
