package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hubcap/engine/resource"
	"hubcap/schema"
)

// A hub is one hub block being written. What typed attributes say is taken from
// values; what is left there is written as it is.
type hub struct {
	w       *writing
	release *Release
	address resource.Address
	values  resource.Object // plain, with [code] for secrets
	root    []string        // of the hub's own chart
	jupyter []string        // of the JupyterHub chart

	attrs  []func(*text) // attributes and inner blocks, in order
	beside []func(*text) // blocks of their own that go into the same file
	before []func(*text) // blocks that go before the hub's
}

// hub writes a hub block, and the limits, bans and image cache that belong to it.
func (w *writing) hub(r *Release, address resource.Address) {
	v := w.vault(r, address)
	h := &hub{w: w, release: r, address: address, values: v.open(nil, map[string]any(r.Values)).(map[string]any)}
	if r.Root != "" {
		h.root = strings.Split(r.Root, ".")
	}
	h.jupyter = h.root
	if r.Hub == schema.BinderHub {
		h.jupyter = append(slices.Clone(h.root), "jupyterhub")
	}
	h.recognise()
	h.explain()
	t := &text{}
	w.variable(t, v)
	for _, write := range h.before {
		write(t)
	}
	h.write(t)
	for _, write := range h.beside {
		write(t)
	}
	w.draft.FileOf[r.Key] = w.save("hub-"+address.Name+".hcl", t)
}

// variable writes the sensitive variable of a vault that is not empty.
func (w *writing) variable(t *text, v *vault) {
	if len(v.set.Values) == 0 {
		delete(w.names.taken, "variable."+v.set.Variable)
		return
	}
	w.draft.Secrets = append(w.draft.Secrets, v.set)
	t.comment(fmt.Sprintf("The secrets among the values of the release, by their path: %s. Their values are not in this file; "+
		"give them with --var-file, or as HUBCAP_VAR_%s.", strings.Join(slices.Sorted(maps.Keys(v.set.Values)), ", "), v.set.Variable))
	t.fresh = true
	t.open("variable", v.set.Variable)
	t.attr("type", "map(string)")
	t.attr("sensitive", "true")
	t.end()
}

func (h *hub) write(t *text) {
	r := h.release
	t.gap()
	h.w.about(t, r)
	t.fresh = true
	t.open("hub", h.address.Name)
	h.w.inCluster(t)
	chartAttributes(t, r.Source)
	if r.Hub == schema.BinderHub && r.Source.Source != "builtin:binderhub" {
		t.attr("type", quote(string(schema.BinderHub)))
	}
	place(t, r, h.address.Name)
	if r.Root != "" {
		t.attr("values_root", quote(r.Root))
	}
	for _, write := range h.attrs {
		write(t)
	}
	if len(h.values) > 0 {
		t.gap()
		t.value("values", map[string]any(h.values))
	}
	t.end()
}

// about writes the comment above the block of a release.
func (w *writing) about(t *text, r *Release) {
	t.comment(fmt.Sprintf("Helm release %s in namespace %s, revision %d (%s): chart %s.", r.Name, r.Namespace, r.Revision, r.Status, r.Chart))
	for _, note := range r.Notes {
		t.comment(note)
	}
}

// chartAttributes writes where a chart is.
func chartAttributes(t *text, s schema.ChartSource) {
	t.attr("chart", quote(s.Source))
	if s.Repository != "" {
		t.attr("repository", quote(s.Repository))
	}
	if s.Version != "" {
		t.attr("chart_version", quote(s.Version))
	}
	if s.Nulls != "" {
		t.attr("nulls", quote(s.Nulls))
	}
}

// place writes namespace and release, where the block's name does not say them.
func place(t *text, r *Release, name string) {
	if strings.ReplaceAll(strings.ToLower(name), "_", "-") != r.Namespace {
		t.attr("namespace", quote(r.Namespace))
	}
	if r.Name != r.Namespace {
		t.attr("release", quote(r.Name))
	}
}

// chart writes a chart block.
func (w *writing) chart(r *Release, address resource.Address) {
	v := w.vault(r, address)
	values := v.open(nil, map[string]any(r.Values)).(map[string]any)
	t := &text{}
	w.variable(t, v)
	t.gap()
	w.about(t, r)
	t.fresh = true
	t.open("chart", address.Name)
	w.inCluster(t)
	chartAttributes(t, r.Source)
	place(t, r, address.Name)
	if len(values) > 0 {
		t.gap()
		t.value("values", values)
	}
	t.end()
	w.draft.FileOf[r.Key] = w.save("chart-"+address.Name+".hcl", t)
}

// try runs a recogniser, unless its group is to stay in values. What it takes is
// noted as the group's.
func (h *hub) try(g Group, recognise func(*taking)) {
	if h.w.facts.Plain[h.release.Key][g] {
		h.w.unsaid(h.address.String(), string(g), "written as values: typed attributes would not give the same")
		return
	}
	recognise(&taking{hub: h, group: g})
}

// A taking is what one recogniser takes from the values.
type taking struct {
	hub   *hub
	group Group
}

// at returns the value at a path below a root.
func (t *taking) at(root []string, path ...string) any {
	v, _ := t.hub.values.Value(slices.Concat(root, path)...)
	return v
}

// done removes what stands at a path below a root from the values, with the
// tables that are empty then: what is written instead makes them again.
func (t *taking) done(root []string, path ...string) {
	full := slices.Concat(root, path)
	t.hub.w.draft.owners[t.hub.release.Key] = append(t.hub.w.draft.owners[t.hub.release.Key], owner{path: full, group: t.group})
	for n := len(full); n > 0; n-- {
		var table map[string]any
		if n == 1 {
			table = t.hub.values
		} else {
			v, _ := t.hub.values.Value(full[:n-1]...)
			table, _ = v.(map[string]any)
		}
		below, isTable := table[full[n-1]].(map[string]any)
		if n < len(full) && (!isTable || len(below) > 0) {
			return
		}
		delete(table, full[n-1])
	}
}

// attr adds an attribute of the hub.
func (h *hub) attr(write func(*text)) { h.attrs = append(h.attrs, write) }

// assignments are the attributes of one inner block.
type assignments []struct{ name, expression string }

func (a *assignments) add(name, expression string) {
	*a = append(*a, struct{ name, expression string }{name, expression})
}

// block adds an inner block of the hub, unless it is empty.
func (h *hub) block(name string, a assignments) {
	if len(a) == 0 {
		return
	}
	h.attr(func(t *text) {
		t.open(name)
		for _, one := range a {
			t.attr(one.name, one.expression)
		}
		t.end()
	})
}

// code is what hubcap carries and does not look into.
var codeKeys = []string{"extraConfig"}

// explain says what the values hold that hubcap carries without looking into it.
func (h *hub) explain() {
	for _, root := range [][]string{h.root, append(slices.Clone(h.jupyter), "hub")} {
		for _, name := range codeKeys {
			v, _ := h.values.Value(append(slices.Clone(root), name)...)
			table, isTable := v.(map[string]any)
			if !isTable {
				continue
			}
			for _, k := range slices.Sorted(maps.Keys(table)) {
				h.w.unsaid(h.address.String(), strings.Join(append(slices.Clone(root), name, k), "."),
					"Python code, carried as it is: limits, hooks and spawner settings in it show in no plan")
			}
		}
	}
}
