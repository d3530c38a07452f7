package sandboxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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

func TestServiceAccountKubeconfigIsNotAdmin(t *testing.T) {
	s := Shared(t)
	path := s.KubeconfigFor(t, "default", "default")
	ordinary := *s
	ordinary.Kubeconfig = path
	if got := ordinary.Kubectl(t, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); got != "system:serviceaccount:default:default" {
		t.Errorf("the user is %q", got)
	}
}

// processesOf counts the processes of the sandbox in dir: its programs are told where their state is.
func processesOf(t *testing.T, dir string) (running []string) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err == nil && bytes.Contains(line, []byte(dir+"/")) {
			running = append(running, string(bytes.ReplaceAll(line[:min(len(line), 80)], []byte{0}, []byte{' '})))
		}
	}
	return running
}

// awaitGone waits until nothing of the sandbox is left: no process, no directory.
func awaitGone(t *testing.T, s *Sandbox) {
	t.Helper()
	await(t, 30*time.Second, func() string {
		if left := processesOf(t, s.Dir); len(left) > 0 {
			return "still running: " + strings.Join(left, "; ")
		}
		if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
			return "state directory is still there"
		}
		if _, err := net.Dial("tcp", strings.TrimPrefix(s.GKEEndpoint, "http://")); err == nil {
			return "the GKE emulator still answers"
		}
		return ""
	})
}

func TestStopLeavesNothing(t *testing.T) {
	s := Start(t)
	if n := len(processesOf(t, s.Dir)); n != 5 {
		t.Fatalf("found %d of the 5 programs: the test would not see what is left", n)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	awaitGone(t, s)
}

func TestDeadProgramIsNamed(t *testing.T) {
	s := Start(t, "--parent=0")
	kill(t, s.Dir, "kube-scheduler")
	<-s.gone
	if code := s.command.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	said := fmt.Sprint(s.command.Stderr)
	if !strings.Contains(said, "run kube-scheduler: ended with signal: killed") {
		t.Errorf("said %q", said)
	}
	awaitGone(t, s)
	s.err = nil // as wanted
}

// kill sends SIGKILL to the program of that name of the sandbox in dir.
func kill(t *testing.T, dir, name string) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range names {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte(dir+"/")) || !bytes.Contains(line, []byte("\x00"+name+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no process of %s in %s", name, dir)
}

func TestKilledSandboxLeavesNoProcess(t *testing.T) {
	s := Start(t)
	if err := s.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.gone
	s.err = nil // as wanted
	await(t, 10*time.Second, func() string { return strings.Join(processesOf(t, s.Dir), "; ") })
	if err := os.RemoveAll(s.Dir); err != nil { // it could not do so itself
		t.Error(err)
	}
}

// actAsParent makes this test binary start a sandbox, print where it is, and wait to be killed.
const actAsParent = "HUBCAP_SANDBOX_TEST_PARENT"

func parent() {
	s, err := start(os.Getenv(Variable))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(s)
	<-s.gone
	os.Exit(1)
}

func TestKilledParentLeavesNothing(t *testing.T) {
	path := program(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), actAsParent+"=1", Variable+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var s Sandbox
	if err := json.NewDecoder(out).Decode(&s); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	awaitGone(t, &s)
}

func TestKeptDirectoryResumes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	s := Start(t, "--dir="+dir, "--keep")
	s.createPool(t, map[string]any{"name": "core", "initialNodeCount": 1, "config": map[string]any{"machineType": "n2-standard-4"}})
	s.Apply(t, fmt.Sprintf(deployment, "kept", 1, "v1", "core", ""))
	s.awaitDeployment(t, "kept", 1)

	_, err := start(program(t), "--dir="+dir)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("a live sandbox (process %d) uses it", s.PID)) {
		t.Errorf("second sandbox in the same directory: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	again := Start(t, "--dir="+dir)
	if again.APIServer != s.APIServer || again.GKEEndpoint != s.GKEEndpoint {
		t.Errorf("resumed at %s and %s, was at %s and %s", again.APIServer, again.GKEEndpoint, s.APIServer, s.GKEEndpoint)
	}
	again.awaitNodes(t, "core", 1)
	again.awaitDeployment(t, "kept", 1)
	if pool := again.gke(t, http.MethodGet, "/clusters/hub/nodePools/core", nil); pool["status"] != "RUNNING" {
		t.Errorf("the pool is %v after the resume", pool["status"])
	}
}

func TestRefusals(t *testing.T) {
	path := program(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		reason string
		args   []string
		want   string
	}{
		{"a port in use is named", []string{"--api-port=" + strconv.Itoa(port)}, fmt.Sprintf("use port %d for kube-apiserver", port)},
		{"a directory with other things would be removed", []string{"--dir=" + foreign}, "it holds thesis.tex"},
		{"flags are checked", []string{"--no-such-flag"}, "flag provided but not defined"},
		{"arguments are checked", []string{"now"}, `unexpected argument "now"`},
	} {
		_, err := start(path, tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q: got %v, want %q in it", tt.reason, tt.args, err, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(foreign, "thesis.tex")); err != nil {
		t.Errorf("the foreign file: %v", err)
	}
}
