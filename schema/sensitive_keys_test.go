package schema

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
)

// canary is the value of the sensitive variable, and of every source below.
const canary = "Tr0ub4dor3zebra"

// canarySources are expressions of the canary.
var canarySources = map[string]string{
	"variable":      `var.pw`,
	"local":         `local.pw`,
	"field":         `var.both.pw`,
	"element":       `var.list[0]`,
	"module output": `module.m.pw`,
	"sensitive":     `sensitive("Tr0ub4dor3" == "" ? "" : "Tr0ub4dor3zebra")`,
	"template":      `templatefile("t.tpl", { pw = var.pw })`,
	"decoded":       `jsondecode(var.json).a.pw`,
}

// canarySpellings are made of # in ways that hide it from a search.
var canarySpellings = map[string]string{
	"plain": `#`, "lower": `lower(#)`, "upper": `upper(#)`, "reversed": `strrev(#)`, "cut": `substr(#, 0, 7)`, "last": `substr(#, -5, -1)`,
	"split": `split("4", #)[1]`, "joined": `join("-", split("b", lower(#)))`, "replaced": `replace(#, "o", "x")`, "encoded": `lower(base64encode(#))`,
	"digest": `substr(sha256(#), 0, 10)`, "formatted": `format("a-%s-z", lower(#))`, "interpolated": `a${lower(#)}`, "chosen": `# == "" ? "a" : strrev(#)`,
	"looked up": `{ a = lower(#) }["a"]`, "indexed": `[for s in [#] : lower(s)][0]`,
}

// shownPlaces are where a text would be shown: as a key, or a name.
var shownPlaces = map[string]string{
	"values":            "chart \"c\" {\n  chart = \"./x\"\n  values = { a = { (#) = \"v\" } }\n}\n",
	"for":               "chart \"c\" {\n  chart = \"./x\"\n  values = { a = { for k in [\"x\"] : \"${#}${k}\" => \"v\" } }\n}\n",
	"zipmap":            "chart \"c\" {\n  chart = \"./x\"\n  values = { a = zipmap([#], [\"v\"]) }\n}\n",
	"merge":             "chart \"c\" {\n  chart = \"./x\"\n  values = merge({ a = \"b\" }, { (#) = \"v\" })\n}\n",
	"jsondecode":        "chart \"c\" {\n  chart = \"./x\"\n  values = jsondecode(jsonencode({ (#) = \"v\" }))\n}\n",
	"yamldecode":        "chart \"c\" {\n  chart = \"./x\"\n  values = yamldecode(\"${#}: v\\nb: {c: d}\")\n}\n",
	"tomap":             "chart \"c\" {\n  chart = \"./x\"\n  values = { a = [tomap({ (#) = \"v\" })] }\n}\n",
	"extraEnv":          "hub \"h\" {\n  chart = \"builtin:jupyterhub\"\n  values = { hub = { extraEnv = { (#) = \"x\" } } }\n}\n",
	"profiles":          "hub \"h\" {\n  chart = \"builtin:jupyterhub\"\n  profiles = [{ display_name = \"a\", env = { (#) = \"x\" } }]\n}\n",
	"data":              "manifest \"m\" {\n  object = { apiVersion = \"v1\", kind = \"Secret\", metadata = { name = \"x\" }, data = { (#) = \"v\" } }\n}\n",
	"label key":         "manifest \"m\" {\n  objects = [{ apiVersion = \"v1\", kind = \"ConfigMap\", metadata = { name = \"x\", labels = { (#) = \"v\" } } }]\n}\n",
	"object name":       "manifest \"m\" {\n  object = { apiVersion = \"v1\", kind = \"ConfigMap\", metadata = { name = # } }\n}\n",
	"object namespace":  "manifest \"m\" {\n  object = { apiVersion = \"v1\", kind = \"ConfigMap\", metadata = { name = \"x\", namespace = # } }\n}\n",
	"yaml name":         "manifest \"m\" {\n  yaml = \"{apiVersion: v1, kind: Secret, metadata: {name: '${#}'}}\"\n}\n",
	"yaml part of name": "manifest \"m\" {\n  yaml = \"{apiVersion: v1, kind: ConfigMap, metadata: {name: 'a-${#}-z'}}\"\n}\n",
	"yaml namespace":    "manifest \"m\" {\n  yaml = \"{apiVersion: v1, kind: Secret, metadata: {name: x, namespace: '${#}'}}\"\n}\n",
	"yaml kind":         "manifest \"m\" {\n  yaml = \"{apiVersion: v1, kind: '${#}', metadata: {name: x}}\"\n}\n",
	"yaml data key":     "manifest \"m\" {\n  yaml = \"{apiVersion: v1, kind: Secret, metadata: {name: x}, data: {'${#}.json': YQ==}}\"\n}\n",
	"yaml label key":    "manifest \"m\" {\n  yaml = \"{apiVersion: v1, kind: Secret, metadata: {name: x, labels: {'${#}': x}}}\"\n}\n",
	"yaml twice":        "manifest \"m\" {\n  yaml = \"{apiVersion: v1, kind: Secret, metadata: {name: x}, data: {'${#}': YQ==, '${#}': YQ==}}\"\n}\n",
	"yaml without name": "manifest \"m\" {\n  yaml = \"{apiVersion: v1, kind: '${#}', metadata: {}}\"\n}\n",
	"for_each":          "manifest \"m\" {\n  for_each = { (#) = 1 }\n  yaml = \"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\"\n}\n",
	"for_each of a set": "manifest \"m\" {\n  for_each = toset([#])\n  yaml = \"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\"\n}\n",
	"below each":        "manifest \"m\" {\n  for_each = { a = { (#) = \"v\" } }\n  object = { apiVersion = \"v1\", kind = \"ConfigMap\", metadata = { name = \"x\" }, data = each.value }\n}\n",
	"argument":          "module \"n\" {\n  source = \"./n\"\n  table = { (#) = \"v\" }\n}\n",
	"namespace":         "manifest \"m\" {\n  namespace = #\n  yaml = \"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\"\n}\n",
	"file":              "manifest \"m\" {\n  files = [#]\n}\n",
	"values file":       "chart \"c\" {\n  chart = \"./x\"\n  values_files = [#]\n}\n",
	"pool labels":       "node_pool \"p\" {\n  machine_type = \"n2-standard-4\"\n  labels = { (#) = \"v\" }\n}\n",
	"output":            "output \"o\" {\n  value = { (#) = \"v\" }\n}\n",
}

// canaryConfig puts a text into a config whose every source has the canary.
func canaryConfig(text string) string {
	return `
-- main.hcl --
variable "pw" {
  type      = string
  sensitive = true
}
variable "both" {
  type      = object({ user = string, pw = string, port = number })
  sensitive = true
}
variable "list" {
  type      = list(string)
  sensitive = true
}
variable "json" {
  type      = string
  sensitive = true
}
locals {
  pw = var.pw
}
cluster "c" {
  project  = "binder-prod"
  location = "us-central1"
  name     = "c"
}
module "m" {
  source = "./m"
  pw     = var.pw
}
` + text + `
-- t.tpl --
${pw}
-- m/main.hcl --
variable "pw" {
  type      = string
  sensitive = true
}
output "pw" {
  value     = "${var.pw}"
  sensitive = true
}
-- n/main.hcl --
variable "table" {
  type = map(string)
}
manifest "inner" {
  object = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "x" }, data = var.table }
}
`
}

func canaryOptions() Options {
	return Options{Version: "1.0.0", Vars: map[string]string{
		"pw": canary, "both": `{ user = "someone", pw = "` + canary + `", port = 8443 }`, "list": `["` + canary + `"]`, "json": `{"a": {"pw": "` + canary + `"}}`,
	}}
}

// said is everything that a load can show.
func said(t *testing.T, config *Config, diags hcl.Diagnostics) string {
	t.Helper()
	var out bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&out, config.Files, 0, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	config.Files = nil
	fmt.Fprintf(&out, "%v %+v", config, config)
	return strings.ReplaceAll(strings.ToLower(out.String()), `sensitive("tr0ub4dor3" == "" ? "" : "tr0ub4dor3zebra")`, "") // the author's own line
}

// readableParts are parts of the canary in spellings of canarySpellings, in lower case.
var readableParts = []string{"tr0u", "zebra", "b4dor", "arbez", "rodb", "dhiwdwi", "vhiwngrvcjn6zwjyyq"}

// TestNoKeyIsMadeOfASecret: whatever the source, the spelling and the place, a sensitive value that
// would be shown is refused, and the refusal does not show it.
func TestNoKeyIsMadeOfASecret(t *testing.T) {
	for source, expr := range canarySources {
		for spelling, pattern := range canarySpellings {
			if source != "variable" && spelling != "lower" && spelling != "reversed" {
				continue
			}
			for place, text := range shownPlaces {
				made := strings.ReplaceAll(pattern, "#", expr)
				if strings.Contains(pattern, "${") {
					made = `"` + made + `"`
				}
				config, diags := load(t, canaryConfig(strings.ReplaceAll(text, "#", made)), canaryOptions())
				if !diags.HasErrors() {
					t.Errorf("%s, %s, %s: accepted", source, spelling, place)
				}
				everything := said(t, config, diags)
				for _, part := range readableParts {
					if strings.Contains(everything, part) {
						t.Errorf("%s, %s, %s: %q is shown:\n%s", source, spelling, place, part, everything)
					}
				}
			}
		}
	}
}

// TestSensitiveKeyHasItsPlace: the diagnostic points at the key.
func TestSensitiveKeyHasItsPlace(t *testing.T) {
	_, diags := load(t, canaryConfig("chart \"c\" {\n  chart = \"./x\"\n  values = {\n    a = \"b\"\n    c = {\n      d = var.pw\n      (lower(var.pw)) = \"v\"\n    }\n  }\n}\n"), canaryOptions())
	if len(diags) != 1 || diags[0].Summary != "Sensitive value in a key" || diags[0].Subject.Start.Line != 35 || diags[0].Subject.Start.Column != 7 {
		t.Errorf("got %v", diags)
	}
}

// TestKeysOfSensitiveObjects: the keys that a sensitive object has itself, and those beside a
// sensitive value, are no secret; their values are.
func TestKeysOfSensitiveObjects(t *testing.T) {
	for name, test := range map[string]struct{ values, keys string }{
		"an object":                         {`{ a = { user = var.both.user, pw = var.both.pw } }`, "a user pw"},
		"of a loop":                         {`{ for k, v in { user = var.both.user, pw = var.both.pw } : upper(k) => upper(v) }`, "USER PW"},
		"merged":                            {`merge({ x = "y" }, { for k in ["user", "pw"] : k => var.both[k] })`, "x user pw"},
		"decoded":                           {`jsondecode(var.json)`, "a pw"},
		"of a template":                     {`yamldecode("a: {b: ${var.pw}, c: d}")`, "a b c"},
		"below each":                        {`each.value`, "pw deep"},
		"where the second evaluation fails": {`{ a = "b${try(tonumber(substr(var.pw, 2, 1)) + 1, "")}" }`, "a"},
		"of a list of objects":              {`{ a = [for v in [var.pw, upper(var.pw)] : { b = v }] }`, "a b"},
		"chosen":                            {`var.pw == "" ? { a = "b" } : { a = "c" }`, "a"},
		"of a module's output":              {`{ a = { b = module.m.pw } }`, "a b"},
	} {
		t.Run(name, func(t *testing.T) {
			config, diags := load(t, canaryConfig("chart \"c\" {\n  for_each = { one = { pw = var.pw, deep = { pw = lower(var.pw) } } }\n  chart = \"./x\"\n  values = "+test.values+"\n}\n"), canaryOptions())
			if diags.HasErrors() || len(config.Charts) != 1 {
				t.Fatal(diags)
			}
			for key := range strings.FieldsSeq(test.keys) {
				if !slices.Contains(keysOf(config.Charts[0].Values), key) {
					t.Errorf("no key %s in %v", key, config.Charts[0].Values)
				}
			}
			if !resource.HasSensitive(config.Charts[0].Values) {
				t.Errorf("nothing of it is sensitive: %v", config.Charts[0].Values)
			}
		})
	}
}

func keysOf(v any) (keys []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			keys = append(append(keys, key), keysOf(e)...)
		}
	case []any:
		for _, e := range v {
			keys = append(keys, keysOf(e)...)
		}
	}
	return keys
}

// TestSensitiveYAML: in YAML what is made of a sensitive value is sensitive, in objects of every kind, and
// nothing else is.
func TestSensitiveYAML(t *testing.T) {
	config, diags := load(t, canaryConfig(`manifest "m" {
  yaml = <<-EOT
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: x
      labels: {of: "${lower(var.pw)}"}
    data:
      url: https://u:${var.pw}@h
      reversed: ${strrev(var.pw)}
      beside: shown
    ---
    apiVersion: example.org/v1
    kind: Thing
    metadata: {name: yy}
    spec: {port: 8080, list: [a, "${upper(local.pw)}"]}
    EOT
}
`), canaryOptions())
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	objects := config.Manifests[0].Objects
	for _, path := range [][]string{{"metadata", "labels", "of"}, {"data", "url"}, {"data", "reversed"}} {
		if v, _ := objects[0].Value(path...); !resource.HasSensitive(v) {
			t.Errorf("%v is %v", path, v)
		}
	}
	if v, _ := objects[0].Value("data", "url"); !slices.Equal(v.(resource.Sensitive).Pieces(), []string{canary}) {
		t.Errorf("the pieces of a URL: %q", v.(resource.Sensitive).Pieces())
	}
	if objects[0].Text("data", "beside") != "shown" || objects[1].Text("metadata", "name") != "yy" {
		t.Errorf("hides what is no secret: %v", objects)
	}
	spec := objects[1]["spec"].(map[string]any)
	if spec["port"] != int64(8080) || spec["list"].([]any)[0] != "a" || !resource.HasSensitive(spec["list"]) {
		t.Errorf("spec is %v", spec)
	}
	for name, text := range map[string]string{
		"a number":        "spec: {port: ${var.both.port}}",
		"no YAML else":    "spec: {a: ${var.pw == \"" + canary + "\" ? \"b\" : \"]\"}}",
		"a longer list":   "spec: {a: [${join(\",\", split(var.pw == \"" + canary + "\" ? \"4\" : \"#\", var.pw))}]}",
		"a document more": "${var.pw == \"" + canary + "\" ? \"---\\n{apiVersion: v1, kind: ConfigMap, metadata: {name: z}}\" : \"\"}",
	} {
		config, diags := load(t, canaryConfig("manifest \"m\" {\n  yaml = <<-EOT\n    apiVersion: v1\n    kind: X\n    metadata: {name: x}\n    "+text+"\n    EOT\n}\n"), canaryOptions())
		if len(diags) != 1 || diags[0].Summary != "Sensitive value in YAML" {
			t.Errorf("%s: %v", name, diags)
		}
		if everything := said(t, config, diags); strings.Contains(everything, "8443") {
			t.Errorf("%s: shown: %s", name, everything)
		}
	}
}
