package cli

import (
	"context"
	"errors"
	"fmt"

	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/providers/gke"
	"hubcap/providers/kube"
	"hubcap/schema"
)

// A reached is a cluster that was found to be the one that its block means.
type reached struct {
	client   *kube.Client
	pools    *gke.Provider // nil: it is not in GKE
	where    string        // for people
	options  kube.Options  // that it was reached with
	identity string        // UID of kube-system; empty when that may not be read
	unread   error         // why it may not
	gke      *plan.GKE
}

// reach connects to the API servers of a cluster and makes sure which cluster that is:
// the one that the block pins, and, where GKE is named, the one that GKE names. All
// commands come by here, and none asks anything of a cluster before.
func (s *session) reach(ctx context.Context, config *schema.Config, block schema.Cluster) (*reached, error) {
	r := &reached{options: s.kubeOptions(block)}
	var err error
	if r.pools, err = s.gkeProvider(config, block); err != nil {
		return nil, err
	}
	r.where = r.options.Context
	var known *gke.Identity
	if r.pools != nil {
		r.where = r.pools.Where()
		if r.options.Kubeconfig == "" && r.options.Context == "" && s.inside != block.Address.Name {
			if known, err = viaGKE(ctx, r.pools, &r.options); err != nil {
				return nil, err
			}
		}
	}
	if r.client, err = kube.Connect(r.options); err != nil {
		return nil, err
	}
	if r.identity, err = r.client.Identity(ctx); errors.Is(err, kube.ErrForbidden) && block.Identity == "" {
		r.unread = err
	} else if err != nil {
		return nil, err
	}
	if err := engine.CheckIdentity(block, r.identity); err != nil {
		return nil, err
	}
	return r, s.bind(ctx, block, r, known)
}

// bind makes sure that the API servers are those of the cluster that the block names in
// GKE: a kubeconfig may lead anywhere. known is what GKE said when it led there itself.
// Where the connection does not tell, the pinned identity does; where none is pinned
// either, what cannot be known is said, and what contradicts is refused.
func (s *session) bind(ctx context.Context, block schema.Cluster, r *reached, known *gke.Identity) error {
	if r.pools == nil {
		return nil
	}
	r.gke = &plan.GKE{Project: block.GKE.Project, Location: block.GKE.Location, Name: block.GKE.Name}
	if known != nil {
		r.gke.ID = known.ID
		return nil
	}
	says, err := r.pools.Identity(ctx)
	if err != nil {
		s.warn("hubcap: cluster %s: whether the kubeconfig leads to the cluster of that name in GKE is not known: %v", block.Address.Name, err)
		return nil
	}
	r.gke.ID = says.ID
	host, ca, err := r.client.Server()
	if err != nil {
		return err
	}
	named := fmt.Sprintf("the cluster %s of project %s in %s", block.GKE.Name, block.GKE.Project, block.GKE.Location)
	pin := fmt.Sprintf("If it is a proxy in front of that cluster, compare the UID of kube-system there by another way (kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'), and pin it: identity = %q", r.identity)
	switch match := says.Match(host, ca); {
	case match == gke.Other:
		return fmt.Errorf("the kubeconfig leads to %s, which is not %s but the endpoint of another: its node pools and its objects would be those of two clusters", host, named)
	case match == gke.Same, block.Identity != "": // pinned, and compared: whatever is in between leads to that cluster
		return nil
	case match == gke.Proxied:
		return fmt.Errorf("the kubeconfig leads to %s, which has neither the endpoints nor the authority of %s: if it is another one, its node pools and its objects would be those of two clusters. %s",
			host, named, pin)
	}
	s.warn("hubcap: cluster %s: whether %s is %s is not known: it has none of its endpoints, and names no authority. %s", block.Address.Name, host, named, pin)
	return nil
}

// viaGKE points options at the API server that the GKE API names.
func viaGKE(ctx context.Context, pools *gke.Provider, options *kube.Options) (*gke.Identity, error) {
	access, err := pools.Cluster(ctx)
	if err != nil {
		return nil, err
	}
	options.Host, options.CA, options.WrapTransport = access.Host, access.CAData, access.Wrap
	options.Cert, options.Key = access.ClientCert, access.ClientKey
	return &access.Identity, nil
}
