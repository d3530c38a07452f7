package records

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"hubcap/engine"
	"hubcap/engine/journal"
	"hubcap/engine/seal"
)

const (
	runKey      = "run.json"
	entryPrefix = "entry-"
)

func runName(id string) string { return "hubcap-run-" + id }

// Create makes r durable with its plan: first the parts, the run itself last, so
// that a run that can be seen is whole.
func (r *Records) Create(ctx context.Context, run journal.Run, document []byte, secrets map[string]string) error {
	if err := r.ensureNamespace(ctx, r.namespace); err != nil {
		return err
	}
	if err := r.createParts(ctx, run.ID, planParts, document); err != nil {
		return err
	}
	if err := r.createSecrets(ctx, run.ID, secrets); err != nil {
		return err
	}
	text, entries, err := encodeRun(run)
	if err != nil {
		return err
	}
	if err := r.createHead(ctx, run, text, entries); err != nil {
		return err
	}
	// The run is made. What could not be tidied up now is tidied up by the next
	// run, and must not stop this one.
	_ = r.prune(ctx, run.Config)
	return nil
}

// createHead creates the ConfigMap of the run itself.
func (r *Records) createHead(ctx context.Context, run journal.Run, text string, entries []piece) error {
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: runName(run.ID), Labels: runLabels("run", run.ID, configLabel(run.Config))},
		Data:       map[string]string{runKey: text},
	}
	end := ending{size: len(text), config: configLabel(run.Config)}
	for _, p := range entries {
		cm.Data[p.key] = p.text
		end.size += p.size()
	}
	made, err := r.client.CoreV1().ConfigMaps(r.namespace).Create(ctx, cm, metav1.CreateOptions{})
	if isFailed(err) {
		return fmt.Errorf("create journal of run %s: %w", run.ID, err)
	}
	if err == nil {
		end.version = made.ResourceVersion
	}
	r.setEnding(run.ID, end)
	return nil
}

// encodeRun returns the run as it is kept, and the pieces of its entries.
func encodeRun(run journal.Run) (string, []piece, error) {
	entries := run.Entries
	run.Entries, run.Untrusted = nil, ""
	text, err := json.Marshal(run)
	if err != nil {
		return "", nil, fmt.Errorf("encode run %s: %w", run.ID, err)
	}
	pieces, err := piecesOf(entries)
	return string(text), pieces, err
}

// isFailed reports whether creating a record did not work. The name of a record
// has the run's in it: one that is there already is a repeated request's, whose
// first answer got lost.
func isFailed(err error) bool { return err != nil && !apierrors.IsAlreadyExists(err) }

func labels(record, run string) map[string]string {
	return map[string]string{labelRecord: record, labelRun: run}
}

// runLabels are labels of what is listed for a config; config is as configLabel returns it.
func runLabels(record, run, config string) map[string]string {
	all := labels(record, run)
	if config != "" {
		all[labelRunConfig] = config
	}
	return all
}

// configLabel returns a config's name as the value of a label: a digest where it cannot be
// one itself.
func configLabel(config string) string {
	if len(validation.IsValidLabelValue(config)) == 0 {
		return config
	}
	return "sha256-" + seal.Digest([]byte(config))[:40]
}

func encodeEntry(e journal.Entry) (string, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode journal entry %d: %w", e.Seq, err)
	}
	return string(text), nil
}

// listed returns the ConfigMaps of runs and their entries: all, or those of one config.
// Versions that did not label runs with their config left some that may be anybody's.
func (r *Records) listed(ctx context.Context, config string) ([]corev1.ConfigMap, error) {
	selectors := []string{labelRecord + " in (run,entries)"}
	if config != "" {
		selectors = []string{selectors[0] + "," + labelRunConfig + "=" + configLabel(config), selectors[0] + ",!" + labelRunConfig}
	}
	lists, errs := make([]*corev1.ConfigMapList, len(selectors)), make([]error, len(selectors))
	var wait sync.WaitGroup
	for i, selector := range selectors {
		wait.Go(func() {
			lists[i], errs[i] = r.client.CoreV1().ConfigMaps(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("list journals in namespace %s: %w", r.namespace, err)
	}
	var all []corev1.ConfigMap
	for _, list := range lists {
		all = append(all, list.Items...)
	}
	return all, nil
}

// Runs returns all runs without their plans, oldest first, or those of one config and what
// may be of it. A cluster that was never applied to has none. A run that cannot be decoded
// is among them with what could be, and says so in Untrusted.
func (r *Records) Runs(ctx context.Context, config string) ([]journal.Run, error) {
	items, err := r.listed(ctx, config)
	if err != nil {
		return nil, err
	}
	var runs []journal.Run
	parts := make(map[string][]corev1.ConfigMap)
	for _, cm := range items {
		if cm.Labels[labelRecord] == "entries" {
			parts[cm.Labels[labelRun]] = append(parts[cm.Labels[labelRun]], cm)
		}
	}
	for i := range items {
		if items[i].Labels[labelRecord] == "run" {
			run, _ := decodeRun(&items[i], parts[items[i].Labels[labelRun]])
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, journal.Compare)
	return runs, nil
}

// decodeRun puts a run together from its own ConfigMap and the further parts of
// its journal. Its ID is that of the place where it lies, whatever is said there.
func decodeRun(cm *corev1.ConfigMap, parts []corev1.ConfigMap) (journal.Run, ending) {
	id := strings.TrimPrefix(cm.Name, runName(""))
	var run journal.Run
	err := json.Unmarshal([]byte(cm.Data[runKey]), &run)
	said := run.ID
	run.ID, run.Untrusted = id, ""
	switch {
	case err != nil:
		run.Untrusted = fmt.Sprintf("it cannot be read: %s in configmap %s is no record of a run: %v", runKey, cm.Name, err)
	case said != id:
		run.Untrusted = fmt.Sprintf("it cannot be read: configmap %s holds the record of run %.40q", cm.Name, said)
	}
	run.Created = cm.CreationTimestamp.Time
	j := joined{}
	j.add(0, cm)
	for i := range parts {
		if n, isPart := partNumber(id, parts[i].Name); isPart {
			j.add(n, &parts[i])
		}
	}
	entries, err := j.entries()
	if run.Entries = entries; err != nil && run.Untrusted == "" {
		run.Untrusted = "it cannot be read: " + err.Error()
	}
	j.end.config = cm.Labels[labelRunConfig]
	return run, j.end
}

// Run returns one run without its plan, or engine.ErrNoRun.
func (r *Records) Run(ctx context.Context, id string) (journal.Run, error) {
	run, _, err := r.read(ctx, id)
	return run, err
}

// read returns one run without its plan, and where its journal ends.
func (r *Records) read(ctx context.Context, id string) (journal.Run, ending, error) {
	cm, err := r.client.CoreV1().ConfigMaps(r.namespace).Get(ctx, runName(id), metav1.GetOptions{})
	if apierrors.IsNotFound(err) || id == "" {
		return journal.Run{}, ending{}, fmt.Errorf("read journal of run %s: %w", id, engine.ErrNoRun)
	}
	if err != nil {
		return journal.Run{}, ending{}, fmt.Errorf("read journal of run %s: %w", id, err)
	}
	parts, err := r.client.CoreV1().ConfigMaps(r.namespace).List(ctx, partsOf("entries", id))
	if err != nil {
		return journal.Run{}, ending{}, fmt.Errorf("read journal of run %s: %w", id, err)
	}
	run, end := decodeRun(cm, parts.Items)
	return run, end, nil
}

// Load returns one run with its document and secrets, or engine.ErrNoRun. What of
// it cannot be decoded is left out, and Untrusted of the run says so.
func (r *Records) Load(ctx context.Context, id string) (record engine.Record, err error) {
	var end ending
	if record.Run, end, err = r.read(ctx, id); err != nil {
		return record, err
	}
	r.setEnding(id, end)
	var undecoded *undecodedError
	if record.Document, err = r.document(ctx, id); errors.As(err, &undecoded) {
		err = nil
		record.Run.Untrusted = cmp.Or(record.Run.Untrusted, "it cannot be read: "+undecoded.Error())
	}
	if err != nil {
		return record, err
	}
	switch record.Secrets, err = r.secrets(ctx, id); {
	case apierrors.IsForbidden(err):
		record.Hidden, err = err, nil
	case errors.As(err, &undecoded):
		err = nil
		record.Run.Untrusted = cmp.Or(record.Run.Untrusted, "it cannot be read: "+undecoded.Error())
	}
	return record, err
}
