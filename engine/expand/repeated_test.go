package expand

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"hubcap/engine/resource"
)

const repeatingChart = `
-- main.hcl --
cluster "main" { context = "test" }
chart "a" {
  cluster   = cluster.main
  namespace = "a"
  chart     = "./chart"
}
-- chart/Chart.yaml --
apiVersion: v2
name: repeating
version: 1.0.0
-- chart/templates/all.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      imagePullSecrets: [{name: pull}, {name: pull}]
      containers:
      - name: main
        image: example/app:1
        env:
        - {name: ONE, value: foo}
        - {name: TWO, value: bar}
        - {name: ONE, value: baz}
        - {name: ONE, value: last}
        ports:
        - {name: dns-udp, containerPort: 53, protocol: UDP}
        - {name: dns-tcp, containerPort: 53, protocol: TCP}
        - {name: http, containerPort: 8080}
        - {name: metrics, containerPort: 8080, protocol: TCP}
        - {name: a, containerPort: 9090}
        - {name: b, containerPort: 9090}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {ports: [{port: 80, targetPort: http}, {name: a, port: 90, targetPort: a}, {name: b, port: 91, targetPort: b}]}
`

// TestRepeated holds that an entry which a list has twice is written once, the last, as
// it counts under Helm, with a warning; that a port keeps the name by which a Service
// goes; and that where no entry can go none goes.
func TestRepeated(t *testing.T) {
	out, diags := All(config(t, txtar.Parse([]byte(repeatingChart))), map[string]Facts{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	at := slices.IndexFunc(out.Desired, func(d resource.Desired) bool { return d.ID.Kind == "Deployment" })
	spec := podSpecOf(out.Desired[at].Object)
	main := entries(spec["containers"])[0]
	var got []string
	for _, list := range []any{main["env"], main["ports"], spec["imagePullSecrets"]} {
		for _, e := range entries(list) {
			text, _ := e["value"].(string)
			got = append(got, e["name"].(string)+"="+text)
		}
	}
	want := []string{"TWO=bar", "ONE=last", "dns-udp=", "dns-tcp=", "http=", "a=", "b=", "pull="}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	var said []string
	for _, d := range diags {
		said = append(said, d.Detail)
	}
	text := strings.Join(said, "\n")
	for _, part := range []string{"container main: env has ONE more than once", "ports has 8080/TCP more than once; the last counts", "ports has 9090/TCP more than once, and something goes by the name of each", "imagePullSecrets has pull"} {
		if strings.Count(text, part) != 1 {
			t.Errorf("%q is not said once:\n%s", part, text)
		}
	}
}
