package records

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// partSize keeps each part well below the 1 MiB that an API server takes.
const partSize = 700 << 10

// What is kept in parts beside a run's own ConfigMap, by the label of its records.
const (
	planParts   = "plan"
	secretParts = "secrets"
)

// An undecodedError says that what lies where a record should be is none. It quotes
// nothing of it, which may be a secret.
type undecodedError struct{ what string }

func (e *undecodedError) Error() string { return e.what + " is not what hubcap wrote" }

func partName(id, record string, n int) string {
	return fmt.Sprintf("%s-%s-%03d", runName(id), record, n)
}

// createParts compresses content and spreads it over as many ConfigMaps as it needs.
func (r *Records) createParts(ctx context.Context, id, record string, content []byte) error {
	packed, err := pack(content)
	if err != nil {
		return fmt.Errorf("compress %s of run %s: %w", record, id, err)
	}
	n := 0
	for part := range slices.Chunk(packed, partSize) {
		cm := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: partName(id, record, n), Labels: labels(record, id)},
			BinaryData: map[string][]byte{"part": part},
		}
		if _, err := r.client.CoreV1().ConfigMaps(r.namespace).Create(ctx, cm, metav1.CreateOptions{}); isFailed(err) {
			return fmt.Errorf("create %s of run %s: %w", record, id, err)
		}
		n++
	}
	return nil
}

// createSecrets spreads the values over as many Secrets as they need, whatever the
// size of one.
func (r *Records) createSecrets(ctx context.Context, id string, secrets map[string]string) error {
	if len(secrets) == 0 {
		return nil
	}
	text, err := json.Marshal(secrets)
	if err != nil {
		return fmt.Errorf("encode secrets of run %s: %w", id, err)
	}
	packed, err := pack(text)
	if err != nil {
		return fmt.Errorf("compress secrets of run %s: %w", id, err)
	}
	n := 0
	for part := range slices.Chunk(packed, partSize) {
		s := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: partName(id, secretParts, n), Labels: labels(secretParts, id)},
			Data:       map[string][]byte{"part": part},
		}
		if _, err := r.client.CoreV1().Secrets(r.namespace).Create(ctx, s, metav1.CreateOptions{}); isFailed(err) {
			return fmt.Errorf("create secrets of run %s: %w", id, err)
		}
		n++
	}
	return nil
}

func (r *Records) document(ctx context.Context, id string) ([]byte, error) {
	list, err := r.client.CoreV1().ConfigMaps(r.namespace).List(ctx, partsOf(planParts, id))
	if err != nil {
		return nil, fmt.Errorf("read plan of run %s: %w", id, err)
	}
	parts := make(map[string][]byte, len(list.Items))
	for _, part := range list.Items {
		parts[part.Name] = part.BinaryData["part"]
	}
	document, err := unpack(inOrder(parts, runName(id)+"-"+planParts+"-"))
	if err != nil {
		return nil, &undecodedError{"its plan"}
	}
	return document, nil
}

// secrets returns the values that a run keeps apart.
func (r *Records) secrets(ctx context.Context, id string) (map[string]string, error) {
	list, err := r.client.CoreV1().Secrets(r.namespace).List(ctx, partsOf(secretParts, id))
	if err != nil {
		return nil, fmt.Errorf("read secrets of run %s: %w", id, err)
	}
	values, parts := map[string]string{}, map[string][]byte{}
	for _, part := range list.Items {
		text, isWhole := part.Data["values"] // of version 1, or added later
		switch {
		case !isWhole:
			parts[part.Name] = part.Data["part"]
		case json.Unmarshal(text, &values) != nil:
			return nil, &undecodedError{"secret " + part.Name}
		}
	}
	if len(parts) == 0 {
		return values, nil
	}
	text, err := unpack(inOrder(parts, runName(id)+"-"+secretParts+"-"))
	if err != nil || json.Unmarshal(text, &values) != nil {
		return nil, &undecodedError{"secret " + partName(id, secretParts, 0)}
	}
	return values, nil
}

// inOrder joins the parts whose names are prefix and a number.
func inOrder(parts map[string][]byte, prefix string) []byte {
	type part struct {
		n    int
		text []byte
	}
	var all []part
	for name, text := range parts {
		number, found := strings.CutPrefix(name, prefix)
		if n, err := strconv.Atoi(number); found && err == nil {
			all = append(all, part{n, text})
		}
	}
	slices.SortFunc(all, func(a, b part) int { return cmp.Compare(a.n, b.n) })
	var joined []byte
	for _, p := range all {
		joined = append(joined, p.text...)
	}
	return joined
}

func pack(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err := w.Close()
	return packed.Bytes(), err
}

func unpack(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func partsOf(record, id string) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: labelRecord + "=" + record + "," + labelRun + "=" + id}
}
