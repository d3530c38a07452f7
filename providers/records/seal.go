package records

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"hubcap/engine/seal"
)

// Where the cluster's key pair is: the private half in a Secret that only applying
// roles may read, the public one in a ConfigMap of the same name.
const (
	sealName       = "hubcap-seal"
	sealPrivate    = "key"
	sealPublic     = "public"
	maxSealRetries = 5
)

// SigningKey returns the private half of the cluster's key pair, and draws it when
// there is none. The public half that readers see is derived from it: a ConfigMap
// that is missing, or says otherwise, is written anew, and the latter is told.
func (r *Records) SigningKey(ctx context.Context) (seal.Key, error) {
	secrets := r.client.CoreV1().Secrets(r.namespace)
	s, err := secrets.Get(ctx, sealName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		if s, err = r.drawSigningKey(ctx); err != nil {
			return seal.Key{}, fmt.Errorf("create secret %s/%s: %w", r.namespace, sealName, err)
		}
	}
	if err != nil {
		return seal.Key{}, fmt.Errorf("read secret %s/%s: %w", r.namespace, sealName, err)
	}
	key, err := seal.ParseKey(s.Data[sealPrivate])
	if err != nil {
		return seal.Key{}, fmt.Errorf("read secret %s/%s: %w", r.namespace, sealName, err)
	}
	return key, r.publish(ctx, key.Public())
}

// drawSigningKey stores a new key, or returns the one that somebody else stored in
// this moment.
func (r *Records) drawSigningKey(ctx context.Context) (*corev1.Secret, error) {
	if err := r.ensureNamespace(ctx, r.namespace); err != nil {
		return nil, err
	}
	key, err := seal.Draw()
	if err != nil {
		return nil, err
	}
	secrets := r.client.CoreV1().Secrets(r.namespace)
	s, err := secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: sealName, Labels: map[string]string{labelRecord: "seal"}},
		Data:       map[string][]byte{sealPrivate: key.Bytes()},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return secrets.Get(ctx, sealName, metav1.GetOptions{})
	}
	return s, err
}

// Rotate draws a new key pair in the place of the one that there is, and returns its
// private half. What the former sealed is sealed no more. It is called under the lock.
func (r *Records) Rotate(ctx context.Context) (seal.Key, error) {
	key, err := seal.Draw()
	if err != nil {
		return seal.Key{}, err
	}
	patch, err := json.Marshal(map[string]any{"data": map[string][]byte{sealPrivate: key.Bytes()}})
	if err != nil {
		panic("records: a patch of bytes is JSON")
	}
	_, err = r.client.CoreV1().Secrets(r.namespace).Patch(ctx, sealName, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return seal.Key{}, fmt.Errorf("write secret %s/%s: %w", r.namespace, sealName, err)
	}
	return key, r.replacePublic(ctx, key.Public())
}

// replacePublic publishes the public half of a key that was just drawn: another one
// stands there for sure.
func (r *Records) replacePublic(ctx context.Context, public seal.Public) error {
	return r.put(ctx, r.namespace, configMap{sealName, "seal", map[string]string{sealPublic: public.String()}})
}

// publish makes the ConfigMap hold the public half.
func (r *Records) publish(ctx context.Context, public seal.Public) error {
	maps := r.client.CoreV1().ConfigMaps(r.namespace)
	var err error
	for range maxSealRetries {
		var cm *corev1.ConfigMap
		cm, err = maps.Get(ctx, sealName, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			_, err = maps.Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: sealName, Labels: map[string]string{labelRecord: "seal"}},
				Data:       map[string]string{sealPublic: public.String()},
			}, metav1.CreateOptions{})
		case err != nil:
		case cm.Data[sealPublic] == public.String():
			return nil
		default:
			if _, err = maps.Patch(ctx, sealName, types.MergePatchType, publicPatch(cm.ResourceVersion, public), metav1.PatchOptions{}); err == nil {
				r.warn(fmt.Sprintf("configmap %s/%s held another public key than that of the signing key and was set right: plans made since somebody changed it may take other people's objects for hubcap's",
					r.namespace, sealName))
			}
		}
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			break
		}
	}
	return fmt.Errorf("write configmap %s/%s: %w", r.namespace, sealName, err)
}

// publicPatch replaces the public key, unless somebody was quicker.
func publicPatch(version string, public seal.Public) []byte {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": version}, "data": map[string]string{sealPublic: public.String()},
	})
	if err != nil {
		panic("records: a patch of texts is JSON")
	}
	return patch
}

func (r *Records) warn(text string) {
	if r.Warn != nil {
		r.Warn(text)
	}
}

// PublicKey returns the public half as the ConfigMap has it, or the zero key when
// there is none: then nothing was ever sealed, or the ConfigMap was lost or spoilt,
// which the next apply mends.
func (r *Records) PublicKey(ctx context.Context) (seal.Public, error) {
	cm, err := r.client.CoreV1().ConfigMaps(r.namespace).Get(ctx, sealName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return seal.Public{}, nil
	}
	if err != nil {
		return seal.Public{}, fmt.Errorf("read configmap %s/%s: %w", r.namespace, sealName, err)
	}
	public, err := seal.ParsePublic(cm.Data[sealPublic])
	if err != nil { // it is evidence; what holds no key deceives nobody
		r.warn(fmt.Sprintf("configmap %s/%s holds no public key, so that nothing is taken for hubcap's; the next apply sets it right", r.namespace, sealName))
		return seal.Public{}, nil
	}
	return public, nil
}
