package expand

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

const versioned = `
cluster "c" { kubeconfig = "k" }

hub "fetched" {
  cluster    = cluster.c
  repository = "https://charts.example.org"
  chart      = "binderhub"
}

hub "here" {
  cluster   = cluster.c
  namespace = "here"
  chart     = "./charts/own"
}

policy "stable" {
  level = "deny"
  versions {
    allowed = { jupyterhub = ">= 4.2" }
    blocks  = [hub.fetched]
  }
}

known_bad "leak" {
  chart    = "jupyterhub"
  versions = "~4.1"
  fixed_in = "4.2.0"
  reason   = "It leaks."
}
`

func TestFaults(t *testing.T) {
	cfg := parse(t, versioned)
	fetched, here := resource.ParseAddress("hub.fetched"), resource.ParseAddress("hub.here")
	for _, test := range []struct {
		reason string
		chart  resource.Chart
		want   []string // kind, name
	}{
		{"a release", resource.Chart{Address: fetched, Chart: "jupyterhub", Version: "4.2.0"}, nil},
		{"a development version", resource.Chart{Address: fetched, Chart: "jupyterhub", Version: "4.3.4-0.dev.git.7031.h1a2b3c4"}, []string{"pre-release"}},
		{"one that the config knows, and does not allow", resource.Chart{Address: fetched, Chart: "jupyterhub", Version: "4.1.3"}, []string{"known-bad known_bad.leak", "not-allowed policy.stable"}},
		{"one that ships as known, and is none of a release", resource.Chart{Address: fetched, Chart: "jupyterhub", Version: "0.7.0-360849f"}, []string{
			"known-bad known_bad.culler-flood", "known-bad known_bad.kubespawner-leak", "pre-release", "not-allowed policy.stable",
		}},
		{"a block that the policy is not about", resource.Chart{Address: here, Parent: "own", Chart: "jupyterhub", Version: "4.0.0"}, nil},
		{"a chart of one's own has no releases", resource.Chart{Address: here, Chart: "own", Version: "0.0.1-set.by.chartpress"}, nil},
		{"what it depends on has", resource.Chart{Address: here, Parent: "own", Chart: "grafana", Version: "11.0.0-rc.1"}, []string{"pre-release"}},
		{"what is no version", resource.Chart{Address: fetched, Chart: "binderhub", Version: "main"}, []string{"pre-release"}},
	} {
		var got []string
		for _, f := range Faults(cfg, []resource.Chart{test.chart}) {
			got = append(got, strings.TrimSpace(string(f.Kind)+" "+f.Name))
			if f.Origin.Line == 0 || f.Origin.File == "" {
				t.Errorf("%s: no place", test.reason)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: faults (-want +got):\n%s", test.reason, diff)
		}
	}
}

func TestWarningsOfVersions(t *testing.T) {
	cfg := parse(t, versioned)
	chart := resource.Chart{Address: resource.ParseAddress("hub.fetched"), Parent: "binderhub", Chart: "jupyterhub", Version: "4.1.3"}
	diags := Warnings(cfg, Faults(cfg, []resource.Chart{chart}))
	if len(diags) != 2 || diags.HasErrors() {
		t.Fatalf("diagnostics = %v", diags)
	}
	want := "hub.fetched: chart jupyterhub 4.1.3 (in binderhub) is known to be bad: It leaks. Fixed in 4.2.0."
	if diags[0].Detail != want || diags[0].Subject.Start.Line != 7 {
		t.Errorf("line %d: %q, want %q in line 7", diags[0].Subject.Start.Line, diags[0].Detail, want)
	}
}
