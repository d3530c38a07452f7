package cli

import (
	"context"
	"fmt"
	"sync"

	"hubcap/engine/gate"
	"hubcap/engine/run"
	"hubcap/providers/kube"
	"hubcap/providers/launch"
	"hubcap/providers/probe"
	"hubcap/providers/prometheus"
	"hubcap/schema"
)

// A monitoring has the clients of the Prometheus of every cluster. A gate on one
// cluster may ask another's, so they are shared.
type monitoring struct {
	mu      sync.Mutex
	clients map[string]*prometheus.Client
	errs    map[string]error
}

// Client returns the client for a cluster's Prometheus, or why there is none.
func (m *monitoring) Client(cluster string) (*prometheus.Client, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clients[cluster], m.errs[cluster]
}

// add makes the client for a cluster's Prometheus. It makes no request, and what
// is wrong shows when a gate asks.
func (m *monitoring) add(c schema.Cluster, objects *kube.Client) {
	if c.Prometheus == nil {
		return
	}
	client, err := prometheusClient(*c.Prometheus, objects)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.clients == nil {
		m.clients, m.errs = map[string]*prometheus.Client{}, map[string]error{}
	}
	m.clients[c.Address.Name], m.errs[c.Address.Name] = client, err
}

// monitor makes the clients for the Prometheus of every cluster, and connects to
// the API servers only where one is asked through them.
func (s *session) monitor(ctx context.Context, config *schema.Config) {
	through := false
	for _, c := range config.Clusters {
		if c.Prometheus != nil && c.Prometheus.Service != "" {
			through = true
			continue
		}
		s.monitoring.add(c, nil)
	}
	if !through {
		return
	}
	_, troubles := s.connect(ctx, config)
	for _, c := range config.Clusters {
		if err := troubles[c.Address.Name]; err != nil && c.Prometheus != nil && c.Prometheus.Service != "" {
			s.monitoring.fail(c.Address.Name, err)
		}
	}
}

// fail notes why a cluster's Prometheus cannot be asked.
func (m *monitoring) fail(cluster string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.errs == nil {
		m.clients, m.errs = map[string]*prometheus.Client{}, map[string]error{}
	}
	m.errs[cluster] = fmt.Errorf("ask the Prometheus of cluster %s: %w", cluster, err)
}

func prometheusClient(p schema.Prometheus, objects *kube.Client) (*prometheus.Client, error) {
	config := prometheus.Config{
		URL: p.URL, BearerToken: p.BearerToken, Username: p.Username, Password: p.Password, CA: p.CA,
		UserAgent: "hubcap/" + version,
	}
	if p.Service != "" {
		if objects == nil {
			return nil, fmt.Errorf("ask Prometheus %s: there is no API server to ask it through", p.Service)
		}
		var err error
		config.Name = p.Service
		if config.URL, config.Transport, err = objects.Service(p.Service); err != nil {
			return nil, err
		}
	}
	return prometheus.New(config)
}

// samplers are who samples the gates of one cluster. builds counts its build pods;
// nil: nobody does.
func (s *session) samplers(pods run.Sampler, builds func(ctx context.Context, namespace string) (gate.Builds, error)) samplers {
	asks := &prometheus.Sampler{Client: s.monitoring.Client}
	all := samplers{"http": probe.New(), "pods": pods, "builds": pods, "prometheus": asks}
	if builds != nil {
		all["builds"] = &prometheus.BuildSampler{Sampler: asks, Pods: builds}
	}
	return all
}

// people adds the samplers of gates that speak to a hub, or run a program, as
// somebody: client finds their tokens, and may be nil.
func (s samplers) people(config *schema.Config, client *kube.Client) samplers {
	s["launch"] = launch.New(gateToken(config, client))
	s["exec"] = &probe.Exec{Hide: hiding(config)}
	return s
}

// A samplers sends each gate to who samples its kind of check.
type samplers map[string]run.Sampler

// Sample takes one sample of a gate.
func (s samplers) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	sampler := s[q.Gate.Check()]
	if sampler == nil {
		return run.Sample{}, fmt.Errorf("sample gate %s: nobody here makes its check (%q)", q.Gate.Name, q.Gate.Check())
	}
	return sampler.Sample(ctx, q)
}
