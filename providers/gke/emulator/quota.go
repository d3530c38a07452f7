package emulator

import (
	"fmt"
	"strings"

	container "google.golang.org/api/container/v1"
)

// demand is what so many nodes of a pool take of the regional quotas.
func demand(n *container.NodeConfig, nodes int) map[string]float64 {
	m, _ := MachineOf(n.MachineType)
	count := float64(nodes)
	d := map[string]float64{
		"CPUS":               count * float64(m.CPUs),
		"LOCAL_SSD_TOTAL_GB": count * LocalSSDSizeGB * float64(LocalSSDs(n)),
		"INSTANCES":          count,
	}
	disk := "SSD_TOTAL_GB"
	if n.DiskType == "pd-standard" {
		disk = "DISKS_TOTAL_GB"
	}
	d[disk] = count * float64(n.DiskSizeGb)
	return d
}

// LocalSSDs returns how many local SSDs each node of a pool has, in any mode.
func LocalSSDs(n *container.NodeConfig) int {
	count := n.LocalSsdCount
	if c := n.LocalNvmeSsdBlockConfig; c != nil {
		count = max(count, c.LocalSsdCount)
	}
	if c := n.EphemeralStorageLocalSsdConfig; c != nil {
		count = max(count, c.LocalSsdCount)
	}
	return int(count)
}

// quota refuses a pool's growth when the region has not enough left.
func (s *Server) quota(c *cluster, b *container.NodePool, before, after int) *refusal {
	if after <= before || len(s.o.Limits) == 0 {
		return nil
	}
	used := map[string]float64{}
	for _, other := range s.clusters {
		if other.Ref.Project != c.Ref.Project || region(other.Ref.Location) != region(c.Ref.Location) {
			continue
		}
		for _, p := range other.Pools {
			for name, amount := range demand(p.Body.Config, p.Nodes) {
				used[name] += amount
			}
		}
	}
	wanted := demand(b.Config, after-before)
	var short []string
	for _, name := range []string{"CPUS", "SSD_TOTAL_GB", "DISKS_TOTAL_GB", "LOCAL_SSD_TOTAL_GB", "INSTANCES"} {
		limit, isLimited := s.o.Limits[name]
		left := max(limit-used[name], 0)
		if isLimited && wanted[name] > left {
			short = append(short, fmt.Sprintf("resource \"%s\": request requires '%.1f' and is short '%.1f'. project has a quota of '%.1f' with '%.1f' available.",
				name, wanted[name], wanted[name]-left, limit, left))
		}
	}
	if len(short) == 0 {
		return nil
	}
	text := short[0]
	if len(short) > 1 {
		for i := range short {
			short[i] = fmt.Sprintf("(%d) %s", i+1, short[i])
		}
		text = strings.Join(short, " ")
	}
	return refusalOf(403, "", "Insufficient regional quota to satisfy request: "+text+
		" View and manage quotas at https://console.cloud.google.com/iam-admin/quotas?usage=USED&project="+c.Ref.Project+".")
}
