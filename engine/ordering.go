package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/run"
)

// Orders are kept in the cluster, so that anybody who may write there can tell a
// run from anywhere to pause, to go on or to stop.
type Orders interface {
	// Orders returns the orders that were given to a run, oldest first.
	Orders(ctx context.Context, id string) ([]journal.Order, error)
	// Order gives a run one more.
	Order(ctx context.Context, id string, o journal.Order) error
}

// orderEvery is how often a run looks for orders.
const orderEvery = 2 * time.Second

// Order gives an order to run id of this config, which must be under way.
func (e *Engine) Order(ctx context.Context, id string, o journal.Order) error {
	home, err := e.home()
	if err != nil {
		return err
	}
	if home.Orders == nil {
		return errors.New("cluster " + home.Name + " keeps no orders")
	}
	runs, err := e.own(ctx)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.ID != id {
			continue
		}
		if outcome, ended := journal.Ended(r.Entries); ended {
			return fmt.Errorf("%s: %w: run %s %s", o.Kind, ErrNothing, id, ending(outcome))
		}
		o.By, o.Time = e.Holder, e.now().UTC()
		return home.Orders.Order(ctx, id, o)
	}
	return fmt.Errorf("%s: run %s: %w", o.Kind, id, ErrNoRun)
}

// listen passes on the orders for the run until the session ends. Those that an
// earlier execution of it got were for that one. Not being able to look stops
// nothing; it is told once.
func (s *session) listen(ctx context.Context, isResumed bool) {
	home, err := s.home()
	if err != nil || home.Orders == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() { <-s.done; cancel() }()
	go func() {
		old, isDeaf := 0, false // of the orders that are known
		if isResumed {
			orders, _ := home.Orders.Orders(ctx, s.run.ID)
			old = len(orders)
		}
		ticker := time.NewTicker(orderEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			orders, err := home.Orders.Orders(ctx, s.run.ID)
			if err != nil && ctx.Err() == nil && !isDeaf {
				isDeaf = true
				s.tell(run.Warned{Text: "orders cannot be read: " + err.Error()})
			}
			if len(orders) > old {
				s.take(ctx, orders[old:])
			}
		}
	}()
}

// take passes on all orders that this execution was given, and records those that
// are new.
func (s *session) take(ctx context.Context, orders []journal.Order) {
	for _, o := range orders[s.desk.Give(orders):] {
		if err := s.Record(ctx, journal.Entry{Mark: journal.Ordered, Reason: o.String()}); err != nil {
			s.tell(run.Warned{Text: "an order is not in the journal: " + err.Error()})
		}
		s.tell(run.Noted{Text: o.String()})
	}
}
