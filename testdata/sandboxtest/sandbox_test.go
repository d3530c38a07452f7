package sandboxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv(actAsParent) != "" {
		parent()
	}
	Main(m)
}

// gke sends a request to the emulator, below the parent of the sandbox's cluster, and returns the answer, which
// must be a success.
func (s *Sandbox) gke(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	place, _, _ := strings.Cut(s.GKECluster, "/clusters/")
	req, err := http.NewRequestWithContext(t.Context(), method, s.GKEEndpoint+"/v1/"+place+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	var object map[string]any
	if err := json.Unmarshal(answer, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// pools changes the cluster's node pools and waits until the operation has ended well.
func (s *Sandbox) pools(t *testing.T, method, path string, body any) {
	t.Helper()
	operation := s.gke(t, method, "/clusters/hub/nodePools"+path, body)
	await(t, 60*time.Second, func() string {
		now := s.gke(t, http.MethodGet, fmt.Sprint("/operations/", operation["name"]), nil)
		if now["error"] != nil {
			t.Fatalf("%s %s: operation ended with %v", method, path, now["error"])
		}
		if now["status"] != "DONE" {
			return fmt.Sprintf("operation %v is %v", now["name"], now["status"])
		}
		return ""
	})
}

// await asks until holds is "" or the time is over; holds otherwise says what is missing.
func await(t *testing.T, within time.Duration, holds func() string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(within)
	for {
		missing := holds()
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %v: %s", within, missing)
		}
		<-tick.C
	}
}

func (s *Sandbox) createPool(t *testing.T, pool map[string]any) {
	t.Helper()
	s.pools(t, http.MethodPost, "", map[string]any{"nodePool": pool})
}

func (s *Sandbox) nodes(t *testing.T, pool, path string) string {
	t.Helper()
	return s.Kubectl(t, "get", "nodes", "-l", "cloud.google.com/gke-nodepool="+pool, "-o", "jsonpath={range .items[*]}"+path+"{\"\\n\"}{end}")
}

func (s *Sandbox) awaitNodes(t *testing.T, pool string, ready int) {
	t.Helper()
	await(t, 30*time.Second, func() string {
		got := s.nodes(t, pool, `{.status.conditions[?(@.type=="Ready")].status}`)
		if all := len(strings.Fields(got)); strings.Count(got, "True") != ready || all != ready {
			return fmt.Sprintf("pool %s has %d nodes, want %d Ready; conditions %q", pool, all, ready, got)
		}
		return ""
	})
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: default}
spec:
  replicas: %[2]d
  progressDeadlineSeconds: 600
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}, annotations: {%[5]s}}
    spec:
      nodeSelector: {cloud.google.com/gke-nodepool: %[4]s}
      tolerations: [{key: dedicated, operator: Exists}]
      containers: [{name: main, image: "registry.example/app:%[3]s", resources: {requests: {cpu: "1"}}}]
`

func (s *Sandbox) awaitDeployment(t *testing.T, name string, ready int) {
	t.Helper()
	await(t, 30*time.Second, func() string {
		got := s.Kubectl(t, "get", "deployment", name, "-o", "jsonpath={.status.readyReplicas}")
		if got != strconv.Itoa(ready) {
			return fmt.Sprintf("deployment %s has %q ready, want %d:\n%s", name, got, ready, s.Kubectl(t, "get", "pods,nodes"))
		}
		return ""
	})
}

func TestPoolBecomesNodes(t *testing.T) {
	s := Shared(t)
	s.createPool(t, map[string]any{
		"name": "ssd", "initialNodeCount": 2,
		"config": map[string]any{
			"machineType": "n2-highmem-8", "spot": true,
			"labels":                         map[string]string{"hub.jupyter.org/node-purpose": "user"},
			"taints":                         []any{map[string]string{"key": "dedicated", "value": "user", "effect": "NO_SCHEDULE"}},
			"ephemeralStorageLocalSsdConfig": map[string]any{"localSsdCount": 2},
		},
	})
	s.awaitNodes(t, "ssd", 2)
	var list struct {
		Items []struct {
			Metadata struct {
				Name   string
				Labels map[string]string
			}
			Spec struct {
				ProviderID string
				Taints     []struct{ Key, Value, Effect string }
			}
			Status struct{ Capacity, Allocatable map[string]string }
		}
	}
	out := s.Kubectl(t, "get", "nodes", "-l", "cloud.google.com/gke-nodepool=ssd", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	node := list.Items[0]
	for key, want := range map[string]string{
		"hub.jupyter.org/node-purpose":                     "user",
		"cloud.google.com/machine-family":                  "n2",
		"cloud.google.com/gke-spot":                        "true",
		"cloud.google.com/gke-boot-disk":                   "pd-balanced",
		"cloud.google.com/gke-os-distribution":             "cos",
		"cloud.google.com/gke-ephemeral-storage-local-ssd": "true",
		"cloud.google.com/gke-local-ssd":                   "",
		"node.kubernetes.io/instance-type":                 "n2-highmem-8",
		"topology.kubernetes.io/zone":                      "us-central1-a",
		"topology.kubernetes.io/region":                    "us-central1",
		"kubernetes.io/hostname":                           node.Metadata.Name,
	} {
		if got := node.Metadata.Labels[key]; got != want {
			t.Errorf("label %s is %q, want %q", key, got, want)
		}
	}
	if want := "gce://sandbox/us-central1-a/" + node.Metadata.Name; node.Spec.ProviderID != want {
		t.Errorf("provider ID is %q, want %q", node.Spec.ProviderID, want)
	}
	if len(node.Spec.Taints) != 1 || node.Spec.Taints[0].Key != "dedicated" || node.Spec.Taints[0].Effect != "NoSchedule" {
		t.Errorf("taints are %v", node.Spec.Taints)
	}
	// 6 % of the first CPU, 1 % of the second, 0.5 % of two more, 0.25 % of the other four: 90 m.
	for key, want := range map[string]string{"cpu": "7910m", "ephemeral-storage": "600Gi", "pods": "110"} {
		if got := node.Status.Allocatable[key]; got != want {
			t.Errorf("allocatable %s is %q, want %q", key, got, want)
		}
	}
	if got := node.Status.Capacity["ephemeral-storage"]; got != "750Gi" {
		t.Errorf("ephemeral storage is %q, want that of two local SSDs", got)
	}

	s.pools(t, http.MethodPut, "/ssd", map[string]any{"taints": map[string]any{"taints": []any{}}})
	if got := strings.TrimSpace(s.nodes(t, "ssd", "{.spec.taints}")); got != "" {
		t.Errorf("taints are %q after their removal from the pool", got)
	}
	s.pools(t, http.MethodDelete, "/ssd", nil)
	s.awaitNodes(t, "ssd", 0)
}

func TestPodsBehaveByTheirMarks(t *testing.T) {
	s := Shared(t)
	s.createPool(t, map[string]any{"name": "marks", "initialNodeCount": 1, "config": map[string]any{"machineType": "n2-standard-16"}})
	s.awaitNodes(t, "marks", 1)
	pods := []struct {
		name, tag, annotation string
		status                string // as kubectl shows it
	}{
		{"good", "v1", "", "1/1 Running"},
		{"crash", "crash-1", "", "0/1 CrashLoopBackOff"},
		{"notready", "notready", "", "0/1 Running"},
		{"badimage", "badimage-7", "", "0/1 ImagePullBackOff"},
		{"late", "v1", "sandbox.hubcap.dev/ready-after: 1h", "0/1 Running"},
		{"soon", "v1", "sandbox.hubcap.dev/ready-after: 1s", "1/1 Running"},
		{"decays", "v1", "sandbox.hubcap.dev/fail-after: 1s", "0/1 CrashLoopBackOff"},
	}
	for _, p := range pods {
		s.Apply(t, fmt.Sprintf(deployment, p.name, 1, p.tag, "marks", p.annotation))
	}
	for _, p := range pods {
		await(t, 30*time.Second, func() string {
			fields := strings.Fields(s.Kubectl(t, "get", "pods", "-l", "app="+p.name, "--no-headers"))
			if len(fields) < 3 || fields[1]+" "+fields[2] != p.status {
				return fmt.Sprintf("pod of %s: %v, want %s", p.name, fields, p.status)
			}
			return ""
		})
	}
}

func TestAutoscalerMakesRoom(t *testing.T) {
	s := Shared(t)
	s.createPool(t, map[string]any{
		"name": "grow", "initialNodeCount": 0,
		"config":      map[string]any{"machineType": "n2-standard-4", "taints": []any{map[string]string{"key": "dedicated", "value": "user", "effect": "NO_SCHEDULE"}}},
		"autoscaling": map[string]any{"enabled": true, "minNodeCount": 1, "maxNodeCount": 3},
	})
	s.awaitNodes(t, "grow", 1) // the minimum
	s.Apply(t, fmt.Sprintf(deployment, "grow", 12, "v1", "grow", ""))
	s.awaitNodes(t, "grow", 3) // the maximum: 3 pods of one CPU fit on each node
	s.awaitDeployment(t, "grow", 9)
}

func TestCloudGivesAddressAndDisk(t *testing.T) {
	s := Shared(t)
	s.createPool(t, map[string]any{"name": "cloud", "initialNodeCount": 1, "config": map[string]any{"machineType": "e2-medium"}})
	s.Apply(t, `
apiVersion: v1
kind: Service
metadata: {name: public, namespace: default}
spec: {type: LoadBalancer, selector: {app: x}, ports: [{port: 80}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: default}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: disk, namespace: default}
spec:
  nodeSelector: {cloud.google.com/gke-nodepool: cloud}
  volumes: [{name: disk, persistentVolumeClaim: {claimName: disk}}]
  containers: [{name: main, image: "x:1", volumeMounts: [{name: disk, mountPath: /disk}]}]
`)
	await(t, 30*time.Second, func() string {
		address := s.Kubectl(t, "get", "service", "public", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
		claim := s.Kubectl(t, "get", "pvc", "disk", "-o", "jsonpath={.status.phase}")
		pod := s.Kubectl(t, "get", "pod", "disk", "-o", "jsonpath={.status.phase}")
		if address == "" || claim != "Bound" || pod != "Running" {
			return fmt.Sprintf("address %q, claim %s, pod %s", address, claim, pod)
		}
		return ""
	})
}

func TestUserSchedulerIsStoodInFor(t *testing.T) {
	s := Shared(t)
	s.createPool(t, map[string]any{"name": "users", "initialNodeCount": 1, "config": map[string]any{"machineType": "e2-medium"}})
	s.Apply(t, `
apiVersion: v1
kind: Pod
metadata: {name: user, namespace: default}
spec:
  schedulerName: staging-user-scheduler
  nodeSelector: {cloud.google.com/gke-nodepool: users}
  containers: [{name: main, image: "x:1"}]
`)
	s.Kubectl(t, "wait", "--for=condition=Ready", "--timeout=30s", "pod/user")
}

func TestServiceAccountKubeconfigIsNotAdmin(t *testing.T) {
	s := Shared(t)
	path := s.KubeconfigFor(t, "default", "default")
	ordinary := *s
	ordinary.Kubeconfig = path
	if got := ordinary.Kubectl(t, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); got != "system:serviceaccount:default:default" {
		t.Errorf("the user is %q", got)
	}
}
