package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
	"hubcap/providers/gke"
	"hubcap/providers/kube"
	"hubcap/providers/records"
	"hubcap/schema"
)

// open loads the config and connects every cluster of it.
func (s *session) open(ctx context.Context) (*engine.Engine, error) {
	config, err := s.load()
	if err != nil {
		return nil, err
	}
	if s.kubeContext != "" && len(config.Clusters) > 1 {
		return nil, usage("--context: the config has %d clusters, and one context cannot be all of them", len(config.Clusters))
	}
	e, troubles := s.connect(ctx, config)
	for _, c := range config.Clusters {
		err := troubles[c.Address.Name]
		var other *engine.IdentityError
		if errors.As(err, &other) {
			return nil, s.diagnose(hcl.Diagnostics{other.Diagnostic(c)}, config.Files)
		}
		if errors.Is(err, kube.ErrForbidden) { // it is there, and not to be read
			return nil, &exit{code: exitIncomplete, err: fmt.Errorf("connect cluster %s: %w", c.Address.Name, err)}
		}
		if err != nil {
			return nil, fmt.Errorf("connect cluster %s: %w", c.Address.Name, err)
		}
	}
	return e, nil
}

// connect connects the clusters of config at once. The engine has those that
// could be reached; troubles says why the others could not.
func (s *session) connect(ctx context.Context, config *schema.Config) (e *engine.Engine, troubles map[string]error) {
	e = &engine.Engine{
		Version: version, Commit: s.commit(ctx), Holder: s.holder(),
		Config: config, Clusters: map[string]*engine.Cluster{}, Now: s.now, Handover: s.handover,
	}
	troubles = map[string]error{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, c := range config.Clusters {
		wait.Go(func() {
			cluster, err := s.cluster(ctx, config, c, e.Commit)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				troubles[c.Address.Name] = err
				return
			}
			e.Clusters[c.Address.Name] = cluster
		})
	}
	wait.Wait()
	return e, troubles
}

// cluster connects one cluster.
func (s *session) cluster(ctx context.Context, config *schema.Config, c schema.Cluster, commit string) (*engine.Cluster, error) {
	if path, _ := s.env(memoryVariable); path != "" {
		return s.memoryCluster(config, c, path)
	}
	name := c.Address.Name
	r, err := s.reach(ctx, config, c)
	if err != nil {
		return nil, err
	}
	if r.unread != nil {
		return nil, r.unread
	}
	client := r.client
	namespace := config.Settings.JournalNamespace
	patient, err := client.Patient()
	if err != nil {
		return nil, err
	}
	kept := records.New(patient, namespace, name)
	kept.Warn = func(text string) { s.beside(fmt.Sprintf("cluster %s: %s", name, text)) }
	objects := &kube.Provider{
		Client: client, Cluster: name, Owner: config.Settings.Name, Identity: r.identity,
		FieldManager: config.Settings.FieldManager, Deletable: s.permitted.has, Now: s.now, Seals: kept,
	}
	objects.Stamp("", commit)
	facts, err := objects.Facts(ctx)
	if err != nil {
		return nil, err
	}
	s.peekAt(name, kept.Held)
	s.connected(name, client)
	s.monitoring.add(c, client)
	routes, room := &router{objects: objects}, &kube.Room{Client: client}
	if r.pools != nil {
		r.pools.ClusterUID, r.pools.Seals, r.pools.Records = r.identity, kept, kept
		routes.pools, room.Pools = r.pools, shapes(r.pools)
	}
	return &engine.Cluster{
		Name: name, Where: r.where, Identity: r.identity, GKE: r.gke, Facts: facts,
		Reader: routes, Writer: routes, Prober: routes, Sampler: s.samplers(objects, objects.Builds).people(config, client),
		Census: &kube.Census{Client: client}, Watcher: room,
		Checker: &kube.Preflight{Client: client, Namespace: namespace, LockNamespace: records.LockNamespace, LockName: records.LockName},
		Locker:  kept, Store: s.mirror(kept, name), Keys: kept, Seals: kept, Sealer: routes, Rotator: kept, Origins: kept, Images: kept, Orders: kept, Journal: kept,
	}, nil
}

// shapes returns what reads how a cluster's node pools are, and how far they may grow.
func shapes(p *gke.Provider) func(context.Context) (kube.Pools, error) {
	return func(ctx context.Context) (kube.Pools, error) {
		found, err := p.Inventory(ctx)
		if err != nil {
			return kube.Pools{}, err
		}
		pools := kube.Pools{Locations: found.Locations, ByName: map[string]resource.Object{}}
		for _, l := range found.Pools {
			pools.ByName[l.ID.Name] = l.Object
		}
		return pools, nil
	}
}

// kubeOptions are the cluster's own, unless flags say otherwise.
func (s *session) kubeOptions(c schema.Cluster) kube.Options {
	options := kube.Options{Kubeconfig: c.Kubeconfig, Context: c.Context, UserAgent: "hubcap/" + version}
	if s.kubeconfig != "" {
		options.Kubeconfig = s.kubeconfig
	}
	if s.kubeContext != "" {
		options.Context = s.kubeContext
	}
	return options
}

// gkeProvider is nil for a cluster that is not on GKE.
func (s *session) gkeProvider(config *schema.Config, c schema.Cluster) (*gke.Provider, error) {
	if c.GKE == nil {
		return nil, nil
	}
	return gke.New(gke.Config{
		Cluster: c.Address.Name, Project: c.GKE.Project, Location: c.GKE.Location, Name: c.GKE.Name,
		Owner: config.Settings.Name, Endpoint: c.GKE.Endpoint, Progress: s.pools,
	})
}

// A peeker returns who holds a cluster's lock, or nil, and takes nothing.
type peeker func(ctx context.Context) (*engine.LockedError, error)

func (s *session) peekAt(cluster string, p peeker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks == nil {
		s.locks = map[string]peeker{}
	}
	s.locks[cluster] = p
}

// connected remembers the connection to a cluster.
func (s *session) connected(cluster string, client *kube.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients == nil {
		s.clients = map[string]*kube.Client{}
	}
	s.clients[cluster] = client
}

// mirror keeps a copy of the journal on this machine, beside the store.
func (s *session) mirror(store engine.Store, cluster string) engine.Store {
	dir := s.stateDir()
	if dir == "" {
		return store
	}
	return &records.Mirror{
		Store: store, Dir: filepath.Join(dir, "hubcap", "runs", strings.ReplaceAll(cluster, string(filepath.Separator), "_")),
		Warn: s.beside,
	}
}

func (s *session) stateDir() string {
	if dir, _ := s.env("XDG_STATE_HOME"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state")
}

// beside warns of something: through the view of the run under way if there is one, so
// that a terminal that takes no output holds nothing up.
func (s *session) beside(text string) {
	s.mu.Lock()
	notify := s.notify
	s.mu.Unlock()
	if notify == nil {
		s.warn("hubcap: %s", text)
		return
	}
	notify(run.Warned{Text: text})
}

// pools passes on what the GKE provider waits for.
func (s *session) pools(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notify != nil {
		s.notify(run.Noted{Text: text})
	}
}

// A permit says which objects a plan deletes: the provider asks before it deletes
// what people's work may be on.
type permit struct {
	mu      sync.Mutex
	deleted map[resource.ID]bool
}

// grant permits the deletions of p.
func (p *permit) grant(plan *plan.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deleted = map[resource.ID]bool{}
	if plan == nil {
		return
	}
	for _, step := range plan.Steps() {
		for _, c := range step.Changes {
			if c.Action == resource.Delete {
				p.deleted[c.ID] = true
			}
		}
	}
}

func (p *permit) has(id resource.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deleted[id]
}
