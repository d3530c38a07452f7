package modules_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// realHubEnv asks for the tests with a real JupyterHub. CI sets it; then
// nothing is skipped: what is missing is a failure (.ci/install-jupyterhub
// installs it).
const realHubEnv = "HUBCAP_REALHUB"

// runTimeout bounds all waiting of one run, well below go test's own limit, at
// which nothing would be cleaned up. A run takes about 15 seconds.
const runTimeout = 3 * time.Minute

// A realHub is a JupyterHub and its proxy, started with exactly what a chart
// rendered, on loopback.
type realHub struct {
	chart      string
	dir        string // everything of this run; every process has it in its environment
	deadline   time.Time
	hubPort    int
	apiPort    int // of the proxy's API
	publicPort int
	token      string // of the service "tester", from the rendered Secret
	proxyToken string
	hub, proxy *process
}

// A process is one started program. It prints to a file: a pipe would be held
// open by its children, some of which outlive it by design.
type process struct {
	*exec.Cmd
	output string
	ended  chan struct{}
}

// bindToParent makes a process end with this one, where the system can.
var bindToParent = func(*syscall.SysProcAttr) {}

// needRealHub skips when nobody asked for a real hub, and fails when somebody
// did and there is none.
func needRealHub(t *testing.T) {
	t.Helper()
	if os.Getenv(realHubEnv) != "1" {
		t.Skipf("needs a real JupyterHub: run .ci/install-jupyterhub and set %s=1", realHubEnv)
	}
	for _, program := range []string{"jupyterhub", "configurable-http-proxy", "jupyterhub-singleuser"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s=1, but %v: run .ci/install-jupyterhub", realHubEnv, err)
		}
	}
}

// newRealHub chooses ports and a directory. Nothing is started.
func newRealHub(t *testing.T, chart string) *realHub {
	t.Helper()
	needRealHub(t)
	ports := freePorts(t, 3)
	h := &realHub{chart: chart, dir: t.TempDir(), deadline: time.Now().Add(runTimeout), hubPort: ports[0], apiPort: ports[1], publicPort: ports[2]}
	t.Cleanup(func() { h.stop(t) })
	return h
}

// placement is the values that any hub outside a pod needs: addresses on
// loopback, a spawner and an authenticator that need no cluster, and a service
// for the test to speak as.
func (h *realHub) placement() map[string]any {
	return map[string]any{"hub": map[string]any{
		"db": map[string]any{"type": "sqlite-memory"},
		"config": map[string]any{
			"JupyterHub": map[string]any{
				"spawner_class":       "jupyterhub.spawner.SimpleLocalProcessSpawner",
				"authenticator_class": "dummy",
				"bind_url":            h.public(""),
				"hub_bind_url":        h.hubURL(""),
				"hub_connect_url":     h.hubURL(""),
				"cleanup_servers":     true, // should the test be interrupted
			},
			"ConfigurableHTTPProxy":     map[string]any{"api_url": fmt.Sprintf("http://127.0.0.1:%d", h.apiPort)},
			"Spawner":                   map[string]any{"args": []any{"--allow-root"}, "ip": "127.0.0.1"},
			"SimpleLocalProcessSpawner": map[string]any{"home_dir_template": filepath.Join(h.dir, "home", "{username}")},
		},
		"services": map[string]any{"tester": map[string]any{"display": false}},
		"loadRoles": map[string]any{"tester": map[string]any{
			"services": []any{"tester"}, "scopes": []any{"admin:users", "admin:servers", "proxy", "read:hub"},
		}},
	}}
}

// start renders the chart with the values over the placement, lays the rendered
// files out as a pod's mounts would, and starts proxy and hub with the rendered
// commands. It returns when the hub answers.
func (h *realHub) start(t *testing.T, values map[string]any) {
	t.Helper()
	values = overlay(h.placement(), values)
	if h.chart == "binderhub" {
		values = map[string]any{"jupyterhub": values}
	}
	objects := release{chart: h.chart, values: values}.mustRender(t)
	h.mount(t, objects)
	h.proxy = h.run(t, h.proxyCommand(t, objects), "CONFIGPROXY_AUTH_TOKEN="+h.proxyToken)
	h.hub = h.run(t, h.hubCommand(t, objects), "CONFIGPROXY_AUTH_TOKEN="+h.proxyToken, "POD_NAMESPACE=binder")
	h.wait(t, "the hub to answer", func() bool { return h.status(h.hubURL("/hub/health")) == http.StatusOK })
}

// mount writes the ConfigMap and the Secret of the hub below the directory.
func (h *realHub) mount(t *testing.T, objects []object) {
	t.Helper()
	config, _, _ := unstructured.NestedStringMap(find(t, objects, "ConfigMap/hub").Object, "data")
	for key, text := range config {
		h.write(t, filepath.Join("config", key), []byte(text))
	}
	for _, key := range []string{"jupyterhub_config.py", "z2jh.py"} {
		h.write(t, key, []byte(config[key]))
	}
	for key, text := range secretText(t, find(t, objects, "Secret/hub")) {
		h.write(t, filepath.Join("secret", key), []byte(text))
		switch key {
		case "hub.services.tester.apiToken":
			h.token = text
		case "hub.config.ConfigurableHTTPProxy.auth_token":
			h.proxyToken = text
		}
	}
	if h.proxyToken == "" {
		t.Fatal("the rendered Secret has no token for the proxy")
	}
	recorder, err := os.ReadFile("testdata/recorder/jupyterhub_idle_culler.py")
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, "python/jupyterhub_idle_culler.py", recorder)
	if err := os.MkdirAll(filepath.Join(h.dir, "srv"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func (h *realHub) write(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// hubCommand is the hub container's arguments, with its file where it is here.
func (h *realHub) hubCommand(t *testing.T, objects []object) []string {
	t.Helper()
	args := words(t, find(t, objects, "Deployment/hub"), "args")
	for i, arg := range args {
		if arg == "/usr/local/etc/jupyterhub/jupyterhub_config.py" {
			args[i] = filepath.Join(h.dir, "jupyterhub_config.py")
		}
	}
	return args
}

// proxyCommand is the chp container's command, with this run's addresses.
func (h *realHub) proxyCommand(t *testing.T, objects []object) []string {
	t.Helper()
	args := words(t, find(t, objects, "Deployment/proxy"), "command")
	here := map[string]string{
		"--ip=":           "--ip=127.0.0.1",
		"--api-ip=":       "--api-ip=127.0.0.1",
		"--api-port=8001": fmt.Sprintf("--api-port=%d", h.apiPort),
		"--port=8000":     fmt.Sprintf("--port=%d", h.publicPort),
	}
	for i, arg := range args {
		if replaced, known := here[arg]; known {
			args[i] = replaced
		}
		args[i] = strings.Replace(args[i], "http://hub:8081", h.hubURL(""), 1)
	}
	return args
}

// run starts a command in a process group of its own.
func (h *realHub) run(t *testing.T, command []string, env ...string) *process {
	t.Helper()
	output, err := os.Create(filepath.Join(h.dir, filepath.Base(command[0])+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	p := &process{Cmd: exec.Command(command[0], command[1:]...), output: output.Name(), ended: make(chan struct{})}
	p.Stdout, p.Stderr = output, output
	p.Dir = filepath.Join(h.dir, "srv")
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	bindToParent(p.SysProcAttr)
	p.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1",
		"NODE_PATH=/usr/share/nodejs", // Debian's modules, for a node that is not Debian's
		"PYTHONPATH=" + filepath.Join(h.dir, "python"),
		"JUPYTERHUB_CHART_CONFIG_DIR=" + filepath.Join(h.dir, "config"),
		"JUPYTERHUB_CHART_SECRET_DIR=" + filepath.Join(h.dir, "secret"),
	}, env...)
	if err := p.Start(); err != nil {
		t.Fatalf("start %s: %v", command[0], err)
	}
	go func() {
		defer close(p.ended)
		_ = p.Wait() // how it ended is in its output and its state
	}()
	return p
}

// stop ends every process of this run. User servers are in sessions of their
// own and outlive their hub by design, so they are found by their environment,
// which names this run's directory.
func (h *realHub) stop(t *testing.T) {
	for _, p := range []*process{h.hub, h.proxy} {
		if p == nil {
			continue
		}
		_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL) // gone already is fine
		<-p.ended
		if t.Failed() {
			text, _ := os.ReadFile(p.output)
			t.Logf("%s printed:\n%s", filepath.Base(p.Path), text)
		}
	}
	for _, pid := range processesNaming(h.dir) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	deadline := time.After(10 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); len(processesNaming(h.dir)) > 0; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Errorf("processes left behind: %v", processesNaming(h.dir))
			return
		}
	}
}

// processesNaming returns the processes that have text in their environment.
func processesNaming(text string) []int {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	var pids []int
	for _, path := range paths {
		environ, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environ, []byte(text)) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/environ", &pid); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// wait polls until done, the hub's end or the timeout.
func (h *realHub) wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(time.Until(h.deadline))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-h.hub.ended:
			t.Fatalf("the hub ended while waiting for %s: %v", what, h.hub.ProcessState)
		case <-h.proxy.ended:
			t.Fatalf("the proxy ended while waiting for %s: %v", what, h.proxy.ProcessState)
		case <-deadline:
			t.Fatalf("the run took %v, and still waits for %s", runTimeout, what)
		}
	}
}

func (h *realHub) hubURL(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", h.hubPort, path)
}
func (h *realHub) public(path string) string {
	return fmt.Sprintf("http://127.0.0.1:%d%s", h.publicPort, path)
}

// An answer is what one request came to.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// api asks the hub's REST API as the service "tester".
func (h *realHub) api(t *testing.T, method, path string, body any) answer {
	t.Helper()
	return ask(t, method, h.hubURL("/hub/api"+path), h.token, body)
}

// routes returns the proxy's table: routespec to target.
func (h *realHub) routes(t *testing.T) map[string]string {
	t.Helper()
	got := ask(t, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/api/routes", h.apiPort), h.proxyToken, nil)
	var table map[string]struct{ Target string }
	if err := json.Unmarshal([]byte(got.Body), &table); err != nil {
		t.Fatalf("proxy routes: status %d: %v", got.Status, err)
	}
	targets := map[string]string{}
	for spec, route := range table {
		targets[spec] = route.Target
	}
	return targets
}

// status is the status of a plain GET, or 0 when nothing answers.
func (h *realHub) status(url string) int {
	got, err := http.Get(url)
	if err != nil {
		return 0
	}
	defer got.Body.Close()
	return got.StatusCode
}

// ask makes one request and reads all of the answer.
func ask(t *testing.T, method, url, token string, body any) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var payload io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		payload = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, payload)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "token "+token)
	}
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, string(text)}
}

// freePorts returns ports of loopback that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // all are held until all are known
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// secretText returns what a Secret holds, as a mount of it would show.
func secretText(t *testing.T, secret object) map[string]string {
	t.Helper()
	decoded := map[string]string{}
	plain, _, _ := unstructured.NestedStringMap(secret.Object, "stringData")
	encoded, _, _ := unstructured.NestedStringMap(secret.Object, "data")
	for key, text := range plain {
		decoded[key] = text
	}
	for key, text := range encoded {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatalf("%s, key %s: %v", secret.key(), key, err)
		}
		decoded[key] = string(data)
	}
	return decoded
}

// words returns a list of strings of a Deployment's first container.
func words(t *testing.T, deployment object, field string) []string {
	t.Helper()
	list, _, err := unstructured.NestedStringSlice(firstContainer(t, deployment), field)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
