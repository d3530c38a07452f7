package expand

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// The marks on every Kubernetes object. What was applied last is written by
// whoever writes.
const (
	labelConfig         = "hubcap.dev/config"
	annotationAddress   = "hubcap.dev/address"
	annotationComponent = "hubcap.dev/component"
	annotationProtected = "hubcap.dev/protected"

	annotationKeep = "helm.sh/resource-policy" // "keep": Helm's word for protected
)

// A maker turns the objects of one block into desired ones.
type maker struct {
	block      schema.Block
	cluster    string
	namespace  string // of objects that name none
	protected  bool
	inParts    bool // the chart's own templates are several components
	settings   schema.Settings
	shield     *shield
	subject    *hcl.Range     // of diagnostics about single objects
	values     map[string]any // of the chart, to name a value by its path
	clusterOwn map[string]bool
	places     map[resource.ID]string

	desired []resource.Desired
	hooks   []resource.Desired
	charts  []resource.Chart
	asks    bool // the chart asks which revision of its release it renders
	diags   hcl.Diagnostics
}

// result returns what was made, with the diagnostics found before.
func (m *maker) result(diags hcl.Diagnostics) result {
	r := result{desired: m.desired, hooks: m.hooks, charts: m.charts, diags: append(diags, m.diags...)}
	if m.asks {
		r.asking = append(r.asking, m.block.Address)
	}
	return r
}

// note notes the charts of which the objects are.
func (m *maker) note(c *chart.Chart, parts []chart.Part) {
	for i, p := range parts {
		about := resource.Chart{Address: m.block.Address, Parent: p.Parent, Chart: p.Name, Version: p.Version, AppVersion: p.AppVersion}
		if i == 0 {
			about.Digest = c.Digest()
		}
		m.charts = append(m.charts, about)
	}
}

// component returns the component of an object that the block's chart rendered.
func (m *maker) component(o chart.Object, c *chart.Chart) string {
	name, _, isCRD := templatePath(o.Source)
	if !m.inParts && name == c.Name() && !isCRD {
		return ""
	}
	return componentOf(o, c.Name())
}

// make adds one object. place says where in the block it comes from.
func (m *maker) make(o resource.Object, component, place string) {
	d, fine := m.wanted(o, component, place)
	if !fine {
		return
	}
	if earlier, isTwice := m.places[d.ID]; isTwice {
		m.diags = append(m.diags, errorAt(m.subject, "Object rendered twice",
			fmt.Sprintf("%s comes from %s and again from %s.", d.Address.Object, earlier, place)))
		return
	}
	m.places[d.ID] = place
	m.mark(d)
	m.desired = append(m.desired, d)
}

// inTheOpen says which value cannot be hidden, by its path, for it has no other name
// that may be shown.
func (m *maker) inTheOpen(o resource.Object, place string, err error) *hcl.Diagnostic {
	d := errorAt(m.subject, "Sensitive value in the open", "")
	what := "something sensitive"
	var exposed *exposure
	if errors.As(err, &exposed) {
		d.Extra = Exposed{exposed.text}
		if path := sensitivePath(any(m.values), exposed.text.Reveal()); path != nil {
			what = "the sensitive value " + strings.Join(path, ".")
		}
	}
	d.Detail = fmt.Sprintf("%s puts %s into a %s, and %s.", place, what, o.Text("kind"), err)
	return d
}

// sensitivePath returns where a tree has a sensitive text, nil when nowhere.
func sensitivePath(v any, text string) []string {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if path := sensitivePath(v[key], text); path != nil {
				return append([]string{key}, path...)
			}
		}
	case []any:
		for i, e := range v {
			if path := sensitivePath(e, text); path != nil {
				return append([]string{strconv.Itoa(i)}, path...)
			}
		}
	case resource.Sensitive:
		if strings.Contains(v.Reveal(), text) {
			return []string{}
		}
	}
	return nil
}

// wanted returns an object as desired, without marks, and false when something
// sensitive would stand in the open.
func (m *maker) wanted(o resource.Object, component, place string) (resource.Desired, bool) {
	chart.FoldStringData(o)
	if err := m.shield.cover(o); err != nil {
		m.diags = append(m.diags, m.inTheOpen(o, place, err))
		return resource.Desired{}, false
	}
	m.scope(o)
	address := m.block.Address
	address.Object = o.Text("kind") + "/" + o.Text("metadata", "name")
	if ns := o.Text("metadata", "namespace"); ns != "" && ns != m.namespace {
		address.Object = o.Text("kind") + "/" + ns + "/" + o.Text("metadata", "name")
	}
	return resource.Desired{
		ID:        idOf(m.cluster, o),
		Address:   address,
		Component: resource.Component{Block: m.block.Address, Name: component},
		Object:    o,
		Presence:  resource.Managed,
		Origin:    origin(m.block.Range),
		Protected: m.protected || o.Text("metadata", "annotations", annotationKeep) == "keep",
	}, true
}

// mark writes on the object whose it is, and which of its fields are sensitive. Pod templates are left alone: a mark
// there would restart pods.
func (m *maker) mark(d resource.Desired) {
	d.Object.Set(m.settings.Name, "metadata", "labels", labelConfig)
	d.Object.Set(d.Address.String(), "metadata", "annotations", annotationAddress)
	d.Object.Set(d.Component.String(), "metadata", "annotations", annotationComponent)
	if d.Protected {
		d.Object.Set("true", "metadata", "annotations", annotationProtected)
	}
	resource.RememberSensitive(d.Object)
}

// scope gives a namespaced object its namespace, and takes it from one that can
// have none.
func (m *maker) scope(o resource.Object) {
	meta, _ := o["metadata"].(map[string]any)
	group, _, _ := strings.Cut(o.Text("apiVersion"), "/")
	switch {
	case chart.ClusterScoped(o.Text("apiVersion"), o.Text("kind")), m.clusterOwn[group+"/"+o.Text("kind")]:
		delete(meta, "namespace")
	case o.Text("metadata", "namespace") == "":
		meta["namespace"] = m.namespace
	}
}

// define notes the scope of the kinds that a definition brings.
func (m *maker) define(crd resource.Object) {
	if crd.Text("spec", "scope") == "Cluster" {
		m.clusterOwn[crd.Text("spec", "group")+"/"+crd.Text("spec", "names", "kind")] = true
	}
}

// install adds a definition from a chart's crds folder. As with Helm it is made
// when it is missing and otherwise left alone: it belongs to no release, since
// any other release, of the same chart or of none of hubcap's, needs it as well.
func (m *maker) install(crd chart.Object, component string) {
	if d, fine := m.wanted(crd.Object, component, crd.Source); fine {
		d.Presence = resource.Ensured
		m.desired = append(m.desired, d)
	}
}

// ensure adds the block's namespace, which is made when it is missing and
// otherwise none of hubcap's business.
func (m *maker) ensure() {
	if m.namespace == "default" || strings.HasPrefix(m.namespace, "kube-") {
		return
	}
	address := m.block.Address
	address.Object = "Namespace/" + m.namespace
	object := resource.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": m.namespace}}
	m.desired = append(m.desired, resource.Desired{
		ID:        idOf(m.cluster, object),
		Address:   address,
		Component: resource.Component{Block: m.block.Address, Name: "namespace"},
		Object:    object,
		Presence:  resource.Ensured,
		Origin:    origin(m.block.Range),
	})
}

// maker returns a maker for a block.
func (e *expansion) maker(block schema.Block, cluster resource.Address, namespace string) *maker {
	return &maker{
		block: block, cluster: cluster.Name, namespace: namespace, settings: e.config.Settings, shield: e.shield,
		subject: block.Range.Ptr(), clusterOwn: map[string]bool{}, places: map[resource.ID]string{},
	}
}

// idOf returns the identity of an object whose namespace is settled.
func idOf(cluster string, o resource.Object) resource.ID {
	group, _, hasGroup := strings.Cut(o.Text("apiVersion"), "/")
	if !hasGroup {
		group = ""
	}
	return resource.ID{
		Cluster: cluster, Group: group, Kind: o.Text("kind"),
		Namespace: o.Text("metadata", "namespace"), Name: o.Text("metadata", "name"),
	}
}

// join puts the blocks' objects together: a namespace that several need is made
// once, an object that two blocks make is an error, and everything waits for the
// namespace it lies in and the definition of its kind.
func (e *expansion) join(all []resource.Desired) ([]resource.Desired, hcl.Diagnostics) {
	first := map[resource.ID]int{}
	var out []resource.Desired
	clashes := map[[2]resource.Address][]int{}
	for _, d := range all {
		i, isTwice := first[d.ID]
		switch {
		case !isTwice:
			first[d.ID] = len(out)
			out = append(out, d)
		case d.Presence == resource.Ensured:
		case out[i].Presence == resource.Ensured:
			out[i] = d
		default:
			pair := [2]resource.Address{out[i].Address.Block(), d.Address.Block()}
			clashes[pair] = append(clashes[pair], i)
		}
	}
	addNeeds(out, first)
	return out, e.clashes(clashes, out)
}

// clashes says which blocks make the same objects, once for each pair.
func (e *expansion) clashes(clashes map[[2]resource.Address][]int, out []resource.Desired) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for pair, objects := range clashes {
		one, two := e.rangeOf(pair[0]), e.rangeOf(pair[1])
		if two.Filename < one.Filename || two.Filename == one.Filename && two.Start.Line < one.Start.Line {
			pair[0], pair[1], one, two = pair[1], pair[0], two, one
		}
		id := out[objects[0]].ID
		what := fmt.Sprintf("%s %s", id.Kind, id.Name)
		if id.Namespace != "" {
			what += " in namespace " + id.Namespace
		}
		if n := len(objects) - 1; n > 0 {
			what += fmt.Sprintf(", and %d more", n)
		}
		diags = append(diags, errorAt(two.Ptr(), "Same object in two blocks",
			fmt.Sprintf("%s and %s, at %s:%d, both make %s. Give one of them another namespace or release, or leave one out.",
				pair[1], pair[0], one.Filename, one.Start.Line, what)))
	}
	slices.SortFunc(diags, func(a, b *hcl.Diagnostic) int {
		return cmp.Or(strings.Compare(a.Subject.String(), b.Subject.String()), strings.Compare(a.Detail, b.Detail))
	})
	return diags
}

func (e *expansion) rangeOf(address resource.Address) hcl.Range {
	for _, j := range e.jobs() {
		if j.block.Address == address {
			return j.block.Range
		}
	}
	return hcl.Range{}
}

// addNeeds adds what must be there before an object can be made at all. Any
// other order is the plan's.
func addNeeds(out []resource.Desired, index map[resource.ID]int) {
	type kind struct{ cluster, group, kind string }
	definitions := map[kind]resource.ID{}
	for _, d := range out {
		if d.ID.Kind == "CustomResourceDefinition" {
			definitions[kind{d.ID.Cluster, d.Object.Text("spec", "group"), d.Object.Text("spec", "names", "kind")}] = d.ID
		}
	}
	for i := range out {
		id := out[i].ID
		namespace := resource.ID{Cluster: id.Cluster, Kind: "Namespace", Name: id.Namespace}
		if _, isMade := index[namespace]; isMade && id.Namespace != "" {
			out[i].Needs = append(out[i].Needs, namespace)
		}
		if crd, isMade := definitions[kind{id.Cluster, id.Group, id.Kind}]; isMade {
			out[i].Needs = append(out[i].Needs, crd)
		}
	}
}
