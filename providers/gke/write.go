package gke

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	container "google.golang.org/api/container/v1"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Write makes the change and returns when GKE says that it is made and the pool
// has been read again and found as wanted. What a cut-off write has done already
// is not done again. It waits for other operations on the cluster, and tries
// again what a busy or failing service refuses. A pool that is neither as before
// nor as wanted is an error that wraps [run.ErrMoved].
func (p *Provider) Write(ctx context.Context, change resource.Change, sight run.Sight) (run.Sight, error) {
	done, err := p.take(ctx)
	if err != nil {
		return run.Sight{}, err
	}
	defer done()
	w := &write{Provider: p, change: change, name: change.ID.Name}
	verb := "update"
	switch {
	case sight.State == run.Elsewhere:
		err = fmt.Errorf("%w: %s", run.ErrMoved, sight.Moved)
	case change.After == nil:
		verb = "delete"
		err = w.until(ctx, w.remove)
	case change.Before == nil:
		verb = "create"
		err = w.until(ctx, w.create)
	default:
		err = w.until(ctx, w.update)
	}
	if err != nil {
		return run.Sight{}, fmt.Errorf("%s node pool %s: %w", verb, w.name, err)
	}
	return run.Sight{State: run.AtAfter}, nil
}

// A write is one change on its way.
type write struct {
	*Provider
	change resource.Change
	name   string

	nonce    string    // that the pool is to bear; see vouch
	sent     []leaf    // what the last accepted call was to change
	troubled time.Time // since when every call has failed; zero when the last one did not
	pauses   *backoff
	refused  int // calls in a row that the state of things did not allow, and no operation ran
}

// stay is what a round of a write says: go on with another one, or done.
type stay int

const (
	again stay = iota + 1
	finished
)

// until makes rounds of looking and doing until the pool is as wanted. Every
// round begins with what is there, so that it does not matter how the one before
// ended.
func (w *write) until(ctx context.Context, round func(context.Context) (stay, error)) error {
	for {
		if err := w.idle(ctx, all); err != nil {
			return err
		}
		s, err := round(ctx)
		if err != nil || s == finished {
			return err
		}
	}
}

// all concerns itself with every operation: GKE refuses ours beside most.
func all(*container.Operation) bool { return true }

// after decides how to go on when a call has ended with op or err.
func (w *write) after(ctx context.Context, op *container.Operation, err error) (stay, error) {
	if err == nil {
		w.troubled, w.pauses, w.refused = time.Time{}, nil, 0
		return again, w.wait(ctx, op)
	}
	if ended := ctx.Err(); ended != nil {
		return again, ended
	}
	w.sent = nil
	switch judge(err) {
	case busy:
		return again, w.await(ctx, err)
	case taken, moved, transient:
		return again, w.pause(ctx, err)
	}
	return again, explain(err)
}

// mostRefusals is how often GKE may refuse a call for the state that things are in while
// no operation runs: one may have ended between the refusal and the look.
const mostRefusals = 4

// await waits for the operation that made GKE refuse a call. Where none runs, the state
// is not that of an operation, and after a few tries the refusal is the error.
func (w *write) await(ctx context.Context, refusal error) error {
	ops, err := w.operations(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(ops, func(op *container.Operation) bool { return op.Status != "DONE" }) {
		w.refused = 0
		w.c.Progress("waiting: " + explain(refusal).Error())
		return w.idle(ctx, all)
	}
	if w.refused++; w.refused >= mostRefusals {
		return explain(refusal)
	}
	return w.pause(ctx, refusal)
}

// pause sleeps before the next try, or gives up with cause when nothing but
// failures came back for as long as patience lasts.
func (w *write) pause(ctx context.Context, cause error) error {
	if w.pauses == nil {
		w.troubled, w.pauses = w.c.Now(), w.backoff()
	}
	if w.c.Now().Sub(w.troubled)+w.pauses.next > w.c.Patience {
		return explain(cause)
	}
	return w.pauses.pause(ctx)
}

// create makes the pool, or finds it made by a try whose answer was lost.
func (w *write) create(ctx context.Context) (stay, error) {
	l, np, err := w.get(ctx, w.name)
	if err != nil {
		return again, err
	}
	if l != nil {
		s := w.sight(w.change, l)
		if s.State != run.AtAfter {
			return again, fmt.Errorf("%w: %s", run.ErrMoved, s.Moved)
		}
		if err := w.vouch(ctx, labelsOf(l.Object)); err != nil {
			return again, err
		}
		if err := broken(np); err != nil || labelsOf(l.Object)[noteSeal] == w.nonce {
			return finished, err
		}
		return w.update(ctx)
	}
	if w.sent != nil {
		return again, errors.New("GKE says that it is done, but the pool is not there")
	}
	if err := w.vouch(ctx, nil); err != nil {
		return again, err
	}
	request, err := w.creation()
	if err != nil {
		return again, err
	}
	svc, err := w.service(ctx)
	if err != nil {
		return again, err
	}
	w.sent = []leaf{{field: "name"}}
	op, err := change(ctx, func(ctx context.Context) (*container.Operation, error) {
		return svc.Projects.Locations.Clusters.NodePools.Create(w.cluster(), request).Context(ctx).Do()
	})
	s, err := w.after(ctx, op, err)
	var failed *operationError
	if errors.As(err, &failed) {
		return s, w.leftover(ctx, failed)
	}
	return s, err
}

// leftover says what a failed creation has left behind.
func (w *write) leftover(ctx context.Context, failed error) error {
	_, np, err := w.get(ctx, w.name)
	switch {
	case err != nil:
		return fmt.Errorf("%w (and then: %w)", failed, err)
	case np == nil:
		return failed
	}
	return fmt.Errorf("%w (the pool exists with status %s; GKE goes on trying)", failed, np.Status)
}

// broken returns why a pool that was found made is not of use, or nil. What
// settles by itself is the prober's concern.
func broken(np *container.NodePool) error {
	if np.Status != "ERROR" {
		return nil
	}
	return fmt.Errorf("it exists with status ERROR: %s", strings.Join(complaints(np), "; "))
}

func (w *write) creation() (*container.CreateNodePoolRequest, error) {
	o := writable(w.change.After)
	o["name"] = w.name
	labels := labelsOf(o)
	known, digest := marks(labels), labels[noteApplied] // a pre-image knows which of its entries were ours
	if len(known) == 0 {
		known, digest = marksOf(w.change.After), applied(w.change.After)
	}
	labels = withNotes(labels, known, digest, w.nonce)
	o.Set(labelTree(labels), "config", "resourceLabels")
	complete(o)
	return body[container.CreateNodePoolRequest](resource.Object{"nodePool": map[string]any(o)})
}

// update makes the first of the calls that are still to be made.
func (w *write) update(ctx context.Context) (stay, error) {
	l, _, err := w.get(ctx, w.name)
	if err != nil {
		return again, err
	}
	if err := w.ignored(l); err != nil {
		return again, err
	}
	if s := w.sight(w.change, l); s.State == run.Elsewhere {
		return again, fmt.Errorf("%w: %s", run.ErrMoved, s.Moved)
	}
	want, have := leaves(w.change.After), leaves(l.Object)
	differ, gone := differing(want, have), w.gone(have)
	if fixed := replacing(append(slices.Clone(differ), gone...), want, have); len(fixed) > 0 {
		return again, fmt.Errorf("%s cannot be changed in place: a pool of another name is needed", strings.Join(fixed, ", "))
	}
	if err := w.vouch(ctx, labelsOf(l.Object)); err != nil {
		return again, err
	}
	next := w.next(l.Object, differ, gone)
	if next == nil && w.nonce == "" {
		return finished, w.forget(ctx) // it is given back
	}
	if next == nil {
		return finished, nil
	}
	if err := run.LastCheck(ctx); err != nil {
		return again, err
	}
	w.sent = next.covers
	op, err := change(ctx, func(ctx context.Context) (*container.Operation, error) { return w.send(ctx, *next, l.Version) })
	return w.after(ctx, op, err)
}

// ignored returns an error when the last call was accepted and carried out, and
// what it was to change is as it was: GKE does that.
func (w *write) ignored(l *resource.Live) error {
	if l == nil {
		return nil
	}
	want, have := leaves(w.change.After), leaves(l.Object)
	for _, at := range w.sent {
		if !resource.Equal(want[at], have[at]) {
			return fmt.Errorf("GKE accepted the change but %s is still %s instead of %s", at, show(at, have[at]), show(at, want[at]))
		}
	}
	w.sent = nil
	return nil
}

// gone returns the entries that the pool had, has still and is to have no more.
func (w *write) gone(have map[leaf]any) []leaf {
	want := leaves(w.change.After)
	var entries []leaf
	for l := range leaves(w.change.Before) {
		_, isWanted := want[l]
		_, isThere := have[l]
		if l.entry != "" && !isWanted && isThere {
			entries = append(entries, l)
		}
	}
	return entries
}

// next returns the next call, or nil when none is left. Before entries are
// written the notes say that they are ours, so that a write that is cut off can
// be undone; after everything else the notes say what was applied.
func (w *write) next(live resource.Object, differ, gone []leaf) *call {
	known, final := marks(labelsOf(live)), marksOf(w.change.After)
	union := append(slices.Clone(known), final...)
	digest := labelsOf(live)[noteApplied]
	unknown := slices.ContainsFunc(differ, func(l leaf) bool { return l.entry != "" && !slices.Contains(known, mark(l)) })
	list := calls(w.change.After, live, differ, gone)
	switch {
	case unknown:
		var group []leaf
		for _, l := range append(slices.Clone(differ), gone...) {
			if l.groupOf() == groupResourceLabels {
				group = append(group, l)
			}
		}
		return w.labelling(live, group, union, digest)
	case len(list) == 0:
		done := applied(w.change.After)
		if w.change.After.Text("config", "resourceLabels", LabelConfig) == "" {
			final, done = nil, "" // it is given back: no notes stay on it
		}
		c := w.labelling(live, nil, final, done)
		if maps.Equal(labelsOf(live), text(c.fields)) {
			return nil
		}
		return c
	case list[0].covers[0].groupOf() == groupResourceLabels:
		return w.labelling(live, list[0].covers, union, digest)
	}
	return &list[0]
}

// labelling returns the call that writes the resource labels of group, and the
// notes.
func (w *write) labelling(live resource.Object, group []leaf, digests []string, digest string) *call {
	labels := map[string]string{}
	for key, value := range entriesOf("config.resourceLabels", mergedMap(w.change.After, live, "resourceLabels", group)) {
		labels[key] = value.(string)
	}
	all := labelTree(withNotes(labels, digests, digest, w.nonce))
	return &call{covers: group, fields: resource.Object{"resourceLabels": map[string]any{"labels": all}}}
}

// text returns the labels of a labelling call.
func text(fields resource.Object) map[string]string {
	labels := map[string]string{}
	v, _ := fields.Value("resourceLabels", "labels")
	for key, value := range entriesOf("config.resourceLabels", v) {
		labels[key] = value.(string)
	}
	return labels
}

// send makes one call. Only an update takes an etag: see [change].
func (w *write) send(ctx context.Context, c call, etag string) (*container.Operation, error) {
	svc, err := w.service(ctx)
	if err != nil {
		return nil, err
	}
	pools, name := svc.Projects.Locations.Clusters.NodePools, w.pool(w.name)
	switch c.verb {
	case "setAutoscaling":
		request, err := body[container.SetNodePoolAutoscalingRequest](c.fields)
		if err != nil {
			return nil, permanent(err)
		}
		return pools.SetAutoscaling(name, request).Context(ctx).Do()
	case "setManagement":
		request, err := body[container.SetNodePoolManagementRequest](c.fields)
		if err != nil {
			return nil, permanent(err)
		}
		return pools.SetManagement(name, request).Context(ctx).Do()
	}
	request, err := body[container.UpdateNodePoolRequest](c.fields)
	if err != nil {
		return nil, permanent(err)
	}
	request.Etag = etag
	return pools.Update(name, request).Context(ctx).Do()
}

// remove deletes the pool, if it is ours and nobody changed it.
func (w *write) remove(ctx context.Context) (stay, error) {
	l, _, err := w.get(ctx, w.name)
	if errors.Is(err, errNoCluster) {
		return finished, nil
	}
	if err == nil && l == nil {
		return finished, w.forget(ctx)
	}
	if err != nil {
		return again, err
	}
	if l.Owner != w.c.Owner {
		return again, fmt.Errorf("it does not bear the resource label %s: %s, so it is not ours to delete", LabelConfig, w.owner)
	}
	if s := w.sight(w.change, l); s.State == run.Elsewhere {
		return again, fmt.Errorf("%w: %s", run.ErrMoved, s.Moved)
	}
	if w.sent != nil {
		return again, errors.New("GKE says that it is done, but the pool is still there")
	}
	if err := w.ours(ctx, l); err != nil {
		return again, err
	}
	svc, err := w.service(ctx)
	if err != nil {
		return again, err
	}
	if err := run.LastCheck(ctx); err != nil { // others' operations may have taken hours
		return again, err
	}
	w.sent = []leaf{{field: "name"}}
	op, err := change(ctx, func(ctx context.Context) (*container.Operation, error) {
		return svc.Projects.Locations.Clusters.NodePools.Delete(w.pool(w.name)).Context(ctx).Do()
	})
	if err != nil && judge(err) == absent {
		return finished, w.forget(ctx)
	}
	return w.after(ctx, op, err)
}
