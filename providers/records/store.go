package records

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"hubcap/engine"
	"hubcap/engine/journal"
)

// partSize keeps each part well below the 1 MiB that an API server takes.
const partSize = 700 << 10

const (
	runKey      = "run.json"
	entryPrefix = "entry-"
)

func runName(id string) string { return "hubcap-run-" + id }

// Create makes r durable with its plan: first the parts, the run itself last, so
// that a run that can be seen is whole.
func (r *Records) Create(ctx context.Context, run journal.Run, document []byte, secrets map[string]string) error {
	if err := r.ensureNamespace(ctx); err != nil {
		return err
	}
	if err := r.createDocument(ctx, run.ID, document); err != nil {
		return err
	}
	if err := r.createSecrets(ctx, run.ID, secrets); err != nil {
		return err
	}
	entries := run.Entries
	run.Entries = nil
	text, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("encode run %s: %w", run.ID, err)
	}
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: runName(run.ID), Labels: labels("run", run.ID)},
		Data:       map[string]string{runKey: string(text)},
	}
	for _, e := range entries {
		if cm.Data[entryKey(e)], err = encodeEntry(e); err != nil {
			return err
		}
	}
	if _, err := r.client.CoreV1().ConfigMaps(r.namespace).Create(ctx, cm, metav1.CreateOptions{}); isFailed(err) {
		return fmt.Errorf("create journal of run %s: %w", run.ID, err)
	}
	// The run is made. What could not be tidied up now is tidied up by the next
	// run, and must not stop this one.
	_ = r.prune(ctx)
	return nil
}

// isFailed reports whether creating a record did not work. The name of a record
// has the run's in it: one that is there already is a repeated request's, whose
// first answer got lost.
func isFailed(err error) bool { return err != nil && !apierrors.IsAlreadyExists(err) }

func labels(record, run string) map[string]string {
	return map[string]string{labelRecord: record, labelRun: run}
}

func entryKey(e journal.Entry) string { return fmt.Sprintf("%s%06d", entryPrefix, e.Seq) }

func encodeEntry(e journal.Entry) (string, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode journal entry %d: %w", e.Seq, err)
	}
	return string(text), nil
}

func (r *Records) createDocument(ctx context.Context, id string, document []byte) error {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(document); err != nil {
		return fmt.Errorf("compress plan: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compress plan: %w", err)
	}
	n := 0
	for part := range slices.Chunk(packed.Bytes(), partSize) {
		cm := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-plan-%03d", runName(id), n), Labels: labels("plan", id)},
			BinaryData: map[string][]byte{"part": part},
		}
		if _, err := r.client.CoreV1().ConfigMaps(r.namespace).Create(ctx, cm, metav1.CreateOptions{}); isFailed(err) {
			return fmt.Errorf("create plan of run %s: %w", id, err)
		}
		n++
	}
	return nil
}

// createSecrets spreads the values over as many Secrets as they need. A place is
// too long for a Secret's key, so the places and values of a part are one JSON
// text.
func (r *Records) createSecrets(ctx context.Context, id string, secrets map[string]string) error {
	part, size, n := map[string]string{}, 0, 0
	flush := func() error {
		if len(part) == 0 {
			return nil
		}
		text, err := json.Marshal(part)
		if err != nil {
			return fmt.Errorf("encode secrets of run %s: %w", id, err)
		}
		s := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-secrets-%03d", runName(id), n), Labels: labels("secrets", id)},
			Data:       map[string][]byte{"values": text},
		}
		if _, err := r.client.CoreV1().Secrets(r.namespace).Create(ctx, s, metav1.CreateOptions{}); isFailed(err) {
			return fmt.Errorf("create secrets of run %s: %w", id, err)
		}
		part, size, n = map[string]string{}, 0, n+1
		return nil
	}
	for _, place := range slices.Sorted(maps.Keys(secrets)) {
		length := len(place) + len(secrets[place])
		if size+length > partSize {
			if err := flush(); err != nil {
				return err
			}
		}
		part[place] = secrets[place]
		size += length
	}
	return flush()
}

// entriesPerPart keeps a part of the journal small: every request that appends to
// one rewrites it in etcd.
const entriesPerPart = 250

// entriesName returns the name of the ConfigMap that keeps an entry: the run's own,
// and further ones as a long run goes on.
func entriesName(id string, e journal.Entry) string {
	if part := e.Seq / entriesPerPart; part > 0 {
		return fmt.Sprintf("%s-entries-%03d", runName(id), part)
	}
	return runName(id)
}

// Append makes more entries of run id durable, in one request as long as they
// belong to one part.
func (r *Records) Append(ctx context.Context, id string, entries ...journal.Entry) error {
	for len(entries) > 0 {
		name, n := entriesName(id, entries[0]), 1
		for n < len(entries) && entriesName(id, entries[n]) == name {
			n++
		}
		data := make(map[string]string, n)
		for _, e := range entries[:n] {
			text, err := encodeEntry(e)
			if err != nil {
				return err
			}
			data[entryKey(e)] = text
		}
		if err := r.appendTo(ctx, id, name, data); err != nil {
			return fmt.Errorf("append to journal of run %s: %w", id, err)
		}
		entries = entries[n:]
	}
	return nil
}

// appendTo adds data to the part of a journal, which it makes when it is a further
// one and new.
func (r *Records) appendTo(ctx context.Context, id, name string, data map[string]string) error {
	patch, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		return err
	}
	parts := r.client.CoreV1().ConfigMaps(r.namespace)
	_, err = parts.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if !apierrors.IsNotFound(err) || name == runName(id) {
		return err
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels("entries", id)}, Data: data}
	if _, err := parts.Create(ctx, cm, metav1.CreateOptions{}); isFailed(err) {
		return err
	}
	return nil
}

// Runs returns all runs without their plans, oldest first. A cluster that was
// never applied to has none.
func (r *Records) Runs(ctx context.Context) ([]journal.Run, error) {
	list, err := r.client.CoreV1().ConfigMaps(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: labelRecord + " in (run,entries)"})
	if err != nil {
		return nil, fmt.Errorf("list journals in namespace %s: %w", r.namespace, err)
	}
	var runs []journal.Run
	parts := make(map[string][]corev1.ConfigMap)
	for _, cm := range list.Items {
		if cm.Labels[labelRecord] == "entries" {
			parts[cm.Labels[labelRun]] = append(parts[cm.Labels[labelRun]], cm)
		}
	}
	for i := range list.Items {
		if list.Items[i].Labels[labelRecord] != "run" {
			continue
		}
		run, err := decodeRun(&list.Items[i], parts[list.Items[i].Labels[labelRun]])
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	slices.SortFunc(runs, func(a, b journal.Run) int { return cmp.Compare(a.ID, b.ID) })
	return runs, nil
}

// decodeRun puts a run together from its own ConfigMap and the further parts of
// its journal.
func decodeRun(cm *corev1.ConfigMap, parts []corev1.ConfigMap) (journal.Run, error) {
	var run journal.Run
	if err := json.Unmarshal([]byte(cm.Data[runKey]), &run); err != nil {
		return run, fmt.Errorf("decode journal %s: %w", cm.Name, err)
	}
	for _, part := range append(parts, *cm) {
		for key, text := range part.Data {
			if !strings.HasPrefix(key, entryPrefix) {
				continue
			}
			var e journal.Entry
			if err := json.Unmarshal([]byte(text), &e); err != nil {
				return run, fmt.Errorf("decode journal %s, %s: %w", part.Name, key, err)
			}
			run.Entries = append(run.Entries, e)
		}
	}
	slices.SortFunc(run.Entries, func(a, b journal.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return run, nil
}

// Run returns one run without its plan, or engine.ErrNoRun.
func (r *Records) Run(ctx context.Context, id string) (journal.Run, error) {
	cm, err := r.client.CoreV1().ConfigMaps(r.namespace).Get(ctx, runName(id), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return journal.Run{}, fmt.Errorf("read journal of run %s: %w", id, engine.ErrNoRun)
	}
	if err != nil {
		return journal.Run{}, fmt.Errorf("read journal of run %s: %w", id, err)
	}
	parts, err := r.client.CoreV1().ConfigMaps(r.namespace).List(ctx, partsOf("entries", id))
	if err != nil {
		return journal.Run{}, fmt.Errorf("read journal of run %s: %w", id, err)
	}
	return decodeRun(cm, parts.Items)
}

// Load returns one run with its document and secrets, or engine.ErrNoRun.
func (r *Records) Load(ctx context.Context, id string) (record engine.Record, err error) {
	if record.Run, err = r.Run(ctx, id); err != nil {
		return record, err
	}
	if record.Document, err = r.document(ctx, id); err != nil {
		return record, err
	}
	record.Secrets, err = r.secrets(ctx, id)
	return record, err
}

func (r *Records) document(ctx context.Context, id string) ([]byte, error) {
	list, err := r.client.CoreV1().ConfigMaps(r.namespace).List(ctx, partsOf("plan", id))
	if err != nil {
		return nil, fmt.Errorf("read plan of run %s: %w", id, err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.ConfigMap) int { return cmp.Compare(a.Name, b.Name) })
	var packed bytes.Buffer
	for _, part := range list.Items {
		packed.Write(part.BinaryData["part"])
	}
	z, err := gzip.NewReader(&packed)
	if err != nil {
		return nil, fmt.Errorf("decompress plan of run %s: %w", id, err)
	}
	document, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("decompress plan of run %s: %w", id, err)
	}
	return document, nil
}

func (r *Records) secrets(ctx context.Context, id string) (map[string]string, error) {
	list, err := r.client.CoreV1().Secrets(r.namespace).List(ctx, partsOf("secrets", id))
	if err != nil {
		return nil, fmt.Errorf("read secrets of run %s: %w", id, err)
	}
	secrets := map[string]string{}
	for _, part := range list.Items {
		if err := json.Unmarshal(part.Data["values"], &secrets); err != nil {
			// The cause may quote what it could not decode.
			return nil, fmt.Errorf("decode secret %s/%s: not what hubcap wrote", r.namespace, part.Name)
		}
	}
	return secrets, nil
}

func partsOf(record, id string) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: labelRecord + "=" + record + "," + labelRun + "=" + id}
}

// prune deletes the oldest finished runs beyond those that are kept, the run
// itself last, so that what remains of a cut-off pruning is pruned again.
func (r *Records) prune(ctx context.Context) error {
	runs, err := r.Runs(ctx)
	if err != nil {
		return err
	}
	for i := 0; i < len(runs)-r.keep; i++ {
		if !finished(runs[i]) {
			continue
		}
		if err := r.delete(ctx, runs[i].ID); err != nil {
			return err
		}
	}
	return nil
}

func finished(run journal.Run) bool {
	return slices.ContainsFunc(run.Entries, func(e journal.Entry) bool { return e.Mark == journal.RunFinished })
}

func (r *Records) delete(ctx context.Context, id string) error {
	core := r.client.CoreV1()
	for _, record := range []string{"secrets", "handover"} { // of a run that was handed over to a Job, too
		if err := core.Secrets(r.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, partsOf(record, id)); err != nil {
			return fmt.Errorf("delete secrets of run %s: %w", id, err)
		}
	}
	if err := core.ConfigMaps(r.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, partsOf("plan", id)); err != nil {
		return fmt.Errorf("delete plan of run %s: %w", id, err)
	}
	if err := core.ConfigMaps(r.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, partsOf("orders", id)); err != nil {
		return fmt.Errorf("delete orders for run %s: %w", id, err)
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
