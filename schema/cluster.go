package schema

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

var (
	projectName = regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	location    = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+(-[a-z])?$`)
	gkeName     = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$`)
)

// decodeCluster decodes a cluster block: a GKE cluster, a kubeconfig, or a GKE
// cluster whose objects are reached through a kubeconfig.
func decodeCluster(b *body, header Block) entry {
	c := &Cluster{
		Block:      header,
		Kubeconfig: b.path("kubeconfig"),
		Context:    b.nonEmpty("context"),
		Identity:   b.nonEmpty("identity"),
		Prometheus: b.prometheusServer(),
	}
	gke := GKECluster{
		Project:  b.checked("project", "Invalid project", matches(projectName, "is not the ID of a Google Cloud project.")),
		Location: b.checked("location", "Invalid location", matches(location, `is neither a zone ("us-central1-a") nor a region ("us-central1").`)),
		Name:     b.checked("name", "Invalid cluster name", matches(gkeName, "is not the name of a GKE cluster.")),
		Endpoint: b.address("endpoint"),
	}
	if b.has("project") || b.has("location") || b.has("name") || b.has("endpoint") {
		for _, name := range []string{"project", "location", "name"} {
			if !b.has(name) {
				b.errorAt(b.header, "Missing attribute", "A GKE cluster is named by project, location and name; %q is missing.", name)
			}
		}
		c.GKE = &gke
	}
	return c
}

// path returns a path, made relative to where hubcap was started. "~/" is the
// home directory.
func (b *body) path(name string) string {
	path := b.nonEmpty(name)
	if rest, inHome := strings.CutPrefix(path, "~/"); inHome {
		if home, isSet := b.l.opts.Env("HOME"); isSet {
			return filepath.Join(home, rest)
		}
		b.errorIn(name, "Unknown home directory", "%q is in the home directory, and HOME is not set.", path)
	}
	if path == "" {
		return ""
	}
	return b.scope.module.source.path(path)
}

// matches makes a check of a text out of a pattern.
func matches(pattern *regexp.Regexp, problem string) func(string) string {
	return func(s string) string {
		if pattern.MatchString(s) {
			return ""
		}
		return problem
	}
}

func (c *Cluster) addTo(config *Config) { config.Clusters = append(config.Clusters, *c) }

func (c *Cluster) fields() map[string]cty.Value {
	gke := c.GKE
	if gke == nil {
		gke = &GKECluster{}
	}
	server := c.Prometheus
	if server == nil {
		server = &Prometheus{}
	}
	return map[string]cty.Value{
		"name": textValue(gke.Name), "project": textValue(gke.Project), "location": textValue(gke.Location),
		"kubeconfig": textValue(c.Kubeconfig), "context": textValue(c.Context), "prometheus": textValue(server.URL),
	}
}

// clusterRef returns the cluster of a block. It may be left out when the module
// has exactly one.
func (b *body) clusterRef() *target {
	if b.has("cluster") {
		return b.ref("cluster", "cluster")
	}
	b.attribute("cluster")
	m := b.scope.module
	switch names := m.names("cluster"); len(names) {
	case 0:
		b.errorAt(b.header, "Missing attribute", "A %s block needs a cluster, and there is none here. Write a cluster block, and cluster = cluster.NAME.", b.where)
	case 1:
		if t := targetOf(b.l.demand(m.nodes["cluster."+names[0]], b.header)); t != nil {
			return t
		}
		b.errorAt(b.header, "Missing attribute", "cluster %q has for_each, so %s needs cluster = cluster.%s[KEY].", names[0], b.where, names[0])
	default:
		b.errorAt(b.header, "Missing attribute", "There are %d clusters, so %s needs cluster = cluster.NAME, one of %s.", len(names), b.where, quoted(names))
	}
	return nil
}
