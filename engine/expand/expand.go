// Package expand turns a config into the objects it asks for: charts are
// rendered, typed attributes become chart values, pools become GKE node pools.
//
// Place in the pipeline: after schema, before observe. It has no context and no
// client: what charts may ask of a live cluster comes in as [Facts].
package expand

import (
	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/resource"
	"hubcap/schema"
)

// Facts is what charts may ask of one live cluster. The zero Facts is offline:
// no object exists, and a recent Kubernetes is assumed.
type Facts struct {
	KubeVersion string   // "v1.36.3"; empty: assumed
	APIVersions []string // "apps/v1", "apps/v1/Deployment"; empty: the built-in ones

	// Lookup returns a live object, or nil when there is none; nil Lookup means
	// that nothing exists. With an empty name it returns a List.
	Lookup func(apiVersion, kind, namespace, name string) (map[string]any, error)
}

// Config returns the objects cfg asks for, in a fixed order. facts are by name of
// the cluster block; a cluster without any is rendered offline.
func Config(cfg *schema.Config, facts map[string]Facts) ([]resource.Desired, hcl.Diagnostics) {
	return nil, nil
}
