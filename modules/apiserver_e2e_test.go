//go:build e2e

package modules_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"hubcap/testdata/sandboxtest"
)

// A warningLog keeps what the API server warns about.
type warningLog struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeader keeps one warning.
func (w *warningLog) HandleWarningHeader(_ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

// TestAPIServerTakesEveryObject has a real API server validate every object of
// every scenario, by a dry run of server-side apply: types alone do not tell
// that a node port needs another kind of Service.
func TestAPIServerTakesEveryObject(t *testing.T) {
	sandbox := sandboxtest.Start(t)
	config, err := clientcmd.BuildConfigFromFlags("", sandbox.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	warnings := &warningLog{}
	config.WarningHandler = warnings
	config.QPS = -1
	client := dynamic.NewForConfigOrDie(config)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discovery.NewDiscoveryClientForConfigOrDie(config)))
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "binder"}}
	if _, err := kubernetes.NewForConfigOrDie(config).CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	options := metav1.ApplyOptions{FieldManager: "hubcap", DryRun: []string{metav1.DryRunAll}}
	for name := range scenarios {
		for _, o := range scenario(t, name) {
			kind := o.GroupVersionKind()
			mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
			if err != nil {
				t.Errorf("%s: %s: %v", name, o.key(), err)
				continue
			}
			var resource dynamic.ResourceInterface = client.Resource(mapping.Resource)
			if mapping.Scope.Name() == "namespace" {
				resource = client.Resource(mapping.Resource).Namespace("binder")
			}
			if _, err := resource.Apply(t.Context(), o.GetName(), o.Unstructured, options); err != nil {
				t.Errorf("%s: %s: %v", name, o.key(), err)
			}
		}
	}
	for _, text := range warnings.texts {
		if !strings.Contains(text, "PEM") { // the scenario's certificate is not one
			t.Errorf("the API server warns: %s", text)
		}
	}
	t.Log(fmt.Sprint(len(scenarios), " scenarios on Kubernetes ", sandbox.Versions["kubernetes"]))
}
