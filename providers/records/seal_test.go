package records

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"hubcap/engine"
)

var _ engine.Seals = (*Records)(nil)

func sealMap(ctx context.Context, t *testing.T, client *fake.Clientset) *corev1.ConfigMap {
	t.Helper()
	cm, err := client.CoreV1().ConfigMaps("hubcap").Get(ctx, sealName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return cm
}

// TestSigningKey draws one key, keeps it, and publishes its public half only.
func TestSigningKey(t *testing.T) {
	r, client := testRecords()
	ctx := t.Context()
	if public, err := r.PublicKey(ctx); err != nil || !public.IsZero() {
		t.Fatalf("before the first key: %v, %v", public, err)
	}
	for _, a := range client.Actions() {
		if a.GetResource().Resource == "secrets" || a.GetVerb() != "get" {
			t.Errorf("reading the public half made the request %s %s", a.GetVerb(), a.GetResource().Resource)
		}
	}
	first, err := r.SigningKey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(client, "hubcap", "prod").SigningKey(ctx)
	if err != nil || again.Public() != first.Public() {
		t.Fatalf("the second time the key is another one (%v)", err)
	}
	public, err := r.PublicKey(ctx)
	if err != nil || public != first.Public() {
		t.Errorf("public half = %v, %v", public, err)
	}
	if strings.Contains(sealMap(ctx, t, client).String(), string(first.Bytes())) {
		t.Error("the ConfigMap holds the private half")
	}
}

// TestTamperedPublicKey: the private half decides, and a ConfigMap that says
// otherwise is told, not believed. One that is only missing is written anew.
func TestTamperedPublicKey(t *testing.T) {
	for name, test := range map[string]struct {
		data   map[string]string // nil: the ConfigMap is deleted
		warned bool
	}{
		"another key": {map[string]string{sealPublic: "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}, true},
		"no key":      {map[string]string{sealPublic: "garbage"}, true},
		"emptied":     {map[string]string{}, true},
		"deleted":     {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, client := testRecords()
			ctx := t.Context()
			var warnings []string
			r.Warn = func(text string) { warnings = append(warnings, text) }
			key, err := r.SigningKey(ctx)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("draw: %v, %q", err, warnings)
			}
			cm := sealMap(ctx, t, client)
			if cm.Data = test.data; test.data == nil {
				err = client.CoreV1().ConfigMaps("hubcap").Delete(ctx, sealName, metav1.DeleteOptions{})
			} else {
				_, err = client.CoreV1().ConfigMaps("hubcap").Update(ctx, cm, metav1.UpdateOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			if public, err := r.PublicKey(ctx); public == key.Public() {
				t.Errorf("a reader of the ConfigMap got the true key (%v): the test proves nothing", err)
			}
			again, err := r.SigningKey(ctx)
			if err != nil || again.Public() != key.Public() {
				t.Errorf("the key is another one (%v)", err)
			}
			if public, err := r.PublicKey(ctx); err != nil || public != key.Public() {
				t.Errorf("not repaired: %v, %v", public, err)
			}
			if (len(warnings) > 0) != test.warned {
				t.Errorf("warnings = %q", warnings)
			}
		})
	}
}

// TestSigningKeyRace: a run that finds neither half, and is too late to make them,
// takes those that another run made in this moment.
func TestSigningKeyRace(t *testing.T) {
	r, client := testRecords()
	first, err := r.SigningKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	missed := map[string]bool{"namespaces": true}
	client.PrependReactor("get", "*", func(a k8stesting.Action) (bool, runtime.Object, error) {
		resource := a.GetResource()
		if missed[resource.Resource] {
			return false, nil, nil
		}
		missed[resource.Resource] = true
		return true, nil, apierrors.NewNotFound(resource.GroupResource(), sealName)
	})
	second, err := New(client, "hubcap", "prod").SigningKey(t.Context())
	if err != nil || second.Public() != first.Public() {
		t.Errorf("another key, or none (%v)", err)
	}
	if !missed["secrets"] || !missed["configmaps"] {
		t.Error("no race was tried")
	}
}

// TestNoKeyWithoutPermission: who may not read the Secret draws no second key.
func TestNoKeyWithoutPermission(t *testing.T) {
	r, client := testRecords()
	client.PrependReactor("get", "secrets", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, sealName, nil)
	})
	if _, err := r.SigningKey(t.Context()); !apierrors.IsForbidden(err) {
		t.Errorf("SigningKey = %v, want forbidden", err)
	}
	for _, a := range client.Actions() {
		if a.GetVerb() != "get" {
			t.Errorf("%s %s was asked", a.GetVerb(), a.GetResource().Resource)
		}
	}
}

// TestBrokenSigningKey: a Secret that holds no key is said, and never replaced.
func TestBrokenSigningKey(t *testing.T) {
	r, client := testRecords()
	ctx := t.Context()
	if _, err := r.SigningKey(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := client.CoreV1().Secrets("hubcap").Get(ctx, sealName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.Data = map[string][]byte{sealPrivate: []byte("short")}
	if _, err := client.CoreV1().Secrets("hubcap").Update(ctx, s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.SigningKey(ctx); err == nil || !strings.Contains(err.Error(), "hubcap/hubcap-seal") {
		t.Errorf("SigningKey = %v", err)
	}
}
