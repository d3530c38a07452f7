package expand

import (
	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/schema"
)

// Given returns the values that a hub or chart block gives its chart: files,
// typed attributes and the author's own, merged. It is what Helm would record of
// them. Sensitive values are plain in the result.
func Given(cfg *schema.Config, block resource.Address) (map[string]any, hcl.Diagnostics) {
	_, given, diags := given(cfg, block)
	if diags.HasErrors() {
		return nil, diags
	}
	return resource.Reveal(given).(map[string]any), diags
}

// Complete returns the values with which the chart of a block is rendered: those
// of [Given], completed with the defaults of the chart and its dependencies. With
// instead, these are completed and the block's are not.
func Complete(cfg *schema.Config, block resource.Address, instead map[string]any) (map[string]any, hcl.Diagnostics) {
	c, values, diags := given(cfg, block)
	if diags.HasErrors() {
		return nil, diags
	}
	if instead != nil {
		values = instead
	}
	complete, err := c.Values(values)
	if err != nil {
		return nil, append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Values that do not fit the chart", Detail: newShield(cfg).redact(sentence(err.Error())),
		})
	}
	return complete, diags
}

// given returns the chart of a block and the values for it.
func given(cfg *schema.Config, block resource.Address) (*chart.Chart, map[string]any, hcl.Diagnostics) {
	e := &expansion{config: cfg, library: chart.NewLibrary(modules.Chart), shield: newShield(cfg)}
	for i := range cfg.Hubs {
		h := &cfg.Hubs[i]
		if h.Address != block {
			continue
		}
		c, diags := e.load(h.Block, h.Chart)
		if c == nil {
			return nil, nil, diags
		}
		values, found := e.hubLayers(h, c)
		return c, values.merged(), append(diags, found...)
	}
	for i := range cfg.Charts {
		if h := &cfg.Charts[i]; h.Address == block {
			c, diags := e.load(h.Block, h.Chart)
			return c, layers{files: h.ValuesFiles, inline: h.Values}.merged(), diags
		}
	}
	return nil, nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "No such block", Detail: block.String() + " is no hub and no chart."}}
}
