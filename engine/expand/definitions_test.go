package expand

import (
	"testing"

	"golang.org/x/tools/txtar"

	"hubcap/engine/resource"
)

// TestDefinitionsAreShared has two releases of charts that bring the same
// definition: it belongs to neither, and is made once.
func TestDefinitionsAreShared(t *testing.T) {
	desired := mustConfig(t, config(t, txtar.Parse([]byte(`
-- main.hcl --
cluster "main" { context = "test" }
hub "one" { chart = "./chart" }
hub "two" { chart = "./chart" }
-- chart/Chart.yaml --
apiVersion: v2
name: hub
version: 1.0.0
-- chart/charts/router/Chart.yaml --
apiVersion: v2
name: router
version: 1.0.0
-- chart/charts/router/crds/routes.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: routes.example.org}
spec: {group: example.org, scope: Namespaced, names: {kind: Route, plural: routes}}
-- chart/charts/router/templates/route.yaml --
apiVersion: example.org/v1
kind: Route
metadata: {name: main}
-- chart/charts/copy/Chart.yaml --
apiVersion: v2
name: copy
version: 1.0.0
-- chart/charts/copy/crds/routes.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: routes.example.org}
spec: {group: example.org, scope: Namespaced, names: {kind: Route, plural: routes}}
`))), nil)
	definitions, routes := 0, 0
	for _, d := range desired {
		switch d.ID.Kind {
		case "CustomResourceDefinition":
			definitions++
			if d.Presence != resource.Ensured || d.Component.Name != "crds" || d.Object.Text("metadata", "labels", labelConfig) != "" {
				t.Errorf("%s is %v of %s, with labels of %q", d.Address, d.Presence, d.Component, d.Object.Text("metadata", "labels", labelConfig))
			}
		case "Route":
			routes++
			if len(d.Needs) != 2 || d.Needs[1].Kind != "CustomResourceDefinition" {
				t.Errorf("%s needs %v", d.Address, d.Needs)
			}
		}
	}
	if definitions != 1 || routes != 2 {
		t.Errorf("%d definitions, %d routes", definitions, routes)
	}
}

// TestAutoscalerGoesWithItsWorkload has an autoscaler in a file and with labels
// that say something else.
func TestAutoscalerGoesWithItsWorkload(t *testing.T) {
	desired := byAddress(mustConfig(t, config(t, txtar.Parse([]byte(`
-- main.hcl --
cluster "main" { context = "test" }
hub "prod" { chart = "./chart" }
-- chart/Chart.yaml --
apiVersion: v2
name: umbrella
version: 1.0.0
-- chart/templates/web/deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
-- chart/templates/hpa.yaml --
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, labels: {component: other}}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: lonely, labels: {component: other}}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: elsewhere}}
`))), nil))
	for name, want := range map[string]string{"web": "hub.prod/web", "lonely": "hub.prod/other"} {
		d := desired["hub.prod/HorizontalPodAutoscaler/"+name]
		if got := d.Component.String(); got != want || d.Object.Text("metadata", "annotations", annotationComponent) != want {
			t.Errorf("%s is of %s, want %s", name, got, want)
		}
	}
}
