package expand

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"hubcap/engine/resource"
)

const hookedChart = `
-- main.hcl --
cluster "main" { context = "test" }
hub "prod" {
  cluster = cluster.main
  chart   = "./chart"
}
-- chart/Chart.yaml --
apiVersion: v2
name: hub
version: 1.0.0
-- chart/templates/hooks.yaml --
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    helm.sh/hook: pre-upgrade, post-install
    helm.sh/hook-weight: "7"
    helm.sh/hook-delete-policy: hook-succeeded,hook-failed
spec: {ttlSecondsAfterFinished: 0}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: migrate
  annotations:
    helm.sh/hook: pre-upgrade
    helm.sh/hook-delete-policy: hook-succeeded
---
apiVersion: v1
kind: Secret
metadata:
  name: pull
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: "-20"
    helm.sh/hook-delete-policy: before-hook-creation
---
apiVersion: v1
kind: Secret
metadata:
  name: drawn-once
  annotations:
    helm.sh/hook: pre-install
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: upgrades-only
  annotations: {helm.sh/hook: pre-upgrade}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: last
  annotations: {helm.sh/hook: pre-delete}
---
apiVersion: v1
kind: Pod
metadata:
  name: try
  annotations: {helm.sh/hook: test}
`

func describeHook(d resource.Desired) string {
	return fmt.Sprintf("%s of %s at %s, weight %d %v, mark %q", d.Address, d.Component, d.Hook.Event, d.Hook.Weight, d.Hook.Policies, resource.HookMark(d.Object))
}

// TestHooksOfCharts checks what becomes of a chart's hooks: a step each time, an
// object that is kept, one that is made sure of, or nothing.
func TestHooksOfCharts(t *testing.T) {
	all, diags := All(config(t, txtar.Parse([]byte(hookedChart))), nil)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	var got []string
	for _, d := range all.Desired {
		if d.ID.Kind != "Namespace" && d.Component.Name != releaseComponent {
			got = append(got, fmt.Sprintf("%s presence %d at %s, weight %d, mark %q", d.Address, d.Presence, d.Hook.Event, d.Hook.Weight, resource.HookMark(d.Object)))
		}
	}
	for _, d := range all.Hooks {
		got = append(got, describeHook(d))
	}
	kept := byAddress(all.Desired)["hub.prod/Secret/hubcap-hooks-prod"].Object
	for _, d := range resource.RecordedHooks(kept) {
		got = append(got, "kept beside: "+describeHook(d))
	}
	want := []string{
		`hub.prod/Secret/pull presence 1 at pre-install, weight -20, mark ""`,
		`hub.prod/Secret/drawn-once presence 2 at pre-install, weight 0, mark ""`,
		`hub.prod/Job/migrate of hub.prod/hooks at post-install, weight 7 [hook-succeeded hook-failed], mark "post-install"`,
		`hub.prod/Job/migrate of hub.prod/hooks at pre-upgrade, weight 7 [hook-succeeded hook-failed], mark "pre-upgrade"`,
		`hub.prod/ServiceAccount/migrate of hub.prod/hooks at pre-upgrade, weight 0 [hook-succeeded], mark "pre-upgrade"`,
		`hub.prod/ConfigMap/upgrades-only of hub.prod/hooks at pre-upgrade, weight 0 [], mark "pre-upgrade"`,
		`kept beside: hub.prod/Job/last of hub.prod/hooks at pre-delete, weight 0 [], mark "pre-delete"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	for _, h := range all.Hooks {
		life, limited := h.Object.Value("spec", "ttlSecondsAfterFinished")
		if h.ID.Name == "migrate" && h.ID.Kind == "Job" && life != int64(600) || h.ID.Name == "last" && limited {
			t.Errorf("%s lives %v s after its end, want 600, and what set none without", h.ID, life)
		}
		if h.Object.Text("metadata", "labels", labelConfig) == "" {
			t.Errorf("%s bears no mark of ours", h.ID)
		}
	}
}
