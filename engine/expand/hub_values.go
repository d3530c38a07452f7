package expand

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// A hubValues gathers the settings of one hub. The keys are those of the
// upstream charts; the built-in ones have the same.
type hubValues struct {
	expansion *expansion
	hub       *schema.Hub
	root      []string // path of the hub's own chart
	jupyter   []string // path of the JupyterHub chart
	known     resource.Object
	settings  []setting
	diags     hcl.Diagnostics
}

// hubLayers returns the values of a hub's chart.
func (e *expansion) hubLayers(hub *schema.Hub, c *chart.Chart) (layers, hcl.Diagnostics) {
	l := layers{files: hub.ValuesFiles, inline: hub.Values}
	v := &hubValues{expansion: e, hub: hub}
	if hub.ValuesRoot != "" {
		v.root = strings.Split(hub.ValuesRoot, ".")
	}
	v.jupyter = v.root
	if hub.Type == schema.BinderHub {
		v.jupyter = append(append([]string{}, v.root...), "jupyterhub")
	}
	if known, err := c.Values(l.written()); err == nil {
		v.known = known // else rendering says what is wrong with them
	}
	v.images()
	v.qos()
	v.pools()
	v.culling()
	v.spawnLimits()
	v.routing()
	if len(hub.Profiles) > 0 {
		v.jupyterhub("profiles", hub.Profiles, "singleuser", "profileList")
	}
	if hub.Type == schema.BinderHub {
		v.binder()
	}
	l.settings = v.settings
	return l, append(v.diags, l.overridden(hub.Block)...)
}

// set adds a setting at a path below the hub's own chart.
func (v *hubValues) set(attr string, value any, path ...string) {
	v.add(setting{path: append(append([]string{}, v.root...), path...), value: value, attr: attr, lay: replacing, block: v.hub.Block})
}

// jupyterhub adds a setting at a path below the JupyterHub chart.
func (v *hubValues) jupyterhub(attr string, value any, path ...string) {
	v.add(setting{path: append(append([]string{}, v.jupyter...), path...), value: value, attr: attr, lay: replacing, block: v.hub.Block})
}

func (v *hubValues) add(s setting) { v.settings = append(v.settings, s) }

// last changes how the setting added last goes over values files.
func (v *hubValues) last(how laying) { v.settings[len(v.settings)-1].lay = how }

func (v *hubValues) warn(attr, summary, detail string) {
	v.diags = append(v.diags, warningAt(at(v.hub.Block, attr), summary, detail))
}

// jupyterPath returns the value that a path of the JupyterHub chart has without
// typed attributes.
func (v *hubValues) jupyterText(path ...string) string {
	return v.known.Text(append(append([]string{}, v.jupyter...), path...)...)
}

// has reports whether the hub's own chart has a value at path at all, null
// included.
func (v *hubValues) has(path ...string) bool {
	_, isThere := v.known.Value(append(append([]string{}, v.root...), path...)...)
	return isThere
}

// builder returns the key of the daemon that builds: "dind" or "pink".
func (v *hubValues) builder() string {
	if v.known.Text(append(append([]string{}, v.root...), "imageBuilderType")...) == "pink" {
		return "pink"
	}
	return "dind"
}

func integer[T any](v *hubValues, attr string, n *T, path ...string) {
	if n != nil {
		v.jupyterhub(attr, *n, path...)
	}
}

func (v *hubValues) culling() {
	c := v.hub.Culling
	if c == nil {
		return
	}
	integer(v, "culling.enabled", c.Enabled, "cull", "enabled")
	for _, d := range []struct {
		attr, key string
		value     time.Duration
	}{{"timeout", "timeout", c.Timeout}, {"every", "every", c.Every}, {"max_age", "maxAge", c.MaxAge}} {
		_, isWritten := v.hub.Attrs["culling."+d.attr]
		if d.value > 0 || isWritten {
			v.jupyterhub("culling."+d.attr, seconds(d.value), "cull", d.key)
		}
	}
	integer(v, "culling.concurrency", c.Concurrency, "cull", "concurrency")
	integer(v, "culling.users", c.Users, "cull", "users")
}

func (v *hubValues) spawnLimits() {
	s := v.hub.SpawnLimits
	if s == nil {
		return
	}
	integer(v, "spawn_limits.concurrent", s.Concurrent, "hub", "concurrentSpawnLimit")
	integer(v, "spawn_limits.active", s.Active, "hub", "activeServerLimit")
	integer(v, "spawn_limits.consecutive_failures", s.ConsecutiveFailures, "hub", "consecutiveFailureLimit")
	if s.StartTimeout > 0 {
		v.jupyterhub("spawn_limits.start_timeout", seconds(s.StartTimeout), "singleuser", "startTimeout")
	}
}

// routing sets where requests for no running server go. "not-found" takes the
// default route from the hub, so that a stopped server's pages do not burden it:
// the hub answers for its API only, and the proxy sends the rest elsewhere.
func (v *hubValues) routing() {
	r := v.hub.Routing
	if r == nil {
		return
	}
	if r.DefaultRoute == "not-found" {
		base := strings.TrimSuffix(v.jupyterText("hub", "baseUrl"), "/")
		v.jupyterhub("routing.default_route", base+"/hub/api/", "hub", "config", "JupyterHub", "hub_routespec")
		v.jupyterhub("routing.not_found_url", map[string]any{base + "/": r.NotFoundURL}, "hub", "config", "Proxy", "extra_routes")
		v.last(merging)
		v.jupyterhub("routing.not_found_url", r.NotFoundURL, "proxy", "chp", "defaultTarget")
	}
	if r.ErrorURL != "" {
		v.jupyterhub("routing.error_url", r.ErrorURL, "proxy", "chp", "errorTarget")
	}
}

// imagePaths says where the image of a component is set; the flag tells paths of
// the JupyterHub chart.
var imagePaths = map[string]struct {
	jupyter bool
	path    []string
}{
	"hub":            {true, []string{"hub", "image"}},
	"proxy":          {true, []string{"proxy", "chp", "image"}},
	"singleuser":     {true, []string{"singleuser", "image"}},
	"user_scheduler": {true, []string{"scheduling", "userScheduler", "image"}},
	"binder":         {false, []string{"image"}},
	"image_cleaner":  {false, []string{"imageCleaner", "image"}},
	"dind":           {false, []string{"dind", "daemonset", "image"}},
}

func (v *hubValues) images() {
	for _, component := range sortedKeys(v.hub.Images) {
		where, isKnown := imagePaths[component]
		attr := "images." + component
		switch {
		case !isKnown:
			v.diags = append(v.diags, errorAt(at(v.hub.Block, attr), "Unknown component",
				fmt.Sprintf("There is no image of %q to set. There are %s.", component, strings.Join(sortedKeys(imagePaths), ", "))))
			continue
		case !where.jupyter && v.hub.Type != schema.BinderHub:
			v.diags = append(v.diags, errorAt(at(v.hub.Block, attr), "Image of a BinderHub",
				fmt.Sprintf("%s is a JupyterHub, which has no %s.", v.hub.Address, component)))
			continue
		}
		name, tag := splitImage(v.hub.Images[component])
		path := where.path
		if component == "dind" {
			path = []string{v.builder(), "daemonset", "image"}
		}
		set := v.set
		if where.jupyter {
			set = v.jupyterhub
		}
		set(attr, name, append(append([]string{}, path...), "name")...)
		set(attr, tag, append(append([]string{}, path...), "tag")...)
	}
}

// splitImage splits an image reference in two parts that charts put together
// with a colon. Of a digest that is what is after "sha256:".
func splitImage(reference string) (name, tag string) {
	i := strings.LastIndexByte(reference, ':')
	if i < 0 || strings.Contains(reference[i:], "/") {
		return reference, "latest"
	}
	return reference[:i], reference[i+1:]
}

// seconds returns a duration as charts want it.
func seconds(d time.Duration) any {
	if d%time.Second == 0 {
		return int64(d / time.Second)
	}
	return d.Seconds()
}
