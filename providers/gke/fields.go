package gke

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/resource"
)

// A group is the fields that one call changes, named in the order of the calls:
// what steers the recreation of nodes goes before what recreates them, and
// labels that the autoscaler looks at before nodes are made.
type group int

const (
	groupUpgrade group = iota + 1
	groupDrain
	groupManagement
	groupAutoscaling
	groupResourceLabels
	groupLabels
	groupTaints
	groupTags
	groupLocations
	groupImage
	groupMachine
	groupOther   // a call for each first part of the path
	groupReplace // no call changes it: a new pool has to be made
)

// groupsByPrefix finds the group of a path by its longest prefix here.
var groupsByPrefix = map[string]group{
	"upgradeSettings":               groupUpgrade,
	"nodeDrainConfig":               groupDrain,
	"management":                    groupManagement,
	"autoscaling":                   groupAutoscaling,
	"locations":                     groupLocations,
	"maintenancePolicy":             groupOther,
	"queuedProvisioning":            groupOther,
	"config.resourceLabels":         groupResourceLabels,
	"config.labels":                 groupLabels,
	"config.taints":                 groupTaints,
	"config.tags":                   groupTags,
	"config.imageType":              groupImage,
	"config.machineType":            groupMachine,
	"config.diskType":               groupMachine,
	"config.diskSizeGb":             groupMachine,
	"config.bootDisk":               groupMachine,
	"config.storagePools":           groupMachine,
	"config.accelerators":           groupReplace,
	"config.workloadMetadataConfig": groupOther,
	"config.kubeletConfig":          groupOther,
	"config.linuxNodeConfig":        groupOther,
	"config.containerdConfig":       groupOther,
	"config.loggingConfig":          groupOther,
	"config.gcfsConfig":             groupOther,
	"config.gvnic":                  groupOther,
	"config.confidentialNodes":      groupOther,
	"config.fastSocket":             groupOther,
	"config.resourceManagerTags":    groupOther,
	"config.windowsNodeConfig":      groupOther,
	"config.taintConfig":            groupOther,
}

// ignored are fields that only matter when a pool is made: the count belongs to
// the autoscaler, the version to GKE's upgrades.
var ignored = []string{"name", "initialNodeCount", "version"}

// entries are the maps and lists whose entries are compared one by one, because
// GKE and others may have entries of their own there.
var entries = []string{"config.labels", "config.resourceLabels", "config.metadata", "config.taints", "config.tags"}

// sets are lists whose order means nothing.
var sets = []string{"locations", "config.oauthScopes"}

// A leaf is where a value stands in a pool.
type leaf struct {
	field string // dotted, without the entry: "config.labels"
	entry string // key in a map, "key:EFFECT" of a taint, the tag itself
}

// String returns the path for people.
func (l leaf) String() string {
	if l.entry == "" {
		return l.field
	}
	return l.field + "[" + l.entry + "]"
}

// groupOf returns the group that l is changed with.
func (l leaf) groupOf() group {
	field := l.field
	for {
		if g, isKnown := groupsByPrefix[field]; isKnown {
			return g
		}
		i := strings.LastIndexByte(field, '.')
		if i < 0 {
			return groupReplace
		}
		field = field[:i]
	}
}

// present marks an entry that has no value of its own, a tag. Unlike a field an
// entry with an empty value is there.
const present = "present"

// leaves takes a pool apart. A field whose value is zero has a nil leaf: GKE does
// not tell zero from absent. Our own notes and ignored fields are left out.
func leaves(o resource.Object) map[leaf]any {
	found := map[leaf]any{}
	gather(found, "", map[string]any(o))
	return found
}

func gather(found map[leaf]any, path string, v any) {
	switch {
	case slices.Contains(ignored, path):
	case slices.Contains(entries, path):
		for key, value := range entriesOf(path, v) {
			if path != "config.resourceLabels" || !isNote(key) {
				found[leaf{path, key}] = value
			}
		}
	case slices.Contains(sets, path):
		found[leaf{field: path}] = zeroAsNil(sorted(v))
	default:
		m, isMap := v.(map[string]any)
		if !isMap {
			found[leaf{field: path}] = canonicalAt(path, v)
			return
		}
		for key, value := range m {
			gather(found, join(path, key), value)
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// entriesOf returns the entries at one of the paths of [entries] by key.
func entriesOf(path string, v any) map[string]any {
	of := map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if value != nil { // null: not wanted
				of[key] = canonicalText(value)
			}
		}
	case []any:
		for _, e := range v {
			if path == "config.tags" {
				of[fmt.Sprint(e)] = present
				continue
			}
			if t, isMap := e.(map[string]any); isMap {
				of[taintKey(t)] = canonicalText(t["value"])
			}
		}
	}
	return of
}

func taintKey(t map[string]any) string { return fmt.Sprintf("%v:%v", t["key"], t["effect"]) }

// canonicalText returns an entry's value; one that is absent is empty.
func canonicalText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case resource.Sensitive:
		return v.Reveal()
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// canonical returns v in the one form in which it is compared: numbers that the
// API spells as text are numbers, sensitive values are plain, zero is nil.
func canonical(v any) any {
	switch v := v.(type) {
	case resource.Sensitive:
		return canonical(v.Reveal())
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return zeroAsNil(n)
		}
	case int:
		return zeroAsNil(int64(v))
	case float64:
		if v == float64(int64(v)) {
			return zeroAsNil(int64(v))
		}
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = canonical(e)
		}
		return zeroAsNil(c)
	case map[string]any: // in a list
		c := map[string]any{}
		for key, e := range v {
			if e := canonical(e); e != nil {
				c[key] = e
			}
		}
		return c
	}
	return zeroAsNil(v)
}

// canonicalAt is canonical for the field at path: GKE writes an image type in
// capitals, however it was asked for.
func canonicalAt(path string, v any) any {
	c := canonical(v)
	if text, isText := c.(string); isText && path == "config.imageType" {
		return strings.ToUpper(text)
	}
	return c
}

func zeroAsNil(v any) any {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	case int64:
		if v == 0 {
			return nil
		}
	case float64:
		if v == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
	}
	return v
}

func sorted(v any) []any {
	list, _ := v.([]any)
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b any) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return list
}

// differing returns the leaves of want that live has otherwise, in the order of
// their groups.
func differing(want, live map[leaf]any) []leaf {
	var differ []leaf
	for l, v := range want {
		if !resource.Equal(v, live[l]) {
			differ = append(differ, l)
		}
	}
	slices.SortFunc(differ, func(a, b leaf) int {
		return cmp.Or(cmp.Compare(a.groupOf(), b.groupOf()), cmp.Compare(a.String(), b.String()))
	})
	return differ
}

// replacing returns those of the differing leaves that cannot be changed in
// place. A machine type that brings its local SSDs along is one of them: GKE
// takes the update and does nothing.
func replacing(differ []leaf, want, live map[leaf]any) []string {
	var fields []string
	for _, l := range differ {
		bundled := l.field == "config.machineType" && (bringsSSD(want[l]) || bringsSSD(live[l]))
		if l.groupOf() == groupReplace || bundled {
			fields = append(fields, l.String())
		}
	}
	return fields
}

func bringsSSD(machineType any) bool {
	text, _ := machineType.(string)
	return strings.HasSuffix(text, "-lssd")
}

// tree returns an API object as the tree that [resource.Object] is.
func tree(v any) (resource.Object, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var o map[string]any
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("decode %T: %w", v, err)
	}
	return resource.Object(numbers(o).(map[string]any)), nil
}

// numbers replaces JSON numbers by int64 or float64.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			panic(fmt.Sprintf("gke: %q is not a number", v))
		}
		return f
	case map[string]any:
		for key := range maps.Keys(v) {
			v[key] = numbers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	}
	return v
}
