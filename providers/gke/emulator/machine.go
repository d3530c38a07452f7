package emulator

import (
	"slices"
	"strconv"
	"strings"
)

// LocalSSDSizeGB is the size of one local SSD.
const LocalSSDSizeGB = 375

// A Machine is what a machine type gives a node.
type Machine struct {
	CPUs      int
	MemoryMiB int
	LocalSSDs int // that come with the type by itself (-lssd types)
}

// memoryPerCPU is MiB for each CPU by family and class.
var memoryPerCPU = map[string]map[string]int{
	"n1":  {"standard": 3840, "highmem": 6656, "highcpu": 922},
	"n2":  {"standard": 4096, "highmem": 8192, "highcpu": 1024},
	"n2d": {"standard": 4096, "highmem": 8192, "highcpu": 1024},
	"n4":  {"standard": 4096, "highmem": 8192, "highcpu": 2048},
	"e2":  {"standard": 4096, "highmem": 8192, "highcpu": 1024},
	"c2":  {"standard": 4096},
	"c2d": {"standard": 4096, "highmem": 8192, "highcpu": 2048},
	"c3":  {"standard": 4096, "highmem": 8192, "highcpu": 2048},
	"c3d": {"standard": 4096, "highmem": 8192, "highcpu": 2048},
	"c4":  {"standard": 3840, "highmem": 7936, "highcpu": 2048},
	"t2d": {"standard": 4096},
	"g2":  {"standard": 4096},
	"a2":  {"highgpu": 7254},
}

// shared are the machine types whose name does not tell their CPUs.
var shared = map[string]Machine{
	"e2-micro":  {CPUs: 2, MemoryMiB: 1024},
	"e2-small":  {CPUs: 2, MemoryMiB: 2048},
	"e2-medium": {CPUs: 2, MemoryMiB: 4096},
	"g1-small":  {CPUs: 1, MemoryMiB: 1740},
	"f1-micro":  {CPUs: 1, MemoryMiB: 614},
}

// bundled is the number of local SSDs of the -lssd types by family and CPUs.
var bundled = map[string]map[int]int{
	"c3":  {4: 1, 8: 2, 22: 4, 44: 8, 88: 16, 176: 32},
	"c3d": {8: 1, 16: 1, 30: 2, 60: 4, 90: 8, 180: 16, 360: 32},
	"c4":  {4: 1, 8: 1, 16: 2, 24: 4, 32: 5, 48: 8, 96: 16, 144: 24, 192: 32, 288: 48},
}

// MachineOf returns what a machine type gives, and false for one that is not
// known.
func MachineOf(machineType string) (Machine, bool) {
	if m, isShared := shared[machineType]; isShared {
		return m, true
	}
	parts := strings.Split(machineType, "-")
	if len(parts) < 3 {
		return Machine{}, false
	}
	family, class := parts[0], parts[1]
	cpus, err := strconv.Atoi(strings.TrimSuffix(parts[2], "g"))
	classes, isFamily := memoryPerCPU[family]
	if err != nil || cpus < 1 || cpus > 416 || !isFamily {
		return Machine{}, false
	}
	if class == "custom" && len(parts) >= 4 {
		memory, err := strconv.Atoi(parts[3])
		return Machine{CPUs: cpus, MemoryMiB: memory}, err == nil && memory > 0
	}
	perCPU, isClass := classes[class]
	if !isClass {
		return Machine{}, false
	}
	if family == "a2" {
		cpus *= 12 // the number counts GPUs
	}
	m := Machine{CPUs: cpus, MemoryMiB: cpus * perCPU}
	switch {
	case len(parts) == 3:
		return m, true
	case len(parts) == 4 && parts[3] == "lssd" && bundled[family][cpus] > 0:
		m.LocalSSDs = bundled[family][cpus]
		return m, true
	}
	return Machine{}, false
}

// takesLocalSSD reports whether n local SSDs can be attached to a node of the
// machine type.
func takesLocalSSD(machineType string, n int64) bool {
	m, isKnown := MachineOf(machineType)
	if !isKnown || n == 0 {
		return isKnown
	}
	if m.LocalSSDs > 0 {
		return n == int64(m.LocalSSDs)
	}
	var counts []int64
	switch family, _, _ := strings.Cut(machineType, "-"); family {
	case "n1":
		counts = []int64{1, 2, 3, 4, 5, 6, 7, 8, 16, 24}
	case "n2":
		counts = atLeast([]int64{1, 2, 4, 8, 16, 24}, int64(m.CPUs+9)/10)
	case "n2d", "c2d":
		counts = []int64{1, 2, 4, 8, 16, 24}
	case "c2":
		counts = atLeast([]int64{1, 2, 4, 8}, int64(m.CPUs+7)/8)
	case "a2":
		counts = []int64{1, 2, 4, 8}
	case "g2":
		counts = []int64{1, 2, 4, 8}
	}
	return slices.Contains(counts, n)
}

// atLeast leaves out the counts below the smallest one that carries least.
func atLeast(counts []int64, least int64) []int64 {
	for i, c := range counts {
		if c >= least {
			return counts[i:]
		}
	}
	return counts[len(counts)-1:]
}
