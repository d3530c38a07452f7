//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// shortest is the length below which a text is not taken for a secret.
const shortest = 6

// noSecrets greps everything that hubcap wrote or printed for the bytes of every
// Secret that the config owns, and of every sensitive variable.
func (w *world) noSecrets() {
	w.t.Helper()
	needles := w.needles()
	places := w.places()
	for place, text := range places {
		for _, n := range needles {
			if at := bytes.Index(text, n.bytes); at >= 0 {
				w.t.Errorf("%s holds %s, after %q", place, n.name, tail(text[:at], 60))
			}
		}
	}
	w.t.Logf("%d secret texts looked for in %d places", len(needles), len(places))
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }

// A needle is what must not be found.
type needle struct {
	name  string
	bytes []byte
}

func (w *world) needles() (needles []needle) {
	add := func(name string, value []byte) {
		if len(value) < shortest {
			return
		}
		needles = append(needles, needle{name, value}, needle{name + " in base64", []byte(base64.StdEncoding.EncodeToString(value))})
		quoted, err := json.Marshal(string(value))
		if err != nil {
			w.t.Errorf("quote a secret: %v", err)
		}
		if inside := quoted[1 : len(quoted)-1]; !bytes.Equal(inside, value) {
			needles = append(needles, needle{name + " in JSON", inside})
		}
	}
	for _, value := range w.hidden {
		add("a sensitive variable", []byte(value))
	}
	secrets, err := site.admin.CoreV1().Secrets("").List(contextOf(w.t), metav1.ListOptions{LabelSelector: "hubcap.dev/config=" + w.name})
	if err != nil {
		w.t.Errorf("list secrets: %v", err)
		return needles
	}
	for _, s := range secrets.Items {
		for key, value := range s.Data {
			add(fmt.Sprintf("Secret %s/%s, key %s", s.Namespace, s.Name, key), value)
		}
	}
	return slices.Concat(needles, w.keyOfDigests())
}

// keyOfDigests is a secret, too: who has it can guess at what a digest hides.
func (w *world) keyOfDigests() []needle {
	s, err := site.admin.CoreV1().Secrets(w.journal).Get(contextOf(w.t), "hubcap-key", metav1.GetOptions{})
	if err != nil {
		return nil // nothing was applied
	}
	return []needle{{"the key of digests", s.Data["key"]}, {"the key of digests in base64", []byte(base64.StdEncoding.EncodeToString(s.Data["key"]))}}
}

// places are the texts that hubcap left: by the place where each lies.
func (w *world) places() map[string][]byte {
	w.mu.Lock()
	places := map[string][]byte{"what hubcap printed": bytes.Clone(w.said.Bytes())}
	w.mu.Unlock()
	for _, root := range []string{w.state, w.dir} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, ".hcl") || strings.HasSuffix(path, ".yaml") {
				return err
			}
			places[path], err = os.ReadFile(path)
			return err
		})
		if err != nil {
			w.t.Errorf("read what hubcap wrote: %v", err)
		}
	}
	maps, err := site.admin.CoreV1().ConfigMaps(w.journal).List(contextOf(w.t), metav1.ListOptions{})
	if err != nil {
		w.t.Errorf("list the journal: %v", err)
		return places
	}
	documents := map[string][]byte{}
	for _, m := range maps.Items {
		text, err := json.Marshal(m.Data)
		if err != nil {
			w.t.Errorf("encode %s: %v", m.Name, err)
		}
		places["ConfigMap "+m.Name] = text
		collectPlan(documents, m)
	}
	for run, packed := range documents {
		places["plan of run "+run] = unpack(w, packed)
	}
	for _, o := range w.owned() {
		if o.GetKind() == "Secret" {
			continue
		}
		text, err := o.MarshalJSON()
		if err != nil {
			w.t.Errorf("encode %s: %v", o.GetName(), err)
		}
		places[o.GetKind()+" "+o.GetName()] = text
	}
	return places
}

// collectPlan adds a part of a plan to the document of its run. The API server
// lists by name, so parts come in order.
func collectPlan(documents map[string][]byte, m corev1.ConfigMap) {
	if part, has := m.BinaryData["part"]; has {
		run := m.Labels["hubcap.dev/run"]
		documents[run] = append(documents[run], part...)
	}
}

func unpack(w *world, packed []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		w.t.Errorf("plan in the journal: %v", err)
		return nil
	}
	text, err := io.ReadAll(z)
	if err != nil {
		w.t.Errorf("plan in the journal: %v", err)
	}
	return text
}

// ownable are the kinds of objects in which the tests look for what hubcap owns.
var ownable = []schema.GroupVersionResource{
	{Version: "v1", Resource: "namespaces"},
	{Version: "v1", Resource: "configmaps"},
	{Version: "v1", Resource: "secrets"},
	{Version: "v1", Resource: "services"},
	{Version: "v1", Resource: "serviceaccounts"},
	{Version: "v1", Resource: "persistentvolumeclaims"},
	{Version: "v1", Resource: "resourcequotas"},
	{Group: "apps", Version: "v1", Resource: "deployments"},
	{Group: "apps", Version: "v1", Resource: "statefulsets"},
	{Group: "apps", Version: "v1", Resource: "daemonsets"},
	{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	{Group: "scheduling.k8s.io", Version: "v1", Resource: "priorityclasses"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
}

// owned returns every object that bears the config's label, whatever the config
// says of it.
func (w *world) owned() (all []unstructured.Unstructured) {
	for _, kind := range ownable {
		list, err := site.objects.Resource(kind).List(contextOf(w.t), metav1.ListOptions{LabelSelector: "hubcap.dev/config=" + w.name})
		if err != nil {
			w.t.Errorf("list %s: %v", kind.Resource, err)
			continue
		}
		all = append(all, list.Items...)
	}
	return all
}
