package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

const (
	foreseeTime = 10 * time.Second // in which all guards are asked when a plan is shown
	foreseeMany = 16               // guards asked at once
)

// Foresee asks the guards of p how they stand now, and notes it in p.Standings for
// people to see. It takes no longer than [foreseeTime]: what cannot be told by then,
// or at all, is noted as that. It is never an error, and nothing depends on it: a run
// asks again right before each step.
func (e *Engine) Foresee(ctx context.Context, p *plan.Plan) {
	ctx, cancel := context.WithTimeout(ctx, foreseeTime)
	defer cancel()
	f := &foresight{plan: p, targets: make(map[string]run.Target, len(e.Clusters)), questions: make(map[string]*question)}
	for name, c := range e.Clusters {
		counted := *c
		if c.Census != nil {
			counted.Census = &countOnce{census: c.Census, at: f.places(name, e.Places(name))}
		}
		f.targets[name] = counted.target()
	}
	if f.hasBudget() {
		f.spent, f.blind = e.spentBeside(ctx, "")
	}
	f.collect()
	f.ask(ctx)
	f.tell()
}

// A foresight is the asking of all guards of a plan.
type foresight struct {
	plan      *plan.Plan
	targets   map[string]run.Target
	spent     map[string]int // sessions cut off within the last week, by cluster
	blind     error          // why that is not known
	standings []plan.Standing
	open      []*question          // for each standing, what has to be asked; nil: nothing
	questions map[string]*question // each is asked once
	order     []*question
}

// A question is what several guards ask the outside world.
type question struct {
	run.Watching
	stand  plan.Stand
	untold string
}

// places adds to at where guards of the plan's steps on a cluster count people.
func (f *foresight) places(cluster string, at resource.Places) resource.Places {
	for _, step := range f.plan.Steps() {
		for _, g := range step.Guards {
			asks := step.Cluster == cluster && g.Sessions != nil && g.Sessions.Pool == ""
			if asks && !slices.Contains(at.Namespaces, g.Sessions.Namespace) {
				at.Namespaces = append(at.Namespaces, g.Sessions.Namespace)
			}
		}
	}
	return at
}

func (f *foresight) hasBudget() bool {
	for _, step := range f.plan.Steps() {
		for _, g := range step.Guards {
			if g.Budget != nil {
				return true
			}
		}
	}
	return false
}

// collect answers the guards that need nothing of the outside world, and notes what
// the others ask. What earlier steps of the plan will cut off counts for a budget.
func (f *foresight) collect() {
	committed, ahead := make(map[string]plan.Toll), make(map[string][]resource.Change)
	for _, step := range f.plan.Steps() {
		asked := plan.Asked{At: f.plan.Created, Step: step, Drift: f.plan.Drift}
		if f.blind == nil {
			asked.Spent = &plan.Spent{Run: committed[step.Cluster], Others: f.spent[step.Cluster]}
		}
		committed[step.Cluster] = committed[step.Cluster].With(step.Crowd(), step.Impact)
		for _, g := range step.Guards {
			if g.Verdict != nil {
				continue
			}
			stand, known := g.Stand(asked)
			standing := step.Standing(g, stand)
			var q *question
			switch {
			case known:
			case g.Budget != nil:
				standing.Untold = "read what other runs interrupted: " + f.blind.Error()
			default:
				q = f.question(run.Watching{Guard: g, Step: step, Ahead: slices.Clone(ahead[step.Cluster])})
			}
			f.standings, f.open = append(f.standings, standing), append(f.open, q)
		}
		for _, c := range step.Changes {
			if c.ID.Kind == resource.KindNodePool {
				ahead[step.Cluster] = append(ahead[step.Cluster], c)
			}
		}
	}
}

// question returns the question of a guard, which is the same for all steps that it
// does not look at itself.
func (f *foresight) question(w run.Watching) *question {
	text, err := json.Marshal(w.Guard)
	if err != nil {
		panic("engine: a guard that is no data: " + err.Error())
	}
	key := w.Step.Cluster + " " + string(text)
	if w.Guard.Capacity != nil {
		key += " " + string(w.Step.ID)
	}
	if f.questions[key] == nil {
		f.questions[key] = &question{Watching: w}
		f.order = append(f.order, f.questions[key])
	}
	return f.questions[key]
}

// ask asks all questions, some at once.
func (f *foresight) ask(ctx context.Context) {
	var wait sync.WaitGroup
	places := make(chan struct{}, foreseeMany)
	for _, q := range f.order {
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			if ctx.Err() == nil {
				q.stand, q.untold = f.targets[q.Step.Cluster].Ask(ctx, q.Watching)
			}
			if ctx.Err() != nil && (q.untold != "" || q.stand == plan.Stand{}) {
				q.untold = fmt.Sprintf("no answer within %s", foreseeTime)
			}
		})
	}
	wait.Wait()
}

// tell notes the answers in the plan.
func (f *foresight) tell() {
	f.plan.Standings = []plan.Standing{}
	for i, standing := range f.standings {
		if q := f.open[i]; q != nil {
			standing.Holds, standing.Reason, standing.Untold = q.stand.Holds, q.stand.Reason, q.untold
		}
		f.plan.Standings = append(f.plan.Standings, standing)
	}
}

// A countOnce is a census of all places that is taken once.
type countOnce struct {
	census Census
	at     resource.Places
	once   sync.Once
	result resource.Census
	err    error
}

// Count returns what was counted first. What lies elsewhere is counted apart.
func (c *countOnce) Count(ctx context.Context, at resource.Places) (resource.Census, error) {
	if slices.ContainsFunc(at.Namespaces, func(n string) bool { return !slices.Contains(c.at.Namespaces, n) }) {
		return c.census.Count(ctx, at)
	}
	c.once.Do(func() {
		c.result, c.err = c.census.Count(ctx, c.at)
	})
	return c.result, c.err
}
