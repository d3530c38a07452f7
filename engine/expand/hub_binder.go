package expand

import (
	"fmt"
	"slices"

	"hubcap/schema"
)

// providerClasses are BinderHub's names for repository providers.
var providerClasses = map[string]string{
	"github": "GitHubRepoProvider", "gist": "GistRepoProvider", "git": "GitRepoProvider", "gitlab": "GitLabRepoProvider",
	"zenodo": "ZenodoProvider", "figshare": "FigshareProvider", "hydroshare": "HydroshareProvider",
	"dataverse": "DataverseProvider", "ckan": "CKANProvider",
}

// binder sets what only a BinderHub has.
func (v *hubValues) binder() {
	v.limits()
	v.buildSlots()
	v.imageCleaner()
	config := v.expansion.config
	for i := range config.ImageCaches {
		if cache := &config.ImageCaches[i]; cache.Hub == v.hub.Address {
			v.imageCache(cache)
		}
	}
	for i := range config.RepoLimits {
		limit := &config.RepoLimits[i]
		for _, hub := range limit.Hubs {
			if hub == v.hub.Address {
				v.repository(limit.Block, limit.Match, "spec_config", map[string]any{
					"pattern": limit.Match.Pattern, "config": map[string]any{"quota": limit.Sessions},
				})
			}
		}
	}
	for i := range config.RepoBans {
		ban := &config.RepoBans[i]
		for _, hub := range ban.Hubs {
			if hub == v.hub.Address {
				v.repository(ban.Block, ban.Match, "banned_specs", ban.Match.Pattern)
			}
		}
	}
}

// repository continues a list of a provider's, whoever begins it: what is banned
// stays banned. A provider's own list hides those of the classes above it, so the
// nearest of these is continued where there is none.
func (v *hubValues) repository(b schema.Block, match schema.RepoMatch, trait string, entry any) {
	class := providerClasses[match.Provider]
	v.set("pattern", []any{entry}, "config", class, trait)
	s := v.newest()
	s.lay, s.block = appending, b
	if class == "GistRepoProvider" {
		s.inherits = append(s.inherits, v.own("config", "GitHubRepoProvider", trait))
	}
	s.inherits = append(s.inherits, v.own("config", "RepoProvider", trait))
}

func (v *hubValues) imageCache(cache *schema.ImageCache) {
	v.set("prefix", cache.Prefix, "config", "BinderHub", "image_prefix")
	v.newest().block = cache.Block
	if cache.BuildImage != "" {
		v.set("build_image", cache.BuildImage, "config", "KubernetesBuildExecutor", "build_image")
		v.newest().block = cache.Block
		v.binderRivals("build_image", "BinderHub")
	}
}

func (v *hubValues) limits() {
	l := v.hub.Limits
	if l == nil {
		return
	}
	if l.PerRepo != nil {
		v.set("limits.per_repo", *l.PerRepo, "config", "BinderHub", "per_repo_quota")
	}
	if l.PerRepoHigher != nil {
		v.set("limits.per_repo_higher", *l.PerRepoHigher, "config", "BinderHub", "per_repo_quota_higher")
	}
	if l.Total != nil {
		v.set("limits.total", *l.Total, "config", "LaunchQuota", "total_quota")
		v.binderRivals("total_quota", "KubernetesLaunchQuota")
		v.binderRivals("pod_quota", "BinderHub")
	}
}

func (v *hubValues) buildSlots() {
	s := v.hub.BuildSlots
	if s == nil {
		return
	}
	if s.Concurrent != nil {
		v.set("build_slots.concurrent", *s.Concurrent, "config", "BinderHub", "concurrent_build_limit")
	}
	if s.Replicas != nil {
		v.set("build_slots.replicas", *s.Replicas, "replicas")
	}
	if s.MaxAge > 0 {
		v.set("build_slots.max_age", seconds(s.MaxAge), "config", "KubernetesCleaner", "max_age")
		v.binderRivals("build_max_age", "BinderHub")
	}
	if s.HostLibDir != "" {
		daemon, isThere := v.daemon("build_slots.host_lib_dir")
		if !isThere {
			return
		}
		key := "hostLibDir"
		if daemon == "pink" {
			key = "hostStorageDir"
		}
		v.set("build_slots.host_lib_dir", s.HostLibDir, daemon, key)
	}
}

func (v *hubValues) imageCleaner() {
	c := v.hub.ImageCleaner
	if c == nil {
		return
	}
	if c.Enabled != nil {
		v.set("image_cleaner.enabled", *c.Enabled, "imageCleaner", "enabled")
	}
	if c.ThresholdType != "" {
		v.cleaner("threshold_type", c.ThresholdType, "imageGCThresholdType", "THRESHOLD_TYPE")
	}
	if c.ThresholdHigh != nil {
		v.cleaner("threshold_high", *c.ThresholdHigh, "imageGCThresholdHigh", "THRESHOLD_HIGH")
	}
	if c.ThresholdLow != nil {
		v.cleaner("threshold_low", *c.ThresholdLow, "imageGCThresholdLow", "THRESHOLD_LOW")
	}
	if v.isWritten("image_cleaner.delay") {
		v.cleaner("delay", seconds(c.Delay), "delay", "DELAY_SECONDS")
	}
	if c.Cordon != nil {
		v.set("image_cleaner.cordon", *c.Cordon, "imageCleaner", "cordon")
	}
	if c.Interval > 0 {
		v.cleaner("interval", seconds(c.Interval), "interval", "INTERVAL_SECONDS")
	}
}

// cleaner sets one of the image cleaner's variables: by the chart's value where it
// has one, and in its environment where it has none or where that says otherwise.
func (v *hubValues) cleaner(attr string, value any, key, variable string) {
	attr, variable = "image_cleaner."+attr, "DOCKER_IMAGE_CLEANER_"+variable
	hasValue := v.has("imageCleaner", key)
	if hasValue {
		v.set(attr, value, "imageCleaner", key)
	}
	environment, _ := v.known.Value(v.own("imageCleaner", "extraEnv")...)
	if !hasValue || sets(environment, variable) {
		v.set(attr, map[string]any{variable: fmt.Sprint(value)}, "imageCleaner", "extraEnv")
		v.last(naming)
	}
}

// sets reports whether an environment has a variable.
func sets(environment any, variable string) bool {
	if table, isTable := environment.(map[string]any); isTable {
		return table[variable] != nil
	}
	list, _ := environment.([]any)
	return slices.ContainsFunc(list, func(entry any) bool {
		table, _ := entry.(map[string]any)
		return table["name"] == variable
	})
}
