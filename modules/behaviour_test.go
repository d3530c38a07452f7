package modules_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// settled is a scenario whose generated secrets are live, so that a render
// differs from another one only by what is meant.
func settled(t *testing.T, name string) (release, []object) {
	t.Helper()
	r := scenarios[name]
	r.live = secretsOf(scenario(t, name))
	return r, r.mustRender(t)
}

func secretsOf(objects []object) []object {
	return slices.DeleteFunc(slices.Clone(objects), func(o object) bool { return o.GetKind() != "Secret" })
}

// restarted names the workloads whose pods differ between two renders.
func restarted(t *testing.T, before, after []object) []string {
	t.Helper()
	var names []string
	for _, o := range after {
		if !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, o.GetKind()) {
			continue
		}
		was := at[m](t, find(t, before, o.key()), "spec", "template")
		if !cmp.Equal(was, at[m](t, o, "spec", "template")) {
			names = append(names, o.key())
		}
	}
	slices.Sort(names)
	return names
}

// TestWhatRestartsWhat is the table of DOMAIN §1.6.
func TestWhatRestartsWhat(t *testing.T) {
	hub, proxy, binder := "Deployment/hub", "Deployment/proxy", "Deployment/binder"
	table := []struct {
		change string
		over   m
		want   []string
		reason string
	}{
		{"nothing", m{}, nil, "live secrets hold still"},
		{"a user's memory", m{"jupyterhub": m{"singleuser": m{"memory": m{"limit": "3G"}}}}, []string{hub, "StatefulSet/user-placeholder"}, "the hub's Secret has all values; a placeholder is as large as a user"},
		{"placeholders", m{"jupyterhub": m{"scheduling": m{"userPlaceholder": m{"replicas": 30}}}}, []string{hub}, "a count is no pod template"},
		{"proxy resources", m{"jupyterhub": m{"proxy": m{"chp": m{"resources": m{"limits": m{"memory": "1Gi"}}}}}}, []string{hub, proxy}, "its own pod, and the hub with any value"},
		{"the proxy's token", m{"jupyterhub": m{"hub": m{"config": m{"ConfigurableHTTPProxy": m{"auth_token": strings.Repeat("ab", 32)}}}}}, []string{hub, proxy}, "both sides use it"},
		{"a repository's quota", m{"config": m{"BinderHub": m{"per_repo_quota": 50}}}, []string{binder}, "the binder alone reads config"},
		{"the binder's replicas", m{"replicas": 3}, nil, "a count is no pod template"},
		{"the binder's extra config", m{"extraConfig": m{"02": "pass"}}, []string{binder}, "it is in its Secret"},
		{"dind's resources", m{"dind": m{"resources": m{"limits": m{"cpu": "6"}}}}, []string{"DaemonSet/prod-dind", binder}, "dind's values are in the binder's Secret"},
		{"dind's folder", m{"dind": m{"hostLibDir": "/var/lib/dind"}}, []string{"DaemonSet/prod-dind", "DaemonSet/prod-image-cleaner", binder}, "the cleaner watches that folder"},
		{"the cleaner's threshold", m{"imageCleaner": m{"imageGCThresholdHigh": 260e9}}, []string{"DaemonSet/prod-image-cleaner"}, "nobody else reads it"},
	}
	r, before := settled(t, "binderhub, mybinder")
	for _, row := range table {
		changed := r
		changed.values = overlay(r.values, row.over)
		got := restarted(t, before, changed.mustRender(t))
		slices.Sort(row.want)
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("changing %s (%s) (-want +got):\n%s", row.change, row.reason, diff)
		}
	}
}

// secretValue returns a decoded key of the hub's Secret.
func secretValue(t *testing.T, objects []object, key string) string {
	t.Helper()
	encoded := at[string](t, find(t, objects, "Secret/hub"), "data", key)
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatalf("Secret hub, key %s: %v", key, err)
	}
	return string(data)
}

func TestGeneratedSecrets(t *testing.T) {
	random := regexp.MustCompile("^[0-9a-f]{64}$")
	given := strings.Repeat("0f", 32)
	keys := map[string]m{
		"hub.config.ConfigurableHTTPProxy.auth_token": {"hub": m{"config": m{"ConfigurableHTTPProxy": m{"auth_token": given}}}},
		"hub.config.JupyterHub.cookie_secret":         {"hub": m{"config": m{"JupyterHub": m{"cookie_secret": given}}}},
		"hub.config.CryptKeeper.keys":                 {"hub": m{"config": m{"CryptKeeper": m{"keys": []any{given, given}}}}},
		"hub.services.hub-health.apiToken":            {"hub": m{"services": m{"hub-health": m{"apiToken": given}}}},
	}
	r, before := settled(t, "jupyterhub, full")
	fresh := scenarios["jupyterhub, full"].mustRender(t)
	seen := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		live := secretValue(t, before, key)
		if !random.MatchString(live) || seen[live] {
			t.Errorf("%s is not 32 bytes of its own", key)
		}
		seen[live] = true
		if secretValue(t, fresh, key) == live {
			t.Errorf("%s is the same in a render that sees nothing live", key)
		}
		over := r
		over.values = overlay(r.values, keys[key])
		if got := secretValue(t, over.mustRender(t), key); !strings.HasPrefix(got, given) {
			t.Errorf("%s: the author's value does not win over the live one", key)
		}
	}
	if got := secretValue(t, before, "hub.services.given.apiToken"); got != "0123" {
		t.Errorf("the author's token of a service became %d other bytes", len(got))
	}
	if got := secretValue(t, before, "hub.config.CryptKeeper.keys"); strings.Contains(got, ";") {
		t.Error("one generated key has two parts")
	}
	old := scenarios["jupyterhub"]
	old.values = m{"proxy": m{"secretToken": given}, "hub": m{"cookieSecret": given}}
	for _, key := range []string{"hub.config.ConfigurableHTTPProxy.auth_token", "hub.config.JupyterHub.cookie_secret"} {
		if secretValue(t, old.mustRender(t), key) != given {
			t.Errorf("%s does not come from its deprecated key", key)
		}
	}
}

// TestHubSecretHasAllValues holds what tools read back from a live hub.
func TestHubSecretHasAllValues(t *testing.T) {
	objects := scenario(t, "binderhub, mybinder")
	var values struct {
		Chart, Release map[string]string
		Cull           struct{ Timeout, MaxAge int }
		Singleuser     struct {
			Memory map[string]any
			CPU    struct{ Guarantee float64 }
		}
		Proxy struct{ Chp struct{ ErrorTarget string } }
	}
	if err := yaml.Unmarshal([]byte(secretValue(t, objects, "values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	if values.Cull.Timeout != 600 || values.Cull.MaxAge != 21600 || values.Singleuser.CPU.Guarantee != 0.01 ||
		values.Proxy.Chp.ErrorTarget != "http://proxy-patches/hub/error" {
		t.Errorf("values.yaml of the Secret: %+v", values)
	}
	if diff := cmp.Diff(map[string]string{"Name": "prod", "Namespace": "binder", "Service": "Helm"}, values.Release); diff != "" {
		t.Errorf("Release (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"Name": "jupyterhub", "Version": "0.1.0", "AppVersion": "5.3.0"}, values.Chart); diff != "" {
		t.Errorf("Chart (-want +got):\n%s", diff)
	}

	defaults := scenario(t, "binderhub")
	var plain struct {
		Singleuser struct{ Memory map[string]any }
	}
	if err := yaml.Unmarshal([]byte(secretValue(t, defaults, "values.yaml")), &plain); err != nil {
		t.Fatal(err)
	}
	if guarantee, found := plain.Singleuser.Memory["guarantee"]; found && guarantee != nil {
		t.Errorf("a BinderHub's users have a memory guarantee of %v: the chart's null did not delete it", guarantee)
	}
}

func TestSchemaRefuses(t *testing.T) {
	table := []struct {
		reason, chart string
		values        m
		says          string
	}{
		{"misspelt at the top", "jupyterhub", m{"singleUser": m{}}, "singleUser"},
		{"misspelt below", "jupyterhub", m{"hub": m{"concurrentSpawnlimit": 1}}, "concurrentSpawnlimit"},
		{"misspelt under the dependency", "binderhub", m{"jupyterhub": m{"cull": m{"timout": 1}}}, "timout"},
		{"misspelt in the binder", "binderhub", m{"imageCleaner": m{"treshold": 1}}, "treshold"},
		{"Kubernetes' memory where JupyterHub's is read", "jupyterhub", m{"singleuser": m{"memory": m{"limit": "2Gi"}}}, "singleuser.memory.limit: '2Gi' does not match"},
		{"millicores where cores are read", "jupyterhub", m{"singleuser": m{"cpu": m{"guarantee": "10m"}}}, "singleuser.cpu.guarantee: got string"},
		{"a number in a label", "jupyterhub", m{"hub": m{"labels": m{"a": 1}}}, "hub.labels.a: got number"},
		{"a class in lower case", "jupyterhub", m{"hub": m{"config": m{"jupyterHub": m{}}}}, "jupyterHub"},
		{"ACME, which the chart cannot", "jupyterhub", m{"proxy": m{"https": m{"type": "letsencrypt"}}}, "proxy.https.type: value must be one of"},
		{"an unknown builder", "binderhub", m{"imageBuilderType": "kaniko"}, "imageBuilderType: value must be one of"},
		{"a word for a count", "jupyterhub", m{"scheduling": m{"userPlaceholder": m{"replicas": "ten"}}}, "scheduling.userPlaceholder.replicas: got string"},
		{"a file of no kind", "jupyterhub", m{"singleuser": m{"extraFiles": m{"a": m{"mountPath": "/a"}}}}, "singleuser.extraFiles.a"},
		{"requests misspelt", "jupyterhub", m{"hub": m{"resources": m{"request": m{}}}}, "hub.resources.request: the chart has no such value"},
	}
	for _, row := range table {
		_, err := release{chart: row.chart, values: row.values}.render()
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: got %v, want an error that names %s", row.reason, err, row.says)
		}
	}
}

func TestSchemaLeavesFreeWhatIsFree(t *testing.T) {
	for _, r := range []release{
		{chart: "jupyterhub", values: m{
			"custom": m{"a": []any{m{"b": 1}}}, "hub": m{"config": m{"MyAuthenticator": m{"any": []any{1, "x"}}}, "extraConfig": m{"x": "pass"}},
			"singleuser": m{"extraPodConfig": m{"anything": true}, "profileList": []any{m{"display_name": "x", "slug": "y", "kubespawner_override": m{"z": 1}}}},
			"global":     m{"a": 1},
		}},
		{chart: "binderhub", values: m{"config": m{"Launcher": m{"retries": 4}}, "extraConfig": m{"x": "pass"}, "custom": m{"a": 1}, "global": m{"a": 1}}},
	} {
		r.mustRender(t)
	}
}

// TestEveryContainerCanHaveResources sets the resources of all components and
// looks for a container that has none: such a pod could never be Guaranteed.
func TestEveryContainerCanHaveResources(t *testing.T) {
	sizes := m{"requests": m{"cpu": "1", "memory": "1Gi"}, "limits": m{"cpu": "1", "memory": "1Gi"}}
	all := m{
		"hub": m{"resources": sizes}, "proxy": m{"chp": m{"resources": sizes}},
		"singleuser": m{"networkTools": m{"resources": sizes}},
		"scheduling": m{"userScheduler": m{"enabled": true, "resources": sizes}, "userPlaceholder": m{"resources": sizes}, "podPriority": m{"enabled": true}},
		"prePuller":  m{"resources": sizes, "hook": m{"enabled": true, "resources": sizes}, "continuous": m{"enabled": true}},
	}
	for _, builder := range []string{"host", "dind", "pink"} {
		objects := release{chart: "binderhub", values: m{
			"resources": sizes, "imageBuilderType": builder, "dind": m{"resources": sizes}, "pink": m{"resources": sizes},
			"imageCleaner": m{"resources": sizes}, "jupyterhub": all,
		}}.mustRender(t)
		for _, o := range objects {
			if !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "Job"}, o.GetKind()) {
				continue
			}
			spec := at[m](t, o, "spec", "template", "spec")
			for _, field := range []string{"initContainers", "containers"} {
				list, _ := spec[field].([]any)
				for _, c := range list {
					if !cmp.Equal(c.(m)["resources"], any(sizes)) {
						t.Errorf("%s: %s: container %v has resources %v", builder, o.key(), c.(m)["name"], c.(m)["resources"])
					}
				}
			}
		}
	}
}

func TestPlaceholderIsAsLargeAsAUser(t *testing.T) {
	objects := scenario(t, "jupyterhub, full")
	placeholder := find(t, objects, "StatefulSet/user-placeholder")
	want := m{
		"requests": m{"cpu": "0.01", "memory": "450Mi"},
		"limits":   m{"cpu": "1", "memory": "2147483648"},
	}
	if diff := cmp.Diff(want, firstContainer(t, placeholder)["resources"]); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	spec := at[m](t, placeholder, "spec", "template", "spec")
	if spec["schedulerName"] != "prod-user-scheduler" || spec["priorityClassName"] != "prod-user-placeholder-priority" {
		t.Errorf("scheduled by %v with priority %v", spec["schedulerName"], spec["priorityClassName"])
	}
	required := at[[]any](t, placeholder, "spec", "template", "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	if text := fmt.Sprint(required); !strings.Contains(text, "hub.jupyter.org/node-purpose") {
		t.Errorf("required affinity: %s", text)
	}
}

func TestHookRunsOnlyOnChanges(t *testing.T) {
	r := scenarios["jupyterhub, full"]
	objects := r.mustRender(t)
	hook := find(t, objects, "DaemonSet/hook-image-puller")
	var images []string
	for _, c := range at[[]any](t, hook, "spec", "template", "spec", "initContainers") {
		images = append(images, c.(m)["image"].(string))
	}
	want := []string{
		"quay.io/jupyterhub/k8s-network-tools:4.2.0", "quay.io/jupyterhub/k8s-singleuser-sample:4.2.0",
		"quay.io/example/gpu:1", "quay.io/example/r:2", "quay.io/example/x:3",
	}
	if diff := cmp.Diff(want, images); diff != "" {
		t.Errorf("images pulled (-want +got):\n%s", diff)
	}
	if hook.hook == nil || hook.hook.Weight != -10 || !slices.Equal(hook.hook.Events, []string{"pre-install", "pre-upgrade"}) {
		t.Errorf("hook: %+v", hook.hook)
	}
	if job := find(t, objects, "Job/hook-image-awaiter"); job.hook == nil || job.hook.Weight != 10 {
		t.Errorf("hook of the awaiter: %+v", job.hook)
	}

	r.live = objects // as they were left, the hub's ConfigMap among them
	for _, o := range r.mustRender(t) {
		if o.hook != nil {
			t.Errorf("%s is rendered though its images are pulled already", o.key())
		}
	}
	r.values = overlay(r.values, m{"singleuser": m{"image": m{"tag": "9"}}})
	find(t, r.mustRender(t), "DaemonSet/hook-image-puller")
}

func TestSchedulerFitsTheCluster(t *testing.T) {
	for kube, tag := range map[string]string{"v1.33.4-gke.100": "v1.33.9", "v1.34.0": "v1.35.0", "v1.36.3-gke.1": "v1.35.0"} {
		r := scenarios["jupyterhub, full"]
		r.kube = kube
		got := firstContainer(t, find(t, r.mustRender(t), "Deployment/user-scheduler"))["image"]
		if want := "registry.k8s.io/kube-scheduler:" + tag; got != want {
			t.Errorf("on %s: %v, want %s", kube, got, want)
		}
	}
}

func TestBinderDetails(t *testing.T) {
	objects := scenario(t, "binderhub, mybinder")
	if got := at[m](t, find(t, objects, "Deployment/binder"), "spec", "template", "spec")["priorityClassName"]; got != "binderhub-core" {
		t.Errorf("priority of the binder: %v", got)
	}
	dind := at[m](t, find(t, objects, "DaemonSet/prod-dind"), "spec", "template", "spec")
	if diff := cmp.Diff(m{"mybinder.org/pool-type": "users"}, dind["nodeSelector"]); diff != "" {
		t.Errorf("where dind runs (-want +got):\n%s", diff)
	}
	if data, _ := json.Marshal(dind["volumes"]); !bytes.Contains(data, []byte(`"path":"/mnt/disks/ssd0/dind","type":"DirectoryOrCreate"`)) {
		t.Errorf("volumes of dind: %s", data)
	}
	env, _ := json.Marshal(firstContainer(t, find(t, objects, "DaemonSet/prod-image-cleaner"))["env"])
	for _, want := range []string{
		`{"name":"DOCKER_IMAGE_CLEANER_THRESHOLD_HIGH","value":"250000000000"}`,
		`{"name":"DOCKER_IMAGE_CLEANER_THRESHOLD_TYPE","value":"absolute"}`,
		`{"name":"DOCKER_IMAGE_CLEANER_INTERVAL_SECONDS","value":"300"}`,
	} {
		if !bytes.Contains(env, []byte(want)) {
			t.Errorf("the cleaner lacks %s: %s", want, env)
		}
	}
	if bytes.Contains(env, []byte("NODE_NAME")) {
		t.Error("the cleaner may cordon though cordon is false")
	}
	config, err := base64.StdEncoding.DecodeString(at[string](t, find(t, objects, "Secret/binder-build-docker-config"), "data", "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	auth := base64.StdEncoding.EncodeToString([]byte(`_json_key:{"private_key": "x"}`))
	if want := `{"auths":{"https://gcr.io":{"auth":"` + auth + `"}}}`; string(config) != want {
		t.Error("the registry's login is not what docker reads")
	}
}

func TestRoutesThroughAGateway(t *testing.T) {
	route := m{"enabled": true, "hostnames": []any{"hub.example.org"}, "parentRefs": []any{m{"name": "gateway"}}}
	objects := release{chart: "binderhub", values: m{"httpRoute": route, "jupyterhub": m{"httpRoute": route, "hub": m{"baseUrl": "/j/"}}}}.mustRender(t)
	rules := map[string]any{
		"HTTPRoute/jupyterhub": m{
			"matches":     []any{m{"path": m{"type": "PathPrefix", "value": "/j"}}},
			"backendRefs": []any{m{"name": "proxy-public", "port": int64(80)}},
		},
		"HTTPRoute/prod-binderhub": m{
			"matches":     []any{m{"path": m{"type": "PathPrefix", "value": "/"}}},
			"backendRefs": []any{m{"name": "binder", "port": int64(80)}},
		},
	}
	for key, rule := range rules {
		want := m{"hostnames": []any{"hub.example.org"}, "parentRefs": []any{m{"name": "gateway"}}, "rules": []any{rule}}
		if diff := cmp.Diff(want, at[m](t, find(t, objects, key), "spec")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	_, err := release{chart: "jupyterhub", values: m{"httpRoute": m{"enabled": true}}}.render()
	if err == nil || !strings.Contains(err.Error(), "httpRoute.parentRefs must name a Gateway") {
		t.Errorf("a route of no gateway: %v", err)
	}
}
