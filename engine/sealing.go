package engine

import (
	"context"
	"fmt"
	"slices"
)

// keyed reads the signing key of every cluster that the run touches. The plan was made
// with what is published as its public half: where that was another key, anything that
// the plan took for hubcap's may be somebody else's, and the plan is stale. A run
// without a right to the key is refused here, before its first write.
func (s *session) keyed(ctx context.Context) error {
	touched := []string{s.names()[0]}
	for _, step := range s.plan.Steps() {
		for _, c := range step.Changes {
			if !slices.Contains(touched, c.ID.Cluster) {
				touched = append(touched, c.ID.Cluster)
			}
		}
	}
	for _, name := range touched {
		seals := s.Clusters[name].Seals
		if seals == nil {
			continue
		}
		published, publicErr := seals.PublicKey(ctx) // before it is set right
		key, err := seals.SigningKey(ctx)
		if err != nil {
			return fmt.Errorf("cluster %s: read the signing key: %w", name, err)
		}
		if publicErr != nil || !published.IsZero() && published != key.Public() {
			return fmt.Errorf("%w: cluster %s: the public key that it was made with is not that of the signing key; it is set right now, plan again", ErrStale, name)
		}
	}
	return nil
}
