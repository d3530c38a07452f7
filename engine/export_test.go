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

// WantHooks makes e desire what want returns, with the hooks that hooks returns.
func (e *Engine) WantHooks(want, hooks func() []resource.Desired) {
	e.expand = func(*schema.Config, map[string]expand.Facts) (expand.Expanded, hcl.Diagnostics) {
		return expand.Expanded{Desired: want(), Hooks: hooks()}, nil
	}
}
