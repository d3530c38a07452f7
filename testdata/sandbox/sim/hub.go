package sim

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Settings are what the model reads of a hub's configuration. The hub and the
// binder take theirs when they start, as the real ones do.
type Settings struct {
	CullEvery       time.Duration
	ConcurrentSpawn int // 0: no limit
	ActiveServers   int // 0: no limit
	Quota           quota
	ImagePrefix     string
	UserImage       string
	Tokens          []string // of the hub's services
	NodeSelector    map[string]string
}

// A Seen is a namespace as it is in the cluster.
type Seen struct {
	Pods     []Pod
	Settings Settings
	Busy     func(pod string) bool // whether a command about the pod is under way
}

// A Hub is the model of one namespace: a JupyterHub, perhaps with a BinderHub, and
// the people who use it. It has no clock and touches nothing.
type Hub struct {
	Namespace string

	load     Load
	settings Settings
	random   *rand.Rand
	epoch    time.Time     // of simulated time, for metrics that tell a date
	now      time.Duration // simulated
	arrival  time.Duration // of the next user

	hub     *hubProcess // nil: none runs
	binders []*binderProcess
	proxy   string // UID of the pod that serves; "": none
	cull    time.Duration

	servers  map[string]*server // by pod
	launches []*launch          // under way
	leftOver int                // users without a server that nobody deleted
	known    map[string]bool    // users that were made by the API
	records  map[string]record  // of named servers, by pod
	nextID   int
	ledger   ledger
	commands []Command
	dropped  map[string]bool // pods that were told to go
}

// NewHub is a hub where nothing runs yet. The same seed gives the same people.
func NewHub(namespace string, seed uint64, epoch time.Time) *Hub {
	hash := seed
	for _, c := range namespace {
		hash = hash*1099511628211 + uint64(c)
	}
	return &Hub{
		Namespace: namespace, load: DefaultLoad(), random: rand.New(rand.NewPCG(seed, hash)), epoch: epoch,
		servers: map[string]*server{}, ledger: newLedger(), dropped: map[string]bool{}, known: map[string]bool{}, records: map[string]record{},
	}
}

// SetLoad changes what people do from now on.
func (h *Hub) SetLoad(l Load) error {
	if err := l.check(); err != nil {
		return err
	}
	if l.LaunchesPerMinute != h.load.LaunchesPerMinute {
		h.arrival = 0
	}
	if l.Seed != h.load.Seed {
		h.random = rand.New(rand.NewPCG(l.Seed, l.Seed))
	}
	h.load = l
	return nil
}

// Step lets time pass up to now, in a cluster that looks as seen, and returns what
// is to be done there. Real is the time that passed for the processes' CPU.
func (h *Hub) Step(now, real time.Duration, seen Seen) []Command {
	dt := pace{simulated: (now - h.now).Seconds(), real: real.Seconds()}
	h.now = now
	h.settings = seen.Settings
	pods := map[string]Pod{}
	for _, p := range seen.Pods {
		pods[p.Name] = p
	}
	h.runProxy(seen.Pods)
	h.runBinders(seen.Pods, dt)
	h.runHub(seen.Pods, dt)
	h.watchServers(pods, seen.Busy)
	h.arrive()
	h.advance(pods)
	h.cullIdle()
	h.ledger.watch(h, dt)
	done := h.commands
	h.commands = nil
	return done
}

func (h *Hub) do(c Command) {
	if d, isDelete := c.(Delete); isDelete {
		h.dropped[d.Pod] = true
	}
	h.commands = append(h.commands, c)
}

// wall is a simulated instant as seconds since 1970.
func (h *Hub) wall(at time.Duration) float64 { return float64(h.epoch.Add(at).UnixMilli()) / 1000 }

// running is how many servers the hub says are running.
func (h *Hub) running() (n int) {
	for _, s := range h.servers {
		if s.state == serverReady {
			n++
		}
	}
	return n
}

// users is how many users the hub knows.
func (h *Hub) users() int {
	n := len(h.servers) + h.leftOver + len(h.known)
	for _, s := range h.servers {
		if h.known[s.user] {
			n--
		}
	}
	return n
}

// newest returns the pod of the component that was made last, among those that
// are not on their way out.
func newest(pods []Pod, component string) (Pod, bool) {
	var found Pod
	for _, p := range pods {
		if p.Component != component || p.Deleting {
			continue
		}
		if found.Name == "" || p.Created.After(found.Created) {
			found = p
		}
	}
	return found, found.Name != ""
}

func (h *Hub) runProxy(pods []Pod) {
	uid := ""
	if p, exists := newest(pods, proxyComponent); exists && p.Ready {
		uid = p.UID
	}
	if h.proxy != "" && h.proxy != uid { // it went, and with it every connection
		h.ledger.Interrupted += h.running()
	}
	h.proxy = uid
}

// runBinders follows the binder's pods. A launch ends with the binder it came by.
func (h *Hub) runBinders(pods []Pod, dt pace) {
	var alive []*binderProcess
	for _, p := range pods {
		if p.Component != binderComponent || !p.Ready || p.Deleting {
			continue
		}
		b := h.binder(p.Name)
		if b == nil || b.uid != p.UID {
			q := h.settings.Quota
			if q.perRepo == 0 && len(q.repos) == 0 {
				q.perRepo = h.load.PerRepoQuota
			}
			b = newBinderProcess(p, q)
		}
		b.cpu += 0.05 * dt.real
		alive = append(alive, b)
	}
	for _, gone := range h.binders {
		if slices.ContainsFunc(alive, func(b *binderProcess) bool { return b.uid == gone.uid }) {
			continue
		}
		for _, l := range h.launches {
			if l.binder == gone.uid {
				h.end(l, Failed, "the binder stopped")
			}
		}
	}
	h.binders = alive
}

// runHub follows the hub's pod, through its start and its work.
func (h *Hub) runHub(pods []Pod, dt pace) {
	p, exists := newest(pods, hubComponent)
	running := exists && p.Running && !isBroken(p.Tags)
	if h.hub != nil && (!running || h.hub.uid != p.UID) {
		h.stopHub()
	}
	if !running {
		return
	}
	if h.hub == nil {
		h.hub = newHubProcess(p, h.now, h.startup(faultsOf(p.Tags)))
		h.cull = h.now + h.settings.CullEvery
	}
	if !h.hub.up && h.now >= h.hub.readyAt {
		h.hub.up = true
		h.hub.metrics.startup.observe("", h.hub.startup, 1)
		h.hub.metrics.initSpawners.observe("", h.hub.startup/2, 1)
	}
	if h.hub.up && !p.Ready {
		h.do(SetReady{Pod: p.Name, UID: p.UID})
	}
	h.hub.work(h.now, dt, h)
	if h.hub.memory(len(h.servers), h.users()) > h.hub.limit {
		h.do(Restart{Pod: p.Name, UID: p.UID})
		h.ledger.OutOfMemory++
		h.stopHub()
	}
}

// startup is how long the hub takes from its start until it answers: it looks at
// every user it knows.
func (h *Hub) startup(with []Fault) time.Duration {
	s := h.load.StartSeconds + h.load.PerUserStart*float64(h.users())
	if slices.Contains(with, SlowStart) {
		s = s*5 + 600
	}
	return seconds(s)
}

// stopHub ends the process: what it was starting is not started. What runs runs on.
func (h *Hub) stopHub() {
	h.hub = nil
	for _, s := range h.sorted() {
		if s.state == serverPending {
			h.fail(s, "the hub stopped")
		}
	}
}

// sorted returns the servers in the order of their pods' names.
func (h *Hub) sorted() []*server {
	all := make([]*server, 0, len(h.servers))
	for _, s := range h.servers {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *server) int { return strings.Compare(a.pod, b.pod) })
	return all
}
