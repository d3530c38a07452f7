package expand

import "hubcap/schema"

// chart renders any other chart. Its own templates are one component, each chart
// below it is another.
func (e *expansion) chart(block *schema.Chart) result {
	c, diags := e.load(block.Block, block.Chart)
	if c == nil {
		return result{diags: diags}
	}
	m := e.maker(block.Block, block.Cluster, block.Namespace)
	diags = append(diags, e.render(m, c, block.Release, layers{files: block.ValuesFiles, inline: block.Values})...)
	m.claims(block.Release, block.Adopt)
	return m.result(diags)
}
