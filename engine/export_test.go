package engine

import (
	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/expand"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// Want makes e desire what want returns instead of expanding its config.
func (e *Engine) Want(want func() []resource.Desired) {
	e.expand = func(*schema.Config, map[string]expand.Facts) (expand.Expanded, hcl.Diagnostics) {
		return expand.Expanded{Desired: want()}, nil
	}
}
