package expand

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
)

// A program stands in for the Python programs that the charts hand their values to:
// which trait of which class comes from which value, and who wins. It was written
// after reading those of jupyterhub 3.3.8 to 4.4.0, of binderhub, and of the charts
// in modules.
type program struct {
	builtin bool
	binder  bool
}

// traits are those of the hub that typed attributes reach, by the value that the
// chart sets them from.
var traits = []struct{ class, trait, key string }{
	{"JupyterHub", "concurrent_spawn_limit", "hub.concurrentSpawnLimit"},
	{"JupyterHub", "active_server_limit", "hub.activeServerLimit"},
	{"Spawner", "consecutive_failure_limit", "hub.consecutiveFailureLimit"},
	{"anySpawner", "start_timeout", "singleuser.startTimeout"},
	{"anySpawner", "cpu_guarantee", "singleuser.cpu.guarantee"},
	{"anySpawner", "cpu_limit", "singleuser.cpu.limit"},
	{"anySpawner", "mem_guarantee", "singleuser.memory.guarantee"},
	{"anySpawner", "mem_limit", "singleuser.memory.limit"},
	{"KubeSpawner", "node_selector", "singleuser.nodeSelector"},
	{"KubeSpawner", "profile_list", "singleuser.profileList"},
	{"KubeSpawner", "init_resources", "singleuser.networkTools.resources"},
}

// A view is what came of a hub's values, by name: fields of pods, and traits as the
// programs see them. Nothing of values that nobody reads is in it.
type view map[string]string

func (v view) set(name string, value any) {
	if value == nil {
		return
	}
	if s, isText := value.(string); isText {
		v[name] = s
		return
	}
	text, _ := json.Marshal(value)
	v[name] = string(text)
}

// hubTraits runs the hub's configuration.
func (p program) hubTraits(v view, values resource.Object) {
	at := func(key string) any { value, _ := values.Value(strings.Split(key, ".")...); return value }
	classes := map[string]map[string]any{}
	set := func(class, trait string, value any) {
		if classes[class] == nil {
			classes[class] = map[string]any{}
		}
		classes[class][trait] = value
	}
	for _, t := range traits {
		class := t.class
		if class == "anySpawner" {
			class = map[bool]string{true: "Spawner", false: "KubeSpawner"}[p.builtin]
		}
		if value := at(t.key); value != nil {
			set(class, t.trait, value)
		}
	}
	set("KubeSpawner", "image", fmt.Sprintf("%v:%v", at("singleuser.image.name"), at("singleuser.image.tag")))
	user, _ := at("scheduling.userPods.tolerations").([]any)
	extra, _ := at("singleuser.extraTolerations").([]any)
	set("KubeSpawner", "tolerations", slices.Concat(user, extra))
	config, _ := at("hub.config").(map[string]any)
	for class, table := range config {
		table, _ := table.(map[string]any)
		for trait, value := range table {
			if value != nil || !p.builtin {
				set(class, trait, value)
			}
		}
	}
	chains := map[string][]string{"JupyterHub": {"JupyterHub"}, "Proxy": {"Proxy", "ConfigurableHTTPProxy"}, "Spawner": {"Spawner", "KubeSpawner"}}
	if p.binder {
		chains["Spawner"] = append(chains["Spawner"], "BinderSpawner")
	}
	v.chains("hub", classes, chains)
	if at("cull.enabled") == true {
		for flag, key := range map[string]string{"timeout": "timeout", "every": "every", "max-age": "maxAge", "concurrency": "concurrency", "users": "users"} {
			v.set("culler:"+flag, at("cull."+key))
		}
	}
}

// binderTraits runs the binder's configuration.
func (p program) binderTraits(v view, values resource.Object) {
	config, _ := values.Value("config")
	classes := map[string]map[string]any{}
	for class, table := range config.(map[string]any) {
		if table, isTable := table.(map[string]any); isTable {
			classes[class] = map[string]any{}
			for trait, value := range table {
				classes[class][trait] = value
			}
		}
	}
	chains := map[string][]string{"LaunchQuota": {"LaunchQuota", "KubernetesLaunchQuota"}, "KubernetesCleaner": {"KubernetesCleaner"},
		"KubernetesBuildExecutor": {"BuildExecutor", "KubernetesBuildExecutor"}, "BinderHub": {"BinderHub"}}
	for _, class := range providerClasses {
		chains[class] = []string{"RepoProvider", class}
		if class == "GistRepoProvider" {
			chains[class] = []string{"RepoProvider", "GitHubRepoProvider", class}
		}
	}
	// Old names are copied over the new ones when the binder starts.
	for old, now := range map[string][2]string{"pod_quota": {"LaunchQuota", "total_quota"}, "build_image": {"KubernetesBuildExecutor", "build_image"}, "build_max_age": {"KubernetesCleaner", "max_age"}} {
		if value, isSet := classes["BinderHub"][old]; isSet && value != nil {
			if classes[now[0]] == nil {
				classes[now[0]] = map[string]any{}
			}
			classes[now[0]][now[1]] = value
			delete(classes["BinderHub"], old)
		}
	}
	higher := false
	for _, table := range classes {
		list, _ := table["high_quota_specs"].([]any)
		higher = higher || len(list) > 0
	}
	if !higher {
		delete(classes["BinderHub"], "per_repo_quota_higher")
	}
	v.chains("binder", classes, chains)
}

// chains sets what each class ends up with: the most particular class that says
// something wins, a null included.
func (v view) chains(program string, classes map[string]map[string]any, chains map[string][]string) {
	for name, chain := range chains {
		effective := map[string]any{}
		for _, class := range chain {
			for trait, value := range classes[class] {
				effective[trait] = value
			}
		}
		for trait, value := range effective {
			v.set(program+":"+name+"."+trait, value)
		}
	}
}

// names are what the charts of modules and the fixtures name alike in no other way.
var names = map[string]string{"prod-dind": "image-builder", "prod-pink": "image-builder", "prod-image-cleaner": "image-cleaner"}

// see returns the view of rendered objects.
func (p program) see(t *testing.T, objects []chart.Object) view {
	t.Helper()
	v := view{}
	for _, o := range objects {
		object := resource.Object(resource.Reveal(map[string]any(o.Object)).(map[string]any))
		kind, name := object.Text("kind"), object.Text("metadata", "name")
		if short, isKnown := names[name]; isKnown {
			name = short
		}
		switch {
		case kind == "Secret" && name == "hub":
			p.hubTraits(v, valuesOf(t, object))
		case kind == "Secret" && name == "binder-secret":
			p.binderTraits(v, valuesOf(t, object))
		}
		if spec, isPod := object.Value("spec", "template", "spec"); isPod {
			v.pod(name, resource.Object(spec.(map[string]any)))
			if n, isSet := object.Value("spec", "replicas"); isSet && name == "binder" {
				v.set("pod:binder.replicas", n)
			}
		}
	}
	return v
}

func (v view) pod(name string, spec resource.Object) {
	for _, field := range []string{"nodeSelector", "tolerations", "priorityClassName"} {
		value, _ := spec.Value(field)
		if table, isTable := value.(map[string]any); isTable && len(table) == 0 {
			continue
		}
		v.set("pod:"+name+"."+field, value)
	}
	containers, _ := spec["containers"].([]any)
	container := resource.Object(containers[0].(map[string]any))
	v.set("pod:"+name+".image", container.Text("image"))
	if resources, _ := container.Value("resources"); resources != nil && len(resources.(map[string]any)) > 0 {
		v.set("pod:"+name+".resources", resources)
	}
	for _, list := range []string{"args", "command"} {
		args, _ := container[list].([]any)
		for _, arg := range args {
			if flag, value, isFlag := strings.Cut(fmt.Sprint(arg), "="); isFlag && strings.HasSuffix(flag, "-target") {
				v.set("pod:"+name+"."+flag, value)
			}
		}
	}
	env, _ := container["env"].([]any)
	for _, e := range env {
		entry := resource.Object(e.(map[string]any))
		value := entry.Text("value")
		if _, isRef := entry["valueFrom"]; isRef {
			value = "(ref)"
		}
		if strings.HasPrefix(entry.Text("name"), "DOCKER_IMAGE_CLEANER") {
			v.set("pod:"+name+"."+strings.TrimPrefix(entry.Text("name"), "DOCKER_IMAGE_CLEANER_"), value) // the last one counts
		}
	}
	volumes, _ := spec["volumes"].([]any)
	for _, each := range volumes {
		volume := resource.Object(each.(map[string]any))
		if strings.HasPrefix(volume.Text("name"), "storage") && name == "image-builder" {
			v.set("pod:"+name+".storage", volume.Text("hostPath", "path"))
		}
	}
}

func valuesOf(t *testing.T, secret resource.Object) resource.Object {
	t.Helper()
	text := secret.Text("stringData", "values.yaml")
	if encoded := secret.Text("data", "values.yaml"); encoded != "" {
		plain, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		text = string(plain)
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(text), &values); err != nil || len(values) == 0 {
		t.Fatalf("no values in the Secret %s: %v", secret.Text("metadata", "name"), err)
	}
	return values
}

// changes returns what differs from before, "-" for what is gone.
func (v view) changes(before view) view {
	out := view{}
	for name, value := range v {
		if before[name] != value {
			out[name] = value
		}
	}
	for name := range before {
		if _, isStill := v[name]; !isStill {
			out[name] = "-"
		}
	}
	return out
}
