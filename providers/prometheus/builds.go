package prometheus

import (
	"context"
	"fmt"
	"time"

	"hubcap/engine/gate"
	"hubcap/engine/run"
)

// A BuildSampler takes the samples of gates on builds: what is asked for is
// BinderHub's gauge in Prometheus, what is done about it are the build pods.
type BuildSampler struct {
	*Sampler
	Pods func(ctx context.Context, namespace string) (gate.Builds, error)
}

// Sample counts both and judges them. Pods of the past are gone, so that there is
// no replay.
func (s *BuildSampler) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	check := q.Gate.Builds
	if check == nil {
		return run.Sample{}, fmt.Errorf("sample gate %s: it does not look at builds", q.Gate.Name)
	}
	pods, err := s.Pods(ctx, check.Namespace)
	if err != nil {
		return run.Sample{}, err
	}
	at := q.At
	if at.IsZero() {
		at = time.Now()
	}
	asked := gate.Answer{Query: gate.Query{Expr: check.InProgress}}
	if check.MaxPerPod != nil {
		asked = s.Answer(ctx, []gate.Query{{Role: gate.Value, Cluster: check.Cluster, Expr: check.InProgress, At: at}})[0]
	}
	if ctx.Err() != nil {
		return run.Sample{}, ctx.Err()
	}
	return gate.JudgeBuilds(*check, pods, asked), nil
}
