package records

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"hubcap/engine/journal"
)

const (
	ordersKey  = "orders.json"
	mostOrders = 200 // for one run: a person gives them
)

func ordersName(id string) string { return runName(id) + "-orders" }

// Orders returns the orders that people gave to run id, oldest first.
func (r *Records) Orders(ctx context.Context, id string) ([]journal.Order, error) {
	cm, err := r.client.CoreV1().ConfigMaps(r.namespace).Get(ctx, ordersName(id), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read orders for run %s: %w", id, err)
	}
	return decodeOrders(cm)
}

// ordersPatch replaces the orders, unless somebody was quicker.
func ordersPatch(version string, orders []byte) []byte {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": version}, "data": map[string]any{ordersKey: string(orders)},
	})
	if err != nil {
		panic("records: a patch of texts is JSON")
	}
	return patch
}

func decodeOrders(cm *corev1.ConfigMap) ([]journal.Order, error) {
	var orders []journal.Order
	if err := json.Unmarshal([]byte(cm.Data[ordersKey]), &orders); err != nil {
		return nil, fmt.Errorf("decode orders in %s: %w", cm.Name, err)
	}
	return orders, nil
}

// Order gives run id one more order. Whoever gives one at the same time comes
// before or after it; none is lost.
func (r *Records) Order(ctx context.Context, id string, o journal.Order) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	for {
		cm, err := maps.Get(ctx, ordersName(id), metav1.GetOptions{})
		isNew := apierrors.IsNotFound(err)
		var orders []journal.Order
		switch {
		case isNew:
			cm = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: ordersName(id), Labels: labels("orders", id)}}
		case err != nil:
			return fmt.Errorf("read orders for run %s: %w", id, err)
		default:
			orders, _ = decodeOrders(cm) // what nobody can read stops nobody from giving an order
		}
		if len(orders) == mostOrders {
			return fmt.Errorf("give an order to run %s: it was given %d already", id, mostOrders)
		}
		text, err := json.Marshal(append(orders, o))
		if err != nil {
			return fmt.Errorf("encode order for run %s: %w", id, err)
		}
		if isNew {
			cm.Data = map[string]string{ordersKey: string(text)}
			_, err = maps.Create(ctx, cm, metav1.CreateOptions{})
		} else {
			_, err = maps.Patch(ctx, cm.Name, types.MergePatchType, ordersPatch(cm.ResourceVersion, text), metav1.PatchOptions{})
		}
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("give an order to run %s: %w", id, err)
		}
		return nil
	}
}
