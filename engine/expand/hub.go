package expand

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// hub renders a hub's chart with the values that its attributes stand for.
func (e *expansion) hub(hub *schema.Hub) result {
	c, diags := e.load(hub.Block, hub.Chart)
	if c == nil {
		return result{diags: diags}
	}
	values, found := e.hubLayers(hub, c)
	diags = append(diags, found...)
	if diags.HasErrors() {
		return result{diags: diags}
	}
	m := e.maker(hub.Block, hub.Cluster, hub.Namespace)
	m.protected = hub.Protected
	m.inParts = true
	diags = append(diags, e.render(m, c, hub.Release, values)...)
	m.claims(hub.Release, hub.Adopt)
	return m.result(diags)
}

// load loads the chart that a block names.
func (e *expansion) load(b schema.Block, source schema.ChartSource) (*chart.Chart, hcl.Diagnostics) {
	from := chart.Source{Location: source.Source, Dir: source.Dir, Version: source.Version, Nulls: chart.Nulls(source.Nulls)}
	if _, _, isRemote := source.Remote(); isRemote {
		if source.Fetched == nil {
			return nil, hcl.Diagnostics{errorAt(at(b, "chart"), "Chart that was not fetched", "The chart "+source.Source+" has to be fetched first, and this command does not.")}
		}
		from.Archive, from.Digest = source.Fetched.Archive, source.Fetched.Digest
	}
	c, err := e.library.Load(from)
	if err != nil {
		return nil, hcl.Diagnostics{errorAt(at(b, "chart"), "Chart that cannot be loaded", e.shield.redact(sentence(err.Error())))}
	}
	return c, nil
}

// render renders a chart into the maker of its block.
func (e *expansion) render(m *maker, c *chart.Chart, release string, values layers) hcl.Diagnostics {
	m.subject, m.values = at(m.block, "chart"), values.merged()
	facts := e.facts[m.cluster]
	revision, err := e.revision(m, c, release)
	if err != nil {
		return e.renderError(m.block, c, values, err)
	}
	out, err := c.Render(chart.Request{
		Release: release, Namespace: m.namespace, Values: values.rendered(), Unnamed: e.shield.named, Revision: revision,
		KubeVersion: facts.KubeVersion, APIVersions: facts.APIVersions, Lookup: facts.Lookup, Draft: e.draft,
	})
	if err != nil {
		return e.renderError(m.block, c, values, err)
	}
	var diags hcl.Diagnostics
	for _, w := range out.Warnings {
		diags = append(diags, warningAt(m.subject, "Warning from the chart", e.shield.redact(sentence(w))))
	}
	m.note(c, out.Parts)
	m.ensure()
	for _, crd := range out.CRDs {
		m.define(crd.Object)
	}
	var trees []resource.Object
	for _, o := range slices.Concat(out.Objects, out.Hooks) {
		if o.Object.Text("kind") == "CustomResourceDefinition" {
			m.define(o.Object)
		}
		trees = append(trees, o.Object)
	}
	m.shield = m.shield.with(trees)
	for _, crd := range out.CRDs {
		m.install(crd, m.component(crd, c))
	}
	for _, o := range out.Objects {
		m.make(o.Object, m.component(o, c), o.Source)
	}
	m.joinScaled()
	for _, h := range out.Hooks {
		m.hook(h, m.component(h, c), h.Source)
	}
	if c.AsksRevision() {
		m.recordRevision(release, revision)
	}
	m.recordHooks(release)
	return diags
}

// Unread marks a diagnostic, as its Extra: the config may be sound, but what it is
// compared with could not be read.
type Unread struct{}

// renderError says why a chart does not render, at the attribute to mend.
func (e *expansion) renderError(b schema.Block, c *chart.Chart, values layers, err error) hcl.Diagnostics {
	var badValues *chart.ValuesError
	if errors.As(err, &badValues) {
		var diags hcl.Diagnostics
		for _, p := range badValues.Problems {
			subject, whose := values.blame(b, p.Path)
			detail := fmt.Sprintf("%s. %s", p, whose)
			if p.Unknown {
				detail = fmt.Sprintf("%s. %s%s", p, whose, values.meant(p.Path))
			}
			diags = append(diags, errorAt(subject, "Value that the chart does not allow", e.shield.redact(detail)))
		}
		return diags
	}
	var unread *chart.LookupError
	if errors.As(err, &unread) {
		d := errorAt(at(b, "chart"), "Live object that cannot be read", e.shield.redact(
			fmt.Sprintf("Chart %s %s keeps what is in %s, which could not be read: %s", c.Name(), c.Version(), unread.What, sentence(unread.Err.Error()))))
		d.Extra = Unread{}
		return hcl.Diagnostics{d}
	}
	var broken *chart.TemplateError
	if errors.As(err, &broken) {
		cause := broken.Cause
		if path := sensitivePath(any(values.merged()), broken.Shown.Reveal()); broken.Shown.Reveal() != "" && path != nil {
			cause += "; the value is " + strings.Join(path, ".")
		}
		d := errorAt(at(b, "chart"), "Chart that does not render", e.shield.redact(fmt.Sprintf("%s of chart %s %s: %s", broken.Place(), c.Name(), c.Version(), cause)))
		if broken.Shown.Reveal() != "" {
			d.Extra = Exposed{broken.Shown}
		}
		return hcl.Diagnostics{d}
	}
	return hcl.Diagnostics{errorAt(at(b, "chart"), "Chart that does not render", e.shield.redact(sentence(err.Error())))}
}

// sentence makes a whole sentence of an error's message.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if s[len(s)-1] == '.' {
		return s
	}
	return s + "."
}
