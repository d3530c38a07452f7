package emulator

import (
	"context"

	container "google.golang.org/api/container/v1"
)

// A job is a call to the sink that is made without the server's lock.
type job func(ctx context.Context) error

// effect does what the operation is for, up to the nodes, which are the job. It
// returns the error that the operation ends with, if any. The caller holds the
// lock.
func (s *Server) effect(op *operation) (*container.Status, job) {
	c, missing := s.find(op.Cluster)
	if missing != nil {
		return nil, nil // the cluster went away, and everything in it
	}
	if op.Fault != nil {
		switch op.Fault.Kind {
		case OpError:
			s.abandon(op)
			return op.Fault.failure(), nil
		case Ignore:
			s.abandon(op)
			return nil, nil
		case Partial, Stockout:
			return s.partial(op, c)
		}
	}
	switch op.Effect {
	case effectGone:
		return nil, s.removeAll(c)
	case effectCluster:
		return nil, s.raise(c)
	case effectClusterPool:
		s.effectOnCluster(op, c)
		return nil, nil
	}
	p, missing := c.find(op.Pool)
	if missing != nil {
		return nil, nil
	}
	if op.Effect == effectDelete {
		return nil, s.removal(p.snapshot(c.Ref))
	}
	s.effectOnPool(op, c, p)
	return nil, s.apply(p.snapshot(c.Ref))
}

func (s *Server) effectOnPool(op *operation, c *cluster, p *pool) {
	switch op.Effect {
	case effectCreate:
		p.Nodes = int(p.Body.InitialNodeCount) * len(p.Body.Locations)
	case effectUpdate:
		update(c, p, request[container.UpdateNodePoolRequest](op))
	case effectAutoscaling:
		p.Body.Autoscaling = request[container.SetNodePoolAutoscalingRequest](op).Autoscaling
		fillAutoscaling(p.Body.Autoscaling)
	case effectManagement:
		p.Body.Management = request[container.SetNodePoolManagementRequest](op).Management
	case effectSize:
		p.Nodes = int(request[container.SetNodePoolSizeRequest](op).NodeCount) * len(p.Body.Locations)
	default:
		return
	}
	p.Body.Etag = s.etag()
}

// partial leaves the pool behind with some of its nodes and an error.
func (s *Server) partial(op *operation, c *cluster) (*container.Status, job) {
	failure := op.Fault.failure()
	p, missing := c.find(op.Pool)
	if missing != nil {
		return failure, nil
	}
	condition := &container.StatusCondition{Code: "UNKNOWN", CanonicalCode: "INTERNAL", Message: failure.Message}
	p.Body.Status = "ERROR"
	if op.Fault.Kind == Stockout {
		condition.Code, condition.CanonicalCode = "GCE_STOCKOUT", "RESOURCE_EXHAUSTED"
		p.Body.Status = "RUNNING_WITH_ERROR"
	}
	p.Body.StatusMessage = failure.Message
	p.Body.Conditions = []*container.StatusCondition{condition}
	op.Body.NodepoolConditions = p.Body.Conditions
	op.Body.Detail = failure.Message
	p.Nodes = op.Fault.Nodes
	p.Body.Etag = s.etag()
	return failure, s.apply(p.snapshot(c.Ref))
}

// failure returns the error with which a faulty operation ends.
func (f *Fault) failure() *container.Status {
	st := &container.Status{Code: f.Code, Message: f.Message}
	if st.Code == 0 {
		st.Code = 8
	}
	if st.Message == "" && f.Kind == Stockout {
		st.Message = "Not all instances running in IGM after 1m6s. Expected 1, running 0, transitioning 1. Current errors: " +
			"[GCE_STOCKOUT]: Instance creation failed: The zone does not have enough resources available to fulfill the request."
	}
	fill(&st.Message, "The operation failed.")
	return st
}

// abandon undoes what accepting the operation has done.
func (s *Server) abandon(op *operation) {
	c, missing := s.find(op.Cluster)
	if missing != nil {
		return
	}
	if op.Effect == effectCluster {
		c.Body.Status = "ERROR"
		return
	}
	c.Body.Status = "RUNNING"
	p, missing := c.find(op.Pool)
	if missing != nil {
		return
	}
	if op.Effect == effectCreate {
		c.drop(op.Pool)
		return
	}
	p.rest()
}

// settle brings cluster and pool to rest when the operation has ended well. What
// was to go goes only now, after its nodes, so that a restart in between finds
// it and tries again.
func (s *Server) settle(op *operation) {
	c, missing := s.find(op.Cluster)
	if missing != nil {
		return
	}
	if op.Fault == nil || op.Fault.Kind != Ignore {
		switch op.Effect {
		case effectGone:
			s.dropCluster(op.Cluster)
			return
		case effectDelete:
			c.drop(op.Pool)
		}
	}
	c.Body.Status = "RUNNING"
	if op.Effect == effectCluster {
		for _, p := range c.Pools {
			p.rest()
		}
	}
	if p, missing := c.find(op.Pool); missing == nil {
		p.rest()
	}
}

// breakDown leaves a pool whose nodes could not be made or removed.
func (s *Server) breakDown(op *operation, failure *container.Status) {
	c, missing := s.find(op.Cluster)
	if missing != nil {
		return
	}
	c.Body.Status = "RUNNING"
	p, missing := c.find(op.Pool)
	if missing != nil {
		return
	}
	p.Body.Status, p.Body.StatusMessage = "ERROR", failure.Message
	p.Body.Conditions = []*container.StatusCondition{{Code: "UNKNOWN", CanonicalCode: "INTERNAL", Message: failure.Message}}
	p.Body.Etag = s.etag()
}

func (p *pool) rest() {
	p.Body.Status = "RUNNING"
	if len(p.Body.Conditions) > 0 {
		p.Body.Status = "RUNNING_WITH_ERROR"
	}
}

func (s *Server) apply(p Pool) job {
	if s.o.Nodes == nil {
		return nil
	}
	return func(ctx context.Context) error { return s.o.Nodes.Apply(ctx, p, p.Nodes) }
}

func (s *Server) removal(p Pool) job {
	if s.o.Nodes == nil {
		return nil
	}
	return func(ctx context.Context) error { return s.o.Nodes.Remove(ctx, p) }
}

// raise makes the nodes of all pools of a new cluster.
func (s *Server) raise(c *cluster) job {
	return s.each(c, func(p *pool) job {
		p.Nodes = int(p.Body.InitialNodeCount) * len(p.Body.Locations)
		return s.apply(p.snapshot(c.Ref))
	})
}

func (s *Server) removeAll(c *cluster) job {
	return s.each(c, func(p *pool) job { return s.removal(p.snapshot(c.Ref)) })
}

func (s *Server) each(c *cluster, of func(*pool) job) job {
	var jobs []job
	for _, p := range c.Pools {
		if j := of(p); j != nil {
			jobs = append(jobs, j)
		}
	}
	return func(ctx context.Context) error {
		for _, j := range jobs {
			if err := j(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}
