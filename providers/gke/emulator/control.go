package emulator

import (
	"encoding/json"
	"io"
	"net/http"
)

// serveControl answers what the real API has not:
//
//	GET    /_emulator/state       pools with their node counts, operations
//	GET    /_emulator/requests    what was asked so far
//	GET    /_emulator/faults      armed faults
//	POST   /_emulator/faults      arm a fault
//	DELETE /_emulator/faults      disarm all
//	POST   /_emulator/nodes       {"cluster": {…}, "pool": "p", "nodes": 3}
//	POST   /_emulator/operations  {"cluster": {…}, "pool": "p", "type": "AUTO_REPAIR_NODES", "rounds": 5}
//	POST   /_emulator/release     end what a stuck fault holds
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		status, body := invalid("read body: %v", err).response()
		writeJSON(w, status, body)
		return
	}
	answer, refusal := s.control(r, data)
	if refusal != nil {
		status, body := refusal.response()
		writeJSON(w, status, body)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) control(r *http.Request, data []byte) (any, *refusal) {
	switch r.Method + " " + r.URL.Path {
	case "GET /_emulator/state":
		return s.state(), nil
	case "GET /_emulator/requests":
		return map[string]any{"requests": s.Requests()}, nil
	case "GET /_emulator/faults":
		return s.armed(), nil
	case "POST /_emulator/faults":
		var f Fault
		if err := json.Unmarshal(data, &f); err != nil {
			return nil, invalid("%v", err)
		}
		if err := s.Inject(f); err != nil {
			return nil, invalid("%v", err)
		}
		return s.armed(), nil
	case "DELETE /_emulator/faults":
		s.ClearFaults()
		return s.armed(), nil
	case "POST /_emulator/release":
		s.Release()
		return struct{}{}, nil
	case "POST /_emulator/nodes", "POST /_emulator/operations":
		return s.act(r, data)
	}
	return nil, notFound("Not found: " + r.Method + " " + r.URL.Path)
}

func (s *Server) act(r *http.Request, data []byte) (any, *refusal) {
	var ask struct {
		Cluster ClusterRef `json:"cluster"`
		Pool    string     `json:"pool"`
		Nodes   int        `json:"nodes"`
		Type    string     `json:"type"`
		Rounds  int        `json:"rounds"`
	}
	if refusal := decodeBytes(data, &ask); refusal != nil {
		return nil, refusal
	}
	if r.URL.Path == "/_emulator/nodes" {
		if err := s.SetNodes(r.Context(), ask.Cluster, ask.Pool, ask.Nodes); err != nil {
			return nil, invalid("%v", err)
		}
		return s.state(), nil
	}
	return map[string]string{"name": s.StartOperation(ask.Cluster, ask.Pool, ask.Type, ask.Rounds)}, nil
}

func (s *Server) state() any {
	pools := s.Pools()
	s.mu.Lock()
	defer s.mu.Unlock()
	ops := make([]any, 0, len(s.ops))
	for _, op := range s.ops {
		ops = append(ops, render(op.Body))
	}
	return map[string]any{"pools": pools, "operations": ops}
}

func (s *Server) armed() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		faults = append(faults, *f)
	}
	return map[string]any{"faults": faults}
}
