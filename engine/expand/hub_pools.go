package expand

import (
	"fmt"
	"strings"

	"hubcap/engine/resource"
	"hubcap/schema"
)

// purposeLabel is how the JupyterHub chart tells nodes for users from nodes for
// itself.
const purposeLabel = "hub.jupyter.org/node-purpose"

// toleratedKeys are the taints that the charts tolerate anyway, by what runs
// there.
var toleratedKeys = []string{"hub.jupyter.org/dedicated", "hub.jupyter.org_dedicated"}

// pools makes pods choose the pools that the hub names.
func (v *hubValues) pools() {
	for _, key := range sortedKeys(v.hub.NodePools) {
		attr := "node_pools." + key
		pool := v.pool(v.hub.NodePools[key])
		if pool == nil {
			continue // schema has said that there is none
		}
		selector, isSelectable := v.selector(attr, pool)
		if !isSelectable {
			continue
		}
		switch key {
		case "core":
			v.corePool(attr, selector, tolerations(pool, "core"))
		case "user":
			v.choose(attr, selector, "singleuser", "nodeSelector")
			v.tolerate(attr, tolerations(pool, "user"), "singleuser", "extraTolerations")
		default:
			v.diags = append(v.diags, errorAt(at(v.hub.Block, attr), "Unknown use of a node pool",
				fmt.Sprintf("%q is neither \"core\" nor \"user\". The pool that builds run on is build_slots.node_pool.", key)))
		}
	}
	slots := v.hub.BuildSlots
	if v.hub.Type != schema.BinderHub || slots == nil || slots.NodePool.IsZero() {
		return
	}
	if pool := v.pool(slots.NodePool); pool != nil {
		v.buildPool("build_slots.node_pool", pool)
	}
}

// corePool places what the hub itself consists of.
func (v *hubValues) corePool(attr string, selector map[string]any, extra []any) {
	for _, path := range [][]string{{"hub"}, {"proxy", "chp"}, {"scheduling", "userScheduler"}} {
		v.choose(attr, selector, append(path[:len(path):len(path)], "nodeSelector")...)
		v.tolerate(attr, extra, append(path[:len(path):len(path)], "tolerations")...)
	}
	if v.hub.Type != schema.BinderHub {
		return
	}
	v.set(attr, selector, "nodeSelector")
	v.last(merging)
	if len(extra) > 0 {
		v.set(attr, extra, "tolerations")
		v.last(appending)
	}
}

func (v *hubValues) choose(attr string, selector map[string]any, path ...string) {
	v.jupyterhub(attr, selector, path...)
	v.last(merging)
}

func (v *hubValues) tolerate(attr string, extra []any, path ...string) {
	if len(extra) > 0 {
		v.jupyterhub(attr, extra, path...)
		v.last(appending)
	}
}

// buildPool places builds and the daemon that makes them. Both keys are needed:
// the chart places the daemon by the old one.
func (v *hubValues) buildPool(attr string, pool *schema.NodePool) {
	selector, isSelectable := v.selector(attr, pool)
	if !isSelectable {
		return
	}
	v.set(attr, selector, "config", "BinderHub", "build_node_selector")
	v.set(attr, selector, "config", "KubernetesBuildExecutor", "node_selector")
	if extra := tolerations(pool, "user"); len(extra) > 0 {
		v.warn(attr, "Builds that tolerate no such taint",
			fmt.Sprintf("%s has the taint %s, and BinderHub's build pods tolerate only hub.jupyter.org/dedicated=user and hub.jupyter.org_dedicated=user: nothing will be built there.",
				pool.Address, extra[0].(map[string]any)["key"]))
	}
}

func (v *hubValues) pool(address resource.Address) *schema.NodePool {
	for i := range v.expansion.config.NodePools {
		if pool := &v.expansion.config.NodePools[i]; pool.Address == address {
			return pool
		}
	}
	return nil
}

// selector returns the labels that choose a pool's nodes. A pool's own name is
// no such label, because a new shape gives it a new one.
func (v *hubValues) selector(attr string, pool *schema.NodePool) (map[string]any, bool) {
	selector := PoolSelector(pool)
	if len(selector) == 0 {
		v.diags = append(v.diags, errorAt(at(v.hub.Block, attr), "Node pool that cannot be chosen",
			fmt.Sprintf("%s has no labels, so no pod can ask for its nodes. Give it labels = { %q = \"user\" }, or the like.", pool.Address, purposeLabel)))
		return nil, false
	}
	return selector, true
}

// PoolSelector returns the labels that choose a pool's nodes, none when it has
// neither labels nor a name of its own.
func PoolSelector(pool *schema.NodePool) map[string]any {
	selector := map[string]any{}
	switch purpose, hasPurpose := pool.Labels[purposeLabel]; {
	case hasPurpose:
		selector[purposeLabel] = purpose
	case len(pool.Labels) > 0:
		for key, value := range pool.Labels {
			selector[key] = value
		}
	case pool.PoolName != "":
		selector["cloud.google.com/gke-nodepool"] = pool.PoolName
	}
	return selector
}

// PoolTolerations returns what pods for a purpose ("core" or "user") need to run
// on a pool beside what the charts tolerate anyway.
func PoolTolerations(pool *schema.NodePool, purpose string) []any { return tolerations(pool, purpose) }

// tolerations returns what pods need to run on a pool beside what the charts
// tolerate anyway.
func tolerations(pool *schema.NodePool, purpose string) []any {
	var out []any
	for _, t := range pool.Taints {
		if t.Effect == "PreferNoSchedule" || t.Value == purpose && t.Effect == "NoSchedule" && contains(toleratedKeys, t.Key) {
			continue
		}
		toleration := map[string]any{"key": t.Key, "operator": "Equal", "value": t.Value, "effect": t.Effect}
		if t.Value == "" {
			toleration["operator"] = "Exists"
			delete(toleration, "value")
		}
		out = append(out, toleration)
	}
	return out
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}
