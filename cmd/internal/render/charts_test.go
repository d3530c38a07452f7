package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
)

func TestChartLines(t *testing.T) {
	hub, other := resource.ParseAddress("hub.prod"), resource.ParseAddress("chart.mon")
	p := &plan.Plan{Charts: []resource.Chart{
		{Address: hub, Chart: "binderhub", Version: "1.0.0", AppVersion: "1.0.0", Digest: "sha256:" + strings.Repeat("ab", 32)},
		{Address: hub, Parent: "binderhub", Chart: "jupyterhub", Version: "4.2.0", AppVersion: "5.3.0"},
		{Address: other, Chart: "grafana", Version: "9.1.0"},
	}}
	want := []string{"hub.prod: binderhub 1.0.0 sha256:abababababab, jupyterhub 4.2.0 (of 5.3.0)", "chart.mon: grafana 9.1.0"}
	if diff := cmp.Diff(want, chartLines(p)); diff != "" {
		t.Errorf("charts (-want +got):\n%s", diff)
	}
}
