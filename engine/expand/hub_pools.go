package expand

import (
	"fmt"
	"slices"
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
			v.corePool(attr, selector, pool)
		case "user":
			v.choose(attr, selector, "singleuser", "nodeSelector")
			v.rivals("node_selector", v.kubeSpawners()...)
			if v.tolerate(attr, tolerations(pool, "user"), "singleuser", "extraTolerations") {
				v.rivals("tolerations", v.kubeSpawners()...)
			}
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

// corePool places what the hub itself consists of. What is switched off is left
// out, so that its values do not restart the hub.
func (v *hubValues) corePool(attr string, selector map[string]any, pool *schema.NodePool) {
	for _, path := range v.coreParts() {
		v.choose(attr, selector, append(path[:len(path):len(path)], "nodeSelector")...)
		v.tolerate(attr, tolerations(pool, "core"), append(path[:len(path):len(path)], "tolerations")...)
	}
	if v.hub.Type != schema.BinderHub {
		return
	}
	v.set(attr, selector, "nodeSelector")
	v.last(merging)
	// The binder tolerates nothing by itself. The chart's value for what it
	// tolerates is for the daemons on the build nodes too, which then would run on
	// core nodes; the pod spec is the binder's alone. A chart prints both.
	if extra := Tolerations(pool.Taints); len(extra) > 0 {
		path := []string{"extraPodSpec", "tolerations"}
		shared, _ := v.known.Value(v.own("tolerations")...)
		own, _ := v.known.Value(v.own(path...)...)
		if list, _ := shared.([]any); !v.has("extraPodSpec") || len(list) > 0 && own == nil {
			path = []string{"tolerations"}
		}
		v.set(attr, extra, path...)
		v.last(appending)
	}
}

// coreParts are the tables of the JupyterHub chart that place a core component.
func (v *hubValues) coreParts() [][]string { return CoreParts(v.known, v.jupyter) }

// CoreParts returns the tables of the JupyterHub chart below jupyter that place a
// core component which these values switch on.
func CoreParts(values resource.Object, jupyter []string) [][]string {
	parts := [][]string{{"hub"}, {"proxy", "chp"}, {"scheduling", "userScheduler"}}
	at := func(path ...string) any {
		value, _ := values.Value(slices.Concat(jupyter, path)...)
		return value
	}
	hosts, _ := at("proxy", "https", "hosts").([]any)
	if at("proxy", "https", "enabled") == true && at("proxy", "https", "type") == "letsencrypt" && len(hosts) > 0 {
		parts = append(parts, []string{"proxy", "traefik"})
	}
	if at("prePuller", "hook", "enabled") == true {
		parts = append(parts, []string{"prePuller", "hook"})
	}
	return parts
}

func (v *hubValues) choose(attr string, selector map[string]any, path ...string) {
	v.jupyterhub(attr, selector, path...)
	v.last(merging)
}

func (v *hubValues) tolerate(attr string, extra []any, path ...string) bool {
	if len(extra) > 0 {
		v.jupyterhub(attr, extra, path...)
		v.last(appending)
	}
	return len(extra) > 0
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
			"%s has the taint %s, and BinderHub's build pods tolerate only hub.jupyter.org/dedicated=user and hub.jupyter.org_dedicated=user: nothing will be built there.",
			pool.Address, extra[0].(map[string]any)["key"])
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
	selector := PoolSelector(pool, v.expansion.config.NodePools)
	if len(selector) == 0 {
		v.refuse(attr, "Node pool that cannot be chosen",
			"%s has no labels, so no pod can ask for its nodes. Give it labels = { %q = \"user\" }, or the like.", pool.Address, purposeLabel)
		return nil, false
	}
	if other := v.alike(pool, selector); other != nil {
		if pool.PoolName == "" {
			v.refuse(attr, "Node pools that cannot be told apart",
				"%s has all labels of %s, which a hub names too, and no taint keeps pods away: they would run on either. Give each a label of its own, as in labels = { %q = \"user\", pool = %q }.",
				other.Address, pool.Address, purposeLabel, pool.Address.Name)
			return nil, false
		}
		selector[poolLabel] = pool.PoolName
	}
	return selector, true
}

// poolLabel is what GKE labels nodes with: the live name of their pool.
const poolLabel = "cloud.google.com/gke-nodepool"

// alike returns another pool of the cluster that a hub names and whose nodes the
// selector of a pool chooses as well.
func (v *hubValues) alike(pool *schema.NodePool, selector map[string]any) *schema.NodePool {
	for i := range v.expansion.config.NodePools {
		other := &v.expansion.config.NodePools[i]
		if other.Address == pool.Address || other.Cluster != pool.Cluster || !v.isNamed(other.Address) {
			continue
		}
		isChosen := true
		for key, value := range selector {
			isChosen = isChosen && other.Labels[key] == value
		}
		if isChosen && !repels(other, pool) {
			return other
		}
	}
	return nil
}

// isNamed reports whether a hub names a pool.
func (v *hubValues) isNamed(pool resource.Address) bool {
	for i := range v.expansion.config.Hubs {
		hub := &v.expansion.config.Hubs[i]
		if hub.BuildSlots != nil && hub.BuildSlots.NodePool == pool {
			return true
		}
		for _, named := range hub.NodePools {
			if named == pool {
				return true
			}
		}
	}
	return false
}

// repels reports whether a pool has a taint that keeps away what tolerates
// another's.
func repels(pool, other *schema.NodePool) bool {
	for _, t := range pool.Taints {
		if t.Effect != "PreferNoSchedule" && !slices.Contains(other.Taints, t) && !contains(toleratedKeys, t.Key) {
			return true
		}
	}
	return false
}

// PoolSelector returns the labels that choose a pool's nodes and, as far as labels
// can, none of those of other pools for the same purpose. There are none when it
// has neither labels nor a name of its own.
func PoolSelector(pool *schema.NodePool, pools []schema.NodePool) map[string]any {
	selector := map[string]any{}
	switch purpose, hasPurpose := pool.Labels[purposeLabel]; {
	case hasPurpose:
		selector[purposeLabel] = purpose
		for key, value := range pool.Labels {
			for i := range pools {
				other := &pools[i]
				isPeer := other.Address != pool.Address && other.Cluster == pool.Cluster && other.Labels[purposeLabel] == purpose
				if isPeer && other.Labels[key] != value {
					selector[key] = value
				}
			}
		}
	case len(pool.Labels) > 0:
		for key, value := range pool.Labels {
			selector[key] = value
		}
	case pool.PoolName != "":
		selector[poolLabel] = pool.PoolName
	}
	return selector
}

// PoolTolerations returns what pods for a purpose ("core" or "user") need to run
// on a pool beside what the charts tolerate anyway.
func PoolTolerations(pool *schema.NodePool, purpose string) []any { return tolerations(pool, purpose) }

// tolerations returns what pods need to run on a pool beside what the charts
// tolerate anyway.
func tolerations(pool *schema.NodePool, purpose string) []any {
	return Tolerations(slices.DeleteFunc(slices.Clone(pool.Taints), func(t schema.Taint) bool {
		return t.Value == purpose && t.Effect == "NoSchedule" && contains(toleratedKeys, t.Key)
	}))
}

// Tolerations returns what pods need to run where these taints are.
func Tolerations(taints []schema.Taint) []any {
	var out []any
	for _, t := range taints {
		if t.Effect == "PreferNoSchedule" {
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
