package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

const (
	writeAttempts = 8               // of one write, doubtful answers included
	goneTimeout   = 2 * time.Minute // for the old object of a replacement to go away
)

// Write makes the change if the object is still as sight saw it, and otherwise
// returns [run.ErrMoved] with the field. An answer that got lost is not guessed
// at: the object is looked at again. What is already as wanted is left alone.
func (p *Provider) Write(ctx context.Context, change resource.Change, sight run.Sight) (run.Sight, error) {
	p.secrets.AddAll(change.After)
	p.secrets.AddAll(change.Before)
	p.noteBegan(change.Component)
	for n := 0; ; n++ {
		answer, done, err := p.attempt(ctx, change, sight)
		if done || err == nil {
			return p.answered(change, answer), p.settled(change, err)
		}
		if n+1 >= writeAttempts || !pause(ctx, min(n, len(pauses)-1)) {
			return run.Sight{}, p.Client.explain(change.Action.String(), objectText(change.ID), p.scrubbed(err, written(change)))
		}
		seen, lookErr := p.look(ctx, change)
		if lookErr != nil {
			return run.Sight{}, errors.Join(p.Client.explain(change.Action.String(), objectText(change.ID), p.scrubbed(err, written(change))), lookErr)
		}
		switch seen.sight.State {
		case run.AtAfter:
			return seen.sight, p.settled(change, nil)
		case run.Elsewhere:
			return run.Sight{}, moved(change, seen.sight)
		}
		sight = seen.sight
	}
}

// settled tells the outcome of the last attempt, and forgets what a new kind has
// made stale.
func (p *Provider) settled(change resource.Change, err error) error {
	if err == nil && change.ID.Kind == "CustomResourceDefinition" {
		p.Client.Reset()
	}
	if err == nil || errors.Is(err, run.ErrMoved) {
		return err
	}
	return p.Client.explain(change.Action.String(), objectText(change.ID), p.scrubbed(err, written(change)))
}

// written is the object that a change writes, or removes.
func written(change resource.Change) resource.Object {
	if change.After == nil {
		return change.Before
	}
	return change.After
}

func moved(change resource.Change, s run.Sight) error {
	return fmt.Errorf("%s %s: %w: %s", change.Action, objectText(change.ID), run.ErrMoved, s.Moved)
}

// attempt makes the change once and returns the server's answer. done says that the
// outcome is final; otherwise the object has to be looked at again.
func (p *Provider) attempt(ctx context.Context, change resource.Change, sight run.Sight) (answer *unstructured.Unstructured, done bool, err error) {
	switch sight.State {
	case run.AtAfter:
		return nil, true, nil
	case run.Elsewhere:
		return nil, true, moved(change, sight)
	}
	if change.Hook != nil {
		err = p.attemptHook(ctx, change)
		return nil, err == nil || !isDoubtful(err), err
	}
	switch change.Action {
	case resource.Create, resource.Update:
		answer, err = p.update(ctx, change, sight.Version)
	case resource.Replace:
		if err = p.removeOnce(ctx, change, sight); err == nil {
			answer, err = p.applyOnce(ctx, change, "")
		}
	case resource.Delete:
		err = p.removeOnce(ctx, change, sight)
	default:
		panic(fmt.Sprintf("kube: write without an action: %v", change.ID))
	}
	return answer, err == nil || !isDoubtful(err), err
}

// update applies the change, and moves the fields of an object that changes hands:
// to us before the apply, so that it removes what is wanted no more; from us after
// it. Cut off in between, the object is seen as before, and all of it is done again.
func (p *Provider) update(ctx context.Context, change resource.Change, version string) (*unstructured.Unstructured, error) {
	if change.TakesOver != nil {
		migrated, err := p.migrate(ctx, change, version)
		if err != nil {
			return nil, err
		}
		version = migrated
	}
	if len(change.Alternatives) > 0 {
		passed, err := p.pass(ctx, change, version, func(live *unstructured.Unstructured) ([]metav1.ManagedFieldsEntry, bool, error) {
			arms, _, _ := p.alternatives(p.withMarks(change, change.After), live)
			return takeArms(live, p.manager(), arms)
		})
		if err != nil {
			return nil, err
		}
		version = passed
	}
	answer, err := p.applyOnce(ctx, change, version)
	if err == nil && (change.GivesBack != nil || len(change.Returns) > 0) {
		_, err = p.giveBack(ctx, change, "") // conditional on what it reads itself: status moves all the time
	}
	return answer, err
}

// isDoubtful reports an error after which the object has to be looked at again: it
// moved, the answer may have got lost, or a kind that was just defined is not
// served yet.
func isDoubtful(err error) bool {
	var status apierrors.APIStatus
	notServed := apierrors.IsNotFound(err) && errors.As(err, &status) && (status.Status().Details == nil || status.Status().Details.Name == "")
	return isTransient(err) || apierrors.IsConflict(err) || isNoKind(err) || notServed
}

// noVersion is the version of no object that exists: an apply that carries it creates,
// and is refused as a conflict when there is an object by then, whosever it is. The API
// server compares it with that of the live object, and has none to compare it with when
// there is no object.
const noVersion = "1"

// applyOnce sends one server-side apply and returns the answer. It is conditional: on
// version or, without one, on there being no object. A request that arrives late, when somebody has written
// since, is refused by the server.
func (p *Provider) applyOnce(ctx context.Context, change resource.Change, version string) (*unstructured.Unstructured, error) {
	k, err := p.kindOf(change)
	if err != nil {
		return nil, err
	}
	o, returns := p.withMarks(change, change.After), change.GivesBack != nil
	record := p.record(o, run.ID(ctx))
	body := resource.Object(resource.Reveal(o).(map[string]any))
	if !returns {
		setAnnotation(body, AnnotationApplied, record)
		if err := p.sealed(ctx, change.ID, body); err != nil {
			return nil, err
		}
	}
	options := metav1.PatchOptions{}
	body.Set(noVersion, "metadata", "resourceVersion")
	if uid, resourceVersion, seen := strings.Cut(version, "/"); seen {
		body.Set(uid, "metadata", "uid") // without it, an object that is gone would be made anew
		body.Set(resourceVersion, "metadata", "resourceVersion")
		options.Force = &forced
	}
	return p.send(ctx, application{kind: k, namespace: change.ID.Namespace, name: change.ID.Name, body: body, options: options})
}

// withMarks returns want, which is change's object before or after it, as it is written:
// with our marks.
func (p *Provider) withMarks(change resource.Change, want resource.Object) resource.Object {
	o := clean(want)
	if change.GivesBack == nil && (labelled(o) || change.ID.Kind != "Namespace") {
		p.mark(o, change.Address, change.Component)
		resource.RememberSensitive(o)
	}
	return o
}

func labelled(o resource.Object) bool { return o.Text("metadata", "labels", LabelConfig) != "" }

// removeOnce deletes the object of change if it bears our label and is still as sight
// saw it.
func (p *Provider) removeOnce(ctx context.Context, change resource.Change, sight run.Sight) error {
	if kept, isKept := keptKinds[groupKind(change.ID)]; isKept && (p.Deletable == nil || !p.Deletable(change.ID)) {
		return fmt.Errorf("%s are deleted only by name", kept)
	}
	k, err := p.kindOf(change)
	if err != nil {
		return err
	}
	live, err := p.get(ctx, k, change.ID)
	if err != nil || live == nil {
		return err
	}
	if versionOf(live) != sight.Version { // it is another one, or somebody wrote it: look again
		return apierrors.NewConflict(k.mapping.Resource.GroupResource(), change.ID.Name, errors.New("it was written since it was looked at"))
	}
	if err := p.mayRemove(ctx, change, live); err != nil {
		return err
	}
	uid, resourceVersion, background := live.GetUID(), live.GetResourceVersion(), metav1.DeletePropagationBackground
	if live.GetDeletionTimestamp() == nil {
		options := metav1.DeleteOptions{
			PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &resourceVersion},
		}
		err = p.resourceOf(k, change.ID.Namespace).Delete(ctx, change.ID.Name, options)
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	if change.Action == resource.Replace {
		return p.waitGone(ctx, k, change.ID, uid)
	}
	return nil
}

// mayRemove returns why live may not be deleted, if it may not. What is wanted anew
// has to be ours as for any other write; what is wanted no more has to be sealed.
func (p *Provider) mayRemove(ctx context.Context, change resource.Change, live *unstructured.Unstructured) error {
	if live.GetLabels()[LabelConfig] != p.Owner {
		return fmt.Errorf("it bears no label %s=%s: hubcap deletes only what is its own", LabelConfig, p.Owner)
	}
	key, err := p.signingKey(ctx)
	if err != nil {
		return err
	}
	if change.Action == resource.Replace {
		if p.wroteAs(live) == "" {
			return errors.New("it is not hubcap's: hubcap deletes only what is its own")
		}
		return nil
	}
	if why := p.doubt(live, key.Public()); why != "" {
		return fmt.Errorf("it %s: hubcap deletes only what is its own", why)
	}
	return nil
}

// waitGone waits until the object with uid exists no more.
func (p *Provider) waitGone(ctx context.Context, k *kind, id resource.ID, uid types.UID) error {
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		live, err := p.get(ctx, k, id)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil && (live == nil || live.GetUID() != uid) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the old object is still being deleted after %s%s", goneTimeout, finalizersText(live))
		}
	}
}
