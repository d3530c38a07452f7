// Package records keeps hubcap's own records in the cluster that they are about:
// the journal of each run, the lock, the key under which secrets are digested, and
// the key pair of seals.
//
// Place in the pipeline: a provider beside run; it satisfies engine.Store and
// engine.Locker. What lies where:
//
//	ConfigMap hubcap-run-ID            the run and its entries, one key each; a large entry in several
//	ConfigMap hubcap-run-ID-entries-N  further entries, in parts that are bounded by bytes
//	ConfigMap hubcap-run-ID-plan-N     the plan's document, compressed, in parts
//	Secret    hubcap-run-ID-secrets-N  what the document and the entries hide, compressed, in parts
//	ConfigMap hubcap-run-ID-orders     what people tell the run while it is under way
//	Secret    hubcap-key               the key of the digests
//	Secret    hubcap-seal              the key that signs what hubcap acts on later
//	ConfigMap hubcap-seal              its public half
//	ConfigMap hubcap-pool-DIGEST       that hubcap made a node pool, sealed
//	ConfigMap hubcap-config-NAME       where a config is applied from, sealed; in the namespace hubcap
//	Lease     hubcap                   the lock; in the namespace hubcap, wherever the rest is
package records

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"hubcap/providers/process"
)

const (
	labelRecord = "hubcap.dev/record" // "run", "plan", "secrets"
	labelRun    = "hubcap.dev/run"
	keyName     = "hubcap-key"
	keyBytes    = 32

	labelRunConfig = "hubcap.dev/run-config" // of runs and their entries, to list by; hubcap.dev/config is on what is deleted when nothing wants it
)

// Records are hubcap's records in one namespace of one cluster.
type Records struct {
	client    kubernetes.Interface
	namespace string
	cluster   string // name of its block, for messages
	keep      int    // runs kept of each config; older ones that are at their end are deleted

	// Warn is told of what a person should know and no caller can: may be nil.
	Warn func(text string)

	mu      sync.Mutex
	endings map[string]ending // of the journals that were written or read here, by run

	watch  watch                // of the lock, while it is somebody else's
	uptime func() time.Duration // of this machine, the time that it was asleep included
}

// New returns the records in namespace. It makes no request.
func New(client kubernetes.Interface, namespace, cluster string) *Records {
	return &Records{client: client, namespace: namespace, cluster: cluster, keep: 50, uptime: process.Uptime}
}

// Key returns the key of the digests, or nil when there is none yet: then
// nothing was ever applied, and digests are left out of plans.
func (r *Records) Key(ctx context.Context) ([]byte, error) {
	s, err := r.client.CoreV1().Secrets(r.namespace).Get(ctx, keyName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read secret %s/%s: %w", r.namespace, keyName, err)
	}
	return s.Data["key"], nil
}

// EnsureKey returns the key of the digests and draws it when there is none.
func (r *Records) EnsureKey(ctx context.Context) ([]byte, error) {
	key, err := r.Key(ctx)
	if err != nil || key != nil {
		return key, err
	}
	if err := r.ensureNamespace(ctx, r.namespace); err != nil {
		return nil, err
	}
	key = make([]byte, keyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("draw key: %w", err)
	}
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: keyName, Labels: map[string]string{labelRecord: "key"}},
		Data:       map[string][]byte{"key": key},
	}
	_, err = r.client.CoreV1().Secrets(r.namespace).Create(ctx, s, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) { // another run drew one in this moment
		return r.Key(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("create secret %s/%s: %w", r.namespace, keyName, err)
	}
	return key, nil
}

// ensureNamespace makes a namespace of the records when it is missing.
func (r *Records) ensureNamespace(ctx context.Context, name string) error {
	namespaces := r.client.CoreV1().Namespaces()
	_, err := namespaces.Get(ctx, name, metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		// Present, or not ours to see: what is written next will tell.
		return nil
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err = namespaces.Create(ctx, ns, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return nil
}
