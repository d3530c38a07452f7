package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
	"hubcap/providers/kube"
	"hubcap/schema"
)

// A detached is what a run needs of its config beside its plan: where the
// clusters are, who is told, and with which tokens gates speak. It holds secrets,
// and lies in a Secret of the cluster where the run goes on.
type detached struct {
	FormatVersion string            `json:"format_version"`
	Home          string            `json:"home"` // cluster in which the Job runs
	Name          string            `json:"name"`
	FieldManager  string            `json:"field_manager"`
	Namespace     string            `json:"namespace"` // of the journal
	Clusters      []detachedCluster `json:"clusters"`
	Hubs          []detachedHub     `json:"hubs,omitempty"`
	Tokens        []detachedToken   `json:"tokens,omitempty"`
	Notifies      []detachedNotify  `json:"notifies,omitempty"`
}

type detachedCluster struct {
	Address    resource.Address    `json:"address"`
	GKE        *schema.GKECluster  `json:"gke,omitempty"`
	Identity   string              `json:"identity,omitempty"`
	Prometheus *detachedPrometheus `json:"prometheus,omitempty"`
}

type detachedPrometheus struct {
	URL         string `json:"url,omitempty"`
	Service     string `json:"service,omitempty"`
	BearerToken string `json:"bearer_token,omitempty"`
	Username    string `json:"username,omitempty"`
	Password    string `json:"password,omitempty"`
	CA          string `json:"ca,omitempty"`
}

type detachedHub struct {
	Address   resource.Address `json:"address"`
	Type      schema.HubType   `json:"type"`
	Cluster   resource.Address `json:"cluster"`
	Namespace string           `json:"namespace"`
	Release   string           `json:"release"`
	URL       string           `json:"url,omitempty"`
}

type detachedToken struct {
	Gate  resource.Address `json:"gate"`
	Token string           `json:"token"`
}

type detachedNotify struct {
	Address   resource.Address `json:"address"`
	On        []string         `json:"on,omitempty"`
	Timeout   time.Duration    `json:"timeout_ns"`
	Target    string           `json:"target"` // "grafana", "slack", "webhook"
	URL       string           `json:"url"`
	Token     string           `json:"token,omitempty"`
	Tags      []string         `json:"tags,omitempty"`
	Dashboard string           `json:"dashboard,omitempty"`
}

// detach returns what a run needs of config where it goes on: in the cluster home.
// Other clusters must be on GKE, because a kubeconfig does not go along.
func detach(config *schema.Config, home string) ([]byte, error) {
	d := detached{
		FormatVersion: "1.0", Home: home, Name: config.Settings.Name,
		FieldManager: config.Settings.FieldManager, Namespace: config.Settings.JournalNamespace,
	}
	for _, c := range config.Clusters {
		if c.Address.Name != home && c.GKE == nil {
			return nil, fmt.Errorf("detach: cluster %s is reached by a kubeconfig, which does not go along; only GKE clusters beside %s can be changed from there", c.Address.Name, home)
		}
		out := detachedCluster{Address: c.Address, GKE: c.GKE, Identity: c.Identity}
		if p := c.Prometheus; p != nil {
			out.Prometheus = &detachedPrometheus{
				URL: p.URL, Service: p.Service, BearerToken: p.BearerToken.Reveal(), Username: p.Username, Password: p.Password.Reveal(), CA: p.CA,
			}
		}
		d.Clusters = append(d.Clusters, out)
	}
	for _, h := range config.Hubs {
		d.Hubs = append(d.Hubs, detachedHub{Address: h.Address, Type: h.Type, Cluster: h.Cluster, Namespace: h.Namespace, Release: h.Release, URL: h.URL})
	}
	for _, g := range config.Gates {
		if g.Exec != nil {
			return nil, fmt.Errorf("detach: %s runs a program, which does not go along", g.Address)
		}
		if g.Launch != nil && g.Launch.Token.Reveal() != "" {
			d.Tokens = append(d.Tokens, detachedToken{Gate: g.Address, Token: g.Launch.Token.Reveal()})
		}
	}
	for _, n := range config.Notifies {
		d.Notifies = append(d.Notifies, detachNotify(n))
	}
	return json.Marshal(d)
}

func detachNotify(n schema.Notify) detachedNotify {
	out := detachedNotify{Address: n.Address, On: n.On, Timeout: n.Timeout}
	switch {
	case n.Grafana != nil:
		out.Target, out.URL, out.Token = "grafana", n.Grafana.URL, n.Grafana.Token.Reveal()
		out.Tags, out.Dashboard = n.Grafana.Tags, n.Grafana.Dashboard
	case n.Slack != nil:
		out.Target, out.URL = "slack", n.Slack.URL.Reveal()
	case n.Webhook != nil:
		out.Target, out.URL, out.Token = "webhook", n.Webhook.URL.Reveal(), n.Webhook.Token.Reveal()
	}
	return out
}

// attached reads what a detached run must know, when this is one.
func (s *session) attached() (*schema.Config, error) {
	path, _ := s.env(kube.HandoverVariable)
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read what the detached run must know: %w", err)
	}
	var d detached
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("read what the detached run must know: %s is not what hubcap wrote", path) // the cause may quote a secret
	}
	s.inside, s.handover = d.Home, text
	return d.config(), nil
}

func (d detached) config() *schema.Config {
	c := &schema.Config{Files: map[string]*hcl.File{}, Settings: schema.Settings{
		Name: d.Name, FieldManager: d.FieldManager, JournalNamespace: d.Namespace,
	}}
	for _, in := range d.Clusters {
		out := schema.Cluster{Block: schema.Block{Address: in.Address}, GKE: in.GKE, Identity: in.Identity}
		if p := in.Prometheus; p != nil {
			out.Prometheus = &schema.Prometheus{
				URL: p.URL, Service: p.Service, BearerToken: resource.Secret(p.BearerToken), Username: p.Username,
				Password: resource.Secret(p.Password), CA: p.CA,
			}
			c.Sensitive = append(c.Sensitive, out.Prometheus.BearerToken, out.Prometheus.Password)
		}
		c.Clusters = append(c.Clusters, out)
	}
	for _, h := range d.Hubs {
		c.Hubs = append(c.Hubs, schema.Hub{
			Block: schema.Block{Address: h.Address}, Type: h.Type, Cluster: h.Cluster, Namespace: h.Namespace, Release: h.Release, URL: h.URL,
		})
	}
	for _, t := range d.Tokens {
		token := resource.Secret(t.Token)
		c.Gates = append(c.Gates, schema.Gate{Block: schema.Block{Address: t.Gate}, Launch: &schema.LaunchCheck{Token: token}})
		c.Sensitive = append(c.Sensitive, token)
	}
	for _, n := range d.Notifies {
		c.Notifies = append(c.Notifies, n.notify())
		c.Sensitive = append(c.Sensitive, resource.Secret(n.URL), resource.Secret(n.Token))
	}
	return c
}

func (n detachedNotify) notify() schema.Notify {
	out := schema.Notify{Block: schema.Block{Address: n.Address}, On: n.On, Timeout: n.Timeout}
	switch n.Target {
	case "grafana":
		out.Grafana = &schema.GrafanaTarget{URL: n.URL, Token: resource.Secret(n.Token), Tags: n.Tags, Dashboard: n.Dashboard}
	case "slack":
		out.Slack = &schema.SlackTarget{URL: resource.Secret(n.URL)}
	case "webhook":
		out.Webhook = &schema.WebhookTarget{URL: resource.Secret(n.URL), Token: resource.Secret(n.Token)}
	}
	return out
}
