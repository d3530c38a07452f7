package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	container "google.golang.org/api/container/v1"
)

// state is what survives a restart. Faults do not.
type state struct {
	Clusters   []*cluster   `json:"clusters"`
	Operations []*operation `json:"operations"`
	Serial     int64        `json:"serial"`
}

// save writes the state file, if there is one, in a way that leaves the old or
// the new state behind. The caller holds the lock. An error is told by Close.
func (s *Server) save() {
	if s.o.StateFile == "" {
		return
	}
	data, err := json.MarshalIndent(state{s.clusters, s.ops, s.serial}, "", " ")
	if err == nil {
		next := s.o.StateFile + ".next"
		if err = os.WriteFile(next, data, 0o600); err == nil {
			err = os.Rename(next, s.o.StateFile)
		}
	}
	if err != nil {
		s.saveErr = fmt.Errorf("save state: %w", err)
	}
}

// load reads the state file; it reports whether there was one.
func (s *Server) load() (bool, error) {
	if s.o.StateFile == "" {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(s.o.StateFile), 0o700); err != nil {
		return false, fmt.Errorf("load state: %w", err)
	}
	data, err := os.ReadFile(s.o.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("load state: %w", err)
	}
	var st state
	if err := json.Unmarshal(data, &st); err != nil {
		return false, fmt.Errorf("load state %s: %w", s.o.StateFile, err)
	}
	s.clusters, s.ops, s.serial = st.Clusters, st.Operations, st.Serial
	return true, nil
}

// SetEndpoint gives a cluster, a restored one too, the address of its Kubernetes
// API server and the base64 of its CA certificate.
func (s *Server) SetEndpoint(ref ClusterRef, endpoint, ca string) error {
	return s.setAccess(ref, func(b *container.Cluster) { b.Endpoint, b.MasterAuth.ClusterCaCertificate = endpoint, ca })
}

// SetClientCertificate gives a cluster the certificate and key, in base64, with
// which a client without Google credentials is let in.
func (s *Server) SetClientCertificate(ref ClusterRef, certificate, key string) error {
	return s.setAccess(ref, func(b *container.Cluster) {
		b.MasterAuth.ClientCertificate, b.MasterAuth.ClientKey = certificate, key
	})
}

func (s *Server) setAccess(ref ClusterRef, set func(*container.Cluster)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, missing := s.find(ref)
	if missing != nil {
		return fmt.Errorf("set access: %s", missing.message)
	}
	set(c.Body)
	s.save()
	return nil
}
