package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// control is what tests set and read.
func (s *Simulator) control(mux *http.ServeMux) {
	mux.HandleFunc("POST /_sim/load", s.setLoad)
	mux.HandleFunc("POST /_sim/clock", s.setClock)
	mux.HandleFunc("POST /_sim/ledger", s.clearLedger)
	mux.HandleFunc("GET /_sim/hubs", s.listHubs)
	mux.HandleFunc("GET /_sim/targets/{job}", s.targets)
	mux.HandleFunc("GET /_sim/metrics/kube", s.kubeMetrics)
	mux.HandleFunc("GET /_sim/metrics/pod/{namespace}/{pod}", s.podMetrics)
}

// setLoad takes {"namespace": "...", ...} with the fields of Load that are to change.
func (s *Simulator) setLoad(w http.ResponseWriter, r *http.Request) {
	var raw json.RawMessage
	var of struct {
		Namespace string `json:"namespace"`
	}
	if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
		http.Error(w, "read load: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := json.Unmarshal(raw, &of); err != nil || of.Namespace == "" {
		http.Error(w, "read load: namespace is missing", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.factory.Core().V1().Namespaces().Lister().Get(of.Namespace); err != nil {
		http.Error(w, "set load: "+err.Error(), http.StatusNotFound)
		return
	}
	h := s.hub(of.Namespace)
	want := struct {
		Namespace string `json:"namespace"`
		Load
	}{Load: h.load}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&want); err != nil {
		http.Error(w, "read load: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := h.SetLoad(want.Load); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, http.StatusOK, h.load)
}

// clearLedger takes {"namespace": "..."} and forgets what people lived through there.
func (s *Simulator) clearLedger(w http.ResponseWriter, r *http.Request) {
	var of struct {
		Namespace string `json:"namespace"`
	}
	if err := json.NewDecoder(r.Body).Decode(&of); err != nil {
		http.Error(w, "read request: "+err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hubs[of.Namespace]
	if h == nil {
		http.Error(w, "clear ledger: no hub in "+of.Namespace, http.StatusNotFound)
		return
	}
	h.ledger = newLedger()
}

// setClock takes {"factor": simulated seconds in a real one}.
func (s *Simulator) setClock(w http.ResponseWriter, r *http.Request) {
	var want struct {
		Factor float64 `json:"factor"`
	}
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil || want.Factor <= 0 || want.Factor > 3600 {
		http.Error(w, fmt.Sprintf("read clock: factor is %v, want more than 0 and at most 3600", want.Factor), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.factor = want.Factor
	writeJSON(w, http.StatusOK, want)
}

// A Report is how a hub is, and what its people lived through.
type Report struct {
	Namespace string  `json:"namespace"`
	URL       string  `json:"url"`
	HubUp     bool    `json:"hub_up"`
	ProxyUp   bool    `json:"proxy_up"`
	Binders   int     `json:"binders"`
	Faults    []Fault `json:"faults"`

	Running     int     `json:"running_servers"`
	Users       int     `json:"users"`
	Spawns      float64 `json:"spawns"` // of this hub process
	Cores       float64 `json:"cores"`  // that the hub could use
	MemoryBytes float64 `json:"memory_bytes"`
	Threads     float64 `json:"threads"`
	Minutes     int     `json:"minutes"` // simulated, observed
	Degraded    int     `json:"degraded_minutes"`
	DownSeconds float64 `json:"hub_down_seconds"` // simulated
	Launches    int     `json:"launches"`
	Succeeded   int     `json:"succeeded"`
	Failures    int     `json:"failed"`
	Rejected    int     `json:"rejected"`
	UnderWay    int     `json:"under_way"`
	Lost        int     `json:"sessions_lost"`
	Interrupted int     `json:"sessions_interrupted"`
	OutOfMemory int     `json:"out_of_memory"`
	Load        Load    `json:"load"`
}

func (h *Hub) report() Report {
	l := &h.ledger
	r := Report{
		Namespace: h.Namespace, HubUp: h.hub != nil && h.hub.up, ProxyUp: h.proxy != "", Binders: len(h.binders),
		Running: h.running(), Users: h.users(), DownSeconds: l.DownSeconds, Launches: l.Launches, Succeeded: l.Succeeded,
		Failures: l.Failures, Rejected: l.Rejected, UnderWay: len(h.launches), Lost: l.Lost, Interrupted: l.Interrupted,
		OutOfMemory: l.OutOfMemory, Load: h.load, Faults: []Fault{},
	}
	r.Minutes, r.Degraded = l.degraded()
	if p := h.hub; p != nil {
		r.Cores, r.MemoryBytes, r.Threads = p.demand, p.memory(len(h.servers), h.users()), p.threads
		r.Faults = append(r.Faults, p.faults...)
		for _, o := range p.metrics.spawns.series {
			r.Spawns += o.count
		}
	}
	for _, b := range h.binders {
		r.Faults = append(r.Faults, b.faults...)
	}
	return r
}

func (s *Simulator) listHubs(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reports := map[string]Report{}
	for namespace, h := range s.hubs {
		r := h.report()
		r.URL = s.opts.URL + "/" + namespace
		reports[namespace] = r
	}
	writeJSON(w, http.StatusOK, map[string]any{"factor": s.factor, "seconds": s.now.Seconds(), "hubs": reports})
}

// A target is what Prometheus' HTTP service discovery wants.
type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// targets lists the pods to scrape, with the labels that Kubernetes discovery
// gives them, and the two that stand for kube-state-metrics and cAdvisor.
func (s *Simulator) targets(w http.ResponseWriter, r *http.Request) {
	address := strings.TrimPrefix(s.opts.URL, "http://")
	if r.PathValue("job") == "kube" {
		writeJSON(w, http.StatusOK, []target{{[]string{address}, map[string]string{"__metrics_path__": "/_sim/metrics/kube"}}})
		return
	}
	all := []target{}
	pods, _ := s.factory.Core().V1().Pods().Lister().List(labels.Everything())
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	for _, p := range pods {
		component := p.Labels["component"]
		if component != hubComponent && component != binderComponent || p.Status.Phase != corev1.PodRunning {
			continue
		}
		found := map[string]string{
			"__metrics_path__": "/_sim/metrics/pod/" + p.Namespace + "/" + p.Name,
			"namespace":        p.Namespace, "pod": p.Name, "app": p.Labels["app"], "component": component, "node": p.Spec.NodeName,
		}
		if release := p.Labels["release"]; release != "" {
			found["release"] = release
		}
		all = append(all, target{[]string{address}, found})
	}
	writeJSON(w, http.StatusOK, all)
}

// podMetrics answers as the program in the pod would; when it does not run, nobody
// answers.
func (s *Simulator) podMetrics(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hubs[r.PathValue("namespace")]
	if h == nil {
		drop(w)
		return
	}
	pod := r.PathValue("pod")
	switch b := h.binder(pod); {
	case b != nil:
		h.writeBinder(w, b)
	case h.hub != nil && h.hub.up && h.hub.pod == pod:
		h.writeHub(w)
	default:
		drop(w)
	}
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	if hijacker, can := w.(http.Hijacker); can {
		if c, _, err := hijacker.Hijack(); err == nil {
			_ = c.Close()
			return
		}
	}
	w.WriteHeader(http.StatusBadGateway)
}

// namespaces returns the names of the hubs, sorted.
func (s *Simulator) namespaces() []string { return slices.Sorted(maps.Keys(s.hubs)) }
