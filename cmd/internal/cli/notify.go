package cli

import (
	"sync"
	"time"

	"hubcap/engine/run"
	"hubcap/providers/kube"
	"hubcap/providers/notify"
	"hubcap/schema"
)

// Notices never delay a run. Its end waits so long for the last of them.
const lastNotices = 3 * time.Second

// quietly are the notices that a notify block gets when it does not say: a line
// for every step that is done would be noise.
var quietly = []run.NoticeKind{
	run.NoticeStarted, run.NoticeHeld, run.NoticeFailed, run.NoticeRolledBack, run.NoticeStuck, run.NoticeFinished,
}

// A crowd are those who are told what a run does beside whoever watches it.
type crowd struct {
	notifier *notify.Notifier
	now      func() time.Time

	mu    sync.Mutex
	crier run.Crier
}

// crowd starts the notifier of a config. warn must not block.
func (s *session) crowd(config *schema.Config, warn func(string)) *crowd {
	targets := s.events()
	for _, n := range config.Notifies {
		t := notify.Target{Name: n.Address.String(), Timeout: n.Timeout, On: quietly}
		if len(n.On) > 0 {
			t.On = nil
		}
		for _, kind := range n.On {
			t.On = append(t.On, run.NoticeKind(kind))
		}
		switch {
		case n.Grafana != nil:
			t.Sink = notify.Grafana{URL: n.Grafana.URL, Token: n.Grafana.Token, Tags: n.Grafana.Tags, Dashboard: n.Grafana.Dashboard}
		case n.Slack != nil:
			t.Sink = notify.Slack{URL: n.Slack.URL}
		case n.Webhook != nil:
			t.Sink = notify.Webhook{URL: n.Webhook.URL, Token: n.Webhook.Token}
		}
		targets = append(targets, t)
	}
	return &crowd{notifier: notify.New(targets, warn), now: s.now}
}

// events are the clusters' own: a step leaves an Event on what it touched.
func (s *session) events() []notify.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	var targets []notify.Target
	for cluster, client := range s.clients {
		events := &kube.Events{Client: client, Cluster: cluster, Now: s.now}
		targets = append(targets, notify.Target{Name: "events of cluster " + cluster, Sink: events})
	}
	return targets
}

// hear passes an event on as a notice, if it is worth one. It never blocks.
func (c *crowd) hear(e run.Event) {
	c.mu.Lock()
	notice, worthy := c.crier.Hear(e, c.now())
	c.mu.Unlock()
	if worthy {
		c.notifier.Notify(notice)
	}
}

func (c *crowd) close() { c.notifier.Close(lastNotices) }
