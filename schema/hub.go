package schema

import (
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"k8s.io/apimachinery/pkg/util/validation"

	"hubcap/engine/resource"
)

// Components of a hub that attributes name.
var (
	poolKeys  = []string{"core", "user"}
	qosKeys   = []string{"user", "hub", "proxy", "binder", "build", "dind", "image_cleaner", "user_scheduler", "placeholder"}
	imageKeys = []string{"hub", "proxy", "binder", "singleuser", "dind", "image_cleaner", "user_scheduler"}
)

// HubKeys returns the keys that a map attribute of a hub takes: of "images", "qos"
// or "node_pools".
func HubKeys(attr string) []string {
	return slices.Clone(map[string][]string{"images": imageKeys, "qos": qosKeys, "node_pools": poolKeys}[attr])
}

// imageReference is a repository with a tag or a digest.
var imageReference = regexp.MustCompile(`^[a-z0-9]+([._:/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[a-f0-9]{64})?|@sha256:[a-f0-9]{64})$`)

var dottedKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*$`)

// decodeHub decodes a hub block.
func decodeHub(b *body, header Block) entry {
	h := &Hub{Block: header}
	if t := b.clusterRef(); t != nil {
		h.Cluster = t.address
	}
	b.require("chart")
	h.Chart = b.chart()
	h.Type = HubType(b.word("type", string(JupyterHub), string(BinderHub)))
	if h.Type == "" {
		h.Type = JupyterHub
		if h.Chart.Source == "builtin:binderhub" {
			h.Type = BinderHub
		}
	}
	h.Namespace, h.Release = b.release()
	h.ValuesRoot = b.checked("values_root", "Invalid values root", matches(dottedKey, `is not a key of the chart's values; one is "binderhub.jupyterhub".`))
	h.ValuesFiles = b.valuesFiles()
	h.Values = b.chartValues()
	h.Labels = b.labels("labels")
	h.URL = b.address("url")
	h.Images = b.images()
	h.Profiles = b.profiles()
	h.DatabaseBackup = DatabaseBackup(b.word("database_backup", string(BackupJob), string(BackupByHand)))
	h.Protected = b.flag("protected")
	h.Adopt = b.flag("adopt")
	b.hubRefs(h)
	b.hubBlocks(h)
	return h
}

// hubRefs decodes what refers to QoS classes and node pools.
func (b *body) hubRefs(h *Hub) {
	for key, t := range b.refMap("qos", "qos_class", qosKeys) {
		if h.QoS == nil {
			h.QoS = map[string]QoSRef{}
		}
		h.QoS[key] = QoSRef{Class: *t.entry.(*QoSClass), Range: b.keyAt("qos", key)}
	}
	for key, t := range b.refMap("node_pools", "node_pool", poolKeys) {
		if h.NodePools == nil {
			h.NodePools = map[string]resource.Address{}
		}
		h.NodePools[key] = t.address
	}
}

func (b *body) hubBlocks(h *Hub) {
	h.Culling = b.culling()
	h.SpawnLimits = b.spawnLimits()
	h.Limits = b.limits()
	h.Routing = b.routing(h.Type)
	h.BuildSlots = b.buildSlots()
	h.ImageCleaner = b.imageCleaner()
	if h.Type == BinderHub {
		return
	}
	for _, name := range []string{"limits", "build_slots", "image_cleaner"} {
		if at, isSet := h.Attrs[name]; isSet {
			b.errorAt(at, "BinderHub's setting in a JupyterHub", "%s is a setting of BinderHub, and %s is a JupyterHub. Remove the block, or write type = \"binderhub\".", name, h.Address)
		}
	}
}

// maxRelease is how long the name of a Helm release may be.
const maxRelease = 53

// release returns namespace and release: the block's name, and the namespace,
// unless they are written.
func (b *body) release() (namespace, release string) {
	fallback := b.scope.name
	namespace = b.checked("namespace", "Invalid name", namespaceName)
	if !b.has("namespace") {
		namespace = strings.ReplaceAll(strings.ToLower(fallback), "_", "-")
		if problem := namespaceName(namespace); problem != "" {
			b.errorAt(b.header, "Missing attribute", "Without the attribute namespace the block's name is the namespace, and %q %s Write namespace = \"…\".", namespace, problem)
		}
	}
	release = b.checked("release", "Invalid name", func(s string) string {
		if len(s) > maxRelease || len(validation.IsDNS1123Label(s)) > 0 {
			return `is not a name of a Helm release: write at most 53 lower case letters, digits and "-".`
		}
		return ""
	})
	if release == "" {
		release = namespace
		if len(release) > maxRelease && namespaceName(namespace) == "" {
			b.errorAt(b.header, "Missing attribute", "Without the attribute release the namespace is its name, and %q is longer than the %d characters of a Helm release, after which charts name their objects. Write release = \"…\".", namespace, maxRelease)
		}
	}
	return namespace, release
}

func (b *body) images() map[string]string {
	images := b.textMap("images")
	for _, component := range sortedKeys(images) {
		at := b.keyAt("images", component)
		image := images[component]
		switch {
		case !slices.Contains(imageKeys, component):
			b.errorAt(at, "Unknown key", "%s.images has no key %q; there are %s.%s", b.where, component, quoted(imageKeys), suggestion(component, imageKeys))
		case !imageReference.MatchString(image):
			b.errorAt(at, "Invalid image", `%q is not an image with a tag or a digest; one is "quay.io/jupyterhub/k8s-hub:4.2.0".`, shorten(image))
		}
		b.ranges[b.prefix+"images."+component] = at
	}
	return images
}

// profiles decodes kubespawner's list of profiles as it is.
func (b *body) profiles() []any {
	list := b.treeList("profiles")
	for i, p := range list {
		profile, isMap := p.(map[string]any)
		if !isMap {
			b.errorAt(b.elementAt("profiles", i), "Wrong type of value", "A profile must be an object with display_name.")
			continue
		}
		if name, isText := profile["display_name"].(string); !isText || name == "" {
			b.errorAt(b.elementAt("profiles", i), "Missing attribute", "A profile needs display_name, which users choose it by.")
		}
	}
	return list
}

func (h *Hub) addTo(config *Config) { config.Hubs = append(config.Hubs, *h) }

func (h *Hub) fields() map[string]cty.Value {
	return map[string]cty.Value{
		"namespace": textValue(h.Namespace), "release": textValue(h.Release), "type": textValue(string(h.Type)),
		"url": textValue(h.URL), "labels": labelsValue(h.Labels), "cluster": textValue(addressText(h.Cluster)),
	}
}
