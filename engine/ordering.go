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
// earlier execution of it got were for that one: what a first look at a run that is
// gone on with finds is passed over. Not being able to look stops nothing; it is told
// once.
func (s *session) listen(ctx context.Context) {
	home, err := s.home()
	if err != nil || home.Orders == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() { <-s.done; cancel() }()
	l := listening{session: s, orders: home.Orders}
	if len(s.run.Entries) > 0 {
		l.old = unknown
	}
	go func() {
		if l.old == unknown {
			l.look(ctx)
		}
		ticker := time.NewTicker(orderEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				l.look(ctx)
			}
		}
	}()
}

// A listening is a session that waits for orders.
type listening struct {
	*session
	orders Orders
	old    int  // orders that an earlier execution got; unknown before the first look
	isDeaf bool // it was told that orders cannot be read
}

const unknown = -1

func (l *listening) look(ctx context.Context) {
	orders, err := l.orders.Orders(ctx, l.run.ID)
	switch {
	case ctx.Err() != nil:
	case err != nil && !l.isDeaf:
		l.isDeaf = true
		l.tell(run.Warned{Text: "orders cannot be read: " + err.Error()})
	case err != nil:
	case l.old == unknown:
		l.old = len(orders)
	default:
		l.take(ctx, orders[l.old:])
	}
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
