package gke

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	container "google.golang.org/api/container/v1"
)

// lost is for how long an operation may be not found before its end is taken for
// granted and the object itself is looked at. A new operation can be missing for
// a while.
const lost = time.Minute

// operations returns the operations of the cluster, running and done, in the
// order in which GKE lists them.
func (p *Provider) operations(ctx context.Context) ([]*container.Operation, error) {
	svc, err := p.service(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := try(ctx, p, p.c.Patience, func(ctx context.Context) (*container.ListOperationsResponse, error) {
		return svc.Projects.Locations.Operations.List(p.parent()).Context(ctx).Do()
	})
	if err != nil {
		return nil, fmt.Errorf("list operations: %w", err)
	}
	var ours []*container.Operation
	for _, op := range answer.Operations {
		// Links bear the project's number and either zones or locations.
		_, after, found := strings.Cut(op.TargetLink, "/clusters/")
		name, _, _ := strings.Cut(after, "/")
		if found && name == p.c.Name {
			ours = append(ours, op)
		}
	}
	return ours, nil
}

// idle waits until no operation that concerns us runs on the cluster: one that is
// under way would refuse ours, and it may change what we are about to look at. How
// it ends is not our concern.
func (p *Provider) idle(ctx context.Context, concerns func(*container.Operation) bool) error {
	for {
		ops, err := p.operations(ctx)
		if err != nil {
			return err
		}
		var running *container.Operation
		for _, op := range ops {
			if op.Status != "DONE" && concerns(op) {
				running = op
			}
		}
		if running == nil {
			return nil
		}
		var failed *operationError
		if err := p.wait(ctx, running); err != nil && !errors.As(err, &failed) {
			return err
		}
	}
}

// An operationError says that an operation ended badly.
type operationError struct {
	operation string
	text      string
}

func (e *operationError) Error() string { return e.text }

// wait looks at an operation until it is done and returns its error, if it ended
// with one: GKE tells it in error, in statusMessage, or in both. A cancelled
// operation is one that failed.
func (p *Provider) wait(ctx context.Context, op *container.Operation) error {
	b := &backoff{next: min(200*time.Millisecond, p.c.Poll), most: p.c.Poll}
	var missing time.Time
	told := ""
	for op.Status != "DONE" {
		if text := describe(op); text != told {
			p.c.Progress(text)
			told = text
		}
		if err := b.pause(ctx); err != nil {
			return fmt.Errorf("%s: %w", describe(op), err)
		}
		next, err := p.poll(ctx, op.Name)
		switch {
		case err == nil:
			op, missing = next, time.Time{}
		case judge(err) != absent:
			return err
		case missing.IsZero():
			missing = p.c.Now()
		case p.c.Now().Sub(missing) > lost:
			return nil
		}
	}
	return failure(op)
}

func (p *Provider) poll(ctx context.Context, name string) (*container.Operation, error) {
	svc, err := p.service(ctx)
	if err != nil {
		return nil, err
	}
	// The name alone: an operation's own link may lead nowhere.
	return try(ctx, p, p.c.Patience, func(ctx context.Context) (*container.Operation, error) {
		return svc.Projects.Locations.Operations.Get(p.parent() + "/operations/" + name).Context(ctx).Do()
	})
}

func failure(op *container.Operation) error {
	text := op.StatusMessage
	if op.Error != nil && op.Error.Message != "" {
		text = op.Error.Message
	}
	if text == "" && op.Error != nil {
		text = fmt.Sprintf("ended with code %d and no message", op.Error.Code)
	}
	if text == "" {
		return nil
	}
	return &operationError{operation: op.Name, text: text}
}

// describe says in one line what an operation is at.
func describe(op *container.Operation) string {
	text := op.Name
	if op.OperationType != "" {
		text += " (" + op.OperationType + ")"
	}
	text += " is " + strings.ToLower(op.Status)
	if op.Progress == nil {
		return text
	}
	counts := map[string]int64{}
	for _, m := range op.Progress.Metrics {
		counts[m.Name] = m.IntValue
	}
	if total := counts["NODES_TOTAL"]; total > 0 {
		text += fmt.Sprintf(", %d of %d nodes", counts["NODES_DONE"], total)
	}
	if failed := counts["NODES_FAILED"]; failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	return text
}
