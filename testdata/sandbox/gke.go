package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	container "google.golang.org/api/container/v1"

	"hubcap/providers/gke/emulator"
)

// A google is the part of the sandbox that stands for Google Cloud: the GKE emulator on its port, the
// autoscaler, and the cloud's controllers in the cluster.
type google struct {
	emulator *emulator.Server
	cloud    *cloud
	scaler   *autoscaler
	nodes    nodes
	server   *http.Server
	log      *log.Logger
	logFile  *os.File
	loops    sync.WaitGroup
	cancel   context.CancelFunc
}

// newGoogle prepares the emulator with one cluster, which leads to the plane's API server, or with what a kept
// directory remembers.
func newGoogle(plane *controlPlane, home emulator.ClusterRef) (*google, error) {
	api, err := plane.client()
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(plane.dir.file("ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	logFile, err := os.OpenFile(plane.dir.file("log/gke.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of the GKE emulator: %w", err)
	}
	g := &google{nodes: nodes{api: api}, cloud: newCloud(api), logFile: logFile, log: log.New(logFile, "", log.LstdFlags|log.LUTC)}
	g.emulator, err = emulator.New(emulator.Options{
		Project: home.Project,
		Clusters: []*container.Cluster{{
			Name:       home.Name,
			Location:   home.Location,
			Endpoint:   loopback(plane.ports.API),
			MasterAuth: &container.MasterAuth{ClusterCaCertificate: base64.StdEncoding.EncodeToString(ca)},
		}},
		Nodes:     g.nodes,
		StateFile: plane.dir.file("gke.json"),
	})
	if err != nil {
		return nil, fmt.Errorf("start the GKE emulator: %w", err)
	}
	// A resumed emulator may not know the home cluster, when it was given another name or deleted: no harm.
	_ = g.emulator.SetEndpoint(home, loopback(plane.ports.API), base64.StdEncoding.EncodeToString(ca))
	if err := g.letIn(plane, home); err != nil {
		return nil, err
	}
	g.scaler = newAutoscaler(api, g.emulator)
	return g, nil
}

// letIn puts the administrator's certificate beside the endpoint, as clusters with client certificates have it: who
// knows only the GKE API gets in with it. Google's tokens mean nothing here.
func (g *google) letIn(plane *controlPlane, home emulator.ClusterRef) error {
	certificate, err := os.ReadFile(plane.dir.file("admin.crt"))
	if err != nil {
		return fmt.Errorf("read the administrator's certificate: %w", err)
	}
	key, err := os.ReadFile(plane.dir.file("admin.key"))
	if err != nil {
		return fmt.Errorf("read the administrator's key: %w", err)
	}
	encode := base64.StdEncoding.EncodeToString
	_ = g.emulator.SetClientCertificate(home, encode(certificate), encode(key)) // as above: no harm
	return nil
}

// start answers on the address and returns once it does. What fails later goes to failed.
func (g *google) start(ctx context.Context, address string, failed func(error)) error {
	if err := g.cloud.install(ctx); err != nil {
		return err
	}
	for _, p := range g.emulator.Pools() { // of a kept directory; what was under way goes on by itself
		if err := g.nodes.Apply(ctx, p, p.Nodes); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for the GKE emulator: %w", err)
	}
	g.server = &http.Server{Handler: g.emulator, ErrorLog: g.log, ReadHeaderTimeout: 10 * time.Second}
	g.loops.Go(func() {
		if err := g.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("serve the GKE emulator: %w", err))
		}
	})
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g.cancel = cancel
	report := func(err error) { g.log.Print(err) }
	g.loops.Go(func() { g.cloud.run(run, report) })
	g.loops.Go(func() { g.scaler.run(run, report) })
	return nil
}

// stop ends everything start began and saves the emulator's state.
func (g *google) stop() {
	if g.cancel != nil {
		g.cancel()
		_ = g.server.Close()
		g.loops.Wait()
	}
	if err := g.emulator.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox: save the GKE emulator's state:", err)
	}
	_ = g.logFile.Close()
}
