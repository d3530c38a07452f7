package records

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AddSecrets keeps the sensitive values of after-images in a Secret of their own, as
// engine.ImageSecrets says. Load reads it with the others.
func (r *Records) AddSecrets(ctx context.Context, id string, part int, values map[string]string) error {
	text, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("encode secrets of run %s: %w", id, err)
	}
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-secrets-image-%06d", runName(id), part), Labels: labels(secretParts, id)},
		Data:       map[string][]byte{"values": text},
	}
	secrets := r.client.CoreV1().Secrets(r.namespace)
	_, err = secrets.Create(ctx, s, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) { // of a try whose entry was never written
		_, err = secrets.Update(ctx, s, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("create secrets of run %s: %w", id, err)
	}
	return nil
}
