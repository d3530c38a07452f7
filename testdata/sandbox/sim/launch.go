package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Outcome is how a launch ended; the words are those of BinderHub's
// launch_count.
type Outcome string

// The outcomes.
const (
	Succeeded Outcome = "success"
	Failed    Outcome = "failure"
	RepoQuota Outcome = "repo_quota"
	PodQuota  Outcome = "pod_quota"
)

type stage int

const (
	stageBuild stage = iota + 1
	stageWait        // for the next attempt
	stageSpawn
	stageDone
)

// A launch is one person's way to a server: by the binder, which builds and asks
// the hub again when it fails, or by the hub alone.
type launch struct {
	id      int
	repo    string
	user    string
	binder  string // UID of the binder's pod; "": straight to the hub
	asked   time.Duration
	began   time.Duration // of this attempt
	next    time.Duration // when waiting, or when the build is done
	stage   stage
	retries int
	build   string // pod
	seen    bool   // the build pod was in the cluster
	started time.Duration
	server  *server
	visitor bool // by a request: neither in the ledger, nor leaving by itself
	outcome Outcome
	why     string
}

// most is how many launches may be under way; who comes then finds a dead page.
const most = 2000

// retriesMost is how often the binder asks the hub again.
const retriesMost = 3

// arrive lets the people come whose time it is.
func (h *Hub) arrive() {
	if h.load.LaunchesPerMinute == 0 {
		return
	}
	gap := func() time.Duration { return seconds(60 / h.load.LaunchesPerMinute * h.random.ExpFloat64()) }
	if h.arrival == 0 {
		h.arrival = h.now + gap()
	}
	for h.arrival <= h.now {
		if len(h.launches) < most {
			h.launch(h.pick(), h.arrival, h.random.Float64() < h.load.BuildShare)
		} else {
			h.ledger.record(h.arrival, Failed)
		}
		h.arrival += gap()
	}
}

// pick chooses a repository by weight.
func (h *Hub) pick() string {
	sum := 0.0
	for _, r := range h.load.Repos {
		sum += r.Weight
	}
	at := h.random.Float64() * sum
	for _, r := range h.load.Repos {
		if at -= r.Weight; at < 0 {
			return r.Name
		}
	}
	return h.load.Repos[0].Name
}

// hasBinder reports whether people come by a binder here. Where one has been, they do.
func (h *Hub) hasBinder() bool { return len(h.binders) > 0 || h.settings.ImagePrefix != "" }

// launch begins one.
func (h *Hub) launch(repo string, asked time.Duration, build bool) *launch {
	h.nextID++
	l := &launch{id: h.nextID, repo: repo, asked: asked, stage: stageWait}
	l.user = fmt.Sprintf("%s-%08x", shorten(strings.ToLower(strings.ReplaceAll(repo, "/", "-"))), h.random.Uint32())
	h.launches = append(h.launches, l)
	switch {
	case !h.hasBinder():
	case len(h.binders) == 0:
		h.end(l, Failed, "the binder does not answer")
	default:
		b := h.binders[h.random.IntN(len(h.binders))]
		l.binder = b.uid
		switch {
		case h.overQuota(b, repo):
			h.end(l, RepoQuota, "too many users of "+repo)
		case build:
			h.startBuild(l, b)
		}
	}
	return l
}

// shorten is BinderHub's rule for names of users.
func shorten(s string) string {
	if len(s) > 32 {
		return s[:15] + "-" + s[len(s)-15:]
	}
	return s
}

func (h *Hub) overQuota(b *binderProcess, repo string) bool {
	limit := b.quota.of(repo)
	if limit == 0 {
		return false
	}
	n := 0
	for _, s := range h.servers {
		if s.repo == repo {
			n++
		}
	}
	return n >= limit
}

// startBuild makes the build pod, unless the builder is stuck.
func (h *Hub) startBuild(l *launch, b *binderProcess) {
	l.stage = stageBuild
	l.build = fmt.Sprintf("build-%s-%03x", shorten(strings.ToLower(strings.NewReplacer("/", "-2d", "_", "-5f", ".", "-2e").Replace(l.repo))), l.id)
	l.next = 0
	if !b.has(BuildStuck) {
		h.do(CreateBuild{Pod: l.build, Repo: "https://github.com/" + l.repo, Image: h.image(l.repo)})
	}
}

func (h *Hub) image(repo string) string {
	return h.settings.ImagePrefix + strings.ToLower(strings.ReplaceAll(repo, "/", "-2d")) + ":main"
}

// advance brings every launch on as far as it gets.
func (h *Hub) advance(pods map[string]Pod) {
	for _, l := range slices.Clone(h.launches) {
		switch l.stage {
		case stageBuild:
			h.building(l, pods)
		case stageWait:
			if h.now >= l.next {
				h.attempt(l)
			}
		case stageSpawn:
			h.spawning(l)
		}
	}
	h.launches = slices.DeleteFunc(h.launches, func(l *launch) bool { return l.stage == stageDone })
}

func (h *Hub) building(l *launch, pods map[string]Pod) {
	b := h.binderOf(l)
	p, exists := pods[l.build]
	l.seen = l.seen || exists
	switch {
	case exists && p.Running && l.next == 0:
		l.next = h.now + minutes(h.load.BuildMinutes*(0.5+h.random.Float64()))
		l.started = h.now
	case l.next > 0 && h.now >= l.next, l.seen && !exists, h.now-l.asked > time.Hour:
		status := "success"
		if l.next == 0 || h.now < l.next {
			status = "failure"
		}
		took := (h.now - l.asked).Seconds()
		b.metrics.buildTime.observe(labelled("status", status), took, 1)
		b.metrics.buildCount.add(labelled("provider", "GitHub", "repo", "https://github.com/"+l.repo, "status", status), 1)
		h.do(Delete{Pod: l.build})
		l.stage, l.next = stageWait, h.now
		if status == "failure" {
			h.end(l, Failed, "the build failed")
		}
	}
}

// binderOf returns the binder of a launch that came by one that runs.
func (h *Hub) binderOf(l *launch) *binderProcess {
	i := slices.IndexFunc(h.binders, func(b *binderProcess) bool { return b.uid == l.binder })
	if i < 0 {
		return nil
	}
	return h.binders[i]
}

// attempt asks the hub for the launch's server.
func (h *Hub) attempt(l *launch) {
	if l.retries == 0 && l.began == 0 {
		l.began = h.now
	}
	b := h.binderOf(l)
	if b != nil && b.has(Binder599) {
		b.connects++
		if b.connects > h.load.BinderConnects {
			h.missed(l, errTimeout)
			return
		}
	}
	image := h.settings.UserImage
	if b != nil {
		image = h.image(l.repo)
	}
	s, err := h.spawn(wish{user: l.user, repo: l.repo, image: image})
	if err != nil {
		h.missed(l, err)
		return
	}
	l.server, l.stage = s, stageSpawn
	if !l.visitor {
		s.until = h.now + minutes(h.load.SessionMinutes*h.random.ExpFloat64())
	}
}

func (h *Hub) spawning(l *launch) {
	switch s := l.server; {
	case s.failed != "":
		h.missed(l, fmt.Errorf("HTTP 500: %s", s.failed))
	case s.state == serverReady && h.proxy == "":
		h.missed(l, errProxyDown)
	case s.state == serverReady:
		if s.until > 0 {
			s.until = max(s.until, h.now+time.Second)
		}
		h.end(l, Succeeded, "")
	case s.state == serverStopping:
		h.end(l, Failed, "the server was stopped")
	}
}

// missed is an attempt that failed: the binder tries again, the hub's own users do not.
func (h *Hub) missed(l *launch, err error) {
	l.server = nil
	wait := 4 * time.Second << l.retries
	if err == errTimeout {
		wait += 20 * time.Second
	}
	b := h.binderOf(l)
	if b == nil || l.retries >= retriesMost {
		h.end(l, Failed, err.Error())
		return
	}
	b.metrics.launchTime.observe(launchStatus("retry", l.retries), (h.now - l.began).Seconds(), 1)
	l.retries++
	l.stage, l.next = stageWait, h.now+wait
}

func launchStatus(status string, retries int) metricLabels {
	return labelled("status", status, "retries", fmt.Sprint(retries))
}

// end is the launch's end, whichever.
func (h *Hub) end(l *launch, o Outcome, why string) {
	if l.stage == stageDone {
		return
	}
	if l.stage == stageBuild && l.build != "" {
		h.do(Delete{Pod: l.build})
	}
	l.stage, l.outcome, l.why = stageDone, o, why
	if b := h.binderOf(l); b != nil {
		repo := "https://github.com/" + l.repo
		b.metrics.launchCount.add(labelled("provider", "GitHub", "repo", repo, "status", string(o)), 1)
		switch o {
		case Succeeded:
			b.metrics.launchTime.observe(launchStatus("success", l.retries), (h.now - l.began).Seconds(), 1)
		case Failed:
			b.metrics.launchTime.observe(launchStatus("failure", -1), (h.now - l.asked).Seconds(), 1)
		}
	}
	if !l.visitor {
		h.ledger.record(l.asked, o)
	}
}
