package sim

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// A grafana takes annotations, or hangs on demand.
type grafana struct {
	mu          sync.Mutex
	hang        chan struct{} // closed when the hanging ends; nil: answers
	annotations []map[string]any
}

func newGrafana() *grafana { return &grafana{} }

func (g *grafana) routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /_sim/grafana", g.set)
	mux.HandleFunc("GET /_sim/grafana", g.list)
	for _, prefix := range []string{"", "/_grafana"} {
		mux.HandleFunc("POST "+prefix+"/api/annotations", g.annotate)
		mux.HandleFunc("PATCH "+prefix+"/api/annotations/{id}", g.annotate)
		mux.HandleFunc("GET "+prefix+"/api/annotations", g.list)
		mux.HandleFunc("GET "+prefix+"/api/health", g.health)
	}
}

func (g *grafana) set(w http.ResponseWriter, r *http.Request) {
	var want struct {
		Hang bool `json:"hang"`
	}
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		http.Error(w, "read request: "+err.Error(), http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case want.Hang && g.hang == nil:
		g.hang = make(chan struct{})
	case !want.Hang && g.hang != nil:
		close(g.hang)
		g.hang = nil
	}
}

// wait hangs while it is told to, and reports whether the caller is still there.
func (g *grafana) wait(r *http.Request) bool {
	g.mu.Lock()
	hang := g.hang
	g.mu.Unlock()
	if hang == nil {
		return true
	}
	select {
	case <-hang:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (g *grafana) annotate(w http.ResponseWriter, r *http.Request) {
	// It is read first: a server sees that a caller has gone only then.
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if !g.wait(r) {
		return
	}
	var a map[string]any
	if err != nil || json.Unmarshal(body, &a) != nil {
		http.Error(w, `{"message":"bad request data"}`, http.StatusBadRequest)
		return
	}
	a["_authorization"] = r.Header.Get("Authorization") != ""
	a["_method"] = r.Method
	if id := r.PathValue("id"); id != "" {
		a["_id"] = id
	}
	g.mu.Lock()
	g.annotations = append(g.annotations, a)
	id := len(g.annotations)
	g.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"message": "Annotation added", "id": id})
}

func (g *grafana) list(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.annotations
	if all == nil {
		all = []map[string]any{}
	}
	writeJSON(w, http.StatusOK, all)
}

func (g *grafana) health(w http.ResponseWriter, r *http.Request) {
	if g.wait(r) {
		writeJSON(w, http.StatusOK, map[string]any{"database": "ok", "version": "12.0.0"})
	}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // who has gone needs no answer
}
