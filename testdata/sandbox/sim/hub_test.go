package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A town is a namespace without a cluster: pods get ready when time passes, and
// commands are carried out at once.
type town struct {
	t        *testing.T
	hub      *Hub
	pods     map[string]Pod
	settings Settings
	now      time.Duration
	made     int
}

func newTown(t *testing.T, hubTag string) *town {
	c := &town{t: t, hub: NewHub("prod", 7, time.Unix(0, 0)), pods: map[string]Pod{}, settings: Settings{CullEvery: 10 * time.Minute}}
	c.run(hubComponent, hubTag)
	c.run(proxyComponent, "5.3.0")
	c.pass(time.Minute)
	return c
}

// binder adds a BinderHub.
func (c *town) binder(tag string, q quota) {
	c.settings.ImagePrefix, c.settings.Quota = "r2d-", q
	c.run(binderComponent, tag)
	c.pass(time.Second)
}

// run replaces the pod of a component by one of that tag.
func (c *town) run(component, tag string) {
	c.made++
	ready := component != hubComponent && !isBroken([]string{tag})
	c.pods[component] = Pod{
		Namespace: "prod", Name: component, UID: fmt.Sprint(c.made), Component: component, Tags: []string{tag},
		Running: true, Ready: ready, Created: time.Unix(int64(c.made), 0),
	}
}

func (c *town) load(change func(*Load)) {
	c.t.Helper()
	l := c.hub.load
	change(&l)
	if err := c.hub.SetLoad(l); err != nil {
		c.t.Fatal(err)
	}
}

// pass lets time pass, in steps of six seconds.
func (c *town) pass(d time.Duration) {
	for end := c.now + d; c.now < end; {
		c.now += 6 * time.Second
		seen := Seen{Settings: c.settings, Busy: func(string) bool { return false }}
		for _, p := range c.pods {
			seen.Pods = append(seen.Pods, p)
		}
		slices.SortFunc(seen.Pods, func(a, b Pod) int { return strings.Compare(a.Name, b.Name) })
		for _, command := range c.hub.Step(c.now, 100*time.Millisecond, seen) {
			c.carryOut(command)
		}
	}
}

func (c *town) carryOut(command Command) {
	switch command := command.(type) {
	case CreateUser:
		c.pods[command.Pod] = Pod{Namespace: "prod", Name: command.Pod, UID: command.Pod, Component: userComponent, Running: true, Ready: true}
	case CreateBuild:
		c.pods[command.Pod] = Pod{Namespace: "prod", Name: command.Pod, UID: command.Pod, Component: buildComponent, Running: true, Ready: true}
	case Delete:
		delete(c.pods, command.Pod)
	case SetReady:
		p := c.pods[command.Pod]
		p.Ready = true
		c.pods[command.Pod] = p
	case Restart:
		p := c.pods[command.Pod]
		p.Ready = false
		c.pods[command.Pod] = p
	}
}

// metric sums the samples of a name whose labels contain all the texts.
func (c *town) metric(name string, with ...string) float64 {
	c.t.Helper()
	var text strings.Builder
	if c.hub.hub != nil {
		c.hub.writeHub(&text)
	}
	for _, b := range c.hub.binders {
		c.hub.writeBinder(&text, b)
	}
	sum := 0.0
	for line := range strings.Lines(text.String()) {
		full, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		base, labels, _ := strings.Cut(full, "{")
		if base != name || slices.ContainsFunc(with, func(w string) bool { return !strings.Contains(labels, w) }) {
			continue
		}
		var v float64
		if _, err := fmt.Sscan(value, &v); err != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		sum += v
	}
	return sum
}

func (c *town) report() Report { return c.hub.report() }

func TestSoundHubServes(t *testing.T) {
	c := newTown(t, "4.0.0")
	c.binder("1.0.0", quota{})
	c.load(func(l *Load) { l.LaunchesPerMinute, l.BuildShare = 6, 0.1 })
	c.pass(2 * time.Hour)
	r := c.report()
	if r.Launches < 500 || r.Failures != 0 || r.Degraded != 0 || r.Lost != 0 || r.Interrupted != 0 {
		t.Errorf("a sound hub: %+v", r)
	}
	if r.Running < 60 || r.Running > 300 { // 6 a minute for 20 minutes and up to 10 more until they are culled
		t.Errorf("%d servers run", r.Running)
	}
	if r.Cores > 0.5 || r.MemoryBytes > 500*mib {
		t.Errorf("it uses %.2f cores and %.0f MiB", r.Cores, r.MemoryBytes/mib)
	}
	for name, want := range map[string]float64{
		`jupyterhub_server_spawn_duration_seconds_count`: r.Spawns,
		`jupyterhub_running_servers`:                     float64(r.Running),
	} {
		if got := c.metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if built := c.metric("binderhub_build_count_total", `status="success"`); built < 20 {
		t.Errorf("%v builds succeeded", built)
	}
	if launched := c.metric("binderhub_launch_time_seconds_count", `status="success"`); launched != float64(r.Succeeded) {
		t.Errorf("the binder counts %v launches, the people %d", launched, r.Succeeded)
	}
}

func TestSameSeedSamePeople(t *testing.T) {
	live := func() Report {
		c := newTown(t, "4.0.0-errors")
		c.load(func(l *Load) { l.LaunchesPerMinute = 10 })
		c.pass(time.Hour)
		return c.report()
	}
	if a, b := live(), live(); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("one was\n%+v, the other\n%+v", a, b)
	}
}

func TestFaults(t *testing.T) {
	const early = 10 * time.Minute
	for _, f := range []struct {
		hub, binder string
		perMinute   float64
		early, late func(*testing.T, *town, Report)
		reason      string
	}{
		{
			hub: "4.0.1-leak", perMinute: 6,
			early: func(t *testing.T, c *town, r Report) {
				if r.Failures > 0 || r.Cores > 0.7 || r.MemoryBytes > 1024*mib {
					t.Errorf("a threshold is passed early: %+v", r)
				}
				if per := (r.MemoryBytes - baseMemory) / r.Spawns; per < 2*mib {
					t.Errorf("only %.1f MiB are lost with each spawn", per/mib)
				}
			},
			late: func(t *testing.T, c *town, r Report) {
				if r.Failures < 50 || r.Degraded < 10 {
					t.Errorf("it never becomes unresponsive: %+v", r)
				}
			},
			reason: "a leak shows after an hour",
		},
		{
			hub: "flood-2", perMinute: 6,
			early: func(t *testing.T, c *town, r Report) {
				if r.Failures > 0 {
					t.Errorf("launches fail early: %+v", r)
				}
				if n := c.metric("jupyterhub_request_duration_seconds_count", `code="400"`, `method="DELETE"`); n < 300 {
					t.Errorf("%v requests were answered with 400", n)
				}
			},
			late: func(t *testing.T, c *town, r Report) {
				if r.Users < 2*r.Running || r.Failures == 0 {
					t.Errorf("users do not pile up until the hub fails: %+v", r)
				}
			},
			reason: "the culler floods the hub, more with each user it leaves",
		},
		{
			hub: "underload-1", perMinute: 5,
			early: func(t *testing.T, c *town, r Report) {
				if r.Failures > 0 {
					t.Errorf("launches fail without load: %+v", r)
				}
				c.load(func(l *Load) { l.LaunchesPerMinute = 60 })
			},
			late: func(t *testing.T, c *town, r Report) {
				if r.Failures < r.Launches/3 {
					t.Errorf("launches do not fail under load: %+v", r)
				}
			},
			reason: "what breaks only under load",
		},
		{
			hub: "errors", perMinute: 5,
			early: func(t *testing.T, c *town, r Report) {
				if n := c.metric("jupyterhub_request_duration_seconds_count", `code="500"`); n == 0 || r.Failures == 0 {
					t.Errorf("%v requests were answered with 500: %+v", n, r)
				}
			},
			reason: "plain errors",
		},
		{
			hub: "4.0.0", binder: "binder-599-1", perMinute: 8,
			late: func(t *testing.T, c *town, r Report) {
				before := r.Failures
				if before < 100 || c.metric("binderhub_launch_time_seconds_count", `status="failure"`) < 100 {
					t.Errorf("launches do not time out: %+v", r)
				}
				c.run(binderComponent, "1.0.0")
				c.pass(20 * time.Minute)
				after := c.report()
				if failed := after.Failures - before; failed > 60 || after.Succeeded == r.Succeeded {
					t.Errorf("a new binder does not help: %d failed since, %+v", failed, after)
				}
			},
			reason: "the binder's connections are used up",
		},
		{
			hub: "4.0.0", binder: "1.0.0-buildstuck", perMinute: 8,
			early: func(t *testing.T, c *town, r Report) {
				pods := 0
				for _, p := range c.pods {
					if p.Component == buildComponent {
						pods++
					}
				}
				if n := c.metric("binderhub_inprogress_builds"); n < 10 || pods > 0 {
					t.Errorf("%v builds are in progress and %d pods build", n, pods)
				}
			},
			reason: "builds started, none running",
		},
	} {
		t.Run(f.hub+" "+f.binder, func(t *testing.T) {
			c := newTown(t, f.hub)
			if f.binder != "" {
				c.binder(f.binder, quota{})
			}
			c.load(func(l *Load) { l.LaunchesPerMinute, l.BuildShare = f.perMinute, 0.2 })
			c.pass(early)
			if f.early != nil {
				f.early(t, c, c.report())
			}
			if f.late != nil {
				c.pass(2 * time.Hour)
				f.late(t, c, c.report())
			}
		})
	}
}

func TestHubRestart(t *testing.T) {
	c := newTown(t, "4.0.0")
	c.load(func(l *Load) { l.LaunchesPerMinute = 6 })
	c.pass(time.Hour)
	before := c.report()
	c.run(hubComponent, "4.0.1")
	c.pass(12 * time.Second)
	if r := c.report(); r.HubUp || c.pods[hubComponent].Ready {
		t.Errorf("the hub is up at once: %+v", r)
	}
	c.pass(5 * time.Minute)
	after := c.report()
	if !after.HubUp || !c.pods[hubComponent].Ready || after.Failures == 0 || after.Lost > 0 || after.Running < before.Running/2 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if n := c.metric("jupyterhub_server_spawn_duration_seconds_count"); n >= before.Spawns {
		t.Errorf("the new hub goes on counting at %v", n)
	}
	slow := newTown(t, "slowstart-1")
	if slow.report().HubUp {
		t.Error("a slow hub is up after a minute")
	}
	slow.pass(20 * time.Minute)
	if !slow.report().HubUp {
		t.Error("a slow hub never gets up")
	}
}

func TestBrokenHubNeverAnswers(t *testing.T) {
	for _, tag := range []string{"crash-1", "notready", "badimage-2"} {
		c := newTown(t, tag)
		c.load(func(l *Load) { l.LaunchesPerMinute = 6 })
		c.pass(10 * time.Minute)
		if r := c.report(); r.HubUp || r.Succeeded > 0 || r.Failures == 0 {
			t.Errorf("%s: %+v", tag, r)
		}
	}
}

func TestProxyRestartInterrupts(t *testing.T) {
	c := newTown(t, "4.0.0")
	c.load(func(l *Load) { l.LaunchesPerMinute = 6 })
	c.pass(time.Hour)
	running := c.report().Running
	delete(c.pods, proxyComponent)
	c.pass(6 * time.Second)
	c.run(proxyComponent, "5.3.1")
	c.pass(2 * time.Minute)
	if r := c.report(); r.Interrupted < running-5 || r.Interrupted > running+5 || r.Lost != 0 || r.Degraded == 0 {
		t.Errorf("%d ran, then %+v", running, r)
	}
}

func TestLostSessionsAreCounted(t *testing.T) {
	c := newTown(t, "4.0.0")
	c.load(func(l *Load) { l.LaunchesPerMinute = 6 })
	c.pass(time.Hour)
	for name, p := range c.pods {
		if p.Component == userComponent {
			delete(c.pods, name)
		}
	}
	c.pass(6 * time.Second)
	if r := c.report(); r.Lost < 50 || r.Running > 10 {
		t.Errorf("%+v", r)
	}
}

func TestRepoQuota(t *testing.T) {
	c := newTown(t, "4.0.0")
	c.binder("1.0.0", quota{perRepo: 5})
	c.load(func(l *Load) { l.LaunchesPerMinute, l.Repos = 6, []Repo{{"a/b", 1}} })
	c.pass(30 * time.Minute)
	r := c.report()
	if r.Running > 5 || r.Rejected < 50 || r.Failures > 0 || r.Degraded > 0 {
		t.Errorf("%+v", r)
	}
	if n := c.metric("binderhub_launch_count_total", `status="repo_quota"`); n != float64(r.Rejected) {
		t.Errorf("the binder counts %v, the people %d", n, r.Rejected)
	}
	c.settings.Quota.perRepo = 50
	c.pass(10 * time.Minute)
	if now := c.report(); now.Running > 5 {
		t.Errorf("the binder took a new quota without a restart: %+v", now)
	}
	c.run(binderComponent, "1.0.0")
	c.pass(10 * time.Minute)
	if now := c.report(); now.Running < 10 {
		t.Errorf("the new binder has the old quota: %+v", now)
	}
}

func TestSaturatedHubDoesNotRecoverByItself(t *testing.T) {
	c := newTown(t, "4.0.0")
	c.load(func(l *Load) { l.LaunchesPerMinute, l.Capacity, l.SessionMinutes = 20, 150, 60 })
	c.pass(time.Hour)
	r := c.report()
	if r.Failures == 0 || r.Degraded < 5 || r.Cores < 0.9 {
		t.Errorf("%+v", r)
	}
}

func TestMentions(t *testing.T) {
	for tag, want := range map[string]bool{
		"leak": true, "leak-2": true, "4.0.1-leak": true, "4.leaks": true, "bleak": false, "": false, "4.0.1": false,
	} {
		if got := mentions(tag, string(Leak)); got != want {
			t.Errorf("%q: %v, want %v", tag, got, want)
		}
	}
	if got := faultsOf([]string{tagOf("host:5000/x/binder:binder-599-3"), tagOf("r/culler:flood")}); !slices.Equal(got, []Fault{Flood, Binder599}) {
		t.Errorf("found %v", got)
	}
}
