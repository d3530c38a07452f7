package schema

import (
	"slices"
	"strconv"
	"strings"
)

// An ssdRule is how many local SSDs the machine types of a family can have, by
// the least number of virtual CPUs from which each list holds. Sources: Google's
// page "About Local SSD disks", and DOMAIN §5.2.
type ssdRule []struct {
	fromCPUs int
	counts   []int64
}

var ssdRules = map[string]ssdRule{
	"n1":  {{1, []int64{1, 2, 3, 4, 5, 6, 7, 8, 16, 24}}},
	"n2":  {{2, []int64{1, 2, 4, 8, 16, 24}}, {12, []int64{2, 4, 8, 16, 24}}, {22, []int64{4, 8, 16, 24}}, {42, []int64{8, 16, 24}}, {82, []int64{16, 24}}},
	"n2d": {{2, []int64{1, 2, 4, 8, 16, 24}}, {32, []int64{2, 4, 8, 16, 24}}, {64, []int64{4, 8, 16, 24}}, {96, []int64{8, 16, 24}}},
	"c2":  {{4, []int64{1, 2, 4, 8}}, {16, []int64{2, 4, 8}}, {30, []int64{4, 8}}, {60, []int64{8}}},
	"c2d": {{2, []int64{1, 2, 4, 8}}, {32, []int64{2, 4, 8}}, {56, []int64{4, 8}}, {112, []int64{8}}},
}

// builtInSSD are the families whose machine types have SSDs exactly when their
// name ends in -lssd, by virtual CPUs.
var builtInSSD = map[string]map[int]int64{
	"c3":  {4: 1, 8: 2, 22: 4, 44: 8, 88: 16, 176: 32},
	"c3d": {8: 1, 16: 1, 30: 2, 60: 4, 90: 8, 180: 16, 360: 32},
	"c4":  nil, "c4a": nil, "c4d": nil, "h4d": nil,
}

// withoutSSD are the families that cannot have any.
var withoutSSD = []string{"e2", "t2d", "t2a", "n4", "n4a", "n4d", "f1", "g1", "m4", "h3", "c4n"}

// checkSSD reports a number of local SSDs that the machine type cannot have.
// Machine types it does not know are left to GKE.
func (b *body) checkSSD(p *NodePool) {
	if p.LocalSSD == nil {
		return
	}
	ssd := p.LocalSSD
	if ssd.Count == 0 {
		p.LocalSSD = nil // written out to have none where a cloned pool has some
		return
	}
	problem := ssdProblem(p.MachineType, ssd)
	if problem == "" || *b.bad {
		return
	}
	at := b.at("machine_type")
	if written, isWritten := b.ranges["local_ssd.count"]; isWritten {
		at = written
	}
	b.errorAt(at, "Impossible number of local SSDs", "%s", problem)
}

// ssdProblem says why a machine type cannot have these SSDs, or nothing.
func ssdProblem(machine string, ssd *LocalSSD) string {
	family, rest, _ := strings.Cut(machine, "-")
	count := strconv.FormatInt(ssd.Count, 10)
	if slices.Contains(withoutSSD, family) {
		return family + " machine types have no local SSD. Choose n1, n2, n2d, c2 or c3-…-lssd, or remove local_ssd."
	}
	cpus := virtualCPUs(rest)
	if implied, isBuiltIn := builtInSSD[family]; isBuiltIn {
		if !strings.HasSuffix(machine, "-lssd") {
			return "Only those " + family + " machine types have local SSDs whose name ends in -lssd: " + machine + "-lssd, or remove local_ssd."
		}
		if n, isKnown := implied[cpus]; isKnown && n != ssd.Count {
			return machine + " has exactly " + strconv.FormatInt(n, 10) + " local SSDs, not " + count + "."
		}
		if ssd.Mode == SSDMounted {
			return "The local SSDs of " + machine + " cannot be formatted and mounted one by one. Choose mode = \"ephemeral\" or \"block\"."
		}
		return ""
	}
	return countProblem(machine, family, cpus, ssd.Count)
}

func countProblem(machine, family string, cpus int, count int64) string {
	var allowed []int64
	for _, step := range ssdRules[family] {
		if cpus >= step.fromCPUs {
			allowed = step.counts
		}
	}
	if allowed == nil || slices.Contains(allowed, count) {
		return ""
	}
	words := make([]string, len(allowed))
	for i, n := range allowed {
		words[i] = strconv.FormatInt(n, 10)
	}
	list := words[0]
	if last := len(words) - 1; last > 0 {
		list = strings.Join(words[:last], ", ") + " or " + words[last]
	}
	return machine + " can have " + list + " local SSDs, not " + strconv.FormatInt(count, 10) + "."
}

// virtualCPUs reads the number of CPUs from what follows the family:
// "highmem-8", "standard-8-lssd", "custom-6-32768". 0 when there is none.
func virtualCPUs(rest string) int {
	for _, part := range strings.Split(rest, "-") {
		if n, err := strconv.Atoi(strings.TrimSuffix(part, "g")); err == nil {
			return n
		}
	}
	return 0
}
