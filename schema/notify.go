package schema

import (
	"net/url"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"hubcap/engine/resource"
)

// A Notify says who else is told what a run does. Exactly one target is set.
type Notify struct {
	Block
	On      []string      // "started", "step", "held", "failed", "rolled_back", "stuck", "finished"; empty: all but "step"
	Timeout time.Duration // of one notice
	Grafana *GrafanaTarget
	Slack   *SlackTarget
	Webhook *WebhookTarget
}

// GrafanaTarget is a Grafana in which runs become annotations.
type GrafanaTarget struct {
	URL       string
	Token     resource.Sensitive
	Tags      []string
	Dashboard string // UID; empty: all dashboards
}

// SlackTarget is an incoming webhook of Slack's.
type SlackTarget struct{ URL resource.Sensitive }

// WebhookTarget is any URL that takes JSON.
type WebhookTarget struct {
	URL   resource.Sensitive
	Token resource.Sensitive
}

// notices are what a notify block can ask for.
var notices = []string{"started", "step", "held", "failed", "rolled_back", "stuck", "finished"}

// The longest a notice may take: it never delays a run, but its end.
const (
	notifyTimeout = 5 * time.Second
	longestNotice = 30 * time.Second
)

// decodeNotify decodes a notify block: one target, and when it is told.
func decodeNotify(b *body, header Block) entry {
	n := &Notify{Block: header, On: b.words("on", notices...), Timeout: b.positive("timeout")}
	switch {
	case n.Timeout == 0:
		n.Timeout = notifyTimeout
	case n.Timeout > longestNotice:
		b.errorIn("timeout", "Timeout too long", "A notice may take %s at most: it is sent beside a run, and the command waits for the last one.", longestNotice)
	}
	targets := 0
	if g := b.block("grafana"); g != nil {
		targets++
		g.require("url")
		n.Grafana = &GrafanaTarget{URL: g.address("url"), Token: g.secretText("token"), Tags: g.texts("tags"), Dashboard: g.text("dashboard")}
		g.done()
	}
	if s := b.block("slack"); s != nil {
		targets++
		n.Slack = &SlackTarget{URL: s.secretURL("url")}
		s.done()
	}
	if w := b.block("webhook"); w != nil {
		targets++
		n.Webhook = &WebhookTarget{URL: w.secretURL("url"), Token: w.secretText("token")}
		w.done()
	}
	switch {
	case targets == 0:
		b.errorAt(b.header, "Notify without a target", "A notify block has exactly one target: a grafana, slack or webhook block.")
	case targets > 1:
		b.errorAt(b.header, "Notify with several targets", "A notify block has exactly one target. Write a second notify block for the other one.")
	}
	return n
}

// secretURL returns a URL that is a secret by itself. What is wrong with it is
// said without it.
func (b *body) secretURL(name string) resource.Sensitive {
	b.require(name)
	secret := b.secretText(name)
	if secret.Reveal() == "" {
		return secret
	}
	u, err := url.Parse(secret.Reveal())
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		b.errorIn(name, "Invalid URL", "%s.%s is not a URL that begins with https:// or http://. It is not shown here because it is a secret.", b.where, name)
	}
	return secret
}

// words returns a list of words, each one of the allowed.
func (b *body) words(name string, allowed ...string) []string {
	var list []string
	for i, word := range b.texts(name) {
		if !slices.Contains(allowed, word) {
			b.errorAt(b.elementAt(name, i), "Unknown value", "%q is not a value of %s, which is among %s.%s", shorten(word), name, quoted(allowed), suggestion(word, allowed))
			continue
		}
		list = append(list, word)
	}
	return list
}

func (n *Notify) addTo(config *Config) { config.Notifies = append(config.Notifies, *n) }

func (n *Notify) fields() map[string]cty.Value { return map[string]cty.Value{} }
