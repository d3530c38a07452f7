package records

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine"
)

// Where it is kept which directory a config is applied from: one ConfigMap for each
// config, with the sealed record.
const (
	originPrefix = "hubcap-config-"
	originKey    = "origin"
)

// Origin returns where a config comes from, or nil. What cannot be decoded is as good
// as none: it has no seal.
func (r *Records) Origin(ctx context.Context, config string) (*engine.Origin, error) {
	cm, err := r.client.CoreV1().ConfigMaps(r.namespace).Get(ctx, originPrefix+config, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read configmap %s/%s: %w", r.namespace, originPrefix+config, err)
	}
	var o engine.Origin
	if err := json.Unmarshal([]byte(cm.Data[originKey]), &o); err != nil {
		return nil, nil
	}
	return &o, nil
}

// SetOrigin keeps where a config comes from. It is called under the lock.
func (r *Records) SetOrigin(ctx context.Context, config string, o engine.Origin) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode an origin: %w", err)
	}
	if err := r.ensureNamespace(ctx, r.namespace); err != nil {
		return err
	}
	maps, name := r.client.CoreV1().ConfigMaps(r.namespace), originPrefix+config
	for range maxSealRetries {
		var cm *corev1.ConfigMap
		cm, err = maps.Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			_, err = maps.Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{labelRecord: "origin"}},
				Data:       map[string]string{originKey: string(text)},
			}, metav1.CreateOptions{})
		case err == nil:
			cm.Data = map[string]string{originKey: string(text)}
			_, err = maps.Update(ctx, cm, metav1.UpdateOptions{})
		}
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			break
		}
	}
	return fmt.Errorf("write configmap %s/%s: %w", r.namespace, name, err)
}
