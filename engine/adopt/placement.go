package adopt

import (
	"slices"
	"strings"

	"hubcap/engine/expand"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// A placed pool is one of the node pools being written, as hubs choose it.
type placed struct {
	block string // "node_pool.user"
	pool  schema.NodePool
}

// place notes a pool, so that hubs can name it.
func (w *writing) place(block string, live resource.Live) {
	p := &pool{left: live.Object.Copy()}
	var taints []schema.Taint
	list, _ := p.take("config", "taints").([]any)
	for _, e := range list {
		table, _ := e.(map[string]any)
		o := resource.Object(table)
		if !slices.Contains(serverTaints, o.Text("key")) {
			taints = append(taints, schema.Taint{Key: o.Text("key"), Value: o.Text("value"), Effect: taintEffects[o.Text("effect")]})
		}
	}
	kind, name, _ := strings.Cut(block, ".")
	shape := schema.NodePool{PoolName: live.ID.Name, Labels: p.entries("config", "labels"), Taints: taints}
	shape.Address = resource.Address{Kind: kind, Name: name}
	w.placed = append(w.placed, placed{block: block, pool: shape})
}

// selector returns the labels that hubcap would choose a pool by, among all that
// are written.
func (w *writing) selector(p *placed) map[string]any {
	pools := make([]schema.NodePool, len(w.placed))
	for i := range w.placed {
		pools[i] = w.placed[i].pool
	}
	return expand.PoolSelector(&p.pool, pools)
}

// chosenBy returns the pool that a node selector means, if it is just one.
func (w *writing) chosenBy(selector any) *placed {
	var found *placed
	for i := range w.placed {
		p := &w.placed[i]
		if !resource.Equal(selector, w.selector(p)) {
			continue
		}
		if found != nil {
			return nil
		}
		found = p
	}
	return found
}

// A seat is where a chart says on which nodes something runs.
type seat struct {
	root        []string
	selector    []string
	tolerations []string
	bare        bool // tolerates nothing by itself
}

// extra returns what hubcap adds to a seat's tolerations for a pool.
func (s seat) extra(pool *schema.NodePool, purpose string) []any {
	if s.bare {
		return expand.Tolerations(pool.Taints)
	}
	return expand.PoolTolerations(pool, purpose)
}

// nodePools recognises where core and user pods run: the selectors, and the
// tolerations beyond those that the charts have anyway, of one pool.
func (h *hub) nodePools(t *taking) {
	var core []seat
	for _, part := range expand.CoreParts(h.release.Complete, h.jupyter) {
		core = append(core, seat{root: h.jupyter, selector: append(slices.Clone(part), "nodeSelector"), tolerations: append(slices.Clone(part), "tolerations")})
	}
	if h.release.Hub == schema.BinderHub {
		core = append(core, seat{root: h.root, selector: []string{"nodeSelector"}, tolerations: []string{"extraPodSpec", "tolerations"}, bare: true})
	}
	user := []seat{{root: h.jupyter, selector: []string{"singleuser", "nodeSelector"}, tolerations: []string{"singleuser", "extraTolerations"}}}
	tree := map[string]any{}
	for _, use := range []struct {
		purpose string
		seats   []seat
	}{{"core", core}, {"user", user}} {
		if p := h.seated(t, use.seats, use.purpose); p != nil {
			tree[use.purpose] = code(p.block)
		}
	}
	if len(tree) > 0 {
		h.attr(func(t *text) {
			t.gap()
			t.value("node_pools", tree)
		})
	}
}

// seated takes the seats of one use, when all of them choose the same pool, and
// tolerate it as hubcap would.
func (h *hub) seated(t *taking, seats []seat, purpose string) *placed {
	p := h.w.chosenBy(t.at(seats[0].root, seats[0].selector...))
	if p == nil {
		return nil
	}
	for _, s := range seats {
		extra := s.extra(&p.pool, purpose)
		if !resource.Equal(t.at(s.root, s.selector...), h.w.selector(p)) {
			return nil
		}
		if len(extra) > 0 && !resource.Equal(t.at(s.root, s.tolerations...), extra) {
			return nil
		}
	}
	for _, s := range seats {
		t.done(s.root, s.selector...)
		if len(s.extra(&p.pool, purpose)) > 0 {
			t.done(s.root, s.tolerations...)
		}
	}
	return p
}

// buildPool recognises where builds run, which two settings have to say alike.
func (h *hub) buildPool(t *taking, a *assignments) {
	p := h.w.chosenBy(t.at(h.root, "config", "BinderHub", "build_node_selector"))
	if p == nil || !resource.Equal(t.at(h.root, "config", "KubernetesBuildExecutor", "node_selector"), h.w.selector(p)) {
		return
	}
	a.add("node_pool", p.block)
	t.done(h.root, "config", "BinderHub", "build_node_selector")
	t.done(h.root, "config", "KubernetesBuildExecutor", "node_selector")
}
