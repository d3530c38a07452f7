package main

import (
	"fmt"
	"math"
	"strings"

	container "google.golang.org/api/container/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"hubcap/providers/gke/emulator"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// localSSDBytes is the size of one local SSD as the kubelet sees it.
const localSSDBytes = emulator.LocalSSDSizeGB * gib

// A machine is what a Compute Engine machine type has.
type machine struct {
	family   string // n2
	milliCPU int64
	memory   int64 // bytes
	shared   bool  // its CPUs are in part another's
}

// machineOf reads a machine type's name, such as n2-highmem-16.
func machineOf(name string) (machine, error) {
	m, known := emulator.MachineOf(name)
	if !known {
		return machine{}, fmt.Errorf("read machine type %q: not a known one", name)
	}
	family, class, _ := strings.Cut(name, "-")
	return machine{
		family:   family,
		milliCPU: int64(m.CPUs) * 1000,
		memory:   int64(m.MemoryMiB) * mib,
		shared:   family == "e2" && !strings.Contains(class, "-"), // e2-medium, not e2-standard-2
	}, nil
}

// capacity is what a node of the machine has, and what of it pods may use.
func (m machine) capacity(config *container.NodeConfig, maxPods int64) (total, allocatable corev1.ResourceList) {
	// The kernel keeps some of the machine's memory before the kubelet sees the rest.
	memory := (m.memory - m.memory/64 - 64*mib) >> 10 << 10
	disk, reservedDisk := ephemeralStorage(config)
	cpu, reservedCPU := m.milliCPU, reservedMilliCPU(m.milliCPU)
	if m.shared {
		reservedCPU = 1060
	}
	list := func(cpu, memory, disk int64) corev1.ResourceList {
		return corev1.ResourceList{
			corev1.ResourceCPU:              *resource.NewMilliQuantity(cpu, resource.DecimalSI),
			corev1.ResourceMemory:           *resource.NewQuantity(memory, resource.BinarySI),
			corev1.ResourceEphemeralStorage: *resource.NewQuantity(disk, resource.BinarySI),
			corev1.ResourcePods:             *resource.NewQuantity(maxPods, resource.DecimalSI),
		}
	}
	return list(cpu, memory, disk), list(max(0, cpu-reservedCPU), max(0, memory-reservedMemory(m.memory))>>10<<10, max(0, disk-reservedDisk))
}

// A slice is one step of a reservation curve: of the amount up to this bound, that fraction is reserved.
type slice struct{ upTo, fraction float64 }

// https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes gives both curves.
var (
	cpuCurve    = []slice{{1000, 0.06}, {2000, 0.01}, {4000, 0.005}, {math.Inf(1), 0.0025}}
	memoryCurve = []slice{{4 * gib, 0.25}, {8 * gib, 0.20}, {16 * gib, 0.10}, {128 * gib, 0.06}, {math.Inf(1), 0.02}}
)

func reservedMilliCPU(milliCPU int64) int64 { return int64(along(cpuCurve, float64(milliCPU))) }

// reservedMemory includes the 100 MiB below which the kubelet evicts.
func reservedMemory(bytes int64) int64 {
	if bytes < gib {
		return 255*mib + 100*mib
	}
	return int64(along(memoryCurve, float64(bytes))) + 100*mib
}

func along(curve []slice, amount float64) float64 {
	reserved, from := 0.0, 0.0
	for _, s := range curve {
		if amount <= from {
			break
		}
		reserved += (min(amount, s.upTo) - from) * s.fraction
		from = s.upTo
	}
	return reserved
}

// ephemeralStorage is the disk that emptyDir volumes, images and logs are on, and how much of it is kept
// back: the local SSDs together when the pool gives them to that use, the boot disk otherwise.
func ephemeralStorage(config *container.NodeConfig) (total, reserved int64) {
	if e := config.EphemeralStorageLocalSsdConfig; e != nil && e.LocalSsdCount > 0 {
		total = e.LocalSsdCount * localSSDBytes
		system := map[int64]int64{1: 50 * gib, 2: 75 * gib}[e.LocalSsdCount]
		if system == 0 {
			system = 100 * gib
		}
		return total, total/10 + system
	}
	size := config.DiskSizeGb
	if config.BootDisk != nil && config.BootDisk.SizeGb > 0 {
		size = config.BootDisk.SizeGb
	}
	if size == 0 {
		size = 100
	}
	total = max(1, size-6) * gib // the image's own partitions take the rest
	system := min(total/2, 6*gib+total*35/100, 100*gib)
	return total, total/10 + system
}
