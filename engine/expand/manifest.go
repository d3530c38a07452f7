package expand

import (
	"cmp"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
	"hubcap/schema"
)

// manifest returns the block's objects as they stand, in the block's namespace
// where they name none. The block is one component.
func (e *expansion) manifest(block *schema.Manifest) ([]resource.Desired, hcl.Diagnostics) {
	m := e.maker(block.Block, block.Cluster, cmp.Or(block.Namespace, "default"))
	for _, attr := range []string{"object", "objects", "yaml", "files"} {
		if r, isSet := block.Attrs[attr]; isSet {
			m.subject = r.Ptr()
			break
		}
	}
	if block.Namespace != "" {
		m.ensure()
	}
	for _, o := range block.Objects {
		if o.Text("kind") == "CustomResourceDefinition" {
			m.define(o)
		}
	}
	for i, o := range block.Objects {
		m.make(o.Copy(), "", fmt.Sprintf("object %d of %s", i+1, block.Address))
	}
	m.claims("", block.Adopt)
	return m.desired, m.diags
}
