package sim

import (
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// A parsed is the settings of a namespace with the versions of the Secrets they
// were read from.
type parsed struct {
	hub, binder string
	settings    Settings
}

// settings reads the Secrets hub and binder-secret, where the charts put all
// values. What they do not say is as JupyterHub has it.
func (s *Simulator) settings(namespace string) Settings {
	secrets := s.factory.Core().V1().Secrets().Lister().Secrets(namespace)
	hub, _ := secrets.Get("hub") // nil when there is none
	binder, _ := secrets.Get("binder-secret")
	now := parsed{hub: versionOf(hub), binder: versionOf(binder)}
	if known, exists := s.configs[namespace]; exists && known.hub == now.hub && known.binder == now.binder {
		return known.settings
	}
	now.settings = read(hub, binder)
	s.configs[namespace] = now
	return now.settings
}

func versionOf(s *corev1.Secret) string {
	if s == nil {
		return ""
	}
	return s.ResourceVersion
}

// hubValues are the chart's values that change what a hub does.
type hubValues struct {
	Hub struct {
		ConcurrentSpawnLimit int `json:"concurrentSpawnLimit"`
		ActiveServerLimit    int `json:"activeServerLimit"`
	} `json:"hub"`
	Cull struct {
		Enabled *bool   `json:"enabled"`
		Every   float64 `json:"every"`
	} `json:"cull"`
	Singleuser struct {
		NodeSelector map[string]string `json:"nodeSelector"`
		Image        struct {
			Name string `json:"name"`
			Tag  string `json:"tag"`
		} `json:"image"`
	} `json:"singleuser"`
}

// binderValues are those that change what a binder does.
type binderValues struct {
	Config struct {
		BinderHub struct {
			PerRepoQuota int    `json:"per_repo_quota"`
			ImagePrefix  string `json:"image_prefix"`
		} `json:"BinderHub"`
		GitHubRepoProvider struct {
			SpecConfig []struct {
				Pattern string `json:"pattern"`
				Config  struct {
					Quota int `json:"quota"`
				} `json:"config"`
			} `json:"spec_config"`
		} `json:"GitHubRepoProvider"`
	} `json:"config"`
}

func read(hub, binder *corev1.Secret) Settings {
	settings := Settings{CullEvery: 10 * time.Minute, UserImage: "quay.io/jupyterhub/k8s-singleuser-sample:4.3.3"}
	if hub != nil {
		var v hubValues
		if yaml.Unmarshal(hub.Data["values.yaml"], &v) == nil { // a hub with values it cannot read would not start either
			settings.ConcurrentSpawn, settings.ActiveServers = v.Hub.ConcurrentSpawnLimit, v.Hub.ActiveServerLimit
			settings.NodeSelector = v.Singleuser.NodeSelector
			if v.Cull.Every > 0 {
				settings.CullEvery = seconds(v.Cull.Every)
			}
			if v.Cull.Enabled != nil && !*v.Cull.Enabled {
				settings.CullEvery = 0
			}
			if v.Singleuser.Image.Name != "" {
				settings.UserImage = v.Singleuser.Image.Name + ":" + v.Singleuser.Image.Tag
			}
		}
		for key, value := range hub.Data {
			if strings.HasPrefix(key, "hub.services.") && strings.HasSuffix(key, ".apiToken") {
				settings.Tokens = append(settings.Tokens, string(value))
			}
		}
	}
	if binder != nil {
		var v binderValues
		if yaml.Unmarshal(binder.Data["values.yaml"], &v) == nil {
			settings.Quota.perRepo = v.Config.BinderHub.PerRepoQuota
			settings.ImagePrefix = v.Config.BinderHub.ImagePrefix
			for _, c := range v.Config.GitHubRepoProvider.SpecConfig {
				if p, err := regexp.Compile("(?i)^(?:" + c.Pattern + ")"); err == nil {
					settings.Quota.repos = append(settings.Quota.repos, repoQuota{p, c.Config.Quota})
				}
			}
		}
		if settings.ImagePrefix == "" {
			settings.ImagePrefix = "registry.example.org/r2d-"
		}
	}
	return settings
}
