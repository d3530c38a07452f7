package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/yaml"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/modules"
)

// release records a release as Helm does, into the directory releases:
// release NAMESPACE/NAME CHART VALUES.yaml [STATUS [REVISION [NULLS]]]
func release(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: release NAMESPACE/NAME CHART VALUES.yaml [STATUS [REVISION [NULLS]]]")
	}
	namespace, name, _ := strings.Cut(args[0], "/")
	status, revision := "deployed", 1
	if len(args) > 3 {
		status = args[3]
	}
	if len(args) > 4 {
		n, err := strconv.Atoi(args[4])
		ts.Check(err)
		revision = n
	}
	values := map[string]any{}
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[2])), &values))
	var files fs.FS
	source := chart.Source{Location: args[1], Dir: ts.MkAbs(".")}
	if len(args) > 5 {
		source.Nulls = chart.Nulls(args[5])
	}
	if rest, isBuiltin := strings.CutPrefix(args[1], "builtin:"); isBuiltin {
		own, err := modules.Chart(rest)
		ts.Check(err)
		files = own
	} else {
		files = os.DirFS(ts.MkAbs(args[1]))
	}
	c, err := chart.NewLibrary(modules.Chart).Load(source)
	ts.Check(err)
	rendered, err := c.Render(chart.Request{Release: name, Namespace: namespace, Values: values, KubeVersion: "v1.36.3", APIVersions: servedVersions()})
	ts.Check(err)
	var manifest strings.Builder
	for _, o := range rendered.Objects {
		text, err := yaml.Marshal(resource.Reveal(map[string]any(o.Object)))
		ts.Check(err)
		fmt.Fprintf(&manifest, "---\n# Source: %s\n%s", o.Source, text)
	}
	record := map[string]any{
		"name": name, "namespace": namespace, "version": revision, "config": values, "manifest": manifest.String(),
		"info":  map[string]any{"status": status, "first_deployed": "2026-01-02T03:04:05Z", "last_deployed": "2026-01-02T03:04:05Z"},
		"chart": recordedChart(ts, files),
	}
	ts.Check(os.MkdirAll(ts.MkAbs("releases"), 0o755))
	file := fmt.Sprintf("%s.sh.helm.release.v1.%s.v%d", namespace, name, revision)
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs("releases"), file), []byte(packedRecord(ts, record)), 0o644))
}

func packedRecord(ts *testscript.TestScript, record map[string]any) string {
	text, err := json.Marshal(record)
	ts.Check(err)
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err = w.Write(text)
	ts.Check(err)
	ts.Check(w.Close())
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

// recordedChart is what Helm records of a chart: not what it depends on.
func recordedChart(ts *testscript.TestScript, files fs.FS) map[string]any {
	out := map[string]any{}
	templates, others := []any{}, []any{}
	ts.Check(fs.WalkDir(files, ".", func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && at == "charts" {
				return fs.SkipDir
			}
			return err
		}
		data, err := fs.ReadFile(files, at)
		if err != nil {
			return err
		}
		switch {
		case at == "Chart.yaml" || at == "values.yaml":
			var v any
			if err := yaml.Unmarshal(data, &v); err != nil {
				return err
			}
			out[map[string]string{"Chart.yaml": "metadata", "values.yaml": "values"}[at]] = v
		case at == "values.schema.json":
			out["schema"] = data
		case strings.HasPrefix(at, "templates/"):
			templates = append(templates, map[string]any{"name": at, "data": data})
		default:
			others = append(others, map[string]any{"name": at, "data": data})
		}
		return nil
	}))
	out["templates"], out["files"] = templates, others
	return out
}

// served is what the API server of helmcluster serves, by group and version.
var served = map[string][]string{
	"v1":                           {"ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim", "Namespace", "Pod"},
	"apps/v1":                      {"Deployment", "StatefulSet", "DaemonSet"},
	"batch/v1":                     {"Job", "CronJob"},
	"policy/v1":                    {"PodDisruptionBudget"},
	"networking.k8s.io/v1":         {"Ingress", "NetworkPolicy"},
	"rbac.authorization.k8s.io/v1": {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"},
	"scheduling.k8s.io/v1":         {"PriorityClass"},
}

func servedVersions() []string {
	var all []string
	for version, kinds := range served {
		all = append(all, version)
		for _, kind := range kinds {
			all = append(all, version+"/"+kind)
		}
	}
	return all
}

// helmcluster starts an API server that has the records in the directory
// releases, and writes a kubeconfig for it. What is not a read goes into the file
// writes.txt, and is refused; so is what the further words name, as in
// "/api/v1/secrets": helmcluster KUBECONFIG [DENIED...]
func helmcluster(ts *testscript.TestScript, _ bool, args []string) {
	dir, writes := ts.MkAbs("releases"), ts.MkAbs("writes.txt")
	ts.Check(os.WriteFile(writes, nil, 0o644))
	var mu sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodGet {
			f, err := os.OpenFile(writes, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				fmt.Fprintln(f, r.Method, r.URL.Path)
				_ = f.Close() // the script looks at it
			}
			refuse(w, http.StatusForbidden)
			return
		}
		for _, denied := range args[1:] {
			if r.URL.Path == denied {
				refuse(w, http.StatusForbidden)
				return
			}
		}
		answer := helmAnswer(dir, r.URL.Path)
		if answer == nil {
			refuse(w, http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(answer) // a client that went away reads nothing
	}))
	ts.Defer(s.Close)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: gke_project_us-central1_prod
contexts: [{name: gke_project_us-central1_prod, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: %q}}]
users: [{name: u, user: {token: hunter2}}]
`, s.URL), 0o600))
}

func refuse(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	reason := strings.ReplaceAll(http.StatusText(status), " ", "")
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":%q}`, status, reason, http.StatusText(status))
}

// helmAnswer is what is at a path; nil when nothing is.
func helmAnswer(dir, path string) any {
	type m = map[string]any
	switch path {
	case "/version":
		return m{"major": "1", "minor": "36", "gitVersion": "v1.36.3"}
	case "/api":
		return m{"kind": "APIVersions", "versions": []string{"v1"}}
	case "/apis":
		var groups []any
		for version := range served {
			if group, v, isGroup := strings.Cut(version, "/"); isGroup {
				one := m{"groupVersion": version, "version": v}
				groups = append(groups, m{"name": group, "versions": []any{one}, "preferredVersion": one})
			}
		}
		return m{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
	case "/api/v1/namespaces/kube-system":
		return m{"apiVersion": "v1", "kind": "Namespace", "metadata": m{"name": "kube-system", "uid": "3f6d1f0e-0000-4000-8000-000000000001"}}
	}
	for version, kinds := range served {
		if path == "/apis/"+version || path == "/api/"+version {
			var resources []any
			for _, kind := range kinds {
				resources = append(resources, m{"name": strings.ToLower(kind) + "s", "kind": kind, "namespaced": !strings.Contains("Namespace ClusterRole ClusterRoleBinding PriorityClass", kind), "verbs": []string{"get", "list"}})
			}
			return m{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}
		}
	}
	return helmRecords(dir, strings.TrimPrefix(path, "/api/v1/"))
}

// helmRecords answers for Secrets: one by name, or the metadata of all.
func helmRecords(dir, path string) any {
	type m = map[string]any
	namespace, name := "", ""
	if rest, isIn := strings.CutPrefix(path, "namespaces/"); isIn {
		namespace, path, _ = strings.Cut(rest, "/")
	}
	if path, name, _ = strings.Cut(path, "/"); path != "secrets" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		entries = nil
	}
	items := []any{}
	for _, e := range entries {
		in, secret, _ := strings.Cut(e.Name(), ".")
		if namespace != "" && in != namespace || name != "" && secret != name {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		of, version, _ := strings.Cut(strings.TrimPrefix(secret, "sh.helm.release.v1."), ".v")
		meta := m{"name": secret, "namespace": in, "labels": m{"owner": "helm", "name": of, "version": version, "status": statusOf(data)}}
		if name != "" {
			return m{"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "helm.sh/release.v1", "data": m{"release": base64.StdEncoding.EncodeToString(data)}}
		}
		items = append(items, m{"metadata": meta})
	}
	if name != "" {
		return nil
	}
	return m{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": m{}, "items": items}
}

// statusOf reads the status out of a record; one that is no record is deployed.
func statusOf(data []byte) string {
	plain, err := base64.StdEncoding.DecodeString(string(data))
	if err != nil {
		return "deployed"
	}
	r, err := gzip.NewReader(bytes.NewReader(plain))
	if err != nil {
		return "deployed"
	}
	var record struct {
		Info struct{ Status string }
	}
	if json.NewDecoder(r).Decode(&record) != nil {
		return "deployed"
	}
	return record.Info.Status
}
