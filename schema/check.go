package schema

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
)

// check finds what contradicts between blocks. Blocks that are wrong themselves
// are left out: what they say is not known.
func (l *loader) check() {
	c := l.config
	hubs := map[resource.Address]*Hub{}
	for i := range c.Hubs {
		hubs[c.Hubs[i].Address] = &c.Hubs[i]
	}
	pools := map[resource.Address]*NodePool{}
	for i := range c.NodePools {
		pools[c.NodePools[i].Address] = &c.NodePools[i]
	}
	l.checkClusters()
	l.checkReleases()
	l.checkPools(hubs, pools)
	l.checkBinders(hubs)
	l.checkRepeated()
	l.resolveOrders()
	l.checkRollouts()
	l.checkGuards()
	l.checkMoves()
	l.checkOutputs()
}

// once reports the second block with the same key.
type once[K comparable] map[K]Block

func (o once[K]) second(key K, b Block) (first Block, isSecond bool) {
	first, isSecond = o[key]
	if !isSecond {
		o[key] = b
	}
	return first, isSecond
}

func line(r hcl.Range) string { return fmt.Sprintf("%s line %d", r.Filename, r.Start.Line) }

// checkClusters finds two blocks for one cluster, whose objects would be there
// twice, and two clusters of one name in different modules: an object's identity
// has the name and not the module.
func (l *loader) checkClusters() {
	type reached struct {
		gke                 GKECluster
		kubeconfig, context string
	}
	names, clusters := once[string]{}, once[reached]{}
	for i := range l.config.Clusters {
		c := &l.config.Clusters[i]
		if first, isSecond := names.second(c.Address.Name, c.Block); isSecond {
			l.errorAt(c.Range, "Duplicate name", "%s (%s) has the same name, and clusters are told apart by it across modules. Give one of them another name.",
				first.Address, line(first.Range))
			continue
		}
		if l.bad[c.Address] {
			continue
		}
		how := reached{kubeconfig: c.Kubeconfig, context: c.Context}
		if c.GKE != nil {
			how = reached{gke: *c.GKE}
		}
		if first, isSecond := clusters.second(how, c.Block); isSecond {
			l.errorAt(c.Range, "Duplicate cluster", "%s (%s) is the same cluster. Refer to that one, or name another cluster here.", first.Address, line(first.Range))
		}
	}
}

// checkReleases finds two releases of one name, and two hubs whose objects
// would have the same names.
func (l *loader) checkReleases() {
	type place struct {
		cluster            resource.Address
		namespace, release string
	}
	releases, hubs := once[place]{}, once[place]{}
	for i := range l.config.Hubs {
		h := &l.config.Hubs[i]
		if l.bad[h.Address] {
			continue
		}
		namespace := place{cluster: h.Cluster, namespace: h.Namespace}
		release := place{cluster: h.Cluster, namespace: h.Namespace, release: h.Release}
		if first, isSecond := releases.second(release, h.Block); isSecond {
			l.errorAt(h.At("release"), "Duplicate release", "%s (%s) is release %q in namespace %q of %s already. Give one of them another namespace or release.",
				first.Address, line(first.Range), h.Release, h.Namespace, h.Cluster)
			continue
		}
		if first, isSecond := hubs.second(namespace, h.Block); isSecond {
			l.errorAt(h.At("namespace"), "Two hubs in one namespace", "%s (%s) is in namespace %q of %s already, and the names of a hub's objects are fixed. Give one of them another namespace.",
				first.Address, line(first.Range), h.Namespace, h.Cluster)
		}
	}
	for i := range l.config.Charts {
		c := &l.config.Charts[i]
		if l.bad[c.Address] {
			continue
		}
		key := place{cluster: c.Cluster, namespace: c.Namespace, release: c.Release}
		if first, isSecond := releases.second(key, c.Block); isSecond {
			l.errorAt(c.At("release"), "Duplicate release", "%s (%s) is release %q in namespace %q of %s already. Give one of them another namespace or release.",
				first.Address, line(first.Range), c.Release, c.Namespace, c.Cluster)
		}
	}
}

// checkPools finds pools of one live name, pools outside of GKE, and hubs that
// use pools of other clusters.
func (l *loader) checkPools(hubs map[resource.Address]*Hub, pools map[resource.Address]*NodePool) {
	clusters := map[resource.Address]*Cluster{}
	for i := range l.config.Clusters {
		clusters[l.config.Clusters[i].Address] = &l.config.Clusters[i]
	}
	type live struct {
		cluster resource.Address
		name    string
	}
	names := once[live]{}
	for i := range l.config.NodePools {
		p := &l.config.NodePools[i]
		if c := clusters[p.Cluster]; c != nil && c.GKE == nil && !l.bad[c.Address] {
			l.errorAt(p.At("cluster"), "Node pool outside of GKE", "%s is reached by a kubeconfig only. A node pool needs its cluster's project, location and name.", p.Cluster)
		}
		if p.PoolName == "" || l.bad[p.Address] {
			continue
		}
		if first, isSecond := names.second(live{p.Cluster, p.PoolName}, p.Block); isSecond {
			l.errorAt(p.At("name"), "Duplicate node pool name", "%s (%s) has the name %q in %s already.", first.Address, line(first.Range), p.PoolName, p.Cluster)
		}
	}
	for i := range l.config.Hubs {
		h := &l.config.Hubs[i]
		for _, key := range sortedKeys(h.NodePools) {
			l.checkPoolOf(h, "node_pools."+key, pools[h.NodePools[key]])
		}
		if h.BuildSlots != nil {
			l.checkPoolOf(h, "build_slots.node_pool", pools[h.BuildSlots.NodePool])
			l.checkBuildPool(h, pools[h.BuildSlots.NodePool])
		}
	}
}

func (l *loader) checkPoolOf(h *Hub, attribute string, p *NodePool) {
	if p == nil || p.Cluster == h.Cluster || p.Cluster.IsZero() || h.Cluster.IsZero() {
		return
	}
	l.errorAt(h.At(attribute), "Node pool of another cluster", "%s is in %s, and %s is in %s: its pods cannot run there.", p.Address, p.Cluster, h.Address, h.Cluster)
}

// checkBuildPool finds builds that would fill the boot disk because the local
// SSD that they are meant for is not there.
func (l *loader) checkBuildPool(h *Hub, p *NodePool) {
	const mounted = "/mnt/disks/ssd"
	dir := h.BuildSlots.HostLibDir
	if p == nil || l.bad[p.Address] || len(dir) <= len(mounted) || dir[:len(mounted)] != mounted {
		return
	}
	if p.LocalSSD == nil || p.LocalSSD.Mode != SSDMounted {
		l.errorAt(h.At("build_slots.host_lib_dir"), "Build directory without its disk",
			"%s exists only on nodes with local SSDs in mode \"mounted\", and %s has none: builds would fill the boot disk. Add local_ssd to the pool, or choose another directory.", dir, p.Address)
	}
}

// checkBinders finds settings of BinderHub for hubs that are none.
func (l *loader) checkBinders(hubs map[resource.Address]*Hub) {
	refuse := func(b Block, attribute string, address resource.Address) {
		if h := hubs[address]; h != nil && h.Type != BinderHub && !l.bad[address] {
			l.errorAt(b.At(attribute), "BinderHub's setting for a JupyterHub", "%s is a JupyterHub, and %s works only for a BinderHub.", address, b.Address.Kind)
		}
	}
	for _, r := range l.config.RepoLimits {
		for _, address := range r.Hubs {
			refuse(r.Block, hubAttribute(r.Block), address)
		}
	}
	for _, r := range l.config.RepoBans {
		for _, address := range r.Hubs {
			refuse(r.Block, hubAttribute(r.Block), address)
		}
	}
	caches := once[resource.Address]{}
	for _, c := range l.config.ImageCaches {
		refuse(c.Block, "hub", c.Hub)
		if c.Hub.IsZero() {
			continue
		}
		if first, isSecond := caches.second(c.Hub, c.Block); isSecond {
			l.errorAt(c.At("hub"), "Duplicate image cache", "%s has an image cache already: %s (%s).", c.Hub, first.Address, line(first.Range))
		}
	}
}

func hubAttribute(b Block) string {
	if _, isSet := b.Attrs["hubs"]; isSet {
		return "hubs"
	}
	return "hub"
}

// checkRepeated finds the same pattern twice for one hub, of which only the last
// would count, and limits of banned repositories.
func (l *loader) checkRepeated() {
	type key struct {
		hub   resource.Address
		match RepoMatch
	}
	limits, bans := once[key]{}, once[key]{}
	for _, r := range l.config.RepoBans {
		for _, hub := range r.Hubs {
			if first, isSecond := bans.second(key{hub, r.Match}, r.Block); isSecond && r.Match.Pattern != "" {
				l.errorAt(matchRange(r.Block), "Duplicate pattern", "%s (%s) bans the same repositories of %s.", first.Address, line(first.Range), hub)
			}
		}
	}
	for _, r := range l.config.RepoLimits {
		for _, hub := range r.Hubs {
			k := key{hub, r.Match}
			if r.Match.Pattern == "" {
				continue
			}
			if first, isSecond := limits.second(k, r.Block); isSecond {
				l.errorAt(matchRange(r.Block), "Duplicate pattern", "%s (%s) limits the same repositories of %s, and only one limit can hold.", first.Address, line(first.Range), hub)
			}
			if ban, isBanned := bans[k]; isBanned {
				l.warnAt(matchRange(r.Block), "Limit for a banned repository", "%s (%s) bans the same repositories, so the limit has no effect.", ban.Address, line(ban.Range))
			}
		}
	}
}

func matchRange(b Block) hcl.Range {
	if at, isSet := b.Attrs["repo"]; isSet {
		return at
	}
	return b.At("pattern")
}

// checkRollouts finds a block whose place two rollouts decide.
func (l *loader) checkRollouts() {
	seen := once[resource.Address]{}
	for _, r := range l.config.Rollouts {
		for _, wave := range r.Order {
			for _, address := range wave {
				if first, isSecond := seen.second(address, r.Block); isSecond && first.Address != r.Address {
					l.errorAt(r.At("order"), "Block in two rollouts", "%s (%s) orders %s already.", first.Address, line(first.Range), address)
				}
			}
		}
	}
}
