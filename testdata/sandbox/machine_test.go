package main

import (
	"math"
	"testing"

	container "google.golang.org/api/container/v1"
)

// The figures are those that GKE publishes for the n1 family: what is allocatable before the kernel's share.
func TestReservationsAreGKEs(t *testing.T) {
	for _, tt := range []struct {
		machine    string
		cpus       int64 // in thousandths
		memory     float64
		leftCPU    int64
		leftMemory float64
	}{
		{"n1-standard-1", 1000, 3.75, 940, 2.7},
		{"n1-standard-2", 2000, 7.5, 1930, 5.7},
		{"n1-standard-4", 4000, 15, 3920, 12.3},
		{"n1-standard-8", 8000, 30, 7910, 26.6},
		{"n1-standard-16", 16000, 60, 15890, 54.7},
		{"n1-standard-32", 32000, 120, 31850, 111.2},
	} {
		m, err := machineOf(tt.machine)
		if err != nil {
			t.Fatal(err)
		}
		if m.milliCPU != tt.cpus || float64(m.memory) != tt.memory*gib || m.family != "n1" {
			t.Errorf("%s is %+v", tt.machine, m)
		}
		if got := m.milliCPU - reservedMilliCPU(m.milliCPU); got != tt.leftCPU {
			t.Errorf("%s: %dm CPU allocatable, want %dm", tt.machine, got, tt.leftCPU)
		}
		left := float64(m.memory-reservedMemory(m.memory)) / gib
		if math.Abs(left-tt.leftMemory) > 0.15 { // the published figures are rounded
			t.Errorf("%s: %.2f GiB allocatable, want %.1f", tt.machine, left, tt.leftMemory)
		}
	}
}

func TestSharedCoreKeepsOneCPU(t *testing.T) {
	m, err := machineOf("e2-medium")
	if err != nil {
		t.Fatal(err)
	}
	_, allocatable := m.capacity(&container.NodeConfig{}, 110)
	if got := allocatable.Cpu().MilliValue(); got != 940 {
		t.Errorf("%dm CPU allocatable, want 940m", got)
	}
	if _, err := machineOf("abacus-standard-4"); err == nil {
		t.Error("abacus-standard-4 is a machine type")
	}
}

func TestEphemeralStorage(t *testing.T) {
	for _, tt := range []struct {
		reason                string
		config                *container.NodeConfig
		total, reservedAtMost int64
	}{
		{"the default boot disk", &container.NodeConfig{}, 94 * gib, 50 * gib},
		{"a given boot disk", &container.NodeConfig{BootDisk: &container.BootDisk{SizeGb: 200}}, 194 * gib, 100 * gib},
		{"one SSD instead", &container.NodeConfig{DiskSizeGb: 200, EphemeralStorageLocalSsdConfig: &container.EphemeralStorageLocalSsdConfig{LocalSsdCount: 1}}, 375 * gib, 88 * gib},
		{"mounted SSDs do not count", &container.NodeConfig{DiskSizeGb: 100, LocalSsdCount: 4}, 94 * gib, 50 * gib},
	} {
		total, reserved := ephemeralStorage(tt.config)
		if total != tt.total || reserved <= 0 || reserved > tt.reservedAtMost {
			t.Errorf("%s: %d GiB with %d GiB reserved, want %d GiB and at most %d", tt.reason, total/gib, reserved/gib, tt.total/gib, tt.reservedAtMost/gib)
		}
	}
}
