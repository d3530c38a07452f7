// Package notify tells people beside a run what it does: as an annotation in
// Grafana, as a message in Slack, or to any URL.
//
// Place in the pipeline: a provider beside run. Notices are best effort by
// construction: the run puts them into a queue and goes on; what cannot be
// delivered in time is dropped with a warning, and no result ever depends on it.
package notify

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"hubcap/engine/run"
)

// A Sink takes notices to one place. Send is called from one goroutine, and ctx
// bounds it.
type Sink interface {
	Send(ctx context.Context, n run.Notice) error
}

// A Target is a sink, when it is told, and how long it may take.
type Target struct {
	Name    string // of its block, for warnings
	Sink    Sink
	On      []run.NoticeKind // empty: all
	Timeout time.Duration    // of one notice; zero: 5 s
}

const (
	defaultTimeout = 5 * time.Second
	queued         = 64 // notices that wait for one target
)

// A Notifier sends notices to its targets. It is safe for concurrent use.
type Notifier struct {
	queues []chan run.Notice
	on     [][]run.NoticeKind
	names  []string
	warn   func(text string)
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	lost   map[int]int // notices dropped because the queue was full, by target
}

// New starts a notifier. warn is told, once for each reason and target, what
// could not be delivered; it must not block.
func New(targets []Target, warn func(text string)) *Notifier {
	ctx, cancel := context.WithCancel(context.Background())
	n := &Notifier{warn: warn, cancel: cancel, lost: make(map[int]int)}
	for _, t := range targets {
		queue := make(chan run.Notice, queued)
		n.queues, n.on, n.names = append(n.queues, queue), append(n.on, t.On), append(n.names, t.Name)
		n.wait.Go(func() { deliver(ctx, t, queue, warn) })
	}
	return n
}

// deliver sends what comes in, one by one.
func deliver(ctx context.Context, t Target, queue <-chan run.Notice, warn func(string)) {
	timeout := t.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	told := make(map[string]bool)
	for n := range queue {
		sending, cancel := context.WithTimeout(ctx, timeout)
		err := t.Sink.Send(sending, n)
		if err != nil && sending.Err() == context.DeadlineExceeded {
			err = fmt.Errorf("no answer within %s", timeout)
		}
		cancel()
		if err != nil && !told[err.Error()] {
			told[err.Error()] = true
			warn(fmt.Sprintf("notify %s: %v (the run goes on)", t.Name, err))
		}
	}
}

// Notify puts a notice into the queues of those who want it. It never blocks.
func (n *Notifier) Notify(notice run.Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	for i, queue := range n.queues {
		if len(n.on[i]) > 0 && !slices.Contains(n.on[i], notice.Kind) {
			continue
		}
		select {
		case queue <- notice:
		default:
			n.lost[i]++
		}
	}
}

// Close gives what is queued so much time to be delivered, and gives up then.
func (n *Notifier) Close(patience time.Duration) {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return
	}
	n.closed = true
	for i, queue := range n.queues {
		close(queue)
		if n.lost[i] > 0 {
			n.warn(fmt.Sprintf("notify %s: %d notices were dropped: it was too slow", n.names[i], n.lost[i]))
		}
	}
	n.mu.Unlock()
	done := make(chan struct{})
	go func() { n.wait.Wait(); close(done) }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	n.cancel()
	<-done
}
