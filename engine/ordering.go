package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hubcap/engine/journal"
	"hubcap/engine/run"
	"hubcap/engine/seal"
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
	journals, err := e.journals(ctx, e.Config.Settings.Name)
	if err != nil {
		return err
	}
	for name, runs := range journals {
		for _, r := range runs {
			if r.ID == id && e.Owns(r) {
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
	o.By, o.Time, o.Nonce, o.Execution = e.Holder, e.now().UTC(), rand.Text(), journal.Executions(r.Entries)
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
	l := listening{session: s, public: s.key.Public(), run: s.run, execution: journal.Executions(s.run.Entries), seen: make(map[string]bool)}
	isResumed := len(s.run.Entries) > 1
	if isResumed {
		l.execution++ // that the session is about to record
	}
	go func() {
		l.isOld = isResumed
		if l.isOld {
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
	public    seal.Public // by which those who may apply are told
	run       journal.Run // as it was when the session began
	execution int
	seen      map[string]bool // orders, as JSON
	taken     []journal.Order // by this execution
	isOld     bool            // what is found was for an earlier execution
	isDeaf    bool            // it was told that orders cannot be read
}

func (l *listening) look(ctx context.Context) {
	orders, err := l.home.Orders.Orders(ctx, l.run.ID)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil && !l.isDeaf:
		l.isDeaf = true
		l.tell(run.Warned{Text: "orders cannot be read: " + err.Error()})
		return
	case err != nil:
		return
	}
	for _, o := range orders {
		if l.isNew(o) && !l.isOld && l.mayGive(o) {
			l.taken = append(l.taken, o.Bounded())
		}
	}
	l.isOld = false
	l.take(ctx, l.taken)
}

// isNew reports whether an order was not there before.
func (l *listening) isNew(o journal.Order) bool {
	text, err := json.Marshal(o)
	if err != nil {
		panic("engine: an order is JSON")
	}
	known := l.seen[string(text)]
	l.seen[string(text)] = true
	return !known
}

// mayGive reports whether an order is to be followed. Whoever may write to the journal
// can stop a run; to let it go on takes the seal of somebody who may apply, for this
// execution of this run.
func (l *listening) mayGive(o journal.Order) bool {
	if o.Kind != journal.Promote || o.Execution == l.execution && o.IsSealed(l.public, l.home.Identity, l.run) {
		return true
	}
	l.tell(run.Warned{Text: o.Bounded().String() + ": passed over, since it does not bear the seal of somebody who may apply, for this execution of the run"})
	return false
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
