package plan

import (
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// livePaths are what GKE changes in a pool without touching its nodes' life.
var livePaths = []string{
	"autoscaling", "management", "upgradeSettings", "initialNodeCount",
	"config.labels", "config.taints", "config.tags", "config.resourceLabels",
}

// rollingPaths are what GKE changes by making every node anew.
var rollingPaths = []string{
	"config.machineType", "config.diskType", "config.diskSizeGb", "config.imageType",
	"config.kubeletConfig", "config.linuxNodeConfig", "config.accelerators",
	"config.workloadMetadataConfig", "config.bootDisk", "version", "locations",
}

// ownerPaths are the labels by which a pool is a config's own.
var ownerPaths = []string{
	"config.resourceLabels.hubcap-config", "config.resourceLabels.hubcap-block", "config.resourceLabels.hubcap-protected",
}

// adopted reports whether all that changes is that a pool of nobody's gets an
// owner.
func adopted(fields []resource.Field) bool {
	for _, f := range fields {
		if f.Before != nil || !under(f.Path, ownerPaths) {
			return false
		}
	}
	return slices.ContainsFunc(fields, func(f resource.Field) bool { return f.Path == ownerPaths[0] })
}

// poolClass returns the worst class among the fields of a changed node pool.
func poolClass(fields []resource.Field) resource.Class {
	class := resource.ClassNoop
	if adopted(fields) {
		return resource.ClassAdopt
	}
	for _, f := range fields {
		switch {
		case under(f.Path, livePaths):
			class = max(class, resource.ClassLive)
		case under(f.Path, rollingPaths):
			class = max(class, resource.ClassNodeRolling)
		default:
			class = max(class, resource.ClassReplacePool)
		}
	}
	return class
}

// under reports whether path is one of prefixes, or lies below it.
func under(path string, prefixes []string) bool {
	for _, p := range prefixes {
		rest, has := strings.CutPrefix(path, p)
		if has && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// lowers reports whether a change takes capacity away: it then comes last.
func lowers(c resource.Change) bool {
	if c.Action != resource.Update {
		return c.Action == resource.Delete
	}
	for _, f := range c.Fields {
		switch f.Path {
		case "autoscaling.maxNodeCount", "autoscaling.totalMaxNodeCount",
			"autoscaling.minNodeCount", "autoscaling.totalMinNodeCount":
			if number(f.After) < number(f.Before) {
				return true
			}
		case "autoscaling.enabled":
			if f.After != true {
				return true
			}
		}
	}
	return false
}

// number returns a number of an object; what is absent counts as zero, which the
// GKE API leaves out.
func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}
