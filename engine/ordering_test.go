package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hubcap/engine"
	"hubcap/engine/journal"
)

// A table is where orders lie; the first looks at it may fail.
type table struct {
	mu     sync.Mutex
	orders []journal.Order
	fails  int
}

func (o *table) Orders(context.Context, string) ([]journal.Order, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fails > 0 {
		o.fails--
		return nil, errors.New("the server is busy")
	}
	return slices.Clone(o.orders), nil
}

func (o *table) Order(_ context.Context, _ string, order journal.Order) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.orders = append(o.orders, order)
	return nil
}

// TestOrders checks that an order reaches the run that it is given to, is in its
// journal, and is no order for whoever goes on with the run later, also when the first
// look for orders fails.
func TestOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := settled(t)
		w.Polls = 40
		e, orders := newEngine(w, next), &table{}
		e.Clusters["prod"].Orders = orders
		give := func(kind journal.OrderKind, after time.Duration) {
			time.Sleep(after) // of the bubble's clock
			runs, err := e.History(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if err := e.Order(t.Context(), runs[len(runs)-1].ID, journal.Order{Kind: kind, Reason: "wrong"}); err != nil {
				t.Error(err)
			}
		}
		go func() { give(journal.Pause, 5*time.Second); give(journal.Abort, 10*time.Minute) }()
		o, err := e.Apply(t.Context(), mustPlan(t, e))
		if err != nil || o.Outcome != journal.WasHeld || !strings.Contains(o.Reason, "aborted: abort by ada@desk: wrong") {
			t.Fatalf("paused, then aborted: %+v, %v", o, err)
		}
		orders.fails = 3
		if o, err := e.Resume(t.Context(), o.Run); err != nil || o.Outcome != journal.Succeeded {
			t.Fatalf("gone on with: %+v, %v", o, err)
		}
		runs, err := e.History(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, entry := range runs[len(runs)-1].Entries {
			if entry.Mark == journal.Ordered {
				told = append(told, entry.Reason)
			}
		}
		if !slices.Equal(told, []string{"pause by ada@desk: wrong", "abort by ada@desk: wrong"}) {
			t.Errorf("the journal has the orders %q", told)
		}
		if err := e.Order(t.Context(), o.Run, journal.Order{Kind: journal.Pause}); !errors.Is(err, engine.ErrNothing) {
			t.Errorf("an order to a run that has ended: %v", err)
		}
	})
}

// TestUnsealedOrders holds that whoever may only write to the journal can stop a run and
// never let it go on: a promote that is not sealed, was changed, is of another execution
// or is a copy is passed over, and one by somebody who may apply is followed.
func TestUnsealedOrders(t *testing.T) {
	promote := journal.Order{Kind: journal.Promote, By: "eve@tenant", Nonce: "n"}
	tests := map[string]struct {
		give func(t *testing.T, e *engine.Engine, run string, orders *table)
		want bool
	}{
		"sealed": {func(t *testing.T, e *engine.Engine, run string, _ *table) {
			if err := e.Order(t.Context(), run, journal.Order{Kind: journal.Promote}); err != nil {
				t.Error(err)
			}
		}, true},
		"not sealed": {func(t *testing.T, _ *engine.Engine, run string, orders *table) {
			_ = orders.Order(t.Context(), run, promote)
		}, false},
		"sealed pause said to be promote": {func(t *testing.T, e *engine.Engine, run string, orders *table) {
			if err := e.Order(t.Context(), run, journal.Order{Kind: journal.Pause}); err != nil {
				t.Error(err)
			}
			forged := orders.orders[len(orders.orders)-1]
			forged.Kind = journal.Promote
			_ = orders.Order(t.Context(), run, forged)
		}, false},
		"of another execution": {func(t *testing.T, e *engine.Engine, run string, orders *table) {
			if err := e.Order(t.Context(), run, journal.Order{Kind: journal.Promote}); err != nil {
				t.Error(err)
			}
			orders.orders[len(orders.orders)-1].Execution = 2
		}, false},
		"removed and given again after a pause": {func(t *testing.T, e *engine.Engine, run string, orders *table) {
			for _, kind := range []journal.OrderKind{journal.Promote, journal.Pause} {
				if err := e.Order(t.Context(), run, journal.Order{Kind: kind}); err != nil {
					t.Error(err)
				}
				time.Sleep(10 * time.Second) // of the bubble's clock
			}
			orders.mu.Lock()
			orders.orders = []journal.Order{orders.orders[0], orders.orders[len(orders.orders)-1], orders.orders[1]}
			orders.mu.Unlock()
		}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := settled(t)
				w.Polls = 40
				e, orders := newEngine(w, next), &table{}
				e.Clusters["prod"].Orders = orders
				done := make(chan struct{})
				go func() {
					defer close(done)
					time.Sleep(3 * time.Second)
					runs, err := e.History(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					run := runs[len(runs)-1].ID
					if err := e.Order(t.Context(), run, journal.Order{Kind: journal.Pause}); err != nil {
						t.Error(err)
					}
					time.Sleep(10 * time.Second)
					test.give(t, e, run, orders)
					time.Sleep(time.Hour)
					_ = e.Order(t.Context(), run, journal.Order{Kind: journal.Abort, Reason: "nobody let it go on"})
				}()
				o, err := e.Apply(t.Context(), mustPlan(t, e))
				<-done
				if err != nil || (o.Outcome == journal.Succeeded) != test.want {
					t.Errorf("apply = %+v, %v; want it to be let go on: %v", o, err, test.want)
				}
			})
		})
	}
}
