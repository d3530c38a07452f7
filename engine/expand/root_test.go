package expand

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestValuesRoot tries where the values of a hub lie against where its attributes
// are put.
func TestValuesRoot(t *testing.T) {
	dir := t.TempDir()
	fixtures(t, dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	tests := []struct {
		reason, hub, beside string
		want                string // of the diagnostic; "" for none
	}{
		{"the root of a wrapping chart", `chart = "` + at("umbrella") + "\"\ntype = \"binderhub\"\nvalues_root = \"binderhub\"\nlimits {\n total = 1\n}", "", ""},
		{"none of it", `chart = "` + at("umbrella") + "\"\ntype = \"binderhub\"\nlimits {\n total = 1\n}", "", `They lie under "binderhub": write values_root = "binderhub".`},
		{"none, and a ban is all there is", `chart = "` + at("umbrella") + "\"\ntype = \"binderhub\"", "repo_ban \"a\" {\n hub = hub.prod\n repo = \"a/b\"\n}", `They lie under "binderhub"`},
		{"misspelt", `chart = "` + at("umbrella") + "\"\ntype = \"binderhub\"\nvalues_root = \"bindrhub\"", "", `Unknown values root: Chart umbrella 1.0.0 has no values of a BinderHub under "bindrhub". They lie under "binderhub"`},
		{"misspelt, of a JupyterHub", `chart = "` + at("basehub") + "\"\nvalues_root = \"jupiterhub\"\nculling {\n every = \"5m\"\n}", "", `They lie under "jupyterhub"`},
		{"too much of it", `chart = "` + at("jupyterhub-4.4.0") + "\"\nvalues_root = \"jupyterhub\"", "", "They lie at the top: remove values_root."},
		{"without a type", `chart = "` + at("binderhub-dind") + "\"\nculling {\n every = \"5m\"\n}", "", `Missing type: Chart binderhub 1.0.0-0.dev.git.3983.h383374de is that of a BinderHub`},
		{"of the wrong type", `chart = "` + at("jupyterhub-4.4.0") + "\"\ntype = \"binderhub\"\nlimits {\n total = 1\n}", "", `write type = "jupyterhub"`},
		{"the hub below a BinderHub, alone", `chart = "` + at("binderhub-dind") + "\"\ntype = \"jupyterhub\"\nvalues_root = \"jupyterhub\"\nculling {\n every = \"5m\"\n}", "", ""},
		{"values alone need no root", `chart = "` + at("umbrella") + "\"\nvalues = { binderhub = { replicas = 2 } }", "", ""},
	}
	for _, test := range tests {
		cfg := parse(t, surroundings+"hub \"prod\" {\n"+test.hub+"\n}\n"+test.beside)
		e := newExpansion(cfg)
		c, diags := e.load(cfg.Hubs[0].Block, cfg.Hubs[0].Chart)
		if c == nil {
			t.Fatalf("%s: %s", test.reason, describe(diags))
		}
		_, diags = e.hubLayers(&cfg.Hubs[0], c)
		got := describe(diags)
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: want %q, got %q", test.reason, test.want, got)
		}
	}
}

// TestPoolsToldApart tries which labels choose a pool among others.
func TestPoolsToldApart(t *testing.T) {
	const purpose = `"hub.jupyter.org/node-purpose" = "user"`
	pool := func(name, labels, more string) string {
		return "node_pool \"" + name + "\" {\n machine_type = \"n2-standard-8\"\n labels = { " + labels + " }\n" + more + "\n}\n"
	}
	hubs := func(names ...string) string {
		var b strings.Builder
		for _, name := range names {
			b.WriteString("hub \"of-" + name + "\" {\n chart = \"builtin:jupyterhub\"\n node_pools = { user = node_pool." + name + " }\n}\n")
		}
		return b.String()
	}
	const taint = "taint {\n key = \"gpu\"\n effect = \"NoSchedule\"\n}"
	tests := []struct {
		reason, config string
		want           string // the selector of the first hub's users, or what is said
	}{
		{"one pool", pool("a", purpose+", team = \"x\"", "") + hubs("a"), `{"hub.jupyter.org/node-purpose":"user"}`},
		{"another team", pool("a", purpose+", team = \"x\"", "") + pool("b", purpose+", team = \"y\"", "") + hubs("a", "b"), `{"hub.jupyter.org/node-purpose":"user","team":"x"}`},
		{"a pool that only overflows", pool("a", purpose, "") + pool("b", purpose, "") + hubs("a"), `{"hub.jupyter.org/node-purpose":"user"}`},
		{"a twin of another hub's", pool("a", purpose, "") + pool("b", purpose, "") + hubs("a", "b"), "Node pools that cannot be told apart: node_pool.b has all labels of node_pool.a"},
		{"a twin with a name", pool("a", purpose, `name = "live-a"`) + pool("b", purpose, "") + hubs("a"), `{"hub.jupyter.org/node-purpose":"user"}`},
		{"twins with names", pool("a", purpose, `name = "live-a"`) + pool("b", purpose, `name = "live-b"`) + hubs("a", "b"), `{"cloud.google.com/gke-nodepool":"live-a","hub.jupyter.org/node-purpose":"user"}`},
		{"one with a label more", pool("a", purpose, "") + pool("b", purpose+", gpu = \"yes\"", "") + hubs("a", "b"), "cannot be told apart"},
		{"and a taint that keeps others away", pool("a", purpose, "") + pool("b", purpose+", gpu = \"yes\"", taint) + hubs("a", "b"), `{"hub.jupyter.org/node-purpose":"user"}`},
		{"a pool of another purpose", pool("a", purpose, "") + pool("b", `"hub.jupyter.org/node-purpose" = "core"`, "") + hubs("a", "b"), `{"hub.jupyter.org/node-purpose":"user"}`},
	}
	for _, test := range tests {
		cfg := parse(t, "cluster \"main\" {\n project = \"hub-project\"\n location = \"us-central1-a\"\n name = \"main\"\n}\n"+test.config)
		e := newExpansion(cfg)
		v := &hubValues{expansion: e, hub: &cfg.Hubs[0]}
		v.pools()
		got := describe(v.diags)
		if len(v.settings) > 0 {
			seen := view{}
			seen.set("", v.settings[0].value)
			got = seen[""]
		}
		if !strings.Contains(got, test.want) || strings.HasPrefix(test.want, "{") && got != test.want {
			t.Errorf("%s: want %s, got %s", test.reason, test.want, got)
		}
	}
}

// TestListsOfAllLayers puts the same lists and traits into every layer there is.
func TestListsOfAllLayers(t *testing.T) {
	dir := t.TempDir()
	all := fixtures(t, dir)
	f := all[len(all)-1]
	if f.name != "umbrella" {
		t.Fatal("the umbrella is another")
	}
	chart := layCopy(t, dir)
	f.source = chart
	const ban = "repo_ban \"a\" {\n hub = hub.prod\n repo = \"a/b\"\n}\nrepo_limit \"a\" {\n hub = hub.prod\n repo = \"a/b\"\n sessions = 3\n}"
	const inline = `values = { binderhub = { config = { GitHubRepoProvider = { banned_specs = ["^inline"] } }, jupyterhub = { hub = { config = { JupyterHub = { active_server_limit = 7 } } } } } }`
	spawn := "spawn_limits {\n active = 50\n}\nnode_pools = { user = node_pool.user }\n"
	got, diags := f.render(t, spawn, ban, "")
	for name, want := range map[string]string{
		"binder:GitHubRepoProvider.banned_specs": `["^umbrella","^a/b/"]`, "hub:JupyterHub.active_server_limit": "50",
		"pod:user-placeholder.tolerations": tolerated(1, "user", `{"key":"umbrella"}`, quiet),
	} {
		if got[name] != want {
			t.Errorf("%s is %s, want %s (%s)", name, got[name], want, describe(diags))
		}
	}
	got, _ = f.render(t, spawn, ban, `{config: {GitHubRepoProvider: {banned_specs: ["^file"]}}}`)
	if got["binder:GitHubRepoProvider.banned_specs"] != `["^file","^a/b/"]` {
		t.Errorf("over a file: %s", got["binder:GitHubRepoProvider.banned_specs"])
	}
	got, diags = f.render(t, spawn+inline, ban, "")
	if got["binder:GitHubRepoProvider.banned_specs"] != `["^inline","^a/b/"]` || got["hub:JupyterHub.active_server_limit"] != "7" {
		t.Errorf("beside values: %v %v", got["binder:GitHubRepoProvider.banned_specs"], got["hub:JupyterHub.active_server_limit"])
	}
	if text := describe(diags); !strings.Contains(text, "Typed attribute overridden") || !strings.Contains(text, "values sets binderhub.jupyterhub.hub.config.JupyterHub.active_server_limit, which spawn_limits.active") || strings.Contains(text, "banned_specs") {
		t.Errorf("what is said of values: %s", text)
	}
}

// layCopy lays out an umbrella whose own values have lists and traits.
func layCopy(t *testing.T, dir string) string {
	t.Helper()
	at := filepath.Join(dir, "umbrella-of-lists")
	copyChart(t, filepath.Join(dir, "umbrella"), at)
	write(t, filepath.Join(at, "values.yaml"), `binderhub:
  config:
    GitHubRepoProvider: {banned_specs: ["^umbrella"]}
  jupyterhub:
    hub: {config: {JupyterHub: {active_server_limit: 90}}}
    singleuser: {extraTolerations: [{key: umbrella}]}
`)
	return at
}

// TestPoolOfTheBinder holds that only the binder gets the tolerations of core pools,
// not the daemons that share its chart's list.
func TestPoolOfTheBinder(t *testing.T) {
	for _, f := range fixtures(t, t.TempDir()) {
		if !f.binder {
			continue
		}
		got, diags := f.render(t, "node_pools = { core = node_pool.core }", "", `{extraPodSpec: {tolerations: [{key: own}]}}`)
		if want := `[{"key":"own"},` + tolerated(1, "core", quiet)[1:]; got["pod:binder.tolerations"] != want {
			t.Errorf("%s: the binder tolerates %s (%s)", f.name, got["pod:binder.tolerations"], describe(diags))
		}
		for _, pod := range []string{"image-builder", "image-cleaner"} {
			if strings.Contains(got["pod:"+pod+".tolerations"], "quiet") {
				t.Errorf("%s: %s tolerates what core pools have", f.name, pod)
			}
		}
	}
}
