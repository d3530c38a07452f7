//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// plain is a config of one object; %[2]s goes into its cluster block.
const plain = `
hubcap {
  name              = "%[1]s"
  journal_namespace = "%[1]s"
}

cluster "c" {
  %[2]s
}

manifest "m" {
  objects = [
    { apiVersion = "v1", kind = "Namespace", metadata = { name = "%[1]s-app" } },
    { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "m", namespace = "%[1]s-app" }, data = { a = "b" } },
  ]
}
`

func newPlain(t *testing.T, name, inCluster string) *world {
	t.Helper()
	return newWorld(t, name, name, map[string]string{"main.hcl": fmt.Sprintf(plain, name, inCluster)})
}

// TestUnreachable plans against what is no API server, or not the one that is
// trusted, or does not know who is calling.
func TestUnreachable(t *testing.T) {
	w := newPlain(t, "unreachable", "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	ca := site.config.CAData
	if len(ca) == 0 {
		ca = []byte(read(t, site.config.CAFile))
	}
	for _, c := range []struct {
		name, server, token string
		ca                  []byte
		says                []string
	}{
		{"port closed", "https://" + closed, site.tokens[applier], ca, []string{closed, "refused"}},
		{"credentials are no good", site.config.Host, "nonsense", ca, []string{"credentials"}},
		{"expired credentials", site.config.Host, expired(t), ca, []string{"credentials"}},
		{"certificate of another", site.config.Host, site.tokens[applier], selfSigned(t), []string{"certificate"}},
	} {
		w.run(c.name, func(t *testing.T) {
			for _, command := range [][]string{{"plan"}, {"apply", "--auto-approve"}, {"drift"}} {
				p := w.beginWith(w.kubeconfigOf("kubeconfig", c.server, c.ca, c.token), command...)
				r := p.wait()
				if r.code != 1 {
					t.Errorf("exit code %d, want 1: %s", r.code, r)
				}
				r.has(t, c.says...)
				if strings.Contains(r.err, "goroutine") || strings.Count(r.err, "\n") > 12 {
					t.Errorf("not a message for people: %s", r)
				}
			}
		})
	}
}

// expired returns a token whose account is gone.
func expired(t *testing.T) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "gone", Namespace: "hubcap"}}
	accounts := site.admin.CoreV1().ServiceAccounts("hubcap")
	if _, err := accounts.Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	bearer := kubectl(t, "-n", "hubcap", "create", "token", "gone")
	if err := accounts.Delete(t.Context(), "gone", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	return bearer
}

// TestOtherIdentity pins a cluster: the right one is taken, another is refused.
func TestOtherIdentity(t *testing.T) {
	setUp(t)
	system, err := site.admin.CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other := "4d1b8c4e-0000-4000-8000-000000000000"
	w := newPlain(t, "identity", `identity = "`+other+`"`)
	for _, command := range [][]string{{"plan"}, {"apply", "--auto-approve"}} {
		w.hubcap(applier, 1, command...).has(t, other, string(system.UID), "main.hcl")
	}
	if owned := w.owned(); len(owned) > 0 {
		t.Errorf("%d objects were made in the wrong cluster", len(owned))
	}
	w.write("main.hcl", fmt.Sprintf(plain, "identity", `identity = "`+string(system.UID)+`"`))
	w.hubcap(applier, 0, "apply", "--auto-approve")
}

// partial may read namespaces and the settings, but neither Secrets nor anything
// of hubcap's own.
const partial = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: partial, namespace: hubcap}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: e2e-partial}
rules:
- apiGroups: [""]
  resources: [namespaces, configmaps, pods, nodes]
  verbs: [get, list]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: e2e-partial}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: e2e-partial}
subjects: [{kind: ServiceAccount, name: partial, namespace: hubcap}]
`

// TestForbiddenReads plans as somebody who may read only a part: the plan says
// what it could not read, and ends with 3.
func TestForbiddenReads(t *testing.T) {
	w := newWorld(t, "forbidden", "forbidden", map[string]string{
		"main.hcl": fmt.Sprintf(plain, "forbidden", "") + `
manifest "secret" {
  object = { apiVersion = "v1", kind = "Secret", metadata = { name = "s", namespace = "forbidden-app" }, stringData = { password = "correct horse" } }
}
`})
	w.hidden = []string{"correct horse"}
	w.hubcap(applier, 0, "apply", "--auto-approve")
	site.sandbox.Apply(t, partial)
	bearer := kubectl(t, "-n", "hubcap", "create", "token", "partial")
	ca := site.config.CAData
	if len(ca) == 0 {
		ca = []byte(read(t, site.config.CAFile))
	}
	kubeconfig := w.kubeconfigOf("partial", site.config.Host, ca, bearer)
	for _, command := range [][]string{{"plan"}, {"plan", "--detailed-exitcode"}, {"drift"}, {"apply", "--auto-approve"}} {
		r := w.beginWith(kubeconfig, command...).wait()
		if r.code != 3 {
			t.Errorf("exit code %d, want 3: %s", r.code, r)
		}
		r.has(t, "secrets", "forbidden")
	}
	r := w.beginWith(kubeconfig, "plan", "-o", "json").wait()
	if r.code != 3 || !json.Valid([]byte(r.out)) {
		t.Errorf("plan -o json of what is incomplete: %s", r)
	}
}

// TestForeignObject plans over an object of the same name that is somebody
// else's: it is refused, not stolen.
func TestForeignObject(t *testing.T) {
	w := newPlain(t, "foreign", "")
	site.sandbox.Apply(t, `
apiVersion: v1
kind: Namespace
metadata: {name: foreign-app}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: m, namespace: foreign-app}
data: {a: mine}
`)
	w.hubcap(reader, 9, "plan").has(t, "adopt = true")
	w.hubcap(applier, 9, "apply", "--auto-approve").has(t, "nothing was changed")
	if got := kubectl(t, "-n", "foreign-app", "get", "configmap", "m", "-o", "jsonpath={.data.a}"); got != "mine" {
		t.Errorf("somebody else's object says %q", got)
	}
}
