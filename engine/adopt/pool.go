package adopt

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/resource"
)

// What GKE fills in of a pool that does not say otherwise. Whatever is written
// here need not be written in a config.
const (
	defaultDiskType   = "pd-balanced"
	defaultDiskSize   = 100
	defaultImage      = "COS_CONTAINERD"
	defaultAccount    = "default"
	defaultPods       = 110
	defaultSurge      = 1
	defaultPolicy     = "BALANCED"
	defaultSpotPolicy = "ANY"
)

var defaultScopes = []string{
	"https://www.googleapis.com/auth/devstorage.read_only",
	"https://www.googleapis.com/auth/logging.write",
	"https://www.googleapis.com/auth/monitoring",
	"https://www.googleapis.com/auth/service.management.readonly",
	"https://www.googleapis.com/auth/servicecontrol",
	"https://www.googleapis.com/auth/trace.append",
}

// bundles are machine types that bring their local SSDs along.
var bundles = regexp.MustCompile(`(-lssd|-metal)$|^(z3|a3|a4|a2-ultragpu)-`)

// serverKeys begin labels that GKE or hubcap write, and nobody else.
var serverKeys = []string{"goog-", "hubcap-", "cloud.google.com/", "sandbox.gke.io/"}

// serverTaints are those that GKE puts on nodes of some kinds by itself.
var serverTaints = []string{"nvidia.com/gpu", "kubernetes.io/arch", "sandbox.gke.io/runtime"}

// taintEffects is GKE's spelling of a taint's effect to Kubernetes's.
var taintEffects = map[string]string{
	"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute",
}

// pools writes the node pools. A block has the name of its pool, which is written
// too: without it the pool's name would be made of the block's and a digest.
func (w *writing) pools() {
	t := &text{}
	for _, live := range w.facts.Pools {
		p := &pool{text: t, left: live.Object.Copy(), zones: w.facts.Zones}
		name := w.names.free("node_pool", live.ID.Name)
		w.place("node_pool."+name, live)
		t.open("node_pool", name)
		w.inCluster(t)
		t.attr("name", quote(live.ID.Name))
		p.write()
		t.end()
		for _, field := range p.rest() {
			w.unsaid("node_pool."+name, field, "the language has no word for it; it stays as it is, and a new pool of this shape would lack it")
		}
	}
	w.save(PoolFile, t)
}

// A pool is one node pool being written. What is understood is taken from left.
type pool struct {
	text  *text
	left  resource.Object
	zones []string
}

// take removes and returns what stands at a path.
func (p *pool) take(path ...string) any {
	v, isThere := p.left.Value(path...)
	if !isThere {
		return nil
	}
	m := map[string]any(p.left)
	for _, key := range path[:len(path)-1] {
		m = m[key].(map[string]any)
	}
	delete(m, path[len(path)-1])
	return v
}

func (p *pool) word(path ...string) string {
	s, _ := p.take(path...).(string)
	return s
}

// number takes a number, which the API may spell as text.
func (p *pool) number(path ...string) int64 {
	switch v := p.take(path...).(type) {
	case int64:
		return v
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if err == nil {
			return n
		}
	}
	return 0
}

func (p *pool) flag(path ...string) bool {
	b, _ := p.take(path...).(bool)
	return b
}

func (p *pool) texts(path ...string) []string {
	list, _ := p.take(path...).([]any)
	var out []string
	for _, v := range list {
		if s, isText := v.(string); isText {
			out = append(out, s)
		}
	}
	return out
}

// mostNodes is how many nodes a pool may begin with.
const mostNodes = 1000

func (p *pool) write() {
	nodes := p.number("initialNodeCount")
	if enabled, _ := p.left.Value("autoscaling", "enabled"); enabled == true {
		nodes = 0 // their number is the autoscaler's
	}
	for _, path := range [][]string{{"name"}, {"config", "bootDisk", "diskType"}, {"config", "bootDisk", "sizeGb"}} {
		p.take(path...)
	}
	machine := p.word("config", "machineType")
	p.text.attr("machine_type", quote(machine))
	p.unless("image_type", strings.ToUpper(p.word("config", "imageType")), defaultImage)
	p.unless("min_cpu_platform", p.word("config", "minCpuPlatform"), "")
	zones := p.texts("locations")
	slices.Sort(zones)
	p.list("locations", zones, sorted(p.zones))
	if nodes > 0 && nodes <= mostNodes {
		p.text.attr("initial_nodes", strconv.FormatInt(nodes, 10)) // a new pool of this shape would have none
	}
	p.table("labels", p.entries("config", "labels"))
	p.list("tags", p.texts("config", "tags"), nil)
	p.table("resource_labels", p.entries("config", "resourceLabels"))
	metadata := p.entries("config", "metadata")
	if metadata["disable-legacy-endpoints"] == "true" {
		delete(metadata, "disable-legacy-endpoints")
	}
	p.table("metadata", metadata)
	scopes := p.texts("config", "oauthScopes")
	slices.Sort(scopes)
	p.list("oauth_scopes", scopes, defaultScopes)
	p.unless("service_account", p.word("config", "serviceAccount"), defaultAccount)
	isSpot := p.flag("config", "spot")
	if isSpot {
		p.text.attr("spot", "true")
	}
	if n := p.number("maxPodsConstraint", "maxPodsPerNode"); n != 0 && n != defaultPods {
		p.text.attr("max_pods_per_node", strconv.FormatInt(n, 10))
	}
	p.unless("workload_metadata", strings.TrimSuffix(p.word("config", "workloadMetadataConfig", "mode"), "MODE_UNSPECIFIED"), "")
	p.blocks(machine, isSpot)
}

// sorted returns a copy in order.
func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// unless writes a text that is neither empty nor the default.
func (p *pool) unless(name, value, standard string) {
	if value != "" && value != standard {
		p.text.attr(name, quote(value))
	}
}

func (p *pool) list(name string, values, standard []string) {
	if len(values) == 0 || slices.Equal(values, standard) {
		return
	}
	tree := make([]any, len(values))
	for i, v := range values {
		tree[i] = v
	}
	p.text.value(name, tree)
}

// entries takes a map of texts, without those entries that GKE or hubcap wrote.
func (p *pool) entries(path ...string) map[string]string {
	table, _ := p.take(path...).(map[string]any)
	out := map[string]string{}
	for k, v := range table {
		if !slices.ContainsFunc(serverKeys, func(prefix string) bool { return strings.HasPrefix(k, prefix) }) {
			out[k] = fmt.Sprint(v)
		}
	}
	return out
}

func (p *pool) table(name string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	tree := map[string]any{}
	for k, v := range values {
		tree[k] = v
	}
	p.text.value(name, tree)
}

// blocks writes the inner blocks.
func (p *pool) blocks(machine string, isSpot bool) {
	kind, size := p.word("config", "diskType"), p.number("config", "diskSizeGb")
	p.block("disk", func() {
		p.unless("type", kind, defaultDiskType)
		if size != 0 && size != defaultDiskSize {
			p.text.attr("size_gb", strconv.FormatInt(size, 10))
		}
	})
	p.localSSD(machine)
	p.autoscaling(isSpot)
	p.taints()
	p.block("management", func() {
		for _, f := range []struct{ name, field string }{{"auto_repair", "autoRepair"}, {"auto_upgrade", "autoUpgrade"}} {
			if !p.flag("management", f.field) {
				p.text.attr(f.name, "false")
			}
		}
	})
	surge, unavailable := p.number("upgradeSettings", "maxSurge"), p.number("upgradeSettings", "maxUnavailable")
	if strategy, _ := p.left.Value("upgradeSettings", "strategy"); strategy == nil || strategy == "SURGE" {
		p.take("upgradeSettings", "strategy")
		if surge == defaultSurge && unavailable == 0 || surge == 0 && unavailable == 0 {
			return
		}
		p.block("upgrade", func() {
			p.text.attr("max_surge", strconv.FormatInt(surge, 10))
			p.text.attr("max_unavailable", strconv.FormatInt(unavailable, 10))
		})
	}
}

// block writes an inner block, unless nothing is in it.
func (p *pool) block(name string, inside func()) {
	outer := p.text
	p.text = &text{depth: outer.depth + 1, fresh: true}
	inside()
	body := p.text.b.String()
	p.text = outer
	if body == "" {
		return
	}
	outer.open(name)
	outer.b.WriteString(body)
	outer.fresh = false
	outer.end()
}

func (p *pool) localSSD(machine string) {
	for _, form := range []struct {
		mode string
		path []string
	}{
		{"mounted", []string{"config", "localSsdCount"}},
		{"ephemeral", []string{"config", "ephemeralStorageLocalSsdConfig", "localSsdCount"}},
		{"block", []string{"config", "localNvmeSsdBlockConfig", "localSsdCount"}},
	} {
		n := p.number(form.path...)
		if n == 0 || form.mode == "ephemeral" && bundles.MatchString(machine) {
			continue
		}
		p.block("local_ssd", func() {
			p.text.attr("count", strconv.FormatInt(n, 10))
			p.unless("mode", form.mode, "mounted")
		})
	}
}

func (p *pool) autoscaling(isSpot bool) {
	enabled := p.flag("autoscaling", "enabled")
	least, most := p.number("autoscaling", "minNodeCount"), p.number("autoscaling", "maxNodeCount")
	totalLeast, totalMost := p.number("autoscaling", "totalMinNodeCount"), p.number("autoscaling", "totalMaxNodeCount")
	policy := strings.TrimSuffix(p.word("autoscaling", "locationPolicy"), "LOCATION_POLICY_UNSPECIFIED")
	if !enabled {
		return
	}
	p.block("autoscaling", func() {
		if totalMost > 0 {
			least, most = totalLeast, totalMost
		}
		if least > 0 {
			p.text.attr("min", strconv.FormatInt(least, 10))
		}
		p.text.attr("max", strconv.FormatInt(most, 10))
		if totalMost > 0 {
			p.text.attr("total", "true")
		}
		standard := defaultPolicy
		if isSpot {
			standard = defaultSpotPolicy
		}
		p.unless("location_policy", policy, standard)
	})
}

func (p *pool) taints() {
	list, _ := p.take("config", "taints").([]any)
	for _, e := range list {
		taint, _ := e.(map[string]any)
		o := resource.Object(taint)
		if slices.Contains(serverTaints, o.Text("key")) {
			continue
		}
		effect := o.Text("effect")
		if known := taintEffects[effect]; known != "" {
			effect = known
		}
		p.block("taint", func() {
			p.text.attr("key", quote(o.Text("key")))
			p.unless("value", o.Text("value"), "")
			p.text.attr("effect", quote(effect))
		})
	}
}

// ordinary are fields that every pool has and nobody writes, with the values
// that they then have.
var ordinary = map[string][]any{
	"config.shieldedInstanceConfig.enableIntegrityMonitoring": {true},
	"config.kubeletConfig.maxParallelImagePulls":              {int64(3), int64(2)},
	"config.linuxNodeConfig.cgroupMode":                       {"CGROUP_MODE_V2", "CGROUP_MODE_UNSPECIFIED"},
	"config.loggingConfig.variantConfig.variant":              {"DEFAULT"},
	"networkConfig.networkTierConfig.networkTier":             {"NETWORK_TIER_DEFAULT"},
	"networkConfig.podRange":                                  nil,
	"networkConfig.subnetwork":                                nil,
	"config.linuxNodeConfig.swapConfig":                       nil,
}

// rest returns what a pool has beyond what was written and what every pool has,
// as dotted paths in order.
func (p *pool) rest() []string {
	var fields []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		if usual, isKnown := ordinary[path]; isKnown && (usual == nil || slices.ContainsFunc(usual, func(u any) bool { return resource.Equal(u, v) })) {
			return
		}
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(strings.TrimPrefix(path+"."+k, "."), v[k])
			}
			return
		case nil:
			return
		case bool:
			if !v {
				return
			}
		case string:
			if v == "" || strings.HasSuffix(v, "UNSPECIFIED") {
				return
			}
		case int64:
			if v == 0 {
				return
			}
		case []any:
			if len(v) == 0 {
				return
			}
		}
		fields = append(fields, path)
	}
	walk("", map[string]any(p.left))
	return fields
}
