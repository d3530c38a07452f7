package engine

import (
	"context"
	"fmt"
)

// keyed reads the signing key of every cluster that the run touches. The plan was made
// with what is published as its public half: where that was another key, anything that
// the plan took for hubcap's may be somebody else's, and the plan is stale. A run
// without a right to the key is refused here, before its first write.
func (s *session) keyed(ctx context.Context) error {
	for _, name := range s.touched() {
		c := s.Clusters[name]
		if c.Seals == nil {
			continue
		}
		if _, err := s.publicKey(ctx, c); err != nil { // as it is published, before it is set right
			return fmt.Errorf("cluster %s: read the public key of seals: %w", name, err)
		}
		if _, err := s.signingKey(ctx, c); err != nil {
			return fmt.Errorf("cluster %s: read the signing key: %w", name, err)
		}
	}
	return nil
}
