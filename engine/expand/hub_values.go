package expand

import (
	"fmt"
	"slices"
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
	chart     *chart.Chart
	root      []string // path of the hub's own chart
	jupyter   []string // path of the JupyterHub chart
	defaults  resource.Object
	known     resource.Object // the chart's values without typed attributes
	settings  []setting
	diags     hcl.Diagnostics
}

// hubLayers returns the values of a hub's chart.
func (e *expansion) hubLayers(hub *schema.Hub, c *chart.Chart) (layers, hcl.Diagnostics) {
	l := layers{defaults: c.Defaults(), files: hub.ValuesFiles, inline: hub.Values}
	v := &hubValues{expansion: e, hub: hub, chart: c, defaults: l.defaults}
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
	v.profiles()
	if hub.Type == schema.BinderHub {
		v.binder()
	}
	if v.isElsewhere() {
		return l, v.diags
	}
	v.targets()
	v.effects()
	l.settings = v.settings
	l.resolve()
	return l, append(v.diags, l.overridden(hub.Block)...)
}

// set adds a setting at a path below the hub's own chart.
func (v *hubValues) set(attr string, value any, path ...string) {
	v.add(setting{path: v.own(path...), value: value, attr: attr, lay: replacing, block: v.hub.Block})
}

// jupyterhub adds a setting at a path below the JupyterHub chart.
func (v *hubValues) jupyterhub(attr string, value any, path ...string) {
	v.add(setting{path: v.hubs(path...), value: value, attr: attr, lay: replacing, block: v.hub.Block})
}

// own returns a path below the hub's own chart, hubs one below the JupyterHub
// chart.
func (v *hubValues) own(path ...string) []string  { return slices.Concat(v.root, path) }
func (v *hubValues) hubs(path ...string) []string { return slices.Concat(v.jupyter, path) }

func (v *hubValues) add(s setting) { v.settings = append(v.settings, s) }

// newest returns the setting added last, to say more of it.
func (v *hubValues) newest() *setting { return &v.settings[len(v.settings)-1] }

// last changes how the setting added last goes over what is beneath it.
func (v *hubValues) last(how laying) { v.newest().lay = how }

// rivals says that traits of these classes, which the hub's program takes from
// hub.config, win over the setting added last.
func (v *hubValues) rivals(trait string, classes ...string) {
	s := v.newest()
	for _, class := range classes {
		s.rivals = append(s.rivals, rival{v.hubs("hub", "config", class, trait), s.value})
	}
}

// binderRivals is rivals for the binder's program, which takes config.
func (v *hubValues) binderRivals(trait string, classes ...string) {
	s := v.newest()
	for _, class := range classes {
		s.rivals = append(s.rivals, rival{v.own("config", class, trait), s.value})
	}
}

// kubeSpawners are the classes whose traits win over what a chart sets for
// KubeSpawner.
func (v *hubValues) kubeSpawners() []string {
	if v.hub.Type == schema.BinderHub {
		return []string{"KubeSpawner", "BinderSpawner"}
	}
	return []string{"KubeSpawner"}
}

// spawners are the classes whose traits win over what the chart sets for any
// spawner: the built-in chart sets that for Spawner, the upstream one for
// KubeSpawner, which is more particular.
func (v *hubValues) spawners() []string {
	classes := v.kubeSpawners()
	if strings.HasPrefix(v.hub.Chart.Source, chart.BuiltinPrefix) {
		classes = append(classes, "Spawner")
	}
	return classes
}

func (v *hubValues) warn(attr, summary, detail string, args ...any) {
	v.diags = append(v.diags, warningAt(at(v.hub.Block, attr), summary, fmt.Sprintf(detail, args...)))
}

func (v *hubValues) refuse(attr, summary, detail string, args ...any) {
	v.diags = append(v.diags, errorAt(at(v.hub.Block, attr), summary, fmt.Sprintf(detail, args...)))
}

// jupyterText returns the text that a path of the JupyterHub chart has without
// typed attributes.
func (v *hubValues) jupyterText(path ...string) string {
	return v.known.Text(v.hubs(path...)...)
}

// has reports whether the hub's own chart has a value at path, a null included.
func (v *hubValues) has(path ...string) bool { return v.chart.Knows(v.own(path...)...) }

// builder returns what builds: "host", the node's own Docker, or the key of the
// daemon that does, "dind" or "pink".
func (v *hubValues) builder() string {
	if kind := v.known.Text(v.own("imageBuilderType")...); kind != "" {
		return kind
	}
	if on, _ := v.known.Value(v.own("dind", "enabled")...); on == true && !v.has("imageBuilderType") {
		return "dind" // as charts said it before there was imageBuilderType
	}
	return "host"
}

// daemon returns the key of the daemon that builds, and refuses an attribute of
// one where the node's own Docker builds.
func (v *hubValues) daemon(attr string) (key string, isThere bool) {
	key = v.builder()
	if key == "host" {
		v.refuse(attr, "Attribute without effect",
			"With imageBuilderType \"host\" the node's own Docker builds, and there is no daemon of the chart's that %s could be for. Write imageBuilderType = \"dind\" or \"pink\" in values, or remove the attribute.", attr)
		return "", false
	}
	return key, true
}

func setIfGiven[T any](v *hubValues, attr string, n *T, path ...string) bool {
	if n != nil {
		v.jupyterhub(attr, *n, path...)
	}
	return n != nil
}

// isWritten reports whether an attribute of the hub is written at all.
func (v *hubValues) isWritten(attr string) bool {
	_, isSet := v.hub.Attrs[attr]
	return isSet
}

// profiles sets KubeSpawner's list of profiles; an empty one takes away what
// lower layers say.
func (v *hubValues) profiles() {
	if !v.isWritten("profiles") {
		return
	}
	list := v.hub.Profiles
	if list == nil {
		list = []any{}
	}
	v.jupyterhub("profiles", list, "singleuser", "profileList")
	v.rivals("profile_list", v.kubeSpawners()...)
}

func (v *hubValues) culling() {
	c := v.hub.Culling
	if c == nil {
		return
	}
	setIfGiven(v, "culling.enabled", c.Enabled, "cull", "enabled")
	for _, d := range []struct {
		attr, key string
		value     time.Duration
	}{{"timeout", "timeout", c.Timeout}, {"every", "every", c.Every}, {"max_age", "maxAge", c.MaxAge}} {
		_, isWritten := v.hub.Attrs["culling."+d.attr]
		if d.value > 0 || isWritten {
			v.jupyterhub("culling."+d.attr, seconds(d.value), "cull", d.key)
		}
	}
	setIfGiven(v, "culling.concurrency", c.Concurrency, "cull", "concurrency")
	setIfGiven(v, "culling.users", c.Users, "cull", "users")
}

func (v *hubValues) spawnLimits() {
	s := v.hub.SpawnLimits
	if s == nil {
		return
	}
	if setIfGiven(v, "spawn_limits.concurrent", s.Concurrent, "hub", "concurrentSpawnLimit") {
		v.rivals("concurrent_spawn_limit", "JupyterHub")
	}
	if setIfGiven(v, "spawn_limits.active", s.Active, "hub", "activeServerLimit") {
		v.rivals("active_server_limit", "JupyterHub")
	}
	if setIfGiven(v, "spawn_limits.consecutive_failures", s.ConsecutiveFailures, "hub", "consecutiveFailureLimit") {
		classes := v.spawners()
		if !slices.Contains(classes, "Spawner") {
			classes = append(classes, "Spawner") // every chart sets it there
		}
		v.rivals("consecutive_failure_limit", classes...)
	}
	if s.StartTimeout > 0 {
		v.jupyterhub("spawn_limits.start_timeout", seconds(s.StartTimeout), "singleuser", "startTimeout")
		v.rivals("start_timeout", v.spawners()...)
	}
}

// routing sets where requests for no running server go. "not-found" takes the
// default route from the hub, so that a stopped server's pages do not burden it:
// the hub answers for its API only, and the proxy sends the rest elsewhere. "hub"
// takes back what lower layers say of that.
func (v *hubValues) routing() {
	r := v.hub.Routing
	if r == nil {
		return
	}
	base := strings.TrimSuffix(v.jupyterText("hub", "baseUrl"), "/")
	const route, target = "routing.default_route", "routing.not_found_url"
	switch r.DefaultRoute {
	case "not-found":
		v.jupyterhub(route, base+"/hub/api/", "hub", "config", "JupyterHub", "hub_routespec")
		v.jupyterhub(target, map[string]any{base + "/": r.NotFoundURL}, "hub", "config", "Proxy", "extra_routes")
		v.last(merging)
		v.rivals("extra_routes", "ConfigurableHTTPProxy")
		v.jupyterhub(target, r.NotFoundURL, "proxy", "chp", "defaultTarget")
	case "hub":
		v.clear(route, "hub", "config", "JupyterHub", "hub_routespec")
		v.clear(route, "hub", "config", "Proxy", "extra_routes", base+"/")
		v.clear(route, "hub", "config", "ConfigurableHTTPProxy", "extra_routes", base+"/")
		v.clear(route, "proxy", "chp", "defaultTarget")
	}
	if r.ErrorURL != "" {
		v.jupyterhub("routing.error_url", r.ErrorURL, "proxy", "chp", "errorTarget")
	}
}

// clear takes away what lower layers say at a path below the JupyterHub chart.
func (v *hubValues) clear(attr string, path ...string) {
	v.jupyterhub(attr, nil, path...)
	if said, _ := v.defaults.Value(v.hubs(path...)...); said == nil {
		v.last(removing) // a null that deletes nothing would be printed
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
		path := where.path
		if component == "dind" {
			daemon, isThere := v.daemon(attr)
			if !isThere {
				continue
			}
			path = []string{daemon, "daemonset", "image"}
		}
		set := v.set
		if where.jupyter {
			set = v.jupyterhub
		}
		reference := v.hub.Images[component]
		name, tag := splitImage(reference)
		set(attr, name, append(append([]string{}, path...), "name")...)
		if component == "singleuser" {
			for _, class := range v.kubeSpawners() {
				v.newest().rivals = append(v.newest().rivals, rival{v.hubs("hub", "config", class, "image"), reference})
			}
		}
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
