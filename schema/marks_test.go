package schema

import (
	"strings"
	"testing"
)

// looks are ways to learn about var.pw, or the two other sensitive values, without taking it
// as a value. Each result depends on one.
var looks = map[string]string{
	"can":                       `can(regex("^h", var.pw))`,
	"can that fails":            `can(regex("^q", var.pw))`,
	"can of a local":            `can(regex("^h", local.copy))`,
	"can below an object":       `can(var.both.none)`,
	"can of an index":           `can({ h = 1 }[substr(var.pw, 0, 1)])`,
	"can of a nested can":       `can(can(regex("^h", var.pw)) ? "" : tonumber("x"))`,
	"can of a conversion":       `can(tonumber(var.pw))`,
	"can of sensitive":          `can(regex("^h", sensitive("hunter22")))`,
	"can of sensitive, looping": `can([for c in ["h", "q"] : regex("^q", sensitive(c))])`,
	"can of a template":         `can(templatefile("t.tpl", { pw = var.pw }))`,
	"can in a template":         `templatefile("can.tpl", { pw = var.pw })`,
	"can in a loop":             `join("", [for c in ["h", "q"] : c if can(regex(c, var.pw))])`,
	"can in keys":               `keys({ for c in ["h", "q"] : c => 1 if can(regex(c, var.pw)) })`,
	"can of a loop's variable":  `[for pw in [var.pw] : can(regex("^q", pw))]`,
	"try that fails":            `try(regex("^q", var.pw), "none")`,
	"try that succeeds":         `try(regex("^h", var.pw), "none")`,
	"can of env":                `can(regex("^h", env("HUBCAP_VAR_pw")))`,
	"can of file":               `can(regex("hunter", file("vars")))`,
	"try of env":                `try(regex("^q", env("HUBCAP_VAR_pw")), "none")`,
	"env":                       `strrev(env("HUBCAP_VAR_pw"))`,
	"env by a default":          `strrev(env("nothing", env("HUBCAP_VAR_pw")))`,
	"env of another name":       `strrev(env("COPY"))`,
	"file of a default":         `strrev(file("main.hcl"))`,
	"file of variables":         `strrev(file("vars"))`,
	"template of variables":     `strrev(templatefile("vars", {}))`,
	"env in a template":         `templatefile("env.tpl", {})`,
	"try of an attribute":       `try(var.both.none, "none")`,
	"try of a length":           `try(timeadd("2020-01-01T00:00:00Z", "${length(var.pw)}h"), "")`,
	"conditional":               `var.pw == "hunter22-zq" ? "a" : "b"`,
	"conditional to null":       `var.pw == "hunter22-zq" ? null : "b"`,
	"filter":                    `[for c in ["h", "q"] : c if startswith(var.pw, c)]`,
	"filter of an object":       `{ for c in ["h", "q"] : c => 1 if startswith(var.pw, c) }`,
	"filter that leaves none":   `[for c in ["q"] : c if startswith(var.pw, c)]`,
	"filter of characters":      `[for c in split("", var.pw) : "x"]`,
	"index of an object":        `{ h = "it is h", q = "it is q" }[substr(var.pw, 0, 1)]`,
	"index of a map":            `tomap({ h = "it is h", q = "it is q" })[substr(var.pw, 0, 1)]`,
	"index of a tuple":          `range(20)[length(var.pw)]`,
	"index of a list":           `tolist(["a", "b"])[length(var.pw) - 10]`,
	"index of an attribute":     `{ h = { x = "h" }, q = { x = "q" } }[substr(var.pw, 0, 1)].x`,
	"index in a loop":           `[for c in ["a"] : { h = "it is h", q = c }[substr(var.pw, 0, 1)]]`,
	"index in a template":       `templatefile("index.tpl", { pw = var.pw })`,
	"lookup":                    `lookup({ h = "it is h" }, substr(var.pw, 0, 1), "none")`,
	"lookup of none":            `lookup({ q = "it is q" }, substr(var.pw, 0, 1), "none")`,
	"element":                   `element(["a", "b", "c"], length(var.pw))`,
	"length":                    `length(var.pw)`,
	"length of a split":         `length(split("u", var.pw))`,
	"length of an object":       `length({ for c in split("", "hunter") : c => 1 if startswith(var.pw, c) })`,
	"contains":                  `contains(["hunter22-zq"], var.pw)`,
	"contains what is hidden":   `contains([var.pw], "hunter22-zq")`,
	"equal":                     `var.pw == "x"`,
	"equal within":              `[var.pw] == ["x"]`,
	"not equal within":          `{ a = var.pw } != { a = "x" }`,
	"startswith":                `startswith(var.pw, "h")`,
	"and":                       `startswith(var.pw, "h") && true`,
	"or":                        `false || startswith(var.pw, "h")`,
	"not":                       `!startswith(var.pw, "h")`,
	"coalesce":                  `coalesce(var.none, "b")`,
	"coalesce of a condition":   `coalesce(startswith(var.pw, "h") ? null : "x", "b")`,
	"coalescelist":              `coalescelist([for c in ["q"] : c if startswith(var.pw, c)], ["b"])`,
	"compact":                   `compact([startswith(var.pw, "h") ? "" : "x", "b"])`,
	"distinct":                  `length(distinct([substr(var.pw, 0, 1), "h"]))`,
	"toset":                     `length(toset([substr(var.pw, 0, 1), "h"]))`,
	"setintersection":           `setintersection([substr(var.pw, 0, 1)], ["h"])`,
	"setsubtract":               `setsubtract(["h", "q"], [substr(var.pw, 0, 1)])`,
	"setproduct":                `length(setproduct(["h", "q"], split("", var.pw)))`,
	"merge":                     `merge({ a = 1 }, startswith(var.pw, "h") ? { a = 2 } : { a = 3 })`,
	"zipmap":                    `keys(zipmap([substr(var.pw, 0, 1)], [1]))`,
	"slice":                     `slice(["a", "b", "c"], 0, length(var.pw) - 10)`,
	"chunklist":                 `chunklist(["a", "b", "c"], length(var.pw) - 9)`,
	"range":                     `range(length(var.pw))`,
	"flatten":                   `length(flatten([split("u", var.pw)]))`,
	"concat":                    `length(concat(split("u", var.pw), []))`,
	"sort":                      `sort([substr(var.pw, 0, 1), "i"])[0]`,
	"regexall":                  `length(regexall("[a-z]", var.pw))`,
	"replace":                   `replace("hunter", var.pw, "x")`,
	"format":                    `format("%${length(var.pw)}s", "x")`,
	"substr":                    `substr("abcdefghijklmnop", 0, length(var.pw))`,
	"splat of null":             `var.none[*]`,
	"splat":                     `length(split("", var.pw)[*])`,
	"directive if":              `"%{ if startswith(var.pw, "h") }yes%{ else }no%{ endif }"`,
	"directive for":             `"%{ for c in split("", var.pw) }x%{ endfor }"`,
	"keys":                      `keys({ (substr(var.pw, 0, 1)) = 1 })`,
	"values":                    `values({ (substr(var.pw, 0, 1)) = 1 })`,
	"jsonencode":                `jsonencode({ (substr(var.pw, 0, 1)) = 1 })`,
	"jsondecode":                `jsondecode(jsonencode({ a = var.pw })).a`,
	"csvdecode":                 `length(csvdecode("a\n${var.pw}"))`,
	"sha256":                    `sha256(var.pw)`,
	"tobool":                    `tobool(startswith(var.pw, "h") ? "true" : "false")`,
	"timecmp":                   `timecmp(timeadd("2020-01-01T00:00:00Z", "${length(var.pw)}h"), "2020-01-01T00:00:00Z")`,
	"formatdate":                `formatdate("YYYY", timeadd("2020-01-01T00:00:00Z", "${length(var.pw)}h"))`,
}

// TestEveryLookIsMarked: whatever tells something about a sensitive value is
// sensitive, so that none of it can be shown, however often it is asked.
func TestEveryLookIsMarked(t *testing.T) {
	env := map[string]string{"HUBCAP_VAR_pw": secret, "COPY": "a " + secret + " b"}
	lookup := func(name string) (string, bool) { v, isSet := env[name]; return v, isSet }
	for name, look := range looks {
		for _, config := range []string{
			"output \"o\" {\n  value = " + look + "\n}\n",
			"module \"m\" {\n  source = \"./m\"\n  in = " + look + "\n}\noutput \"o\" {\n  value = module.m.out\n}\n",
			"locals {\n  got = " + look + "\n}\noutput \"o\" {\n  value = { a = [local.got] }\n}\n",
		} {
			_, diags := load(t, lookHead+config, Options{Env: lookup})
			var summaries []string
			for _, d := range diags {
				summaries = append(summaries, d.Summary)
			}
			if len(summaries) == 0 || summaries[0] != "Output of a sensitive value" {
				t.Errorf("%s: %s\n%v", name, config, diags)
			}
		}
	}
}

// lookHead is what looks look at.
const lookHead = `
-- m/main.hcl --
variable "in" {}
output "out" {
  value = var.in
}
-- t.tpl --
${tonumber(pw)}
-- can.tpl --
${can(regex("^q", pw))}
-- index.tpl --
${{ h = "it is h", q = "it is q" }[substr(pw, 0, 1)]}
-- env.tpl --
${strrev(env("HUBCAP_VAR_pw"))}
-- vars --
pw = "hunter22-zq"
-- main.hcl --
variable "pw" {
  type      = string
  sensitive = true
}
variable "none" {
  type      = string
  sensitive = true
  default   = null
}
variable "both" {
  type      = object({ user = string, pw = string })
  sensitive = true
  default   = { user = "u", pw = "drawn-by-lot-7" }
}
locals {
  copy = var.pw
}
cluster "c" {}
`

// TestOpenValuesStayOpen: what does not depend on a sensitive value is shown, also beside one.
func TestOpenValuesStayOpen(t *testing.T) {
	for _, open := range []string{
		`can(regex("^h", "hub"))`, `try({ a = 1 }.b, "none")`, `env("HOME")`, `env("HUBCAP_VAR_open")`, `file("t.tpl")`,
		`try(local.both.open, "none")`, `can(local.both.open)`, `{ a = 1, b = 2 }[local.both.open]`, `can({ a = 1 }[local.both.open])`,
	} {
		text := lookHead + "variable \"open\" {\n}\nlocals {\n  both = { open = \"a\", hidden = var.pw }\n}\noutput \"o\" {\n  value = " + open + "\n}\n"
		env := map[string]string{"HUBCAP_VAR_pw": secret, "HUBCAP_VAR_open": "open", "HOME": "/home/u"}
		_, diags := load(t, text, Options{Env: func(name string) (string, bool) { v, isSet := env[name]; return v, isSet }})
		if diags.HasErrors() {
			t.Errorf("%s: %v", open, diags)
		}
	}
}

// TestConditionsTellNothing: a condition on a sensitive value says only what it always says.
func TestConditionsTellNothing(t *testing.T) {
	_, diags := load(t, lookHead+`
module "m" {
  source   = "./v"
  for_each = ["h", "q"]
  pw       = var.pw
  first    = each.key
}
-- v/main.hcl --
variable "pw" {
  sensitive = true
}
variable "first" {
  validation {
    condition     = !startswith(var.pw, var.first)
    error_message = "it begins with ${var.first}"
  }
}
`, Options{Vars: map[string]string{"pw": secret}})
	if len(diags) != 1 || diags[0].Detail != "The value does not hold to the condition of the variable." {
		t.Errorf("got %v", diags)
	}
}

// TestOutputsAreSearched: a sensitive value that came another way is not shown by an output, in
// whatever usual spelling.
func TestOutputsAreSearched(t *testing.T) {
	for _, value := range []string{
		`"hunter22-zq"`, `"HUNTER22-ZQ"`, `{ a = ["pre hunter22-zq"] }`, `{ "hunter22-zq" = 1 }`, `"aHVudGVyMjItenE="`, `"68756e74657232322d7a71"`,
	} {
		text := lookHead + "output \"o\" {\n  value = " + value + "\n}\n"
		_, diags := load(t, text, Options{Vars: map[string]string{"pw": secret}})
		if len(diags) != 1 || diags[0].Summary != "Output of a sensitive value" {
			t.Errorf("%s: %v", value, diags)
		}
		_, diags = load(t, strings.Replace(text, "output \"o\" {", "output \"o\" {\n  sensitive = true", 1), Options{Vars: map[string]string{"pw": secret}})
		if diags.HasErrors() {
			t.Errorf("%s, declared: %v", value, diags)
		}
	}
}
