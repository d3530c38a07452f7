package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// ports are the TCP ports on 127.0.0.1 of the programs that listen; 0 means not chosen yet.
type ports struct {
	API      int `json:"api"`
	Etcd     int `json:"etcd"`
	EtcdPeer int `json:"etcdPeer"`
	GKE      int `json:"gke"`

	Simulator  int `json:"simulator"`
	Prometheus int `json:"prometheus"`
}

// Free ports are looked for below the range the kernel hands to outgoing connections, so that none of
// those can take one between the choice and the start of its program.
const firstPort, lastPort = 20000, 29999

// settle makes sure that every port is usable: it chooses those that are 0 and checks the others.
func (p *ports) settle() error {
	taken := map[int]bool{}
	for _, want := range []struct {
		of   string
		port *int
	}{{"kube-apiserver", &p.API}, {"etcd", &p.Etcd}, {"etcd's peers", &p.EtcdPeer}, {"the GKE emulator", &p.GKE}, {"the simulator", &p.Simulator}, {"Prometheus", &p.Prometheus}} {
		if *want.port == 0 {
			port, err := choosePort(taken)
			if err != nil {
				return err
			}
			*want.port = port
		} else if err := probePort(*want.port); err != nil {
			return fmt.Errorf("use port %d for %s: %w", *want.port, want.of, err)
		}
		taken[*want.port] = true
	}
	return nil
}

func choosePort(taken map[int]bool) (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if !taken[port] && probePort(port) == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port between %d and %d: none of 1000 tried is", firstPort, lastPort)
}

// probePort is an error when something listens at the port.
func probePort(port int) error {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return err
	}
	return l.Close()
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
