package modules_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// debianPython is the interpreter that has traitlets and yaml, as it has
// JupyterHub; the first python3 of the path may be another.
const debianPython = "/usr/bin/python3"

// evaluate runs a rendered Python configuration as traitlets does and returns
// what it set, without what it printed before.
func evaluate(t *testing.T, file string, env ...string) m {
	t.Helper()
	config, problem := tryEvaluate(t, file, env...)
	if problem != "" {
		t.Fatalf("evaluate %s: %s", filepath.Base(file), problem)
	}
	return config
}

// tryEvaluate is evaluate for a configuration that may be refused: then it
// returns what Python printed.
func tryEvaluate(t *testing.T, file string, env ...string) (m, string) {
	t.Helper()
	script, err := filepath.Abs("testdata/load_config.py")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), debianPython, script, file)
	command.Env = append([]string{"PYTHONDONTWRITEBYTECODE=1", "PATH=" + os.Getenv("PATH")}, env...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Sprintf("%v\n%s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	var config m
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &config); err != nil {
		t.Fatal(err)
	}
	return config, ""
}

// hubConfig evaluates the hub's configuration of a scenario.
func hubConfig(t *testing.T, r release) m {
	t.Helper()
	h := &realHub{chart: r.chart, dir: t.TempDir()}
	h.mount(t, r.mustRender(t))
	return evaluate(t, filepath.Join(h.dir, "jupyterhub_config.py"),
		"JUPYTERHUB_CHART_CONFIG_DIR="+filepath.Join(h.dir, "config"),
		"JUPYTERHUB_CHART_SECRET_DIR="+filepath.Join(h.dir, "secret"),
		"POD_NAMESPACE=binder")
}

// pick returns the named entries of a map, so that a table need not hold all.
func pick(from any, names ...string) m {
	tree, _ := from.(m)
	picked := m{}
	for _, name := range names {
		if value, found := tree[name]; found {
			picked[name] = value
		}
	}
	return picked
}

// withoutKubeSpawner lets the binder's mixin be tried where kubespawner is not
// installed.
var withoutKubeSpawner = m{"jupyterhub": m{"hub": m{"config": m{"JupyterHub": m{"spawner_class": "x"}}, "extraConfig": m{"00-binder": "pass"}}}}

func TestRealHubUserPods(t *testing.T) {
	needRealHub(t)
	config := hubConfig(t, scenarios["jupyterhub, full"])
	want := m{
		"namespace": "binder", "image": "quay.io/jupyterhub/k8s-singleuser-sample:4.2.0",
		"image_pull_secrets":    []any{"image-pull-secret"},
		"node_selector":         m{"pool": "user"},
		"scheduler_name":        "prod-user-scheduler",
		"priority_class_name":   "prod-default-priority",
		"extra_labels":          m{"hub.jupyter.org/network-access-hub": "true"},
		"service_account":       nil,
		"storage_pvc_ensure":    true,
		"storage_capacity":      "10Gi",
		"pod_affinity_required": []any{m{"topologyKey": "kubernetes.io/hostname", "labelSelector": m{"matchLabels": m{"a": "b"}}}},
		"node_affinity_required": []any{m{"matchExpressions": []any{
			m{"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": []any{"user"}},
		}}},
		"common_labels": m{
			"app": "jupyterhub", "release": "prod", "chart": "jupyterhub-0.1.0", "heritage": "jupyterhub",
			"app.kubernetes.io/name": "jupyterhub", "app.kubernetes.io/instance": "prod", "app.kubernetes.io/managed-by": "kubespawner",
		},
		"volumes": []any{
			m{"name": "volume-{user_server}", "persistentVolumeClaim": m{"claimName": "{pvc_name}"}},
			m{"name": "files", "secret": m{"secretName": "singleuser", "items": []any{
				m{"key": "binary", "path": "binary"}, m{"key": "server", "path": "server"}, m{"key": "yaml", "path": "yaml", "mode": 420.0},
			}}},
		},
		"volume_mounts": []any{
			m{"name": "volume-{user_server}", "mountPath": "/home/jovyan"},
			m{"name": "files", "mountPath": "/etc/x.bin", "subPath": "binary"},
			m{"name": "files", "mountPath": "/etc/jupyter/jupyter_server_config.json", "subPath": "server"},
			m{"name": "files", "mountPath": "/etc/x.yaml", "subPath": "yaml"},
		},
	}
	delete(want, "service_account") // null: kubespawner's own default
	spawner := config["KubeSpawner"].(m)
	names := []string{"service_account"}
	for name := range want {
		names = append(names, name)
	}
	if diff := cmp.Diff(want, pick(spawner, names...)); diff != "" {
		t.Errorf("KubeSpawner (-want +got):\n%s", diff)
	}
	if n := len(spawner["tolerations"].([]any)); n != 3 {
		t.Errorf("%d tolerations, want the two of user pods and the author's", n)
	}
	first := spawner["init_containers"].([]any)[0].(m)
	if first["name"] != "block-cloud-metadata" || first["image"] != "quay.io/jupyterhub/k8s-network-tools:4.2.0" {
		t.Errorf("first init container: %v", first)
	}
	wantBase := m{
		"cpu_guarantee": 0.01, "cpu_limit": 1.0, "mem_guarantee": "450M", "mem_limit": 2147483648.0,
		"start_timeout": 300.0, "cmd": "jupyterhub-singleuser", "consecutive_failure_limit": 5.0, "debug": true,
	}
	if diff := cmp.Diff(wantBase, config["Spawner"]); diff != "" {
		t.Errorf("Spawner (-want +got):\n%s", diff)
	}
	hub := pick(config["JupyterHub"], "spawner_class", "hub_connect_url", "concurrent_spawn_limit", "cleanup_servers", "db_url", "last_activity_interval", "active_server_limit")
	wantHub := m{
		"spawner_class": "kubespawner.KubeSpawner", "hub_connect_url": "http://hub:8081", "concurrent_spawn_limit": 64.0,
		"cleanup_servers": false, "db_url": "sqlite:///jupyterhub.sqlite", "last_activity_interval": 60.0,
	}
	if diff := cmp.Diff(wantHub, hub); diff != "" {
		t.Errorf("JupyterHub (-want +got):\n%s", diff)
	}
	proxy := pick(config["ConfigurableHTTPProxy"], "api_url", "should_start")
	if diff := cmp.Diff(m{"api_url": "http://proxy-api:8001", "should_start": false}, proxy); diff != "" {
		t.Errorf("ConfigurableHTTPProxy (-want +got):\n%s", diff)
	}
}

func TestRealHubServices(t *testing.T) {
	needRealHub(t)
	r := scenarios["binderhub, mybinder"]
	r.values = overlay(r.values, withoutKubeSpawner)
	hub := hubConfig(t, r)["JupyterHub"].(m)
	var names []any
	for _, service := range hub["services"].([]any) {
		s := service.(m)
		names = append(names, s["name"])
		if s["name"] == "binder" && (s["api_token"] == "" || s["display"] != false) {
			t.Error("the binder's service lacks its token, or is displayed")
		}
	}
	if diff := cmp.Diff([]any{"jupyterhub-idle-culler", "binder"}, names); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	want := []any{
		m{
			"name": "jupyterhub-idle-culler", "services": []any{"jupyterhub-idle-culler"},
			"scopes": []any{"list:users", "read:users:activity", "read:servers", "delete:servers", "admin:users"},
		},
		m{"name": "binder", "services": []any{"binder"}, "scopes": []any{"servers", "admin:users"}},
	}
	if diff := cmp.Diff(want, hub["load_roles"]); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	if hub["hub_routespec"] != "/hub/api/" || hub["authenticate_prometheus"] != false {
		t.Errorf("hub.config is not in force: %v %v", hub["hub_routespec"], hub["authenticate_prometheus"])
	}
}

func TestRealHubExtraConfig(t *testing.T) {
	needRealHub(t)
	config := hubConfig(t, release{chart: "jupyterhub", values: m{"hub": m{
		"config":      m{"Spawner": m{"start_timeout": 10}},
		"extraConfig": m{"b": "c.Demo.order = seen + ['b']", "a": "seen = ['a', c.Spawner.start_timeout]", "c": "c.Demo.order.append('c')"},
	}}})
	if diff := cmp.Diff([]any{"a", 10.0, "b", "c"}, config["Demo"].(m)["order"]); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestRealHubBinderConfig evaluates binderhub_config.py; BinderHub itself is not
// packaged.
func TestRealHubBinderConfig(t *testing.T) {
	needRealHub(t)
	dir := t.TempDir()
	secret := find(t, scenario(t, "binderhub, mybinder"), "Secret/binder-secret")
	for name, encoded := range secretText(t, secret) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(encoded), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := evaluate(t, filepath.Join(dir, "binderhub_config.py"),
		"BINDERHUB_CHART_CONFIG_DIR="+dir, "JUPYTERHUB_API_TOKEN=0123", "BUILD_NAMESPACE=builds")
	want := m{
		"BinderHub": m{
			"use_registry": true, "image_prefix": "gcr.io/binder-prod/r2d-g5b5b759-", "per_repo_quota": 100.0, "per_repo_quota_higher": 200.0,
			"hub_url": "https://hub.gke.mybinder.org/", "hub_url_local": "http://hub:8081/", "hub_api_token": "0123",
			"cors_allow_origin": "*", "base_url": "/", "build_node_selector": m{"mybinder.org/pool-type": "users"},
		},
		"BuildExecutor":     m{"push_secret": "binder-build-docker-config"},
		"KubernetesCleaner": m{"max_age": 3600.0},
		"LaunchQuota":       m{"total_quota": 400.0},
		"KubernetesBuildExecutor": m{
			"namespace": "builds", "docker_host": "unix:///var/run/dind/docker.sock", "sticky_builds": true,
			"build_image": "quay.io/jupyterhub/repo2docker:2026.4.1",
		},
		"GitHubRepoProvider": m{
			"banned_specs": []any{"^ines/spacy-binder.*"},
			"spec_config":  []any{m{"pattern": "^jupyterlab/jupyterlab-demo/.*", "config": m{"quota": 200.0}}},
		},
		"EventLog": m{"allowed_schemas": []any{}},
	}
	if diff := cmp.Diff(want, config); diff != "" {
		t.Errorf("binder's configuration (-want +got):\n%s", diff)
	}
}

// TestRealHubExistingSecret has a Secret of the author's beside the chart's.
func TestRealHubExistingSecret(t *testing.T) {
	needRealHub(t)
	given := strings.Repeat("0f", 32)
	table := []struct {
		reason string
		files  map[string]string // of the author's Secret
		remove string            // of the chart's
		check  func(m) bool
		says   string
	}{
		{reason: "its values are merged over the chart's", files: map[string]string{"values.yaml": "hub: {config: {Demo: {a: 1}}, concurrentSpawnLimit: 7}"}, check: func(c m) bool {
			return c["Demo"].(m)["a"] == 1.0 && c["JupyterHub"].(m)["concurrent_spawn_limit"] == 7.0 && c["Spawner"].(m)["start_timeout"] == 300.0
		}},
		{reason: "its token wins", files: map[string]string{"hub.config.ConfigurableHTTPProxy.auth_token": given}, check: func(c m) bool {
			return c["ConfigurableHTTPProxy"].(m)["auth_token"] == given
		}},
		{reason: "a class is capitalised", files: map[string]string{"values.yaml": "hub: {config: {jupyterHub: {}}}"}, says: "hub.config.jupyterHub: a class name begins with a capital letter"},
		{reason: "a class has traits", files: map[string]string{"values.yaml": "hub: {config: {JupyterHub: 3}}"}, says: "hub.config.JupyterHub: the traits of a class are a map"},
		{reason: "a hub without values must not start", remove: "secret/values.yaml", says: "no values.yaml in"},
	}
	for _, row := range table {
		h := &realHub{chart: "jupyterhub", dir: t.TempDir()}
		h.mount(t, scenario(t, "jupyterhub"))
		for name, text := range row.files {
			h.write(t, filepath.Join("own", name), []byte(text))
		}
		if row.remove != "" {
			if err := os.Remove(filepath.Join(h.dir, row.remove)); err != nil {
				t.Fatal(err)
			}
		}
		config, problem := tryEvaluate(t, filepath.Join(h.dir, "jupyterhub_config.py"),
			"JUPYTERHUB_CHART_CONFIG_DIR="+filepath.Join(h.dir, "config"),
			"JUPYTERHUB_CHART_SECRET_DIR="+filepath.Join(h.dir, "secret"),
			"JUPYTERHUB_CHART_EXISTING_SECRET_DIR="+filepath.Join(h.dir, "own"))
		switch {
		case row.says != "" && !strings.Contains(problem, row.says):
			t.Errorf("%s: got %q, want %q", row.reason, problem, row.says)
		case row.check != nil && (problem != "" || !row.check(config)):
			t.Errorf("%s: not so. %s", row.reason, problem)
		}
	}
}
