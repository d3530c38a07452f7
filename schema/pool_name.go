package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of GKE's names of node pools.
const (
	maxPoolName       = 40
	digestDigits      = 6
	defaultPoolPrefix = "pool"
)

// LiveName returns the name of a pool in GKE: the one that is written, or else the
// block's, and digits of a digest of what cannot be changed in place, so that
// another shape is another pool beside the first.
func (p *NodePool) LiveName() string {
	if p.PoolName != "" {
		return p.PoolName
	}
	shape, address := p.fixedShape(), p.Address
	if !p.MovedFrom.IsZero() {
		address = p.MovedFrom // under another name it would be another pool
	}
	full := strings.TrimPrefix(address.Module+"-"+address.Name, "-")
	name := sanitisePoolName(strings.ReplaceAll(full, "module.", ""))
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		name = strings.TrimSuffix(defaultPoolPrefix+"-"+name, "-")
	}
	if room := maxPoolName - digestDigits - 1; len(name) > room {
		name = strings.TrimRight(name[:room], "-")
	}
	if name != full {
		shape["address"] = address.String() // what was lost must still tell
	}
	text, err := json.Marshal(shape)
	if err != nil {
		panic(fmt.Sprintf("schema: encode the shape of a node pool: %v", err))
	}
	sum := sha256.Sum256(text)
	return name + "-" + hex.EncodeToString(sum[:])[:digestDigits]
}

// fixedShape returns what GKE changes on no existing pool, by its names for it. A
// machine type that brings local SSDs along is one more: GKE takes the update and
// does nothing. The names of live pools hang on every byte of it.
func (p *NodePool) fixedShape() map[string]any {
	shape := map[string]any{}
	if ssd := p.LocalSSD; ssd != nil {
		count := map[string]any{"localSsdCount": ssd.Count}
		switch ssd.Mode {
		case SSDEphemeral:
			shape["config.ephemeralStorageLocalSsdConfig"] = count
		case SSDBlock:
			shape["config.localNvmeSsdBlockConfig"] = count
		default:
			shape["config.localSsdCount"] = ssd.Count
		}
	}
	if p.Spot != nil {
		shape["config.spot"] = *p.Spot
	}
	if p.OAuthScopes != nil {
		scopes := append([]string{}, p.OAuthScopes...)
		slices.Sort(scopes) // in another order they are the same scopes
		shape["config.oauthScopes"] = scopes
	}
	if p.ServiceAccount != "" {
		shape["config.serviceAccount"] = p.ServiceAccount
	}
	if p.Metadata != nil {
		shape["config.metadata"] = p.Metadata
	}
	if p.MinCPUPlatform != "" {
		shape["config.minCpuPlatform"] = p.MinCPUPlatform
	}
	if p.MaxPodsPerNode != nil {
		shape["maxPodsConstraint"] = map[string]any{"maxPodsPerNode": strconv.FormatInt(*p.MaxPodsPerNode, 10)}
	}
	if strings.HasSuffix(p.MachineType, "-lssd") {
		shape["config.machineType"] = p.MachineType
	}
	return shape
}

// sanitisePoolName returns s in lower case with one "-" for every run of other characters
// than letters and digits.
func sanitisePoolName(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "-")
}
