package expand

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
	"hubcap/schema"
)

// Resource labels by which a pool is known to be hubcap's.
const (
	poolLabelConfig    = "hubcap-config"
	poolLabelBlock     = "hubcap-block"
	poolLabelProtected = "hubcap-protected"
)

// maxPoolLabel bounds the value of a resource label; labelDigits is how many digits of
// a digest end one that was too long.
const (
	maxPoolLabel = 63
	labelDigits  = 6
)

// taintEffects is Kubernetes's spelling of a taint's effect to GKE's.
var taintEffects = map[string]string{
	"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE",
}

// nodePool returns the pool in the form in which the GKE API takes it, with what
// the author wrote and no more: the rest is GKE's to choose.
func (e *expansion) nodePool(pool *schema.NodePool) ([]resource.Desired, hcl.Diagnostics) {
	object := poolObject(pool)
	name := pool.LiveName()
	object["name"] = name
	labels := map[string]any{}
	for key, value := range pool.ResourceLabels {
		labels[key] = value
	}
	labels[poolLabelConfig] = labelText(e.config.Settings.Name)
	labels[poolLabelBlock] = labelText(pool.Address.String())
	if pool.Protected {
		labels[poolLabelProtected] = "true"
	}
	object.Set(labels, "config", "resourceLabels")
	d := resource.Desired{
		ID:        resource.ID{Cluster: pool.Cluster.Name, Group: resource.GroupGKE, Kind: resource.KindNodePool, Name: name},
		Address:   pool.Address,
		Component: resource.Component{Block: pool.Address},
		Object:    object,
		Presence:  resource.Managed,
		Origin:    origin(pool.Range),
		Protected: pool.Protected,
	}
	if _, err := e.shield.walk(map[string]any(object)); err != nil || e.shield.betrays(name) {
		return nil, hcl.Diagnostics{errorAt(pool.Range.Ptr(), "Sensitive value in the open",
			"A node pool shows everything to whoever may look at it. Put nothing sensitive into its names and labels.")}
	}
	return []resource.Desired{d}, nil
}

// poolObject returns the pool without its name and hubcap's labels.
func poolObject(pool *schema.NodePool) resource.Object {
	o := resource.Object{"config": map[string]any{}}
	config := o["config"].(map[string]any)
	text := func(key, value string) {
		if value != "" {
			config[key] = value
		}
	}
	text("machineType", pool.MachineType)
	text("imageType", pool.ImageType)
	text("minCpuPlatform", pool.MinCPUPlatform)
	text("diskType", pool.DiskType)
	text("serviceAccount", pool.ServiceAccount)
	if pool.DiskSizeGB != nil {
		config["diskSizeGb"] = *pool.DiskSizeGB
	}
	if pool.Spot != nil {
		config["spot"] = *pool.Spot
	}
	if pool.WorkloadMetadata != "" {
		config["workloadMetadataConfig"] = map[string]any{"mode": pool.WorkloadMetadata}
	}
	table(config, "labels", pool.Labels)
	table(config, "metadata", pool.Metadata)
	list(config, "tags", pool.Tags)
	list(config, "oauthScopes", pool.OAuthScopes)
	list(o, "locations", pool.Locations)
	if taints := poolTaints(pool.Taints); taints != nil {
		config["taints"] = taints
	}
	localSSD(config, pool.LocalSSD)
	poolOperation(o, pool)
	return o
}

// localSSD writes the disks in the form that their mode has.
func localSSD(config map[string]any, ssd *schema.LocalSSD) {
	if ssd == nil {
		return
	}
	count := map[string]any{"localSsdCount": ssd.Count}
	switch ssd.Mode {
	case schema.SSDEphemeral:
		config["ephemeralStorageLocalSsdConfig"] = count
	case schema.SSDBlock:
		config["localNvmeSsdBlockConfig"] = count
	default:
		config["localSsdCount"] = ssd.Count
	}
}

// poolOperation writes how many nodes there are and how GKE looks after them.
func poolOperation(o resource.Object, pool *schema.NodePool) {
	if pool.InitialNodes != nil {
		o["initialNodeCount"] = *pool.InitialNodes
	}
	if pool.MaxPodsPerNode != nil {
		o["maxPodsConstraint"] = map[string]any{"maxPodsPerNode": strconv.FormatInt(*pool.MaxPodsPerNode, 10)}
	}
	if a := pool.Autoscaling; a != nil {
		scaling := map[string]any{"enabled": true}
		if a.Total {
			scaling["totalMinNodeCount"], scaling["totalMaxNodeCount"] = a.Min, a.Max
		} else {
			scaling["minNodeCount"], scaling["maxNodeCount"] = a.Min, a.Max
		}
		if a.LocationPolicy != "" {
			scaling["locationPolicy"] = a.LocationPolicy
		}
		o["autoscaling"] = scaling
	}
	flags(o, "management", map[string]*bool{"autoRepair": pool.AutoRepair, "autoUpgrade": pool.AutoUpgrade})
	flags(o, "upgradeSettings", map[string]*int64{"maxSurge": pool.MaxSurge, "maxUnavailable": pool.MaxUnavailable})
}

func flags[T any](o resource.Object, key string, values map[string]*T) {
	out := map[string]any{}
	for name, value := range values {
		if value != nil {
			out[name] = *value
		}
	}
	if len(out) > 0 {
		o[key] = out
	}
}

// table writes a map that the author wrote, if only to say that it is empty.
func table(o map[string]any, key string, values map[string]string) {
	if values == nil {
		return
	}
	out := map[string]any{}
	for k, v := range values {
		out[k] = v
	}
	o[key] = out
}

func list(o map[string]any, key string, values []string) {
	if values == nil {
		return
	}
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	o[key] = out
}

func poolTaints(taints []schema.Taint) []any {
	var out []any
	for _, t := range taints {
		effect, isKubernetes := taintEffects[t.Effect]
		if !isKubernetes {
			effect = t.Effect
		}
		out = append(out, map[string]any{"key": t.Key, "value": t.Value, "effect": effect})
	}
	return out
}

// labelText returns s as a resource label can hold it: "node_pool.user" becomes
// "node_pool-user".
func labelText(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
	s = strings.Join(words, "-")
	if len(s) > maxPoolLabel {
		// What is cut off must still tell one block from another.
		sum := sha256.Sum256([]byte(s))
		digest := "-" + hex.EncodeToString(sum[:])[:labelDigits]
		s = strings.TrimRight(s[:maxPoolLabel-len(digest)], "-") + digest
	}
	return s
}
