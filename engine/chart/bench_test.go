package chart

import (
	"context"
	"math"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/engine"

	"hubcap/engine/resource"
	"hubcap/modules"
)

// BenchmarkRender renders an umbrella chart of 150 objects and 24 definitions, as
// a ratio to Helm's engine alone on the same finished values in the same run.
// "living" is every plan but the first; in "new" all tokens are drawn.
func BenchmarkRender(b *testing.B) {
	_, c := umbrella(b)
	request := Request{Release: "rel", Namespace: "ns"}
	first, err := c.Render(request)
	if err != nil {
		b.Fatal(err)
	}
	for name, lookup := range map[string]Lookup{"living": livingOf(first, "ns"), "new": nil} {
		b.Run(name, func(b *testing.B) {
			request.Lookup = lookup
			// The fastest of each: what else the machine does slows both.
			ours, bare := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			for b.Loop() {
				b.StopTimer()
				bare = min(bare, bareEngine(b, c, request))
				b.StartTimer()
				began := time.Now()
				if _, err := c.Render(request); err != nil {
					b.Fatal(err)
				}
				ours = min(ours, time.Since(began))
			}
			b.ReportMetric(float64(ours)/float64(bare), "×engine")
			b.ReportMetric(float64(len(first.Objects)+len(first.Hooks)), "objects")
		})
	}
}

// bareEngine runs Helm's engine once and returns how long that took.
func bareEngine(b *testing.B, c *Chart, request Request) time.Duration {
	b.Helper()
	r, err := c.prepare(request)
	if err != nil {
		b.Fatal(err)
	}
	e := engine.Engine{CustomTemplateFuncs: map[string]any{"lookup": newView(r.live, nil).lookup}}
	top := common.Values{
		"Capabilities": r.capabilities, "Values": common.Values(copyTable(r.values)),
		"Release": map[string]any{"Name": request.Release, "Namespace": request.Namespace, "Service": "Helm", "IsInstall": true, "IsUpgrade": false, "Revision": 1},
	}
	began := time.Now()
	if _, err := e.RenderWithContext(context.Background(), r.chart, top); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// BenchmarkTwin renders a hub that a sensitive value reaches and that was not rendered
// before, beside one that none reaches.
func BenchmarkTwin(b *testing.B) {
	c, err := NewLibrary(modules.Chart).Load(Source{Location: "builtin:binderhub"})
	if err != nil {
		b.Fatal(err)
	}
	for name, s := range map[string]any{"sensitive": resource.Secret("hunter2-x"), "plain": "hunter2-x"} {
		b.Run(name, func(b *testing.B) {
			r := Request{Release: "r", Namespace: "n", Values: map[string]any{"jupyterhub": map[string]any{
				"proxy": map[string]any{"secretToken": s},
			}}}
			for b.Loop() {
				twins.Lock()
				clear(twins.known)
				twins.Unlock()
				if _, err := c.Render(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
