package run

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hubcap/engine/journal"
)

// A Desk is where the orders for one run come in. A nil desk gets none. It is safe
// for concurrent use.
type Desk struct {
	mu      sync.Mutex
	orders  []journal.Order
	arrived []time.Time // when they were seen here: clocks differ
	changed chan struct{}
}

// Give tells all orders that there are so far. It returns how many of them were
// known already.
func (d *Desk) Give(orders []journal.Order) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := len(d.orders)
	if len(orders) <= known {
		return len(orders)
	}
	for _, o := range orders[len(d.orders):] {
		d.orders, d.arrived = append(d.orders, o), append(d.arrived, time.Now())
	}
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
	return known
}

// news returns a channel that is closed when the next order comes.
func (d *Desk) news() <-chan struct{} {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed == nil {
		d.changed = make(chan struct{})
	}
	return d.changed
}

// paused returns the order because of which no step may begin.
func (d *Desk) paused() (journal.Order, bool) {
	if d == nil {
		return journal.Order{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.orders); n > 0 && d.orders[n-1].Kind == journal.Pause {
		return d.orders[n-1], true
	}
	return journal.Order{}, false
}

// Aborted returns an error when somebody aborted the run.
func (d *Desk) Aborted() error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range d.orders {
		if o.Kind == journal.Abort {
			return fmt.Errorf("aborted: %s", o)
		}
	}
	return nil
}

// promoted returns the order to go on that came after an instant. One that ends a
// pause does that, and nothing more.
func (d *Desk) promoted(since time.Time) (journal.Order, bool) {
	if d == nil {
		return journal.Order{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	isPaused := false
	for i, o := range d.orders {
		if o.Kind == journal.Promote && !isPaused && d.arrived[i].After(since) {
			return o, true
		}
		isPaused = o.Kind == journal.Pause
	}
	return journal.Order{}, false
}

// promote ends the bake of a step, because somebody said so. A gate that has just
// seen something bad stays: nobody can wish that away.
func (x *execution) promote(ctx context.Context, p *baking) error {
	order, given := x.Orders.promoted(p.began)
	if !given {
		return nil
	}
	for _, b := range p.open {
		if b.settled {
			continue
		}
		if b.last.Verdict == Fail {
			x.tell(Warned{Text: fmt.Sprintf("%s: gate %s has seen something bad, and is not passed over by the %s", x.step.ID, b.gate.Name, order)})
			continue
		}
		b.verdict, b.last.Reason = Pass, order.String()
		if err := x.conclude(ctx, p, b); err != nil {
			return err
		}
	}
	return nil
}

// people is the sample of a gate that asks people: it cannot tell before somebody
// says so.
func people(prompt string) Sample {
	reason := `waits for "hubcap promote"`
	if prompt != "" {
		reason += ": " + prompt
	}
	return Sample{Verdict: Inconclusive, Early: true, Reason: reason}
}

// pausing waits while the run is paused and nothing is under way; it reports
// whether there may be something to begin.
func (c *course) pausing(ctx context.Context) bool {
	order, isPaused := c.Orders.paused()
	if !isPaused {
		return false
	}
	if err := c.flush(ctx); err != nil { // it may take long, and others want to know how far it came
		return false
	}
	c.tell(Noted{Text: "paused: " + order.String() + `; "hubcap promote" goes on`})
	for isPaused {
		news := c.Orders.news()
		if _, isPaused = c.Orders.paused(); !isPaused {
			break
		}
		select {
		case <-c.Lost:
			return false
		case <-ctx.Done():
			return false
		case <-news:
		}
	}
	return true
}
