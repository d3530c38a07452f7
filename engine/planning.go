package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"hubcap/engine/diff"
	"hubcap/engine/expand"
	"hubcap/engine/journal"
	"hubcap/engine/observe"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/schema"
)

// Plan works out what apply would do. It changes nothing.
func (e *Engine) Plan(ctx context.Context, o Options) (*plan.Plan, hcl.Diagnostics, error) {
	in, diags, err := e.gather(ctx, o)
	if diags.HasErrors() || err != nil {
		return nil, diags, err
	}
	p, err := plan.Build(*in)
	if err != nil {
		return nil, diags, fmt.Errorf("plan: %w", err)
	}
	return p, diags, nil
}

// gather returns everything that a plan is made from: what the config asks for, and
// what lives.
func (e *Engine) gather(ctx context.Context, o Options) (*plan.Input, hcl.Diagnostics, error) {
	owners, err := e.owners(ctx)
	if err != nil {
		return nil, nil, err
	}
	want, diags := e.desired()
	if diags.HasErrors() {
		return nil, diags, nil
	}
	in := e.input()
	if !o.At.IsZero() {
		in.Created = o.At
	}
	in.Charts, in.Hooks = want.Charts, want.Hooks
	e.judge(&in)
	in.Only, in.Except, in.Delete = o.Only, o.Except, o.Delete
	in.Rollouts, in.Guards = rollouts(e.Config)
	in.Sites, in.Outputs = Sites(e.Config), outputs(e.Config)
	if err := e.look(ctx, &in, want.Desired); err != nil {
		return nil, diags, err
	}
	if err := e.checkSealed(owners, in.Reading); err != nil {
		return nil, diags, err
	}
	in.Warnings = append(append(in.Warnings, e.forgedOrigins(owners)...), unsealedRevisions(in.Reading)...)
	if _, err := e.next(ctx, &in, want); err != nil {
		return nil, diags, err
	}
	return &in, diags, nil
}

// unsealedRevisions returns a line for each record of a release's revision that the
// cluster's key did not seal as it is: the chart that asks is rendered as what it says.
func unsealedRevisions(reading resource.Reading) []string {
	var lines []string
	for _, o := range reading.Observations {
		if o.Seals && o.Live != nil && expand.IsRevision(o.Desired.Object) {
			lines = append(lines, fmt.Sprintf("%s, which says as which revision %s is rendered (%s), is not sealed as it is by the cluster's key: somebody else may have changed it; the next apply seals it as shown",
				o.Desired.ID, o.Desired.Address.Block(), o.Live.Object.Text("data", "revision")))
		}
	}
	return lines
}

// desired returns what the config asks for. Blocks that change are rendered as the next
// revision of their releases.
func (e *Engine) desired(changing ...resource.Address) (expand.Expanded, hcl.Diagnostics) {
	facts := make(map[string]expand.Facts, len(e.Clusters))
	for name, c := range e.Clusters {
		facts[name] = changingIn(c.Facts, changing)
	}
	objects := expand.All
	if e.expand != nil {
		objects = e.expand
	}
	want, diags := objects(e.Config, facts)
	return want, diags
}

// input returns what every plan of this engine has in common.
func (e *Engine) input() plan.Input {
	in := plan.Input{Version: e.Version, Config: e.Config.Settings.Name, Origin: e.Config.Settings.Origin, Given: e.Config.Given, Commit: e.Commit, Created: e.now()}
	for _, name := range e.names() {
		c := e.Clusters[name].describe()
		c.Name = name
		in.Clusters = append(in.Clusters, c)
	}
	return in
}

// names returns the names of the clusters in order.
func (e *Engine) names() []string { return slices.Sorted(maps.Keys(e.Clusters)) }

// look fills in what has to be read from outside, all at once: the objects, the
// people, the key and the measured times.
func (e *Engine) look(ctx context.Context, in *plan.Input, desired []resource.Desired) error {
	var (
		wait    sync.WaitGroup
		reading resource.Reading
		failed  error
		keyless error
		census  map[string]resource.Census
		blind   []resource.Unreadable
		runs    []journal.Run
		silent  error
	)
	wait.Go(func() { reading, failed = observe.Read(ctx, e.readers(), desired) })
	wait.Go(func() { census, blind = e.count(ctx) })
	wait.Go(func() { runs, silent = e.OwnHistory(ctx) })
	if len(e.Clusters) == 1 { // otherwise the journals tell which of them has the key
		wait.Go(func() { in.Mask, keyless = e.mask(ctx) })
	}
	wait.Wait()
	if len(e.Clusters) > 1 {
		in.Mask, keyless = e.mask(ctx)
	}
	if failed != nil {
		return failed
	}
	if keyless != nil { // who may read no Secrets sees a plan, and that it has holes
		blind = append(blind, resource.Unreadable{What: "the key of digests", Reason: keyless.Error()})
	}
	if silent != nil {
		in.Warnings = append(in.Warnings, "measured times are left out: "+silent.Error())
	}
	known := trusted(runs)
	in.Measured, in.Rejected = journal.Measured(known), journal.Rejected(known)
	in.Warnings = append(in.Warnings, e.move(&reading)...)
	in.Removed = e.removed(reading)
	in.Reading, in.Census = reading, census
	in.Reading.Unreadable = append(in.Reading.Unreadable, blind...)
	in.Changes = diff.Compare(reading)
	in.Reading.Unreadable = append(in.Reading.Unreadable, e.countTouched(ctx, census, in.Changes)...)
	missing := absent(reading.Observations)
	gone, err := e.vanished(ctx, maps.Clone(missing), known)
	if err = cmp.Or(err, silent); err != nil && len(missing) > len(gone) {
		in.Reading.Unreadable = append(in.Reading.Unreadable, resource.Unreadable{
			What: fmt.Sprintf("whether missing objects are new or were deleted (%d)", len(missing)-len(gone)), Reason: err.Error(),
		})
	}
	in.Vanished = gone
	if in.Owed, err = e.owed(ctx, known); err != nil {
		in.Warnings = append(in.Warnings, "hooks that a run before did not come to are left out: "+err.Error())
	}
	for _, u := range e.unverified(ctx, runs) {
		in.Warnings = append(in.Warnings, u.String())
	}
	for i := range in.Clusters {
		in.Clusters[i].Sessions = census[in.Clusters[i].Name].Sessions
	}
	return nil
}

func (e *Engine) readers() map[string]observe.Reader {
	readers := make(map[string]observe.Reader, len(e.Clusters))
	for name, c := range e.Clusters {
		readers[name] = c.Reader
	}
	return readers
}

// mask returns the mask of this config's plans.
func (e *Engine) mask(ctx context.Context) (plan.Mask, error) {
	home, err := e.home(ctx)
	if err != nil {
		return plan.Mask{}, err
	}
	return maskOf(ctx, home)
}

// maskOf returns the mask of the plans whose journal a cluster keeps.
func maskOf(ctx context.Context, home *Cluster) (plan.Mask, error) {
	if home.Keys == nil {
		return plan.Mask{}, nil
	}
	key, err := home.Keys.Key(ctx)
	if err != nil {
		return plan.Mask{}, fmt.Errorf("read the key of digests: %w", err)
	}
	return plan.Mask{Key: key}, nil
}

// Document returns p as a document that can be saved and published: secrets are
// in it only as digests.
func (e *Engine) Document(ctx context.Context, p *plan.Plan) ([]byte, error) {
	m, err := e.mask(ctx)
	if err != nil {
		return nil, err
	}
	document, _, err := plan.Encode(p, m)
	return document, err
}

// outputs returns the values of the outputs; a sensitive one stays hidden.
func outputs(cfg *schema.Config) map[string]any {
	if len(cfg.Outputs) == 0 {
		return nil
	}
	values := make(map[string]any, len(cfg.Outputs))
	for _, o := range cfg.Outputs {
		values[o.Address.Name] = o.Value
		if _, hidden := o.Value.(resource.Sensitive); o.Sensitive && !hidden {
			text, err := json.Marshal(resource.Reveal(o.Value))
			if err != nil {
				panic(fmt.Sprintf("engine: output %s holds what is not JSON", o.Address))
			}
			values[o.Address.Name] = resource.Secret(string(text))
		}
	}
	return values
}
