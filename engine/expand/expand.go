// Package expand turns a config into the objects it asks for: charts are
// rendered, typed attributes become chart values, pools become GKE node pools.
//
// Place in the pipeline: after schema, before observe. It has no context and no
// client: what charts may ask of a live cluster comes in as [Facts].
package expand

import (
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/schema"
)

// Facts is what charts may ask of one live cluster. The zero Facts is offline:
// no object exists, and a recent Kubernetes is assumed.
type Facts struct {
	KubeVersion string   // "v1.36.3"; empty: assumed
	APIVersions []string // "apps/v1", "apps/v1/Deployment"; empty: the built-in ones

	// Lookup returns a live object, or nil when there is none; nil Lookup means
	// that nothing exists. With an empty name it returns a List. It is never
	// called by two goroutines at once.
	Lookup func(apiVersion, kind, namespace, name string) (map[string]any, error)

	// Changing are blocks that something changes in: charts that ask are told that
	// they render the next revision. Others are told the one that lives, so that
	// where nothing changes nothing looks changed.
	Changing map[resource.Address]bool
}

// Config returns the objects cfg asks for, in a fixed order that does not depend
// on the order of its blocks. facts are by name of the cluster block; a cluster
// without any is rendered offline. nil facts are for a look at whether a config
// expands at all: what charts draw at random is not told from the rest.
//
// Every value of a Secret, and every text in which a sensitive value turns up,
// is [resource.Sensitive].
func Config(cfg *schema.Config, facts map[string]Facts) ([]resource.Desired, hcl.Diagnostics) {
	all, diags := All(cfg, facts)
	return all.Desired, diags
}

// Expanded is all that a config asks for.
type Expanded struct {
	Desired []resource.Desired
	Hooks   []resource.Desired // of the charts, one of several events once for each
	Charts  []resource.Chart   // that rendered them, by block, parents first

	// Asking are the blocks whose charts ask which revision of their release they
	// render. What is here is the revision that lives, see [Facts.Changing].
	Asking []resource.Address
}

// All is [Config] with what stands beside the objects.
func All(cfg *schema.Config, facts map[string]Facts) (Expanded, hcl.Diagnostics) {
	e := &expansion{
		config:  cfg,
		draft:   facts == nil,
		facts:   serial(facts),
		library: chart.NewLibrary(modules.Chart),
		shield:  newShield(cfg),
	}
	jobs := e.jobs()
	slices.SortStableFunc(jobs, func(a, b job) int { return strings.Compare(a.block.Address.String(), b.block.Address.String()) })
	results := run(jobs)
	var out Expanded
	var diags hcl.Diagnostics
	for _, r := range results {
		out.Desired = append(out.Desired, r.desired...)
		out.Hooks = append(out.Hooks, r.hooks...)
		out.Charts = append(out.Charts, r.charts...)
		out.Asking = append(out.Asking, r.asking...)
		diags = append(diags, r.diags...)
	}
	var found hcl.Diagnostics
	out.Desired, found = e.join(out.Desired)
	diags = append(diags, found...)
	diags = append(diags, e.mergeRepeated(out.Desired)...)
	return out, append(diags, e.mergeRepeated(out.Hooks)...)
}

// An expansion is one config on its way through.
type expansion struct {
	config  *schema.Config
	facts   map[string]Facts
	draft   bool // only to see that it expands
	library *chart.Library
	shield  *shield
}

// A job expands one block. Jobs know nothing of each other.
type job struct {
	block  schema.Block
	expand func() result
}

type result struct {
	desired []resource.Desired
	hooks   []resource.Desired
	charts  []resource.Chart
	asking  []resource.Address
	diags   hcl.Diagnostics
}

// bare is the result of a block without charts.
func bare(desired []resource.Desired, diags hcl.Diagnostics) result {
	return result{desired: desired, diags: diags}
}

// jobs returns one job for every block that makes objects.
func (e *expansion) jobs() []job {
	var jobs []job
	for i := range e.config.NodePools {
		b := &e.config.NodePools[i]
		jobs = append(jobs, job{b.Block, func() result { return bare(e.nodePool(b)) }})
	}
	for i := range e.config.Hubs {
		b := &e.config.Hubs[i]
		jobs = append(jobs, job{b.Block, func() result { return e.hub(b) }})
	}
	for i := range e.config.Charts {
		b := &e.config.Charts[i]
		jobs = append(jobs, job{b.Block, func() result { return e.chart(b) }})
	}
	for i := range e.config.Manifests {
		b := &e.config.Manifests[i]
		jobs = append(jobs, job{b.Block, func() result { return bare(e.manifest(b)) }})
	}
	return jobs
}

// run runs the jobs, as many at once as there are processors, and returns their
// results in the order of the jobs.
func run(jobs []job) []result {
	results := make([]result, len(jobs))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(len(jobs), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := range next {
				results[i] = jobs[i].expand()
			}
		})
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	workers.Wait()
	return results
}

// serial returns facts whose lookups wait for each other.
func serial(facts map[string]Facts) map[string]Facts {
	out := map[string]Facts{}
	for name, f := range facts {
		if ask := f.Lookup; ask != nil {
			var mu sync.Mutex
			f.Lookup = func(apiVersion, kind, namespace, name string) (map[string]any, error) {
				mu.Lock()
				defer mu.Unlock()
				return ask(apiVersion, kind, namespace, name)
			}
		}
		out[name] = f
	}
	return out
}

// at returns where the nearest set attribute of a dotted path stands: of
// "culling.timeout" itself, else of "culling", else of the block.
func at(b schema.Block, path string) *hcl.Range {
	for {
		if r, isSet := b.Attrs[path]; isSet {
			return r.Ptr()
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return b.Range.Ptr()
		}
		path = path[:i]
	}
}

// origin returns a range as a plan holds it.
func origin(r hcl.Range) resource.Range {
	return resource.Range{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column}
}

func errorAt(subject *hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: subject}
}

func warningAt(subject *hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: detail, Subject: subject}
}
