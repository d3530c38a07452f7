package records

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"hubcap/engine"
)

// Where it is kept which directory a config is applied from: one ConfigMap for each
// config, with the sealed record, beside the lock, wherever the config's journal is: a
// name is one config's in a cluster.
const (
	originPrefix = "hubcap-config-"
	originKey    = "origin"
)

// Origin returns where a config comes from, or nil. What cannot be decoded is as good
// as none: it has no seal.
func (r *Records) Origin(ctx context.Context, config string) (*engine.Origin, error) {
	cm, err := r.client.CoreV1().ConfigMaps(LockNamespace).Get(ctx, originPrefix+config, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read configmap %s/%s: %w", LockNamespace, originPrefix+config, err)
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
	return r.put(ctx, LockNamespace, configMap{originPrefix + config, "origin", map[string]string{originKey: string(text)}})
}

// A configMap is what a ConfigMap is to hold, and as which record.
type configMap struct {
	name, record string
	data         map[string]string
}

// put makes a ConfigMap hold its data, each key of it, whatever it held. It patches: the
// shipped role grants no update.
func (r *Records) put(ctx context.Context, namespace string, cm configMap) error {
	if err := r.ensureNamespace(ctx, namespace); err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{labelRecord: cm.record}}, "data": cm.data})
	if err != nil {
		panic("records: a patch of texts is JSON")
	}
	maps := r.client.CoreV1().ConfigMaps(namespace)
	for range maxSealRetries {
		_, err = maps.Patch(ctx, cm.name, types.MergePatchType, patch, metav1.PatchOptions{})
		if apierrors.IsNotFound(err) {
			_, err = maps.Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: cm.name, Labels: map[string]string{labelRecord: cm.record}}, Data: cm.data,
			}, metav1.CreateOptions{})
		}
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			break
		}
	}
	return fmt.Errorf("write configmap %s/%s: %w", namespace, cm.name, err)
}
