package engine

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/plan"
	"hubcap/schema"
)

// An IdentityError says that a cluster which was reached is not the one that is meant.
type IdentityError struct {
	Cluster string
	Pinned  string // in the config
	Live    string
}

func (e *IdentityError) Error() string {
	return fmt.Sprintf("cluster %s is another one: the config pins the identity %q, and the cluster that was reached has %q", e.Cluster, e.Pinned, e.Live)
}

// Diagnostic is the error at its place in the config.
func (e *IdentityError) Diagnostic(block schema.Cluster) *hcl.Diagnostic {
	at := block.At("identity")
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Cluster of another identity",
		Detail: fmt.Sprintf("The config pins %q, but the cluster that was reached has %q. Check the context and the kubeconfig; nothing was read or changed.",
			e.Pinned, e.Live),
		Subject: &at,
	}
}

// CheckIdentity returns an [IdentityError] when the cluster that was reached for block is
// not the one that the config pins. Whoever connects a cluster calls it before anything
// else is asked of that.
func CheckIdentity(block schema.Cluster, live string) error {
	if block.Identity == "" || block.Identity == live {
		return nil
	}
	return &IdentityError{Cluster: block.Address.Name, Pinned: block.Identity, Live: live}
}

// describe returns a cluster as plans and runs name it.
func (c *Cluster) describe() plan.Cluster {
	d := plan.Cluster{Name: c.Name, Identity: c.Identity, Where: c.Where}
	if c.GKE != nil {
		its := *c.GKE
		d.GKE = &its
	}
	return d
}

// same returns an [ErrStale] when one of the clusters that a plan was made for is not
// the one of that name now.
func (e *Engine) same(clusters []plan.Cluster) error {
	for _, c := range clusters {
		live := e.Clusters[c.Name]
		if live == nil {
			continue
		}
		if other := live.describe().Other(c); other != "" {
			return fmt.Errorf("%w: cluster %s is not the one that it was made for: %s", ErrStale, c.Name, other)
		}
	}
	return nil
}
