package schema

import (
	"math"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// TestValuesFileLosses holds that what a values file says and does not count is told
// with file and line, and that nothing is told of a file without it.
func TestValuesFileLosses(t *testing.T) {
	const config = `
-- main.hcl --
cluster "c" {}
chart "a" {
  chart        = "./chart"
  values_files = ["values.yaml"]
}
-- values.yaml --
`
	for _, test := range []struct {
		reason, values string
		want           string
		severity       hcl.DiagnosticSeverity
	}{
		{"a key twice", "a: 1\nb:\n  c: 1\n  c: 2\n", `values.yaml:4: "c" is there before`, hcl.DiagWarning},
		{"a second document", "---\na: 1\n---\nb: 2\n", "values.yaml:3: a second document begins", hcl.DiagWarning},
		{"a null key", "a: 1\nb:\n  ~: x\n", "values.yaml is not YAML: line 3: a key is null", hcl.DiagError},
		{"a version", "image:\n  tag: 1.10 # of today\n", "values.yaml:2: 1.10 is a number, and 1.1 to Helm", hcl.DiagWarning},
		{"a version of digits", "appVersion: 010\n", "values.yaml:1: 010 is a number, and 8 to Helm", hcl.DiagWarning},
		{"a commit", "a:\n- commit: 1e3\n", "values.yaml:2: 1e3 is a number, and 1000 to Helm", hcl.DiagWarning},
		{"versions in quotes, in a text, and short ones", "tag: \"1.10\"\nversion: 1.2\nport: 1.10\ntext: |\n  version: 1.10\nrelease: v1.10\n", "", 0},
		{"one document", "# first\n---\na: 1\nb: |\n  ---\n  text\n---\n", "", 0},
	} {
		_, diags := load(t, config+test.values, Options{})
		found := false
		for _, d := range diags {
			if test.want == "" && (strings.Contains(d.Detail, "values.yaml")) {
				t.Errorf("%s: %s", test.reason, d.Detail)
			}
			found = found || test.want != "" && d.Severity == test.severity && strings.Contains(d.Detail, test.want)
		}
		if test.want != "" && !found {
			t.Errorf("%s: %v, want %s", test.reason, diags, test.want)
		}
	}
}

// numberSpellings are numbers as YAML spells them, and what they are to Kubernetes: kubectl
// and Helm read YAML by the same library.
var numberSpellings = map[string]any{
	"12345678901234567890": 12345678901234567890.0, "9223372036854775807": int64(9223372036854775807), "9007199254740993": int64(9007199254740993),
	"-9007199254740993": int64(-9007199254740993), "123456789012345678901234567890": 123456789012345678901234567890.0,
	"1.10": 1.1, "1e3": 1000.0, "1.5E+3": 1500.0, "0o17": int64(15), "010": int64(8), "0x1F": int64(31), "0b101": int64(5), ".5": 0.5, "5.": int64(5),
	"1_000": int64(1000), "1_000.5": 1000.5, "+5": int64(5), "1.0": int64(1), "1e21": 1e21, "1:30": "1:30", "2024-01-01": "2024-01-01", `"1.10"`: "1.10", "0.000001": 0.000001,
}

// TestNumbersKeepTheirDigits: a number of a values file, of yamldecode, of a manifest and of its files is what
// kubectl makes of it.
func TestNumbersKeepTheirDigits(t *testing.T) {
	for text, want := range numberSpellings {
		config, diags := load(t, "\n-- main.hcl --\ncluster \"c\" {}\nchart \"c\" {\n  chart = \"./x\"\n  values_files = [\"v.yaml\"]\n  values = yamldecode(file(\"v.yaml\"))\n}\n"+
			"manifest \"m\" {\n  yaml = file(\"o.yaml\")\n  files = [\"o.yaml\"]\n}\n-- v.yaml --\nnum: "+text+"\n-- o.yaml --\napiVersion: v1\nkind: X\nmetadata: {name: x}\nnum: "+text+"\n", Options{})
		if diags.HasErrors() {
			t.Fatal(text, diags)
		}
		m := config.Manifests[0].Objects
		for place, got := range map[string]any{"values_files": config.Charts[0].ValuesFiles[0].Values["num"], "values": config.Charts[0].Values["num"], "yaml": m[0]["num"], "files": m[1]["num"]} {
			if f, is := got.(float64); is && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
				got = int64(f)
			}
			if f, is := want.(float64); is && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
				want = int64(f)
			}
			if got != want {
				t.Errorf("%s of %s is %v (%T), want %v (%T)", text, place, got, got, want, want)
			}
		}
		lost := len(text) > 19 && !strings.Contains(text, ".") || text == "1e21"
		if told := strings.Contains(diags.Error(), "whole number that no API server keeps"); told != lost {
			t.Errorf("%s: told %v: %v", text, told, diags)
		}
	}
}

// TestLossesOfCommandsAndManifests: what a command prints twice, and what a file of objects has twice, is
// told with its line; of the former without a word of it.
func TestLossesOfCommandsAndManifests(t *testing.T) {
	for _, test := range []struct {
		reason, printed, want string
		severity              hcl.DiagnosticSeverity
	}{
		{"a key twice", "a: x\nhush: one\nhush: two\n", "In what sops prints, line 3: a key is there before", hcl.DiagWarning},
		{"a second document", "a: x\n---\nhush: b\n", "In what sops prints, line 2: a second document begins", hcl.DiagWarning},
		{"a null key", "a: x\n~: hush\n", "Of what sops prints, line 2 is not YAML", hcl.DiagError},
	} {
		_, diags := load(t, "\n-- main.hcl --\ncluster \"c\" {}\nchart \"a\" {\n  chart = \"./chart\"\n  values_files = [{ command = [\"sops\"] }]\n}\n",
			Options{Run: func(Command) ([]byte, error) { return []byte(test.printed), nil }})
		if len(diags) != 1 || diags[0].Severity != test.severity || !strings.Contains(diags[0].Detail, test.want) || strings.Contains(diags.Error(), "hush") {
			t.Errorf("%s: %v, want %s", test.reason, diags, test.want)
		}
	}
	first := "# one\napiVersion: v1\nkind: X\nmetadata: {name: x}\n---\n"
	for reason, test := range map[string][2]string{
		"a key twice": {first + "apiVersion: v1\nkind: X\nmetadata:\n  name: y\n  name: z\n", `o.yaml is not YAML: unmarshal errors:` + "\n  line 10: key \"name\" already set"},
		"a null key":  {first + "apiVersion: v1\nkind: X\nmetadata: {name: z}\n~: x\n", "o.yaml is not YAML: line 9: a key is null"},
		"no YAML":     {first + "apiVersion: v1\nkind: [\n", "line 7"},
	} {
		_, diags := load(t, "\n-- main.hcl --\ncluster \"c\" {}\nmanifest \"m\" {\n  files = [\"o.yaml\"]\n}\n-- o.yaml --\n"+test[0], Options{})
		if len(diags) != 1 || !strings.Contains(diags[0].Detail, test[1]) {
			t.Errorf("%s: %v, want %s", reason, diags, test[1])
		}
	}
}
