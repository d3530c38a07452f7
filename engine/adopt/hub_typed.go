package adopt

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"hubcap/schema"
)

// The groups of typed attributes. Each is the inverse of what engine/expand makes
// of it.
const (
	groupImages     Group = "images"
	groupProfiles   Group = "profiles"
	groupCulling    Group = "culling"
	groupSpawn      Group = "spawn_limits"
	groupRouting    Group = "routing"
	groupLimits     Group = "limits"
	groupSlots      Group = "build_slots"
	groupCleaner    Group = "image_cleaner"
	groupCache      Group = "image_cache"
	groupRepoLimits Group = "repo_limit"
	groupRepoBans   Group = "repo_ban"
	groupQoS        Group = "qos"
	groupPools      Group = "node_pools"
)

// Groups returns all groups.
func Groups() []Group {
	return []Group{
		groupImages, groupProfiles, groupCulling, groupSpawn, groupRouting, groupLimits, groupSlots, groupCleaner,
		groupCache, groupRepoLimits, groupRepoBans, groupQoS, groupPools,
	}
}

// recognise takes from the values what typed attributes can say, in the order in
// which it is written.
func (h *hub) recognise() {
	h.try(groupImages, h.images)
	h.try(groupQoS, h.qos)
	h.try(groupPools, h.nodePools)
	h.try(groupProfiles, h.profiles)
	h.try(groupCulling, h.culling)
	h.try(groupSpawn, h.spawnLimits)
	h.try(groupRouting, h.routing)
	if h.release.Hub != schema.BinderHub {
		return
	}
	h.try(groupLimits, h.limits)
	h.try(groupSlots, h.buildSlots)
	h.try(groupCleaner, h.imageCleaner)
	h.try(groupCache, h.imageCache)
	h.try(groupRepoLimits, h.repoLimits)
	h.try(groupRepoBans, h.repoBans)
}

// duration writes whole seconds as people do: "1h30m".
func duration(seconds int64) string {
	if seconds == 0 {
		return quote("0s")
	}
	s := (time.Duration(seconds) * time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return quote(s)
}

// longest is the most seconds that a duration can hold.
const longest = int64(1<<63-1) / int64(time.Second)

// whole takes a whole number between bounds from a table.
func (t *taking) whole(a *assignments, name string, root []string, least int64, path ...string) {
	n, isNumber := t.at(root, path...).(int64)
	if isNumber && n >= least {
		a.add(name, strconv.FormatInt(n, 10))
		t.done(root, path...)
	}
}

// seconds takes a number of seconds.
func (t *taking) seconds(a *assignments, name string, root []string, least int64, path ...string) {
	n, isNumber := t.at(root, path...).(int64)
	if isNumber && n >= least && n <= longest {
		a.add(name, duration(n))
		t.done(root, path...)
	}
}

func (t *taking) flag(a *assignments, name string, root []string, path ...string) {
	if b, isFlag := t.at(root, path...).(bool); isFlag {
		a.add(name, strconv.FormatBool(b))
		t.done(root, path...)
	}
}

// leastTimeout is how short a culling timeout may be, in seconds.
const leastTimeout = 90

func (h *hub) culling(t *taking) {
	var a assignments
	j := h.jupyter
	timeout, _ := t.at(j, "cull", "timeout").(int64)
	maxAge, _ := t.at(j, "cull", "maxAge").(int64)
	t.flag(&a, "enabled", j, "cull", "enabled")
	t.seconds(&a, "timeout", j, leastTimeout, "cull", "timeout")
	t.seconds(&a, "every", j, 1, "cull", "every")
	if maxAge == 0 || timeout < leastTimeout || maxAge >= timeout {
		t.seconds(&a, "max_age", j, 0, "cull", "maxAge")
	}
	t.whole(&a, "concurrency", j, 1, "cull", "concurrency")
	t.flag(&a, "users", j, "cull", "users")
	h.block("culling", a)
}

func (h *hub) spawnLimits(t *taking) {
	var a assignments
	t.whole(&a, "concurrent", h.jupyter, 0, "hub", "concurrentSpawnLimit")
	t.whole(&a, "active", h.jupyter, 0, "hub", "activeServerLimit")
	t.whole(&a, "consecutive_failures", h.jupyter, 0, "hub", "consecutiveFailureLimit")
	t.seconds(&a, "start_timeout", h.jupyter, 1, "singleuser", "startTimeout")
	h.block("spawn_limits", a)
}

// plainURL is an address that a config may show.
var plainURL = regexp.MustCompile(`^https?://[^/\s@?#]+(/[^\s@]*)?$`)

// routing recognises the three settings that together keep requests for stopped
// servers from the hub, and the page for the proxy's errors.
func (h *hub) routing(t *taking) {
	var a assignments
	j := h.jupyter
	base, _ := t.at(j, "hub", "baseUrl").(string)
	base = strings.TrimSuffix(base, "/")
	spec, _ := t.at(j, "hub", "config", "JupyterHub", "hub_routespec").(string)
	routes, _ := t.at(j, "hub", "config", "Proxy", "extra_routes").(map[string]any)
	target, _ := t.at(j, "proxy", "chp", "defaultTarget").(string)
	route, _ := routes[base+"/"].(string)
	if spec == base+"/hub/api/" && len(routes) == 1 && route == target && plainURL.MatchString(target) {
		a.add("default_route", quote("not-found"))
		a.add("not_found_url", quote(target))
		t.done(j, "hub", "config", "JupyterHub", "hub_routespec")
		t.done(j, "hub", "config", "Proxy", "extra_routes")
		t.done(j, "proxy", "chp", "defaultTarget")
	}
	if page, _ := t.at(j, "proxy", "chp", "errorTarget").(string); plainURL.MatchString(page) {
		a.add("error_url", quote(page))
		t.done(j, "proxy", "chp", "errorTarget")
	}
	h.block("routing", a)
}

func (h *hub) limits(t *taking) {
	var a assignments
	one, _ := t.at(h.root, "config", "BinderHub", "per_repo_quota").(int64)
	higher, _ := t.at(h.root, "config", "BinderHub", "per_repo_quota_higher").(int64)
	t.whole(&a, "per_repo", h.root, 0, "config", "BinderHub", "per_repo_quota")
	if h.hasHigherQuotas() && (higher == 0 || higher >= one) {
		t.whole(&a, "per_repo_higher", h.root, 0, "config", "BinderHub", "per_repo_quota_higher")
	}
	t.whole(&a, "total", h.root, 0, "config", "LaunchQuota", "total_quota")
	h.block("limits", a)
}

// hasHigherQuotas reports whether the values name repositories with a higher limit,
// without which typed attributes refuse one.
func (h *hub) hasHigherQuotas() bool {
	config, _ := h.values.Value(append(slices.Clone(h.root), "config")...)
	table, _ := config.(map[string]any)
	for _, traits := range table {
		traits, _ := traits.(map[string]any)
		if list, _ := traits["high_quota_specs"].([]any); len(list) > 0 {
			return true
		}
	}
	return false
}

// builder is the key of the daemon that builds, and of its folder on the node; ""
// where the node's own Docker does.
func (h *hub) builder(t *taking) (daemon, folder string) {
	kind, isComplete := h.release.Complete.Value(append(slices.Clone(h.root), "imageBuilderType")...)
	if !isComplete {
		kind = t.at(h.root, "imageBuilderType")
	}
	switch kind {
	case "pink":
		return "pink", "hostStorageDir"
	case "dind":
		return "dind", "hostLibDir"
	}
	return "", ""
}

func (h *hub) buildSlots(t *taking) {
	var a assignments
	t.whole(&a, "concurrent", h.root, 1, "config", "BinderHub", "concurrent_build_limit")
	t.whole(&a, "replicas", h.root, 1, "replicas")
	t.seconds(&a, "max_age", h.root, 1, "config", "KubernetesCleaner", "max_age")
	h.buildPool(t, &a)
	daemon, folder := h.builder(t)
	if dir, _ := t.at(h.root, daemon, folder).(string); daemon != "" && len(dir) > 1 && dir[0] == '/' {
		a.add("host_lib_dir", quote(dir))
		t.done(h.root, daemon, folder)
	}
	h.block("build_slots", a)
}

func (h *hub) imageCleaner(t *taking) {
	var a assignments
	const table = "imageCleaner"
	kind, _ := t.at(h.root, table, "imageGCThresholdType").(string)
	high, hasHigh := t.at(h.root, table, "imageGCThresholdHigh").(int64)
	low, hasLow := t.at(h.root, table, "imageGCThresholdLow").(int64)
	t.flag(&a, "enabled", h.root, table, "enabled")
	isKnown := kind == "relative" || kind == "absolute"
	if isKnown {
		a.add("threshold_type", quote(kind))
		t.done(h.root, table, "imageGCThresholdType")
	}
	// Without the type on record the chart's default decides what the numbers mean.
	within := kind == "absolute" && high >= 0 && low >= 0 || high >= 0 && low >= 0 && high <= 100 && low <= 100
	if within && (!hasHigh || !hasLow || low < high) {
		t.whole(&a, "threshold_high", h.root, 0, table, "imageGCThresholdHigh")
		t.whole(&a, "threshold_low", h.root, 0, table, "imageGCThresholdLow")
	}
	h.cleanerInterval(t, &a)
	t.seconds(&a, "delay", h.root, 0, table, "delay")
	t.flag(&a, "cordon", h.root, table, "cordon")
	h.block("image_cleaner", a)
}

// cleanerInterval recognises how often the cleaner looks: the chart's value, or, of a
// chart that has none, the variable in a table of its environment.
func (h *hub) cleanerInterval(t *taking, a *assignments) {
	const table, variable = "imageCleaner", "DOCKER_IMAGE_CLEANER_INTERVAL_SECONDS"
	if _, hasValue := h.release.Complete.Value(append(slices.Clone(h.root), table, "interval")...); hasValue {
		t.seconds(a, "interval", h.root, 1, table, "interval")
		return
	}
	text, _ := t.at(h.root, table, "extraEnv", variable).(string)
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && n > 0 && n <= longest && strconv.FormatInt(n, 10) == text {
		a.add("interval", duration(n))
		t.done(h.root, table, "extraEnv", variable)
	}
}

// imageDigest is an image by its digest, with or without a tag.
var imageDigest = regexp.MustCompile(`^[a-z0-9]+([._:/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@sha256:[a-f0-9]{64}$`)

// imageReference is what a config takes for an image.
var imageReference = regexp.MustCompile(`^[a-z0-9]+([._:/-]+[a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// imagePrefix is what a config takes for the beginning of an image's name.
var imagePrefix = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*/?$`)

// imagePaths says where the image of a component is set.
func (h *hub) imagePaths(t *taking) []struct {
	component string
	root      []string
	path      []string
} {
	daemon, _ := h.builder(t)
	all := []struct {
		component string
		root      []string
		path      []string
	}{
		{"hub", h.jupyter, []string{"hub", "image"}},
		{"proxy", h.jupyter, []string{"proxy", "chp", "image"}},
		{"singleuser", h.jupyter, []string{"singleuser", "image"}},
		{"user_scheduler", h.jupyter, []string{"scheduling", "userScheduler", "image"}},
		{"binder", h.root, []string{"image"}},
		{"image_cleaner", h.root, []string{"imageCleaner", "image"}},
		{"dind", h.root, []string{daemon, "daemonset", "image"}},
	}
	switch {
	case h.release.Hub != schema.BinderHub:
		all = all[:4]
	case daemon == "":
		all = all[:6]
	}
	return all
}

func (h *hub) images(t *taking) {
	tree := map[string]any{}
	for _, where := range h.imagePaths(t) {
		name, _ := t.at(where.root, append(where.path, "name")...).(string)
		tag, _ := t.at(where.root, append(where.path, "tag")...).(string)
		image := name + ":" + tag
		if name == "" || tag == "" || strings.Contains(tag, ":") || !imageReference.MatchString(image) && !imageDigest.MatchString(image) {
			continue
		}
		tree[where.component] = image
		t.done(where.root, append(where.path, "name")...)
		t.done(where.root, append(where.path, "tag")...)
	}
	if len(tree) > 0 {
		h.attr(func(t *text) {
			t.gap()
			t.value("images", tree)
		})
	}
}

func (h *hub) profiles(t *taking) {
	list, _ := t.at(h.jupyter, "singleuser", "profileList").([]any)
	if len(list) == 0 {
		return
	}
	for _, p := range list {
		profile, _ := p.(map[string]any)
		if name, _ := profile["display_name"].(string); name == "" {
			return
		}
	}
	t.done(h.jupyter, "singleuser", "profileList")
	h.attr(func(t *text) {
		t.gap()
		t.value("profiles", list)
	})
}

func (h *hub) imageCache(t *taking) {
	prefix, _ := t.at(h.root, "config", "BinderHub", "image_prefix").(string)
	if !imagePrefix.MatchString(prefix) {
		return
	}
	t.done(h.root, "config", "BinderHub", "image_prefix")
	image, _ := t.at(h.root, "config", "KubernetesBuildExecutor", "build_image").(string)
	if imageReference.MatchString(image) {
		t.done(h.root, "config", "KubernetesBuildExecutor", "build_image")
	} else {
		image = ""
	}
	name := h.w.names.free("image_cache", h.address.Name)
	h.beside = append(h.beside, func(t *text) {
		t.open("image_cache", name)
		t.attr("hub", "hub."+h.address.Name)
		t.attr("prefix", quote(prefix))
		if image != "" {
			t.attr("build_image", quote(image))
		}
		t.end()
	})
}

// say notes something about this hub's values that is left in values.
func (h *hub) say(root []string, why string, path ...string) {
	h.w.unsaid(h.address.String(), strings.Join(append(append([]string{}, root...), path...), "."), fmt.Sprintf("%s; left in values", why))
}
