package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"io/fs"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"hubcap/engine/resource"
)

// load loads the files of a txtar archive.
func load(t *testing.T, archive string, opts Options) (*Config, hcl.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		write(t, filepath.Join(dir, f.Name), f.Data)
	}
	if !strings.Contains(archive, "hubcap {") {
		named(t, dir)
	}
	return Load(dir, opts)
}

// named gives the config in a directory a name.
func named(t *testing.T, dir string) {
	t.Helper()
	write(t, filepath.Join(dir, "name.hcl"), []byte("hubcap { name = \"default\" }\n"))
}

// mustLoad fails on any diagnostic.
func mustLoad(t *testing.T, archive string, opts Options) *Config {
	t.Helper()
	config, diags := load(t, archive, opts)
	for _, d := range diags {
		t.Errorf("%s", d)
	}
	return config
}

func ptr[T any](v T) *T { return &v }

var withoutPlaces = cmp.Options{
	cmpopts.IgnoreFields(Block{}, "Range", "Attrs"), cmpopts.IgnoreFields(QoSRef{}, "Range"), cmp.AllowUnexported(resource.Sensitive{}),
}

func address(text string) resource.Address { return resource.ParseAddress(text) }

func TestDefaults(t *testing.T) {
	config := mustLoad(t, `
-- main.hcl --
cluster "here" {}
hub "class_one" { chart = "builtin:jupyterhub" }
hub "binder" { chart = "builtin:binderhub" }
`, Options{})
	if s := config.Settings; s.Name != "default" || s.FieldManager != "hubcap" || s.JournalNamespace != "hubcap" {
		t.Errorf("settings %+v", s)
	}
	one, two := config.Hubs[0], config.Hubs[1]
	if one.Namespace != "class-one" || one.Release != "class-one" || one.Type != JupyterHub || one.Cluster != address("cluster.here") {
		t.Errorf("hub %+v", one)
	}
	if two.Type != BinderHub {
		t.Errorf("a hub of builtin:binderhub is a %s", two.Type)
	}
}

// TestExpired: a limit or a ban ends by itself, a pool does not.
func TestExpired(t *testing.T) {
	const text = `
-- main.hcl --
cluster "c" {
  project  = "binder-prod"
  location = "us-central1"
  name     = "c"
}
node_pool "p" {
  machine_type = "n1-standard-4"
  until        = "2026-01-01T00:00:00Z"
}
hub "h" { chart = "builtin:binderhub" }
repo_ban "b" {
  hub   = hub.h
  repo  = "a/b"
  until = "2026-01-01T00:00:00Z"
}
repo_limit "l" {
  hub      = hub.h
  repo     = "a/c"
  sessions = 1
  until    = "2026-01-01T00:00:00Z"
}
`
	for _, c := range []struct {
		reason         string
		now            time.Time
		rules, warning int
	}{
		{"before", time.Date(2025, 12, 31, 23, 59, 0, 0, time.UTC), 1, 0},
		{"after", time.Date(2026, 1, 1, 0, 0, 1, 0, time.UTC), 0, 3},
		{"without a clock", time.Time{}, 1, 0},
	} {
		config, diags := load(t, text, Options{Now: c.now})
		if diags.HasErrors() || len(diags) != c.warning {
			t.Errorf("%s: %v", c.reason, diags)
		}
		if len(config.RepoBans) != c.rules || len(config.RepoLimits) != c.rules || len(config.NodePools) != 1 {
			t.Errorf("%s: %d bans, %d limits, %d pools", c.reason, len(config.RepoBans), len(config.RepoLimits), len(config.NodePools))
		}
	}
}

// TestSensitiveInDoubt: what cannot be read as "sensitive" does not make a value
// one that is shown.
func TestSensitiveInDoubt(t *testing.T) {
	config, diags := load(t, "-- main.hcl --\nvariable \"pw\" {\n  sensitive = \"yes\"\n  default = \"hunter22\"\n}\noutput \"o\" {\n  value = var.pw\n}\n", Options{})
	if !diags.HasErrors() || len(config.Sensitive) != 1 || fmt.Sprint(config.Outputs[0].Value) != "(sensitive)" {
		t.Errorf("%v, %d sensitive values, output %v", diags, len(config.Sensitive), config.Outputs[0].Value)
	}
}

func TestKubeconfigPath(t *testing.T) {
	dir := t.TempDir()
	named(t, dir)
	for _, c := range []struct{ written, want string }{
		{"prod.yaml", filepath.Join(dir, "prod.yaml")},
		{"../prod.yaml", filepath.Join(filepath.Dir(dir), "prod.yaml")},
		{"/etc/prod.yaml", "/etc/prod.yaml"},
		{"~/.kube/prod", "/home/ada/.kube/prod"},
	} {
		write(t, filepath.Join(dir, "main.hcl"), []byte("cluster \"c\" {\n  kubeconfig = \""+c.written+"\"\n}\n"))
		config, diags := Load(dir, Options{Env: func(name string) (string, bool) { return "/home/ada", name == "HOME" }})
		if len(diags) > 0 || config.Clusters[0].Kubeconfig != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.written, config.Clusters[0].Kubeconfig, diags, c.want)
		}
	}
}

// TestHostileData: nothing a decoded text holds ends the process.
func TestHostileData(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 10; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), i-1)
	}
	deep := strings.Repeat("[", 2_000_000) + strings.Repeat("]", 2_000_000)
	for name, c := range map[string]struct{ expression, text string }{
		"deep JSON":         {`jsondecode(file("x"))`, deep},
		"deep YAML":         {`yamldecode(file("x"))`, deep},
		"aliases":           {`yamldecode(file("x"))`, bomb},
		"deep template":     {`templatefile("x", {})`, "${" + deep + "}"},
		"more than a value": {`jsondecode(file("x"))`, "[] []"},
		"a huge file":       {`file("x")`, strings.Repeat("x", maxFileBytes+1)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.hcl"), []byte("locals {\n  x = "+c.expression+"\n}\n"))
			write(t, filepath.Join(dir, "x"), []byte(c.text))
			named(t, dir)
			if _, diags := Load(dir, Options{}); len(diags) != 1 || diags[0].Subject == nil {
				t.Errorf("got %v", diags)
			}
		})
	}
}

func TestVariablePrecedence(t *testing.T) {
	const files = `
-- main.hcl --
variable "x" {
  type    = number
  default = 1
}
output "x" { value = var.x }
-- a.vars --
x = 3
-- b.vars --
x = 4
`
	env := func(name string) (string, bool) { return "2", name == "HUBCAP_VAR_x" }
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(files)).Files {
		write(t, filepath.Join(dir, f.Name), f.Data)
	}
	named(t, dir)
	a, b := filepath.Join(dir, "a.vars"), filepath.Join(dir, "b.vars")
	for _, c := range []struct {
		reason string
		opts   Options
		want   int64
	}{
		{"the default, when nothing is given", Options{}, 1},
		{"the environment over the default", Options{Env: env}, 2},
		{"a file over the environment", Options{Env: env, VarFiles: []string{a}}, 3},
		{"the later file", Options{Env: env, VarFiles: []string{a, b}}, 4},
		{"--var over all", Options{Env: env, VarFiles: []string{a, b}, Vars: map[string]string{"x": "2 + 3"}}, 5},
	} {
		config, diags := Load(dir, c.opts)
		if len(diags) > 0 || config.Outputs[0].Value != c.want {
			t.Errorf("%s: got %v, %v, want %d", c.reason, config.Outputs[0].Value, diags, c.want)
		}
	}
}

// modulesConfig has a module with for_each around a built-in one.
const modulesConfig = `
-- main.hcl --
cluster "c" {
  project  = "binder-prod"
  location = "us-central1"
  name     = "c"
}
module "each" {
  source   = "./wrap"
  for_each = { x = "n2-standard-4", y = "n2-standard-8" }
  cluster  = cluster.c
  machine  = each.value
}
hub "h" {
  chart      = "builtin:jupyterhub"
  node_pools = { user = module.each["x"].pools["small"], core = module.each["y"].pools["small"] }
}
output "all" { value = { for k, m in module.each : k => keys(m.pools) } }
-- wrap/main.hcl --
variable "cluster" {}
variable "machine" { type = string }
module "inner" {
  source  = "builtin:pools"
  cluster = var.cluster
  sizes   = { small = { machine = var.machine } }
}
output "pools" { value = module.inner.pools }
`

// poolsModule is that built-in module.
func poolsModule(name string) (fs.FS, error) {
	if name != "pools" {
		return nil, fs.ErrNotExist
	}
	return fstest.MapFS{"main.hcl": {Data: []byte(`
variable "cluster" {}
variable "sizes" {
  type = map(object({ machine = string, max = optional(number, 5) }))
}
node_pool "p" {
  for_each     = var.sizes
  cluster      = var.cluster
  machine_type = each.value.machine
  labels       = { note = file("note.txt") }
  autoscaling { max = each.value.max }
}
output "pools" { value = node_pool.p }
output "unused" { value = 1 }
`)}, "note.txt": {Data: []byte("hi")}}, nil
}

func TestModules(t *testing.T) {
	config := mustLoad(t, modulesConfig, Options{Builtin: poolsModule})
	var got []string
	for _, p := range config.NodePools {
		got = append(got, fmt.Sprintf("%s %s %d %s %s", p.Address, p.MachineType, p.Autoscaling.Max, p.Labels["note"], p.Cluster))
	}
	want := []string{
		`module.each["x"].module.inner.node_pool.p["small"] n2-standard-4 5 hi cluster.c`,
		`module.each["y"].module.inner.node_pool.p["small"] n2-standard-8 5 hi cluster.c`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := config.Hubs[0].NodePools["user"]; got != config.NodePools[0].Address {
		t.Errorf("the hub uses %v", got)
	}
	if back := resource.ParseAddress(want[0][:strings.IndexByte(want[0], ' ')]); back != config.NodePools[0].Address {
		t.Errorf("address %q is read back as %#v", want[0], back)
	}
	if diff := cmp.Diff(map[string]any{"x": []any{"small"}, "y": []any{"small"}}, config.Outputs[0].Value); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

// TestModulesShareNoCycle: outputs of two modules may need each other, as long as
// no output needs itself.
func TestModulesShareNoCycle(t *testing.T) {
	config := mustLoad(t, `
-- main.hcl --
module "a" {
  source = "./m"
  x      = module.b.one
}
module "b" {
  source = "./m"
  x      = module.a.one
}
output "x" { value = "${module.a.double} ${module.b.one}" }
-- m/main.hcl --
variable "x" {}
output "one" { value = 1 }
output "double" { value = var.x * 2 }
`, Options{})
	if got := config.Outputs[0].Value; got != "2 1" {
		t.Errorf("output %v", got)
	}
}

func TestFunctions(t *testing.T) {
	env := func(name string) (string, bool) { return "there", name == "SET" }
	config := mustLoad(t, `
-- main.hcl --
locals {
  map = { b = 2, a = 1 }
}
output "all" {
  value = [
    upper("x"), join("-", ["a", "b"]), length("héé"), length({ a = 1 }), length([1, 2]), merge(local.map, { c = 3 }),
    keys(local.map), lookup(local.map, "z", 0), contains(["a"], "a"), distinct([1, 1]), flatten([[1], [2]]), range(3),
    regex("[a-z]+", "1abc"), replace("a.b", ".", "-"), replace("aab", "/a+/", "x"), trimprefix("abc", "a"), tonumber("5"),
    tostring(5), tobool("true"), toset(["b", "a", "a"]), jsonencode({ a = [1] }), jsondecode("[1]"), yamldecode("a: 1"),
    coalesce(null, "x"), try(local.map.none, "tried"), can(local.map.none), min(2, 1), abs(-1), ceil(1.2), floor(1.8),
    parseint("ff", 16), timeadd("2026-01-01T00:00:00Z", "1h"), formatdate("YYYY", "2026-01-01T00:00:00Z"), base64encode("a"),
    base64decode("YQ=="), sha256(""), env("SET"), env("UNSET", "default"), file("sub/x.txt"), templatefile("t.tpl", { names = ["a", "b"] }),
    startswith("abc", "ab"), endswith("abc", "bc"), timecmp("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"), formatlist("%s!", ["a"]),
    yamlencode({ a = 1 }), substr("hello", 1, 3), sort(["b", "a"]), zipmap(["a"], [1]), element(["a", "b"], 3),
  ]
}
-- sub/x.txt --
inside
-- t.tpl --
%{ for n in names ~}
- ${upper(n)}
%{ endfor ~}
`, Options{Env: env})
	want := []any{
		"X", "a-b", int64(3), int64(1), int64(2), map[string]any{"a": int64(1), "b": int64(2), "c": int64(3)},
		[]any{"a", "b"}, int64(0), true, []any{int64(1)}, []any{int64(1), int64(2)}, []any{int64(0), int64(1), int64(2)},
		"abc", "a-b", "xb", "bc", int64(5),
		"5", true, []any{"a", "b"}, `{"a":[1]}`, []any{int64(1)}, map[string]any{"a": int64(1)},
		"x", "tried", false, int64(1), int64(1), int64(2), int64(1),
		int64(255), "2026-01-01T01:00:00Z", "2026", "YQ==",
		"a", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "there", "default", "inside\n", "- A\n- B\n",
		true, true, int64(0), []any{"a!"},
		"\"a\": 1\n", "ell", []any{"a", "b"}, map[string]any{"a": int64(1)}, "b",
	}
	if diff := cmp.Diff(want, config.Outputs[0].Value); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHostileFiles: nothing a file holds ends the process.
func TestHostileFiles(t *testing.T) {
	for name, text := range map[string]string{
		"brackets below the limit": "locals {\n  a = " + strings.Repeat("(", 20_000) + "1" + strings.Repeat(")", 20_000) + "\n}\n",
		"brackets":                 "locals {\n  a = " + strings.Repeat("[", 800_000) + "\n}\n",
		"operators":                "locals {\n  a = 1" + strings.Repeat("\n+1", 400_000) + "\n}\n",
		"negations":                "locals {\n  a = " + strings.Repeat("!", 800_000) + "true\n}\n",
		"templates":                "locals {\n  a = \"" + strings.Repeat(`${"`, 300_000) + "\n}\n",
		"conditionals":             "locals {\n  a = " + strings.Repeat("true ? 1 : ", 200_000) + "2\n}\n",
		"blocks":                   strings.Repeat("a {\n", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.hcl"), []byte(text))
			_, diags := Load(dir, Options{})
			if name != "brackets below the limit" && !diags.HasErrors() {
				t.Error("loaded without an error")
			}
		})
	}
}

// TestSpecialFiles: what is not a regular file is not waited for.
func TestSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero.hcl")); err != nil {
		t.Skip(err)
	}
	_, diags := Load(dir, Options{})
	if len(diags) != 1 || !strings.Contains(diags[0].Detail, "not a regular file") {
		t.Errorf("got %v", diags)
	}
}
