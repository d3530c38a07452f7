package prometheus

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"hubcap/engine/gate"
	"hubcap/engine/run"
)

// askers is how many queries of one sample are under way at once.
const askers = 4

// errNone says that nobody said where to ask.
var errNone = errors.New("no Prometheus is configured")

// A Sampler takes the samples of gates with a Prometheus check.
type Sampler struct {
	// Client returns the client for a cluster's Prometheus, or why there is none.
	Client func(cluster string) (*Client, error)
}

// Sample asks what the gate needs and judges it. That something could not be asked
// is in the sample, which is inconclusive then.
func (s *Sampler) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	if q.Gate.Prometheus == nil {
		return run.Sample{}, fmt.Errorf("sample gate %s: it asks no Prometheus", q.Gate.Name)
	}
	answers := s.Answer(ctx, gate.Ask(q))
	if ctx.Err() != nil {
		return run.Sample{}, ctx.Err()
	}
	return gate.Judge(q, answers), nil
}

// Answer asks all queries and returns the answers in their order.
func (s *Sampler) Answer(ctx context.Context, queries []gate.Query) []gate.Answer {
	answers := make([]gate.Answer, len(queries))
	var group errgroup.Group
	group.SetLimit(askers)
	for i, query := range queries {
		group.Go(func() error {
			answers[i].Query = query
			answers[i].Points, answers[i].Err = s.ask(ctx, query)
			return nil
		})
	}
	_ = group.Wait() // errors are in the answers
	return answers
}

func (s *Sampler) ask(ctx context.Context, query gate.Query) ([]gate.Point, error) {
	client, err := s.Client(query.Cluster)
	if err != nil {
		return nil, err
	}
	if client == nil {
		return nil, fmt.Errorf("ask the Prometheus of cluster %s: %w", query.Cluster, errNone)
	}
	return client.Ask(ctx, query)
}
