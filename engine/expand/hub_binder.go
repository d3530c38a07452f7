package expand

import (
	"strconv"
	"time"

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

// repository continues a list of a provider's. What values files ban stays
// banned.
func (v *hubValues) repository(b schema.Block, match schema.RepoMatch, trait string, entry any) {
	v.set("pattern", []any{entry}, "config", providerClasses[match.Provider], trait)
	v.last(appending)
	v.settings[len(v.settings)-1].block = b
}

func (v *hubValues) imageCache(cache *schema.ImageCache) {
	v.set("prefix", cache.Prefix, "config", "BinderHub", "image_prefix")
	v.settings[len(v.settings)-1].block = cache.Block
	if cache.BuildImage != "" {
		v.set("build_image", cache.BuildImage, "config", "KubernetesBuildExecutor", "build_image")
		v.settings[len(v.settings)-1].block = cache.Block
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
	}
	if s.HostLibDir != "" {
		key := "hostLibDir"
		if v.builder() == "pink" {
			key = "hostStorageDir"
		}
		v.set("build_slots.host_lib_dir", s.HostLibDir, v.builder(), key)
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
		v.set("image_cleaner.threshold_type", c.ThresholdType, "imageCleaner", "imageGCThresholdType")
	}
	if c.ThresholdHigh != nil {
		v.set("image_cleaner.threshold_high", *c.ThresholdHigh, "imageCleaner", "imageGCThresholdHigh")
	}
	if c.ThresholdLow != nil {
		v.set("image_cleaner.threshold_low", *c.ThresholdLow, "imageCleaner", "imageGCThresholdLow")
	}
	if c.Delay > 0 {
		v.set("image_cleaner.delay", seconds(c.Delay), "imageCleaner", "delay")
	}
	if c.Cordon != nil {
		v.set("image_cleaner.cordon", *c.Cordon, "imageCleaner", "cordon")
	}
	v.cleanerInterval(c.Interval)
}

// cleanerInterval sets how often the cleaner looks. The upstream chart has no
// value for it, but passes on environment variables.
func (v *hubValues) cleanerInterval(interval time.Duration) {
	switch {
	case interval == 0:
	case v.has("imageCleaner", "interval"):
		v.set("image_cleaner.interval", seconds(interval), "imageCleaner", "interval")
	default:
		v.set("image_cleaner.interval", []any{map[string]any{
			"name": "DOCKER_IMAGE_CLEANER_INTERVAL_SECONDS", "value": strconv.FormatInt(int64(interval/time.Second), 10),
		}}, "imageCleaner", "extraEnv")
		v.last(appending)
	}
}
