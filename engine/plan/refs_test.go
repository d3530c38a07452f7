package plan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

// spec returns the body of a workload whose pods have these settings.
func spec(kv map[string]any) map[string]any {
	return map[string]any{"spec": map[string]any{"template": map[string]any{
		"metadata": map[string]any{"labels": map[string]any{"app": "w"}}, "spec": kv,
	}}}
}

func container(kv map[string]any) map[string]any {
	return map[string]any{"containers": []any{kv}}
}

func named(name string) map[string]any { return map[string]any{"name": name} }

// TestNamedIsMadeFirst holds that what pods name is made with the first step that
// cannot do without it, on a first install and when it is switched on later: every way
// of naming, and every place of what is named.
func TestNamedIsMadeFirst(t *testing.T) {
	volume := func(kind string, source map[string]any) map[string]any {
		return map[string]any{"volumes": []any{map[string]any{"name": "v", kind: source}}}
	}
	for _, test := range []struct {
		reason, kind string
		pods         map[string]any
	}{
		{"priority", "PriorityClass", map[string]any{"priorityClassName": "x"}},
		{"runtime", "RuntimeClass", map[string]any{"runtimeClassName": "x"}},
		{"account", "ServiceAccount", map[string]any{"serviceAccountName": "x"}},
		{"pull secret", "Secret", map[string]any{"imagePullSecrets": []any{named("x")}}},
		{"secret volume", "Secret", volume("secret", map[string]any{"secretName": "x"})},
		{"config volume", "ConfigMap", volume("configMap", named("x"))},
		{"projected", "ConfigMap", volume("projected", map[string]any{"sources": []any{map[string]any{"configMap": named("x")}}})},
		{"projected secret", "Secret", volume("projected", map[string]any{"sources": []any{map[string]any{"secret": named("x")}}})},
		{"CSI", "Secret", volume("csi", map[string]any{"nodePublishSecretRef": named("x")})},
		{"driver", "Secret", volume("flexVolume", map[string]any{"secretRef": named("x")})},
		{"claim", "PersistentVolumeClaim", volume("persistentVolumeClaim", map[string]any{"claimName": "x"})},
		{"ephemeral", "StorageClass", volume("ephemeral", map[string]any{"volumeClaimTemplate": map[string]any{"spec": map[string]any{"storageClassName": "x"}}})},
		{"env", "ConfigMap", container(map[string]any{"env": []any{map[string]any{"valueFrom": map[string]any{"configMapKeyRef": named("x")}}}})},
		{"envFrom", "Secret", container(map[string]any{"envFrom": []any{map[string]any{"secretRef": named("x")}}})},
		{"envFrom config", "ConfigMap", container(map[string]any{"envFrom": []any{map[string]any{"configMapRef": named("x")}}})},
	} {
		for _, block := range []string{"hub.main", "hub.other"} {
			class := object{block: block, component: "z", namespace: "hub", kind: test.kind, name: "x", want: map[string]any{"value": int64(1)}, line: 99}
			if class.id().Group != "" {
				class.namespace = ""
			}
			reader := object{block: "hub.main", component: "a", namespace: "hub", kind: "Deployment", name: "w", want: spec(test.pods), line: 1}
			for name, live := range map[string]map[string]any{"new": nil, "switched on": spec(map[string]any{})} {
				reader.live = live
				steps := build(t, input(reader, class)).Steps()
				at := slices.IndexFunc(steps[0].Changes, func(c resource.Change) bool { return c.ID.Kind == test.kind })
				if at != 0 || len(steps) != 1 {
					t.Errorf("%s of %s, %s: %d steps, the first has %s at %d; want it first there", test.reason, block, name, len(steps), test.kind, at)
				}
			}
		}
	}
}

// TestClassComesWithItsBlock holds that a class is made before anything of its block:
// its hub names it in pods that no plan sees.
func TestClassComesWithItsBlock(t *testing.T) {
	for _, kind := range []string{"PriorityClass", "RuntimeClass", "StorageClass"} {
		objects := append(hubOf("hub.main", 1, version("2"), version("1")), object{block: "hub.main", component: "z", kind: kind, name: "x", want: data("a", "b"), line: 9})
		if c := build(t, input(objects...)).Steps()[0].Changes[0]; c.ID.Kind != kind {
			t.Errorf("first is %s, want %s", c.ID, kind)
		}
	}
}

// TestWebhookComesLast holds that a webhook is made after the Service that it asks and
// the pods behind it, whatever order else says: in one step, and over several.
func TestWebhookComesLast(t *testing.T) {
	hook := map[string]any{"webhooks": []any{map[string]any{"clientConfig": map[string]any{"service": map[string]any{"name": "s", "namespace": "main"}}}}}
	for _, test := range []struct {
		reason               string
		hook, service, serve string // components
		want                 []string
	}{
		{"one step", "a", "a", "a", []string{"hub.main | 01-hub.main/a | live: +Service/s +Deployment/w +ValidatingWebhookConfiguration/h"}},
		{"three", "a", "b", "c", []string{
			"hub.main | 01-hub.main/b | live: +Service/s", "hub.main | 02-hub.main/c | live: +Deployment/w", "hub.main | 03-hub.main/a | live: +ValidatingWebhookConfiguration/h",
		}},
	} {
		objects := []object{
			{block: "hub.main", component: test.hook, kind: "ValidatingWebhookConfiguration", name: "h", want: hook},
			{block: "hub.main", component: test.service, kind: "Service", name: "s", want: map[string]any{"spec": map[string]any{"selector": map[string]any{"app": "w"}}}},
			{block: "hub.main", component: test.serve, kind: "Deployment", name: "w", want: spec(map[string]any{})},
		}
		got := lines(build(t, input(objects...)))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.reason, diff)
		}
	}
}
