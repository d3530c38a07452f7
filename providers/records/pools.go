package records

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine/seal"
)

// Where it is kept which node pools hubcap made: one ConfigMap for each, named by a
// digest of the pool's place.
const (
	poolPrefix = "hubcap-pool-"
	poolRecord = "record"
	poolPlace  = "place"
)

func poolName(place string) string { return poolPrefix + seal.Digest([]byte(place))[:20] }

// Pools returns what is kept of node pools, by place. It is evidence, whatever the
// ConfigMaps are called: whoever acts on it verifies its seal.
func (r *Records) Pools(ctx context.Context) (map[string]string, error) {
	list, err := r.client.CoreV1().ConfigMaps(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: labelRecord + "=pool"})
	if err != nil {
		return nil, fmt.Errorf("list records of node pools in namespace %s: %w", r.namespace, err)
	}
	kept := make(map[string]string, len(list.Items))
	for _, cm := range list.Items {
		if place := cm.Data[poolPlace]; cm.Name == poolName(place) {
			kept[place] = cm.Data[poolRecord]
		}
	}
	return kept, nil
}

// SetPool keeps text of the pool at place. It is called under the lock.
func (r *Records) SetPool(ctx context.Context, place, text string) error {
	return r.put(ctx, r.namespace, configMap{poolName(place), "pool", map[string]string{poolPlace: place, poolRecord: text}})
}

// DropPool forgets the pool at place. It is called under the lock.
func (r *Records) DropPool(ctx context.Context, place string) error {
	err := r.client.CoreV1().ConfigMaps(r.namespace).Delete(ctx, poolName(place), metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete configmap %s/%s: %w", r.namespace, poolName(place), err)
	}
	return nil
}
