package records

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
)

// prune deletes the oldest runs of a config beyond those that are kept, the run
// itself last, so that what remains of a cut-off pruning is pruned again.
func (r *Records) prune(ctx context.Context, config string) error {
	runs, err := r.Runs(ctx, config)
	if err != nil {
		return err
	}
	runs = slices.DeleteFunc(runs, func(run journal.Run) bool { return run.Config != config })
	for i := 0; i < len(runs)-r.keep; i++ {
		if r.isNeeded(ctx, runs[i], runs) {
			continue
		}
		if err := r.delete(ctx, runs[i].ID); err != nil {
			return err
		}
	}
	return nil
}

// isNeeded reports whether a run may still be gone on with, or has left what nobody
// has seen to work. What cannot be read may be either.
func (r *Records) isNeeded(ctx context.Context, run journal.Run, runs []journal.Run) bool {
	if run.Untrusted != "" {
		return true
	}
	if !run.IsOfPlan() || !journal.Resumable(run.Entries) && len(journal.Unverified(run.Entries)) == 0 {
		return false
	}
	document, err := r.document(ctx, run.ID)
	if err != nil {
		return true
	}
	if run.Plan, err = plan.Decode(document); err != nil {
		return true
	}
	return journal.Superseded(run, runs) == ""
}

func (r *Records) delete(ctx context.Context, id string) error {
	r.mu.Lock()
	delete(r.endings, id)
	r.mu.Unlock()
	core := r.client.CoreV1()
	for _, record := range []string{secretParts, "handover"} { // of a run that was handed over to a Job, too
		if err := core.Secrets(r.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, partsOf(record, id)); err != nil {
			return fmt.Errorf("delete secrets of run %s: %w", id, err)
		}
	}
	for _, record := range []string{planParts, "orders"} {
		if err := core.ConfigMaps(r.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, partsOf(record, id)); err != nil {
			return fmt.Errorf("delete %s of run %s: %w", record, id, err)
		}
	}
	err := core.ConfigMaps(r.namespace).Delete(ctx, runName(id), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete journal of run %s: %w", id, err)
	}
	// Last, because a run without its end would never be pruned.
	if err := core.ConfigMaps(r.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, partsOf("entries", id)); err != nil {
		return fmt.Errorf("delete entries of run %s: %w", id, err)
	}
	return nil
}
