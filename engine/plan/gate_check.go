package plan

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Via says through what a launch is made.
type Via string

// The ways to launch.
const (
	ViaJupyterHub Via = "jupyterhub" // its API: the hub and the spawner
	ViaBinderHub  Via = "binderhub"  // its event stream: the builder, the hub, the spawner and the proxy
)

// A LaunchCheck starts a server as a person would, and stops it again. Where its
// token comes from is not part of a plan: see [TokenSource].
type LaunchCheck struct {
	Via     Via           `json:"via"`
	URL     string        `json:"url"`            // of the hub or the binder, with its base path
	Spec    string        `json:"spec,omitempty"` // "gh/USER/REPO/REF", of a binder
	User    string        `json:"user,omitempty"` // of a hub: the gate's own, made and removed again
	Token   *TokenSource  `json:"token,omitempty"`
	Timeout time.Duration `json:"timeout_ns"` // of one launch
}

// A TokenSource is the key of a Secret in the step's cluster that holds a token.
type TokenSource struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Secret    string `json:"secret"`
	Key       string `json:"key"`
}

// An ExecCheck runs a program where hubcap runs: exit code 0 passes, 75 (try again
// later) is inconclusive, any other fails.
type ExecCheck struct {
	Command []string      `json:"command"`
	Dir     string        `json:"dir,omitempty"`
	Timeout time.Duration `json:"timeout_ns"`
}

// A ManualCheck asks people: it passes when somebody says "hubcap promote".
type ManualCheck struct {
	Prompt string `json:"prompt,omitempty"` // what to look at
}

// launchSpec is a repository that is built within seconds, and mostly built
// already: BinderHub's own tests use it.
const launchSpec = "gh/binderhub-ci-repos/cached-minimal-dockerfile/HEAD"

// httpFor returns g with a path made a URL of the hub at site.
func (g Gate) httpFor(site Site) (Gate, string) {
	h := *g.HTTP
	g.HTTP = &h
	switch {
	case !strings.HasPrefix(h.URL, "/"):
		return g, ""
	case site.Type == "":
		return g, "it asks a hub"
	case site.URL == "":
		return g, "it asks the hub's url, and the hub has none"
	}
	h.URL = strings.TrimSuffix(site.URL, "/") + h.URL
	return g, ""
}

// launchFor returns g with its launch directed at the hub at site.
func (g Gate) launchFor(site Site) (Gate, string) {
	l := *g.Launch
	g.Launch = &l
	if site.Type == "" {
		return g, "it launches on a hub"
	}
	if l.Via == "" {
		l.Via = Via(site.Type)
	}
	if l.URL == "" {
		l.URL = site.URL
	}
	if l.Token != nil {
		token := *l.Token
		token.Cluster, token.Namespace = site.Cluster, site.Namespace
		l.Token = &token
	}
	if l.Via == ViaBinderHub {
		l.User, l.Spec = "", cmp.Or(l.Spec, launchSpec)
	} else {
		l.Spec = ""
	}
	if l.URL == "" {
		return g, "it launches at the hub's url, and the hub has none"
	}
	return g, ""
}

// execFor returns g with the placeholders of its command filled in.
func (g Gate) execFor(site Site) (filled Gate, problem string) {
	e := *g.Exec
	e.Command = slices.Clone(e.Command)
	for i := range e.Command {
		if e.Command[i], problem = site.fill(e.Command[i]); problem != "" {
			break
		}
	}
	g.Exec = &e
	return g, problem
}
