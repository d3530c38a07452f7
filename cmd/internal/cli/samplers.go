package cli

import (
	"context"

	"hubcap/engine"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/providers/kube"
	"hubcap/providers/launch"
	"hubcap/schema"
)

// shortestSecret is how long a sensitive value is that is looked for in what a
// program says: shorter ones are everywhere.
const shortestSecret = 4

// gateToken finds the token with which a launch gate speaks to its hub: the
// config's, or one that lies in the hub's namespace.
func gateToken(config *schema.Config, client *kube.Client) launch.Token {
	return func(ctx context.Context, g plan.Gate) (resource.Sensitive, error) {
		for _, block := range config.Gates {
			if block.Launch != nil && engine.GateOf(block).Name == g.Name && block.Launch.Token.Reveal() != "" {
				return block.Launch.Token, nil
			}
		}
		if t := g.Launch.Token; t != nil && client != nil {
			return client.Secret(ctx, t.Namespace, t.Secret, t.Key)
		}
		return resource.Sensitive{}, nil
	}
}

// hiding takes the sensitive values of a config, if there is one, out of a text, in every spelling that
// is known of them.
func hiding(config *schema.Config) func(text string) string {
	r := &resource.Redactor{Least: shortestSecret}
	if config != nil { // gates can be tried without one
		for _, s := range config.Sensitive {
			r.Add(s.Reveal())
		}
	}
	return r.Redact
}
