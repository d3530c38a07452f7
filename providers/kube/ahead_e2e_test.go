//go:build e2e

package kube

import (
	"fmt"
	"strings"
	"testing"

	"hubcap/engine/resource"
)

// bind gives a claim of the class "grows" a volume of 10Gi that can be enlarged.
func (b *bench) bind(claim string) {
	b.t.Helper()
	b.sandbox.Apply(b.t, fmt.Sprintf(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: grows}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: Immediate
allowVolumeExpansion: true
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: %[1]s-%[2]s}
spec:
  storageClassName: grows
  accessModes: [ReadWriteOnce]
  capacity: {storage: 10Gi}
  nfs: {server: s, path: /}
  claimRef: {namespace: %[1]s, name: %[2]s}
`, b.namespace, claim))
	b.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/"+claim, "--timeout=60s")
}

// TestGrownByHand enlarges a claim, a volume and the template of a StatefulSet's claims
// behind hubcap's back: nothing is left to do, other changes of the same object go on,
// the config may follow, and what asks for less is refused.
func TestGrownByHand(t *testing.T) {
	const (
		claim  = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: db, labels: {note: %[2]s}}\nspec: {storageClassName: grows, accessModes: [ReadWriteOnce], resources: {requests: {storage: %[1]s}}}"
		volume = "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: NAME, labels: {note: %[2]s}}\nspec: {accessModes: [ReadWriteOnce], storageClassName: none, nfs: {server: s, path: /}, capacity: {storage: %[1]s}}"
	)
	for _, test := range []struct{ kind, text, size string }{
		{"pvc/db", claim, `{"spec":{"resources":{"requests":{"storage":"20Gi"}}}}`},
		{"pv/NAME", volume, `{"spec":{"capacity":{"storage":"20Gi"}}}`},
	} {
		t.Run(test.kind, func(t *testing.T) {
			b := newBench(t).makeNamespace()
			desire := func(size, note string) []resource.Desired {
				d := b.desire("hub", strings.ReplaceAll(fmt.Sprintf(test.text, size, note), "NAME", b.namespace))
				if d[0].ID.Kind == "PersistentVolume" {
					delete(d[0].Object["metadata"].(map[string]any), "namespace")
					d[0].ID.Namespace = ""
				}
				return d
			}
			b.apply(desire("10Gi", "a"))
			if test.kind == "pvc/db" {
				b.bind("db")
			}
			b.kubectl("patch", strings.ReplaceAll(test.kind, "NAME", b.namespace), "--field-manager=kubectl-edit", "-p="+test.size)

			b.settled(desire("10Gi", "a"))
			o := b.read(desire("10Gi", "a")).Observations[0]
			if len(o.Foreign) != 1 || o.Foreign[0].Live != "20Gi" || o.Foreign[0].Manager != "kubectl-edit" || !o.Unmoved {
				t.Errorf("observed %+v, want its size as drift", o)
			}
			if changes := b.apply(desire("10Gi", "b")); len(changes) != 1 || changes[0].Action != resource.Update {
				t.Errorf("changes: %+v, want its label", changes)
			}
			b.settled(desire("10Gi", "b"))
			if changes := b.changes(desire("20Gi", "b")); len(changes) != 1 || len(changes[0].Fields) > 0 {
				t.Errorf("changes once the config follows: %+v, want its owner", changes)
			}
			b.apply(desire("20Gi", "b"))
			b.settled(desire("20Gi", "b"))
		})
	}
}

// TestShrinkIsRefused: a config that asks for less than hubcap wrote last means it, and
// the server refuses it, whoever enlarged the claim since.
func TestShrinkIsRefused(t *testing.T) {
	const claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: db}\nspec: {storageClassName: grows, accessModes: [ReadWriteOnce], resources: {requests: {storage: %s}}}"
	b := newBench(t).makeNamespace()
	b.apply(b.desire("hub", fmt.Sprintf(claim, "10Gi")))
	b.bind("db")
	for _, by := range []string{"hubcap", "kubectl-edit"} {
		if by != "hubcap" {
			b.kubectl("patch", "pvc/db", "--field-manager="+by, `-p={"spec":{"resources":{"requests":{"storage":"20Gi"}}}}`)
		}
		o := b.read(b.desire("hub", fmt.Sprintf(claim, "5Gi"))).Observations[0]
		if !strings.Contains(o.Refused, "spec.resources.requests.storage") {
			t.Errorf("written last by %s: observed %+v, want it refused", by, o)
		}
	}
}
