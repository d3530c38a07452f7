// Package sim plays the programs that would run in the sandbox's hub, proxy and
// binder pods, and the people who use them: KWOK says that a pod runs, and this
// says what it does. It serves the metrics and the HTTP surfaces of JupyterHub and
// BinderHub under their real names, and makes and deletes the pods of user servers
// and builds in the cluster, so that whoever counts or watches them sees what a
// real hub would show.
//
// It stands outside the pipeline, beside the other programs of the sandbox. A
// [Hub] is the model of one namespace, without clock or cluster; a [Simulator]
// gives each its time and carries out what it wants.
package sim

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Options are how a simulator starts.
type Options struct {
	API    kubernetes.Interface
	URL    string      // where Handler is served; for the scrape targets and links
	Seed   uint64      // of the people
	Factor float64     // simulated seconds in a real one
	Report func(error) // what could not be done in the cluster
	Clock  func() time.Time
}

// A Simulator runs the models of all hubs in a cluster.
type Simulator struct {
	opts    Options
	factory informers.SharedInformerFactory
	grafana *grafana
	doers   chan struct{} // holds a token for each command under way
	work    sync.WaitGroup

	mu      sync.Mutex
	hubs    map[string]*Hub
	factor  float64
	epoch   time.Time     // real and simulated time were the same then
	last    time.Time     // real
	now     time.Duration // simulated, since epoch
	configs map[string]parsed
	turns   map[string][]Command // of each namespace/pod: the one under way, and those that wait
}

// atOnce is how many commands are carried out at one time, tick how often time
// passes.
const (
	atOnce = 16
	tick   = 100 * time.Millisecond
)

// New prepares a simulator; nothing happens before Run.
func New(opts Options) *Simulator {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	return &Simulator{
		opts: opts, factory: informers.NewSharedInformerFactory(opts.API, 0), grafana: newGrafana(),
		doers: make(chan struct{}, atOnce), hubs: map[string]*Hub{}, factor: opts.Factor,
		configs: map[string]parsed{}, turns: map[string][]Command{},
	}
}

// Run plays until ctx is done.
func (s *Simulator) Run(ctx context.Context) error {
	core := s.factory.Core().V1()
	informers := []cache.SharedIndexInformer{core.Pods().Informer(), core.Namespaces().Informer(), core.Secrets().Informer(), core.Nodes().Informer()}
	if err := s.install(ctx); err != nil {
		return err
	}
	s.factory.Start(ctx.Done())
	for _, i := range informers {
		if !cache.WaitForCacheSync(ctx.Done(), i.HasSynced) {
			return ctx.Err()
		}
	}
	defer s.factory.Shutdown()
	s.mu.Lock()
	s.epoch = s.opts.Clock()
	s.last = s.epoch
	s.mu.Unlock()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	defer s.work.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.step(ctx)
		}
	}
}

// step lets the time since the last step pass for every hub.
func (s *Simulator) step(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	real := s.opts.Clock().Sub(s.last)
	s.last = s.last.Add(real)
	s.now += time.Duration(float64(real) * s.factor)
	seen := s.look()
	for _, namespace := range slices.Sorted(maps.Keys(s.hubs)) {
		for _, c := range s.hubs[namespace].Step(s.now, real, seen[namespace]) {
			s.queue(ctx, namespace, c)
		}
	}
}

// queue has a command carried out after those of the same pod that came before.
func (s *Simulator) queue(ctx context.Context, namespace string, c Command) {
	key := namespace + "/" + podIn(c)
	if n := len(s.turns[key]); n > 0 && s.turns[key][n-1] == c {
		return // said again because its effect is not seen yet
	}
	s.turns[key] = append(s.turns[key], c)
	if len(s.turns[key]) > 1 {
		return
	}
	s.work.Go(func() {
		for c != nil {
			s.doers <- struct{}{}
			if err := s.carryOut(ctx, namespace, c); err != nil && ctx.Err() == nil {
				s.opts.Report(fmt.Errorf("simulate %s: %w", namespace, err))
			}
			<-s.doers
			c = s.next(key)
		}
	})
}

// next returns the command that waits for the one that is done, or nil.
func (s *Simulator) next(key string) Command {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns[key] = s.turns[key][1:]
	if len(s.turns[key]) > 0 {
		return s.turns[key][0]
	}
	delete(s.turns, key)
	return nil
}

// look reads the namespaces that have, or had, a hub.
func (s *Simulator) look() map[string]Seen {
	seen := map[string]Seen{}
	pods, _ := s.factory.Core().V1().Pods().Lister().List(labels.Everything()) // from memory: it cannot fail
	for _, p := range pods {
		component := p.Labels["component"]
		if component == hubComponent && p.Labels["app"] != "" {
			s.hub(p.Namespace)
		}
		if _, simulated := s.hubs[p.Namespace]; simulated || component != "" {
			all := seen[p.Namespace]
			all.Pods = append(all.Pods, podFrom(p))
			seen[p.Namespace] = all
		}
	}
	for namespace := range s.hubs {
		n, err := s.factory.Core().V1().Namespaces().Lister().Get(namespace)
		if err != nil || n.Status.Phase == corev1.NamespaceTerminating {
			delete(s.hubs, namespace)
			continue
		}
		all := seen[namespace]
		all.Settings = s.settings(namespace)
		all.Busy = func(pod string) bool { return len(s.turns[namespace+"/"+pod]) > 0 }
		seen[namespace] = all
	}
	return seen
}

// hub returns the model of a namespace, which it makes at first.
func (s *Simulator) hub(namespace string) *Hub {
	h, exists := s.hubs[namespace]
	if !exists {
		h = NewHub(namespace, s.opts.Seed, s.epoch)
		h.now = s.now
		s.hubs[namespace] = h
	}
	return h
}

// Handler serves everything: the metrics and the surfaces of each hub, the control
// of the simulator under /_sim/, and a Grafana under /_grafana/.
func (s *Simulator) Handler() http.Handler {
	mux := http.NewServeMux()
	s.control(mux)
	s.grafana.routes(mux)
	s.surfaces(mux)
	return mux
}
