package schema

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// TestSnippetsShowNoSecret: what is wrong beside a sensitive literal is shown without it.
func TestSnippetsShowNoSecret(t *testing.T) {
	for name, text := range map[string]string{
		"bearer token":     "cluster \"d\" {\n  prometheus {\n    url = \"http://x\"\n    bearer_token = \"drawn-by-lot-7\" + 1\n  }\n}\n",
		"password":         "cluster \"d\" {\n  prometheus {\n    url = \"http://x\"\n    username = \"u\"\n    password = \"drawn-by-lot-7\" + 1\n  }\n}\n",
		"webhook token":    "notify \"w\" {\n  webhook {\n    url = \"http://x/drawn-by-lot-7\"\n    token = \"drawn-by-lot-7\" + 1\n  }\n}\n",
		"webhook url":      "notify \"w\" {\n  webhook {\n    url = \"ftp://x/drawn-by-lot-7\"\n  }\n}\n",
		"slack url":        "notify \"w\" {\n  slack {\n    url = [\"https://x/drawn-by-lot-7\"]\n  }\n}\n",
		"launch token":     "gate \"l\" {\n  launch {\n    token = [\"drawn-by-lot-7\"]\n  }\n}\n",
		"default":          "variable \"v\" {\n  sensitive = true\n  type = number\n  default = \"drawn-by-lot-7\" + 1\n}\n",
		"input":            "module \"m\" {\n  source = \"./m\"\n  in = \"drawn-by-lot-7\" + 1\n}\n-- m/main.hcl --\nvariable \"in\" {\n  sensitive = true\n}\n",
		"sensitive":        "locals {\n  a = sensitive(\"drawn-by-lot-7\") + 1\n}\n",
		"URL of a hub":     "hub \"h\" {\n  chart = \"builtin:jupyterhub\"\n  url = \"https://u:drawn-by-lot-7@x\"\n}\n",
		"URL, wrong":       "hub \"h\" {\n  chart = \"builtin:jupyterhub\"\n  url = \"u://u:drawn-by-lot-7@x\"\n}\n",
		"chart repository": "chart \"h\" {\n  chart = \"x\"\n  repository = \"https://u:drawn-by-lot-7@x\"\n}\n",
	} {
		config, diags := load(t, "-- main.hcl --\ncluster \"c\" {}\n"+text, Options{})
		var out bytes.Buffer
		if err := hcl.NewDiagnosticTextWriter(&out, config.Files, 0, false).WriteDiagnostics(diags); err != nil {
			t.Fatal(err)
		}
		if !diags.HasErrors() || strings.Contains(out.String(), "drawn-by-lot") || !strings.Contains(out.String(), "***") {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}
