package kube

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// An admission plugin may store something else than was written: an image of another
// registry, other requests. What the server answered is the after-image then, and the
// object is as wanted while it is so.

// afterImage returns what change, which was made, left in live, in the fields that it
// wanted; nil when they are as wanted.
func (p *Provider) afterImage(change resource.Change, live *unstructured.Unstructured) resource.Object {
	if live == nil || change.After == nil {
		return nil
	}
	plain := resource.Reveal(clean(change.After)).(map[string]any)
	part := restrict(live, p.setOf(plain))
	if covers(part, canonical(plain)) {
		return nil
	}
	return p.veilTree(part, veilOf(live), change.After)
}

// answered returns what is to be seen of an object after the server's answer to a
// write; answer is nil when there was nothing to write, or nothing is left.
func (p *Provider) answered(change resource.Change, answer *unstructured.Unstructured) run.Sight {
	s := run.Sight{State: run.AtAfter}
	if answer != nil {
		s.Version, s.Image = versionOf(answer), p.afterImage(change, answer)
	}
	return s
}

// judgeAdmitted looks once more at an object of ours that is neither as before nor as
// after: the server says, by a dry run, what it would make of either. What it would
// leave as it is stands there, whatever admission made of it.
func (p *Provider) judgeAdmitted(ctx context.Context, change resource.Change, v *view) error {
	live := v.live
	isOurs := live != nil && live.GetDeletionTimestamp() == nil && live.GetLabels()[LabelConfig] == p.Owner
	if !isOurs || change.After == nil || change.TakesOver != nil || change.GivesBack != nil || p.isMuted(v.kind) {
		return nil
	}
	after, err := p.leaves(ctx, change, v, change.After)
	if err != nil {
		return err
	}
	if after {
		v.sight.State, v.sight.Moved, v.sight.Image = run.AtAfter, "", p.afterImage(change, live)
		return nil
	}
	if change.Before == nil {
		return nil
	}
	before, err := p.leaves(ctx, change, v, change.Before)
	if before {
		v.sight.State, v.sight.Moved = run.AtBefore, ""
	}
	return err
}

// leaves reports whether applying want would leave the live object as it is, its
// owners included. What the server refuses would not.
func (p *Provider) leaves(ctx context.Context, change resource.Change, v *view, want resource.Object) (bool, error) {
	c := &comparison{p: p, kind: v.kind, desired: resource.Desired{ID: change.ID, Object: p.withMarks(change, want)}, live: v.live}
	if !c.measure() {
		return false, nil
	}
	result, err := c.dryRun(ctx)
	switch {
	case err == nil:
	case isTransient(err), p.Client.hopeless(ctx, err):
		return false, err
	default:
		return false, nil
	}
	becomes, _ := ownedBy(result, p.manager())
	return becomes.Equals(c.owns) && resource.Equal(c.part(v.live), c.part(result)), nil
}
