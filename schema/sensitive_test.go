package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
)

// secret is the value of the sensitive variable; pieces of it must not be shown
// either.
const secret = "hunter22-zq"

// sensitiveHead begins every config of sensitiveCases.
const sensitiveHead = `
-- main.hcl --
variable "pw" {
  type      = string
  sensitive = true
}
variable "both" {
  type      = object({ user = string, pw = string })
  sensitive = true
  default   = null
}
locals {
  pw    = var.pw
  upper = upper(var.pw)
  list  = ["x", var.pw]
}
cluster "c" {
  project  = "binder-prod"
  location = "us-central1"
  name     = "c"
}
`

// sensitiveCases are places for a sensitive value, by what stands there.
var sensitiveCases = map[string]string{
	"values":               "hub \"h\" {\n  chart = \"./x\"\n  values = { a = var.pw, b = { c = [local.upper] } }\n}\n",
	"text":                 "cluster \"d\" {\n  context = var.pw\n}\n",
	"number":               "node_pool \"p\" {\n  machine_type = \"n2-standard-4\"\n  initial_nodes = var.pw\n}\n",
	"word":                 "qos_class \"q\" {\n  mode = local.pw\n}\n",
	"quantity":             "qos_class \"q\" {\n  memory = var.pw\n}\n",
	"duration":             "gate \"g\" {\n  bake = \"${var.pw}s\"\n  pods {}\n}\n",
	"time":                 "repo_ban \"g\" {\n  hub = hub.h\n  repo = \"a/b\"\n  until = var.pw\n}\nhub \"h\" {\n  chart = \"builtin:binderhub\"\n}\n",
	"pattern":              "repo_ban \"g\" {\n  hub = hub.h\n  pattern = \"(${var.pw}\"\n}\nhub \"h\" {\n  chart = \"builtin:binderhub\"\n}\n",
	"url":                  "cluster \"d\" {\n  prometheus = \"https://u:${var.pw}@x\"\n}\n",
	"reference":            "node_pool \"p\" {\n  machine_type = \"n2-standard-4\"\n  cluster = var.pw\n}\n",
	"list":                 "node_pool \"p\" {\n  machine_type = \"n2-standard-4\"\n  tags = local.list\n}\n",
	"key":                  "node_pool \"p\" {\n  machine_type = \"n2-standard-4\"\n  labels = { (var.pw) = \"x\" }\n}\n",
	"for_each":             "node_pool \"p\" {\n  for_each = { (var.pw) = 1 }\n  machine_type = \"n2-standard-4\"\n}\n",
	"each value":           "node_pool \"p\" {\n  for_each = { a = var.pw }\n  machine_type = each.value\n}\n",
	"index":                "locals {\n  x = { a = 1 }[var.pw]\n}\n",
	"attribute":            "locals {\n  x = var.pw.none\n}\n",
	"conversion":           "locals {\n  x = tonumber(var.pw) + 1\n}\n",
	"operator":             "locals {\n  x = var.pw + 1\n}\n",
	"function":             "locals {\n  x = parseint(local.upper, 36) + jsondecode(var.pw)\n}\n",
	"file":                 "locals {\n  x = file(var.pw)\n}\n",
	"env":                  "locals {\n  x = env(var.pw)\n}\n",
	"regex":                "locals {\n  x = regex(var.pw, \"a\")\n  y = regex(\"(\", var.pw)\n}\n",
	"template":             "locals {\n  x = templatefile(\"t.tpl\", { pw = var.pw })\n}\n-- t.tpl --\n${pw + 1}\n",
	"format":               "locals {\n  x = format(\"%d\", var.pw)\n}\n",
	"condition":            "locals {\n  x = var.pw ? 1 : 2\n}\n",
	"try":                  "hub \"h\" {\n  chart = try(tonumber(var.pw), \"zz-${var.pw}\")\n}\n",
	"sensitive function":   "hub \"h\" {\n  chart = sensitive(\"a${1}b\")\n}\n",
	"output":               "output \"o\" {\n  value = local.list\n}\n",
	"output of an object":  "output \"o\" {\n  value = { a = [local.upper] }\n}\n",
	"output as declared":   "output \"o\" {\n  sensitive = true\n  value = { a = [local.upper, var.pw] }\n}\n",
	"validation":           "variable \"v\" {\n  default = \"x\"\n  validation {\n    condition = var.v == var.pw\n    error_message = \"not ${var.pw}\"\n  }\n}\n",
	"module input":         "module \"m\" {\n  source = \"./m\"\n  n = var.pw\n}\n-- m/main.hcl --\nvariable \"n\" {\n  type = number\n}\n",
	"module source":        "module \"m\" {\n  source = var.pw\n}\n",
	"yaml":                 "manifest \"m\" {\n  yaml = \"a: [${var.pw}\"\n}\n",
	"yaml of a config map": "manifest \"m\" {\n  yaml = \"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: ${var.pw}}}\"\n}\n",
	"yaml of a secret":     "manifest \"m\" {\n  yaml = \"{apiVersion: v1, kind: Secret, metadata: {name: x}, data: {a: ${var.pw}}}\"\n}\n",
	"kind of an object":    "manifest \"m\" {\n  object = { apiVersion = \"v1\", kind = var.pw, metadata = { name = \"x\" } }\n}\n",
	"object":               "manifest \"m\" {\n  object = { apiVersion = \"v1\", kind = \"X\", metadata = { name = \"x\" }, spec = { a = local.list, b = \"pre ${var.pw}\" } }\n}\n",
	"profiles":             "hub \"h\" {\n  chart = \"./x\"\n  profiles = [{ display_name = var.pw }]\n}\n",
	"status":               "gate \"g\" {\n  http {\n    url = \"https://x\"\n    status = [var.pw]\n  }\n}\n",
	"order":                "rollout \"r\" {\n  order = [var.pw, [var.pw]]\n  gates = [var.pw]\n}\n",
	"settings":             "hubcap {\n  name = var.pw\n  required_version = var.pw\n}\n",
	"cycle":                "locals {\n  a = \"${local.b}${var.pw}\"\n  b = local.a\n}\n",
}

// TestSensitiveValuesStayHidden puts a sensitive variable wherever a value can
// stand, in ways that fail and in ways that do not, and looks for its bytes in
// everything that can be printed.
func TestSensitiveValuesStayHidden(t *testing.T) {
	for name, text := range sensitiveCases {
		t.Run(name, func(t *testing.T) {
			config, diags := load(t, sensitiveHead+text, Options{Version: "1.0.0", Vars: map[string]string{"pw": secret}})
			var out bytes.Buffer
			if err := hcl.NewDiagnosticTextWriter(&out, config.Files, 0, false).WriteDiagnostics(diags); err != nil {
				t.Fatal(err)
			}
			for _, d := range diags {
				fmt.Fprintf(&out, "%s %+v\n", d, d)
			}
			config.Files = nil
			fmt.Fprintf(&out, "%v %+v %#v\n", config, config, config)
			everything := strings.ToLower(out.String())
			for _, piece := range []string{secret, "hunter22", "zq"} {
				if strings.Contains(everything, piece) {
					t.Errorf("%q is shown:\n%s", piece, everything)
				}
			}
			if _, err := json.Marshal(config); !errors.Is(err, resource.ErrSensitive) {
				t.Errorf("a config with a sensitive variable was encoded: %v", err)
			}
			if len(config.Sensitive) == 0 || config.Sensitive[0].Reveal() != secret {
				t.Errorf("%d sensitive values are listed", len(config.Sensitive))
			}
		})
	}
}

// TestSensitiveLeavesAreListed: what is made of a sensitive value is found too.
func TestSensitiveLeavesAreListed(t *testing.T) {
	config, _ := load(t, `
-- main.hcl --
variable "pw" {
  sensitive = true
}
cluster "c" {}
hub "h" {
  chart    = "./x"
  profiles = [{ display_name = "a", env = { PW = upper(var.pw) } }]
  values   = { a = base64encode(var.pw), b = sensitive("drawn") }
}
`, Options{Vars: map[string]string{"pw": secret}})
	var got []string
	for _, s := range config.Sensitive {
		got = append(got, s.Reveal())
	}
	slices.Sort(got)
	want := []string{"HUNTER22-ZQ", "aHVudGVyMjItenE=", "drawn", secret}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSensitiveDefaultIsNotShown: the line of a sensitive default is its value.
func TestSensitiveDefaultIsNotShown(t *testing.T) {
	config, diags := load(t, `
-- main.hcl --
variable "pw" {
  type      = list(string)
  sensitive = true
  default   = "hunter22"
}
`, Options{})
	var out bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&out, config.Files, 0, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	if len(diags) != 1 || strings.Contains(out.String(), "hunter22") {
		t.Errorf("got %s", out.String())
	}
}
