package chart

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"

	"hubcap/engine/resource"
)

// A Request says what a chart is rendered with. The zero request but for its
// release is offline: nothing is live, and a recent Kubernetes is assumed.
type Request struct {
	Release   string
	Namespace string
	Values    map[string]any // the author's, merged; never changed
	Unnamed   []string       // sensitive texts of which no part may stand in the name of an object
	Revision  int            // of the release: up to 1 its installation, more an upgrade

	KubeVersion string   // "v1.36.3-gke.1"; empty: DefaultKubeVersion
	APIVersions []string // "apps/v1", "apps/v1/Deployment"; empty: the built-in ones
	Lookup      Lookup   // nil: nothing is live

	// Draft renders once, to see that the chart renders: which leaves depend on
	// chance is not found out, and neither is a name that does.
	Draft bool
}

// Rendered is what a chart made of a request, in a fixed order. Leaves that
// depend on chance are [resource.Sensitive] and marked as generated; so are, without
// that mark, those that depend on a sensitive value.
type Rendered struct {
	Objects  []Object // without hooks
	Hooks    []Object
	CRDs     []Object
	Parts    []Part // the chart, and those below it that take part
	Warnings []string
}

// A rendering is one request on its way through the passes.
type rendering struct {
	source       *Chart
	chart        *helmchart.Chart // a clone without values
	values       map[string]any   // finished
	request      Request
	capabilities *common.Capabilities
	live         *live
	decoded      *decoded
	warnings     warnings
	loose        map[string]bool // leaves that depend on chance and are no texts
	standIn      bool            // the second rendering, see depends.go: whatever a template says, it goes on
}

// Values returns the values the chart would be rendered with: the author's,
// completed with the defaults of the chart and its dependencies.
func (c *Chart) Values(over map[string]any) (map[string]any, error) {
	r, err := c.prepare(Request{Values: over})
	if err != nil {
		return nil, err
	}
	return r.values, nil
}

// Render renders c. The error is a [*TemplateError], a [*ValuesError], what
// Lookup returned, or says what else is wrong with the chart.
func (c *Chart) Render(request Request) (Rendered, error) {
	r, err := c.prepare(request)
	if err != nil {
		return Rendered{}, err
	}
	if err := checkKube(r.chart, r.capabilities.KubeVersion, request.runs()); err != nil {
		return Rendered{}, err
	}
	if err := c.schemas.check(r.chart, r.values, nil, &r.warnings); err != nil {
		return Rendered{}, r.discreetValues(err)
	}
	var defined []Object
	var undefined error
	var defining sync.WaitGroup
	defining.Go(func() { defined, undefined = c.definitions.of(r.chart) })
	objects, err := r.settle()
	err = r.discreet(err)
	defining.Wait()
	if err := cmp.Or(err, undefined); err != nil {
		return Rendered{}, err
	}
	if err := r.depend(objects); err != nil {
		return Rendered{}, err
	}
	out := Rendered{CRDs: defined, Warnings: compact(r.warnings), Parts: parts(r.chart, "")}
	for _, o := range objects {
		if o.Hook == nil {
			out.Objects = append(out.Objects, o)
		} else {
			out.Hooks = append(out.Hooks, o)
		}
	}
	return out, nil
}

// prepare resolves the dependencies and finishes the values.
func (c *Chart) prepare(request Request) (*rendering, error) {
	if c.root.Metadata.Type == "library" {
		return nil, fmt.Errorf("chart %s is a library: it has no objects of its own", c.Name())
	}
	r := &rendering{source: c, decoded: &decoded{}, chart: clone(c.root), request: request, live: newLive(request.Lookup), loose: map[string]bool{}}
	var rounded warnings
	r.values = helmNumbers(resource.Reveal(copyTable(request.Values)), nil, &rounded).(map[string]any)
	if err := resolve(r.chart, r.values, "", &r.warnings); err != nil {
		return nil, err
	}
	if err := importValues(r.chart, &r.warnings); err != nil {
		return nil, err
	}
	// What merging for the conditions had to ignore, the last merge says again.
	r.warnings = rounded
	if err := c.complete(r); err != nil {
		return nil, err
	}
	empty(r.chart)
	var err error
	r.capabilities, err = capabilities(request)
	return r, err
}

// empty takes the values from c and its dependencies, so that the engine has
// nothing to merge.
func empty(c *helmchart.Chart) {
	c.Values = map[string]any{}
	for _, child := range c.Dependencies() {
		empty(child)
	}
}

// helmNumbers turns whole numbers into floats, which is what Helm makes of every
// number in a values file and what charts compare with. w is told which have
// lost digits by that, and which versions are printed as other texts.
func helmNumbers(v any, at []string, w *warnings) any {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			v[key] = helmNumbers(v[key], append(at, key), w)
		}
	case []any:
		for i, value := range v {
			v[i] = helmNumbers(value, append(at, strconv.Itoa(i)), w)
		}
	case int64:
		if int64(float64(v)) != v {
			w.add("the number at %s has more digits than Helm, and so the chart, can tell apart; put quotes around it", strings.Join(at, "."))
		} else if len(at) > 0 && resource.IsVersionKey(at[len(at)-1]) && fmt.Sprint(float64(v)) != strconv.FormatInt(v, 10) {
			w.add("the number at %s is %v to Helm, and so to the chart; put quotes around it", strings.Join(at, "."), float64(v))
		}
		return float64(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) >= 1<<63 { // a whole number that fits is an int64
			w.add("the number at %s has more digits than Helm, and so the chart, can tell apart; put quotes around it", strings.Join(at, "."))
		}
	case int:
		return helmNumbers(int64(v), at, w)
	}
	return v
}

func capabilities(request Request) (*common.Capabilities, error) {
	version, err := common.ParseKubeVersion(cmp.Or(request.KubeVersion, DefaultKubeVersion))
	if err != nil {
		return nil, fmt.Errorf("read Kubernetes version %q: %w", request.KubeVersion, err)
	}
	caps := common.DefaultCapabilities.Copy()
	caps.KubeVersion = *version
	caps.APIVersions = request.APIVersions
	if len(request.APIVersions) == 0 {
		caps.APIVersions = defaultAPIVersions()
	}
	return caps, nil
}

// runs says which Kubernetes there is, or that none was asked.
func (r Request) runs() string {
	if r.KubeVersion == "" {
		return DefaultKubeVersion + " is assumed, since no cluster is read; hubcap plan asks the cluster"
	}
	return "the cluster runs " + r.KubeVersion
}

// checkKube checks the kubeVersion of c and its dependencies; runs says which
// version it is.
func checkKube(c *helmchart.Chart, version common.KubeVersion, runs string) error {
	if want := c.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, version.String()) {
		return fmt.Errorf("chart %s %s needs Kubernetes %s, and %s", c.Name(), c.Metadata.Version, want, runs)
	}
	for _, child := range c.Dependencies() {
		if err := checkKube(child, version, runs); err != nil {
			return err
		}
	}
	return nil
}

// pass runs all templates once.
func (r *rendering) pass(d *draw, v *view) ([]Object, error) {
	funcs := d.functions()
	funcs["lookup"] = v.lookup
	if r.standIn {
		funcs["fail"] = func(string) string { return "" }
	}
	top := common.Values{
		"Capabilities": r.capabilities,
		"Release": map[string]any{
			"Name": r.request.Release, "Namespace": r.request.Namespace, "Service": "Helm",
			"IsInstall": r.request.Revision <= 1, "IsUpgrade": r.request.Revision > 1, "Revision": max(r.request.Revision, 1),
		},
		// Templates may change the values they are given.
		"Values": common.Values(copyTable(r.values)),
	}
	// The context is for lookups of the engine's own, which are replaced.
	files, err := engine.Engine{CustomTemplateFuncs: funcs}.RenderWithContext(context.Background(), r.chart, top)
	if err != nil {
		return nil, cmp.Or(r.live.failure(), templateError(err)) // Helm's error has the text of the other, without what it is
	}
	sources := slices.DeleteFunc(sortedKeys(files), func(source string) bool { return path.Base(source) == "NOTES.txt" })
	found, err := each(len(sources), func(i int) ([]Object, error) {
		objects, err := r.decoded.file(sources[i], files[sources[i]])
		return objects, locate(r.chart, err, files[sources[i]])
	})
	return slices.Concat(found...), err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func compact(w warnings) []string {
	slices.Sort(w)
	return slices.Compact(w)
}
