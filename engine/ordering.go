package engine

import (
	"context"
	"crypto/rand"
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
	journals, err := e.journals(ctx)
	if err != nil {
		return err
	}
	for name, runs := range journals {
		for _, r := range runs {
			if r.ID == id && e.isOwn(r) {
				return e.order(ctx, e.Clusters[name], r, o)
			}
		}
	}
	return fmt.Errorf("%s: run %s: %w", o.Kind, id, ErrNoRun)
}

// order gives an order to a run whose journal home keeps. Only who may apply can let a
// run go on; everybody who may write to the journal can stop it.
func (e *Engine) order(ctx context.Context, home *Cluster, r journal.Run, o journal.Order) error {
	if home.Orders == nil {
		return errors.New("cluster " + home.Name + " keeps no orders")
	}
	if outcome, ended := journal.Ended(r.Entries); ended {
		return fmt.Errorf("%s: %w: run %s %s", o.Kind, ErrNothing, r.ID, ending(outcome))
	}
	o.By, o.Time, o.Nonce = e.Holder, e.now().UTC(), rand.Text()
	o = o.Bounded()
	key, err := e.signingKey(ctx, home)
	if err != nil && o.Kind == journal.Promote {
		return fmt.Errorf("%s: only who may apply can let a run go on: %w", o.Kind, err)
	}
	if err == nil {
		if err := o.Sign(key, home.Identity, r); err != nil {
			return err
		}
	}
	return home.Orders.Order(ctx, r.ID, o)
}

// listen passes on the orders for the run until the session ends. Those that an
// earlier execution of it got were for that one: what a first look at a run that is
// gone on with finds is passed over. Not being able to look stops nothing; it is told
// once.
func (s *session) listen(ctx context.Context) {
	if s.home.Orders == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() { <-s.done; cancel() }()
	l := listening{session: s, orders: s.home.Orders}
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
