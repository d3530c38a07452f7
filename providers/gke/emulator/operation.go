package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	container "google.golang.org/api/container/v1"
)

// An effect is what an operation does when its work is done.
type effect string

const (
	effectCreate      effect = "create"
	effectDelete      effect = "delete"
	effectUpdate      effect = "update"
	effectAutoscaling effect = "autoscaling"
	effectManagement  effect = "management"
	effectSize        effect = "size"
	effectCluster     effect = "cluster"      // the cluster is there
	effectGone        effect = "cluster-gone" // the cluster goes away
	effectClusterPool effect = "cluster-pool" // clusters.update on one of its pools
	effectNone        effect = "none"         // GKE's own doing
)

// An operation is one long-running operation. All of it but the channel is saved.
type operation struct {
	Body    *container.Operation `json:"body"`
	Cluster ClusterRef           `json:"cluster"`
	Pool    string               `json:"pool,omitempty"`
	Effect  effect               `json:"effect"`
	Request json.RawMessage      `json:"request,omitempty"` // that asked for it
	Rounds  int                  `json:"rounds"`            // of work: one for each node that is recreated
	Fault   *Fault               `json:"fault,omitempty"`

	stop     chan struct{} // closed when cancelled
	released chan struct{} // closed when a stuck operation may end
}

func (op *operation) done() bool { return op.Body.Status == "DONE" }

// doing says in GKE's words what an operation is at.
var doing = map[string]string{
	"CREATE_NODE_POOL":         "creating a node pool for",
	"DELETE_NODE_POOL":         "deleting a node pool for",
	"UPGRADE_NODES":            "upgrading",
	"UPDATE_CLUSTER":           "updating",
	"CREATE_CLUSTER":           "creating",
	"DELETE_CLUSTER":           "deleting",
	"SET_NODE_POOL_SIZE":       "resizing a node pool for",
	"SET_NODE_POOL_MANAGEMENT": "setting node pool management for",
	"AUTO_REPAIR_NODES":        "repairing nodes of",
	"UPGRADE_MASTER":           "upgrading the control plane of",
}

// conflict refuses a mutation of the cluster while another one runs. Changing
// the management of a pool is metadata only and disturbs nothing.
func (s *Server) conflict(ref ClusterRef, operationType string) *refusal {
	if operationType == "SET_NODE_POOL_MANAGEMENT" {
		return nil
	}
	for _, op := range s.ops {
		if op.Cluster == ref && !op.done() && op.Body.OperationType != "SET_NODE_POOL_MANAGEMENT" {
			verb := doing[op.Body.OperationType]
			if verb == "" {
				verb = "running on"
			}
			return precondition("Operation %s is currently %s cluster %s. Please wait and try again once it is done.",
				op.Body.Name, verb, ref.Name)
		}
	}
	return nil
}

// begin records an operation of the given type and starts it. The caller holds
// the lock.
func (s *Server) begin(operationType string, op *operation) *container.Operation {
	s.serial++
	now := s.o.Now().UTC()
	name := fmt.Sprintf("operation-%d-%08x-0000-4000-8000-%012x", now.UnixMilli(), s.serial*2654435761%(1<<32), s.serial)
	op.Body = &container.Operation{
		Name: name, OperationType: operationType, Status: "PENDING",
		StartTime: now.Format(time.RFC3339Nano),
		Zone:      op.Cluster.Location,
		SelfLink:  apiRoot + numbered(op.Cluster) + "/operations/" + name,
	}
	op.Body.TargetLink = apiRoot + numbered(op.Cluster) + "/clusters/" + op.Cluster.Name
	if op.Pool != "" {
		op.Body.TargetLink += "/nodePools/" + op.Pool
	}
	if !zonal(op.Cluster.Location) {
		op.Body.Location = op.Cluster.Location
	}
	op.Rounds = max(op.Rounds, 1)
	if len(s.ops) >= maxOperations {
		if oldest := slices.IndexFunc(s.ops, (*operation).done); oldest >= 0 {
			s.ops = slices.Delete(s.ops, oldest, oldest+1)
		}
	}
	s.ops = append(s.ops, op)
	s.start(op)
	return clone(op.Body)
}

func (s *Server) start(op *operation) {
	op.stop, op.released = make(chan struct{}), make(chan struct{})
	s.drives.Go(func() { s.drive(op) })
}

// Errors that end an operation's waiting.
var (
	errCancelled = errors.New("cancelled")
	errClosed    = errors.New("server closed")
)

func (s *Server) wait(op *operation, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-op.stop:
		return errCancelled
	case <-s.ctx.Done():
		return errClosed
	}
}

// drive takes an operation through its states.
func (s *Server) drive(op *operation) {
	err := s.work(op)
	if errors.Is(err, errClosed) {
		return // a restart goes on with it
	}
	aborted := errors.Is(err, errCancelled) || op.Fault != nil && op.Fault.Kind == Abort
	if aborted {
		s.advance(op, "ABORTING")
		timer := time.NewTimer(s.o.Pending)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.abandon(op)
		s.end(op, &container.Status{Code: 1, Message: "Operation was cancelled."})
		return
	}
	s.complete(op)
}

// work waits until the operation's work is done.
func (s *Server) work(op *operation) error {
	if err := s.wait(op, s.o.Pending); err != nil {
		return err
	}
	s.advance(op, "RUNNING")
	for round := range op.Rounds {
		s.progress(op, round)
		if err := s.wait(op, s.o.Work); err != nil {
			return err
		}
	}
	if op.Fault == nil || op.Fault.Kind != Stuck {
		return nil
	}
	select {
	case <-op.released:
		return nil
	case <-op.stop:
		return errCancelled
	case <-s.ctx.Done():
		return errClosed
	}
}

func (s *Server) advance(op *operation, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op.Body.Status = status
	s.save()
}

func (s *Server) progress(op *operation, nodes int) {
	if op.Body.OperationType != "UPGRADE_NODES" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	metric := func(name string, n int) *container.Metric {
		return &container.Metric{Name: name, IntValue: int64(n), ForceSendFields: []string{"IntValue"}}
	}
	op.Body.Progress = &container.OperationProgress{Metrics: []*container.Metric{
		metric("NODES_TOTAL", op.Rounds), metric("NODES_FAILED", 0), metric("NODES_COMPLETE", nodes),
		metric("NODES_DONE", nodes), metric("NODE_PDB_DELAY_SECONDS", 0),
	}}
}

// end makes an operation DONE, with an error if failure is not nil. The caller
// holds the lock.
func (s *Server) end(op *operation, failure *container.Status) {
	op.Body.Status = "DONE"
	op.Body.EndTime = s.o.Now().UTC().Format(time.RFC3339Nano)
	if failure != nil {
		field := ""
		if op.Fault != nil {
			field = op.Fault.Field
		}
		if field != "statusMessage" {
			op.Body.Error = failure
		}
		if field != "error" {
			op.Body.StatusMessage = failure.Message
		}
	}
	s.save()
}

// complete carries out what the operation is for. Calls to the sink are made
// without the lock, so that the API answers meanwhile.
func (s *Server) complete(op *operation) {
	s.sink.Lock()
	defer s.sink.Unlock()
	s.mu.Lock()
	failure, job := s.effect(op)
	s.mu.Unlock()
	if job != nil {
		err := job(s.ctx)
		if err != nil && s.ctx.Err() != nil {
			return // a restart goes on with it
		}
		if err != nil && failure == nil {
			failure = &container.Status{Code: 13, Message: err.Error()}
			s.mu.Lock()
			s.breakDown(op, failure)
			s.mu.Unlock()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if failure == nil {
		s.progressDone(op)
		s.settle(op)
	}
	s.end(op, failure)
}

func (s *Server) progressDone(op *operation) {
	if op.Body.Progress == nil {
		return
	}
	for _, m := range op.Body.Progress.Metrics {
		if m.Name == "NODES_COMPLETE" || m.Name == "NODES_DONE" {
			m.IntValue = int64(op.Rounds)
		}
	}
}

// Release lets operations end that a [Stuck] fault holds.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range s.ops {
		if op.done() {
			continue
		}
		select {
		case <-op.released:
		default:
			close(op.released)
		}
	}
}

// StartOperation begins an operation of GKE's own, AUTO_REPAIR_NODES for
// instance, on a cluster or one of its pools; it changes nothing and takes
// rounds times Options.Work. It returns the operation's name.
func (s *Server) StartOperation(ref ClusterRef, pool, operationType string, rounds int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begin(operationType, &operation{Cluster: ref, Pool: pool, Effect: effectNone, Rounds: rounds}).Name
}

func (s *Server) listOperations(rt *routed, _ *http.Request) (any, *refusal) {
	list := &container.ListOperationsResponse{}
	for _, op := range s.ops {
		here := rt.cluster.Location == "-" || rt.cluster.Location == op.Cluster.Location
		if here && rt.cluster.Project == op.Cluster.Project {
			list.Operations = append(list.Operations, clone(op.Body))
		}
	}
	return list, nil
}

func (s *Server) findOperation(rt *routed) (*operation, *refusal) {
	for _, op := range s.ops {
		if op.Body.Name == rt.name && op.Cluster.Location == rt.cluster.Location && op.Cluster.Project == rt.cluster.Project {
			return op, nil
		}
	}
	return nil, notFound(fmt.Sprintf("Not found: %s.", strings.TrimPrefix(numbered(rt.cluster)+"/operations/"+rt.name, "/")))
}

func (s *Server) readOperation(rt *routed, _ *http.Request) (any, *refusal) {
	op, refusal := s.findOperation(rt)
	if refusal != nil {
		return nil, refusal
	}
	return render(op.Body), nil
}

func (s *Server) cancelOperation(rt *routed, _ *http.Request) (any, *refusal) {
	op, refusal := s.findOperation(rt)
	if refusal != nil {
		return nil, refusal
	}
	if op.Body.OperationType != "UPGRADE_NODES" {
		return nil, precondition("Operation %s of type %s cannot be cancelled.", op.Body.Name, op.Body.OperationType)
	}
	if op.done() {
		return nil, precondition("Operation %s is already done.", op.Body.Name)
	}
	select {
	case <-op.stop:
	default:
		close(op.stop)
	}
	return struct{}{}, nil
}

// render returns a copy of an operation in which counts of zero are sent, as GKE
// sends them there.
func render(op *container.Operation) *container.Operation {
	c := clone(op)
	if c.Progress != nil {
		for _, m := range c.Progress.Metrics {
			m.ForceSendFields = []string{"IntValue"}
		}
	}
	return c
}
