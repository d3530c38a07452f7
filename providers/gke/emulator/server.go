// Package emulator answers the GKE API (container/v1 over HTTP) from memory:
// clusters, node pools and their long-running operations, with the defaults,
// refusals, quotas and failures of the real one, and with faults on demand.
//
// Place in the pipeline: none; it stands where Google stands, for tests and for
// the sandbox. It imports nothing of this module. Where GKE is known to be
// lenient in ways that hide mistakes it is stricter on purpose: one group of
// fields for each update, and one operation at a time for each cluster.
package emulator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	container "google.golang.org/api/container/v1"
)

// Options shape a [Server]. The zero Options is an empty project without quotas
// whose operations take a fraction of a second.
type Options struct {
	// Clusters exist from the start. Location and Name must be set; Project is
	// taken from Project. Endpoint and MasterAuth.ClusterCaCertificate are kept,
	// so that a look-up leads to a real API server. A cluster without node pools
	// has none.
	Clusters []*container.Cluster
	Project  string // of Clusters; default "sandbox"

	Pending time.Duration // an operation waits so long before it runs; default 20ms
	Work    time.Duration // then runs so long, for each node when nodes are recreated; default 80ms

	// Limits are the regional quotas by name: CPUS, SSD_TOTAL_GB,
	// DISKS_TOTAL_GB, LOCAL_SSD_TOTAL_GB. What is not named is unlimited.
	Limits map[string]float64

	Nodes     NodeSink // told about nodes; may be nil
	StateFile string   // where state survives a restart; empty: nowhere
	Faults    []Fault  // armed from the start
	Now       func() time.Time
}

// A NodeSink makes real what node pools ask for. Its calls for one pool never
// overlap. An error ends the operation that caused it with that error.
type NodeSink interface {
	// Apply makes pool have so many nodes in all, with the labels, taints and
	// shape that the pool has now.
	Apply(ctx context.Context, pool Pool, nodes int) error
	// Remove takes away the pool's nodes; those of an unknown pool are none.
	Remove(ctx context.Context, pool Pool) error
}

// A ClusterRef names a cluster.
type ClusterRef struct {
	Project  string `json:"project"`
	Location string `json:"location"`
	Name     string `json:"name"`
}

// String returns the cluster's resource name: projects/P/locations/L/clusters/C.
func (c ClusterRef) String() string {
	return fmt.Sprintf("projects/%s/locations/%s/clusters/%s", c.Project, c.Location, c.Name)
}

// A Pool is a node pool as it is now, and where it is. NodePool is a copy.
type Pool struct {
	Cluster  ClusterRef          `json:"cluster"`
	NodePool *container.NodePool `json:"node_pool"`
	Nodes    int                 `json:"nodes"` // in all zones
}

// A Request is one that the server answered.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Status int    `json:"status"` // 0 when the connection was cut
}

// A Server is the emulator. It is an [http.Handler], safe for concurrent use.
type Server struct {
	o      Options
	ctx    context.Context
	cancel context.CancelFunc
	drives sync.WaitGroup
	sink   sync.Mutex // keeps calls to the sink apart

	mu       sync.Mutex
	clusters []*cluster
	ops      []*operation
	faults   []*Fault
	requests []Request
	serial   int64
	saveErr  error
}

type cluster struct {
	Ref   ClusterRef         `json:"ref"`
	Body  *container.Cluster `json:"body"` // without NodePools
	Pools []*pool            `json:"pools"`
}

type pool struct {
	Body  *container.NodePool `json:"body"`
	Nodes int                 `json:"nodes"`
}

// New returns a server with the clusters of o, or with those of o.StateFile when
// that file exists. Operations that were under way when the state was saved go on.
func New(o Options) (*Server, error) {
	if o.Pending == 0 {
		o.Pending = 20 * time.Millisecond
	}
	if o.Work == 0 {
		o.Work = 80 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Project == "" {
		o.Project = "sandbox"
	}
	s := &Server{o: o}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for i := range o.Faults {
		if err := s.Inject(o.Faults[i]); err != nil {
			return nil, err
		}
	}
	restored, err := s.load()
	if err != nil {
		return nil, err
	}
	if !restored {
		for _, body := range o.Clusters {
			if err := s.preset(body); err != nil {
				return nil, err
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range s.ops {
		if !op.done() {
			s.start(op)
		}
	}
	return s, nil
}

func (s *Server) preset(body *container.Cluster) error {
	if body.Location == "" || body.Name == "" {
		return fmt.Errorf("preset cluster %q: location and name must be set", body.Name)
	}
	ref := ClusterRef{Project: s.o.Project, Location: body.Location, Name: body.Name}
	pools := body.NodePools
	c := s.addCluster(ref, body)
	for _, p := range pools {
		added, refusal := s.addPool(c, p)
		if refusal != nil {
			return fmt.Errorf("preset node pool %q: %s", p.Name, refusal.message)
		}
		added.Body.Status = "RUNNING"
		added.Nodes = int(p.InitialNodeCount) * len(added.Body.Locations)
	}
	return nil
}

// Close stops all operations where they are, saves the state and waits until
// nothing of the server runs.
func (s *Server) Close() error {
	s.cancel()
	s.drives.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.save()
	return s.saveErr
}

// maxRequests and maxOperations bound what a server that runs for long remembers.
const (
	maxRequests   = 20_000
	maxOperations = 500
)

// Requests returns what was asked so far, oldest first; of very many only the
// later ones.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Pools returns all node pools with their node counts, in order of creation.
func (s *Server) Pools() []Pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pools []Pool
	for _, c := range s.clusters {
		for _, p := range c.Pools {
			pools = append(pools, p.snapshot(c.Ref))
		}
	}
	return pools
}

func (p *pool) snapshot(ref ClusterRef) Pool {
	return Pool{Cluster: ref, NodePool: clone(p.Body), Nodes: p.Nodes}
}

// ServeHTTP answers the GKE API under /v1/ and the emulator's own under
// /_emulator/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_emulator/") {
		s.serveControl(w, r)
		return
	}
	fault := s.match(r.Method, r.URL.Path)
	if fault != nil && !s.before(w, r, fault) {
		return
	}
	status, body := s.answer(r, fault)
	if fault != nil && fault.Kind == LoseResponse {
		s.log(r, 0)
		panic(http.ErrAbortHandler)
	}
	s.log(r, status)
	writeJSON(w, status, body)
}

func (s *Server) answer(r *http.Request, fault *Fault) (int, any) {
	rt := route(r.Method, r.URL.Path)
	if rt.handle == nil {
		return notFound(fmt.Sprintf("Not found: %s.", strings.TrimPrefix(r.URL.Path, "/v1/"))).response()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rt.fault = fault
	body, refusal := rt.handle(s, &rt, r)
	if refusal != nil {
		return refusal.response()
	}
	if r.Method != http.MethodGet {
		s.save()
	}
	return http.StatusOK, body
}

func (s *Server) log(r *http.Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= maxRequests {
		s.requests = s.requests[maxRequests/2:]
	}
	s.requests = append(s.requests, Request{Method: r.Method, Path: r.URL.Path, Status: status})
}

// clone copies an API object through its JSON form.
func clone[T any](v *T) *T {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("emulator: encode %T: %v", v, err))
	}
	c := new(T)
	if err := json.Unmarshal(data, c); err != nil {
		panic(fmt.Sprintf("emulator: decode %T: %v", v, err))
	}
	return c
}
