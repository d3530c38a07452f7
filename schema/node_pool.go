package schema

import (
	"regexp"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"
	"k8s.io/apimachinery/pkg/util/validation"

	"hubcap/engine/resource"
)

var (
	machineType    = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)+$`)
	networkTag     = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	resourceLabel  = regexp.MustCompile(`^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$`)
	resourceValue  = regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$`)
	accountAddress = regexp.MustCompile(`^(default|[^@\s]+@[^@\s]+)$`)
	oauthScope     = regexp.MustCompile(`^https://www\.googleapis\.com/auth/[a-z._-]+$`)
	zone           = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+-[a-z]$`)
)

// taintEffects are the effects as Kubernetes spells them, by what authors may
// write: that, or what the GKE API uses.
var taintEffects = map[string]string{
	"NoSchedule": "NoSchedule", "PreferNoSchedule": "PreferNoSchedule", "NoExecute": "NoExecute",
	"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute",
}

// decodeNodePool decodes a node_pool block and merges the shape of the pool it
// is like.
func decodeNodePool(b *body, header Block) entry {
	p := &NodePool{Block: header}
	if first := b.l.config.MovedFrom(header.Address); first != header.Address {
		p.MovedFrom = first
	}
	like := b.ref("like", "node_pool")
	p.PoolName = b.checked("name", "Invalid node pool name", matches(gkeName,
		`is not the name of a node pool: write at most 40 lower case letters, digits and "-", and a letter first.`))
	b.machine(p)
	b.disk(p)
	p.LocalSSD = b.localSSD(like)
	p.Autoscaling = b.autoscaling(like)
	b.placement(p)
	b.operation(p)
	p.Until = b.poolUntil()
	p.Protected = b.flag("protected")
	if like != nil {
		p.Like = like.address
		p.inherit(like.entry.(*NodePool))
	}
	if like != nil && !b.has("cluster") {
		b.attribute("cluster")
	} else if t := b.clusterRef(); t != nil {
		p.Cluster = t.address
	}
	if !b.has("machine_type") && !b.has("like") {
		b.errorAt(b.header, "Missing attribute", "A node_pool block needs machine_type, or like = node_pool.NAME to take the shape of another pool.")
	}
	b.checkSSD(p)
	return p
}

// poolUntil returns when a pool is no longer meant to be there. It is never left
// out of the config for that: somebody may be working on its nodes.
func (b *body) poolUntil() *time.Time {
	t := b.instant("until")
	if b.hasPassed(t) {
		b.l.warnAt(b.at("until"), "Expired node pool", "The time of \"until\" has passed. The pool stays until its block is removed; users may be on its nodes.")
	}
	return t
}

func (b *body) machine(p *NodePool) {
	p.MachineType = b.checked("machine_type", "Invalid machine type", matches(machineType, `is not a machine type; one is "n2-highmem-8".`))
	p.ImageType = b.nonEmpty("image_type")
	p.MinCPUPlatform = b.nonEmpty("min_cpu_platform")
	p.OAuthScopes = b.texts("oauth_scopes")
	for i, s := range p.OAuthScopes {
		if !oauthScope.MatchString(s) {
			b.errorAt(b.elementAt("oauth_scopes", i), "Invalid OAuth scope", `%q is not a scope; one is "https://www.googleapis.com/auth/devstorage.read_only".`, s)
		}
	}
	p.ServiceAccount = b.checked("service_account", "Invalid service account", matches(accountAddress, `is neither an e-mail address of a service account nor "default".`))
	p.Spot = b.boolean("spot")
	p.MaxPodsPerNode = b.integer("max_pods_per_node", span{8, 256})
	p.WorkloadMetadata = b.word("workload_metadata", "GCE_METADATA", "GKE_METADATA")
	p.Metadata = b.textMap("metadata")
}

func (b *body) disk(p *NodePool) {
	disk := b.block("disk")
	if disk == nil {
		return
	}
	p.DiskType = disk.word("type", "pd-standard", "pd-balanced", "pd-ssd", "pd-extreme", "hyperdisk-balanced", "hyperdisk-throughput", "hyperdisk-extreme")
	p.DiskSizeGB = disk.integer("size_gb", span{10, 65536})
	disk.done()
}

// localSSD decodes local_ssd; what it leaves out is as in the pool it is like.
func (b *body) localSSD(like *target) *LocalSSD {
	block := b.block("local_ssd")
	if block == nil {
		return nil
	}
	var ssd LocalSSD
	if like != nil && like.entry.(*NodePool).LocalSSD != nil {
		ssd = *like.entry.(*NodePool).LocalSSD
	} else {
		block.require("count")
	}
	ssd.Count = block.number("count", span{0, 64}, ssd.Count)
	if mode := block.word("mode", string(SSDMounted), string(SSDEphemeral), string(SSDBlock)); mode != "" {
		ssd.Mode = SSDMode(mode)
	}
	if ssd.Mode == "" {
		ssd.Mode = SSDMounted
	}
	block.done()
	return &ssd
}

// autoscaling decodes autoscaling; what it leaves out is as in the pool it is
// like.
func (b *body) autoscaling(like *target) *Autoscaling {
	block := b.block("autoscaling")
	if block == nil {
		return nil
	}
	var a Autoscaling
	if like != nil && like.entry.(*NodePool).Autoscaling != nil {
		a = *like.entry.(*NodePool).Autoscaling
	} else {
		block.require("max")
	}
	nodes := span{0, 15_000}
	a.Min = block.number("min", nodes, a.Min)
	a.Max = block.number("max", nodes, a.Max)
	if total := block.boolean("total"); total != nil {
		a.Total = *total
	}
	if policy := block.word("location_policy", "BALANCED", "ANY"); policy != "" {
		a.LocationPolicy = policy
	}
	block.done()
	switch {
	case *b.bad:
	case a.Min > a.Max:
		block.errorIn("min", "Minimum above the maximum", "A pool cannot have at least %d and at most %d nodes. Lower min or raise max.", a.Min, a.Max)
	case a.Max == 0:
		block.errorIn("max", "Maximum of zero nodes", "A pool that may have no node can run nothing. Set max to at least 1, or remove the pool.")
	}
	return &a
}

// placement decodes where the nodes are and what may run on them.
func (b *body) placement(p *NodePool) {
	p.InitialNodes = b.integer("initial_nodes", span{0, 1000})
	p.Locations = b.texts("locations")
	for i, s := range p.Locations {
		if !zone.MatchString(s) {
			b.errorAt(b.elementAt("locations", i), "Invalid zone", `%q is not a zone; one is "us-central1-a".`, s)
		} else if slices.Index(p.Locations, s) < i {
			b.errorAt(b.elementAt("locations", i), "Duplicate zone", "%q is there twice.", s)
		}
	}
	p.Labels = b.labels("labels")
	p.Tags = b.texts("tags")
	for i, s := range p.Tags {
		if !networkTag.MatchString(s) {
			b.errorAt(b.elementAt("tags", i), "Invalid network tag", `%q is not a network tag: write at most 63 lower case letters, digits and "-", and a letter first.`, s)
		}
	}
	p.ResourceLabels = b.textMap("resource_labels")
	for _, k := range sortedKeys(p.ResourceLabels) {
		if v := p.ResourceLabels[k]; !resourceLabel.MatchString(k) || !resourceValue.MatchString(v) {
			b.errorAt(b.keyAt("resource_labels", k), "Invalid resource label",
				`%s = %q is not a label of Google Cloud: keys and values have at most 63 lower case letters, digits, "_" and "-", and a key begins with a letter.`, k, v)
		}
	}
	p.Taints = b.taints()
}

func (b *body) taints() []Taint {
	var taints []Taint
	seen := map[[2]string]bool{}
	for _, block := range b.blocks("taint") {
		block.require("key")
		block.require("effect")
		t := Taint{
			Key:   block.checked("key", "Invalid taint key", labelKey),
			Value: block.checked("value", "Invalid taint value", labelValue),
		}
		t.Effect = taintEffects[block.checked("effect", "Unknown value", effectProblem)]
		block.done()
		id := [2]string{t.Key, t.Effect}
		if seen[id] && t.Key != "" {
			block.errorAt(block.header, "Duplicate taint", "There is a taint %s with the effect %s already; a node has one of each.", t.Key, t.Effect)
		}
		seen[id] = true
		taints = append(taints, t)
	}
	return taints
}

func effectProblem(s string) string {
	if taintEffects[s] != "" {
		return ""
	}
	effects := []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}
	return "is not an effect of a taint, which is one of " + quoted(effects) + "." + suggestion(s, effects)
}

// operation decodes how GKE looks after the nodes.
func (b *body) operation(p *NodePool) {
	if management := b.block("management"); management != nil {
		p.AutoRepair = management.boolean("auto_repair")
		p.AutoUpgrade = management.boolean("auto_upgrade")
		management.done()
	}
	upgrade := b.block("upgrade")
	if upgrade == nil {
		return
	}
	p.MaxSurge = upgrade.integer("max_surge", span{0, 20})
	p.MaxUnavailable = upgrade.integer("max_unavailable", span{0, 20})
	upgrade.done()
	zero := func(n *int64) bool { return n != nil && *n == 0 }
	if zero(p.MaxSurge) && zero(p.MaxUnavailable) {
		b.errorAt(upgrade.header, "Upgrade that cannot proceed", "With max_surge and max_unavailable both 0 no node can be upgraded. Set one of them to at least 1.")
	}
}

// inherit takes from another pool what p does not set itself. Name, until and
// protected are a pool's own.
func (p *NodePool) inherit(o *NodePool) {
	take := func(name string, copyIt func()) {
		if _, isSet := p.Attrs[name]; !isSet {
			copyIt()
		}
	}
	take("cluster", func() { p.Cluster = o.Cluster })
	take("machine_type", func() { p.MachineType = o.MachineType })
	take("image_type", func() { p.ImageType = o.ImageType })
	take("min_cpu_platform", func() { p.MinCPUPlatform = o.MinCPUPlatform })
	take("disk.type", func() { p.DiskType = o.DiskType })
	take("disk.size_gb", func() { p.DiskSizeGB = o.DiskSizeGB })
	take("local_ssd", func() { p.LocalSSD = o.LocalSSD })
	take("autoscaling", func() { p.Autoscaling = o.Autoscaling })
	take("initial_nodes", func() { p.InitialNodes = o.InitialNodes })
	take("locations", func() { p.Locations = o.Locations })
	take("labels", func() { p.Labels = o.Labels })
	take("taint", func() { p.Taints = o.Taints })
	take("tags", func() { p.Tags = o.Tags })
	take("resource_labels", func() { p.ResourceLabels = o.ResourceLabels })
	take("metadata", func() { p.Metadata = o.Metadata })
	take("oauth_scopes", func() { p.OAuthScopes = o.OAuthScopes })
	take("service_account", func() { p.ServiceAccount = o.ServiceAccount })
	take("spot", func() { p.Spot = o.Spot })
	take("max_pods_per_node", func() { p.MaxPodsPerNode = o.MaxPodsPerNode })
	take("management.auto_repair", func() { p.AutoRepair = o.AutoRepair })
	take("management.auto_upgrade", func() { p.AutoUpgrade = o.AutoUpgrade })
	take("upgrade.max_surge", func() { p.MaxSurge = o.MaxSurge })
	take("upgrade.max_unavailable", func() { p.MaxUnavailable = o.MaxUnavailable })
	take("workload_metadata", func() { p.WorkloadMetadata = o.WorkloadMetadata })
}

// labels returns a map of Kubernetes labels.
func (b *body) labels(name string) map[string]string {
	labels := b.textMap(name)
	for _, k := range sortedKeys(labels) {
		if problem := labelKey(k); problem != "" {
			b.errorAt(b.keyAt(name, k), "Invalid label", "%q %s", k, problem)
		} else if problem := labelValue(labels[k]); problem != "" {
			b.errorAt(b.keyAt(name, k), "Invalid label", "%q %s", labels[k], problem)
		}
	}
	return labels
}

func labelKey(s string) string {
	if len(validation.IsQualifiedName(s)) > 0 {
		return `is not a key of a label: write at most 63 letters, digits, "-", "_" and ".", with a domain and "/" before it if there is one.`
	}
	return ""
}

func labelValue(s string) string {
	if len(validation.IsValidLabelValue(s)) > 0 {
		return `is not a value of a label: write at most 63 letters, digits, "-", "_" and ".".`
	}
	return ""
}

func (p *NodePool) addTo(config *Config) { config.NodePools = append(config.NodePools, *p) }

func (p *NodePool) fields() map[string]cty.Value {
	return map[string]cty.Value{
		"pool_name": textValue(p.LiveName()), "machine_type": textValue(p.MachineType),
		"labels": labelsValue(p.Labels), "cluster": textValue(addressText(p.Cluster)),
	}
}

func addressText(a resource.Address) string {
	if a.IsZero() {
		return ""
	}
	return a.String()
}
