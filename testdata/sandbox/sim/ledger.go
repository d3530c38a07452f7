package sim

import "time"

// A ledger is what people lived through, as far as the world can tell.
type ledger struct {
	Launches    int // that people asked for, and that have ended
	Succeeded   int
	Failures    int
	Rejected    int // for a quota: not failures
	Lost        int // sessions that ended although their user wanted to stay
	Interrupted int // sessions that lost their connection when the proxy went
	OutOfMemory int // times the hub was killed for its memory
	DownSeconds float64
	minutes     map[int]*minute
}

// A minute is the launches that were asked for in it.
type minute struct {
	ok, failed int
	proxyDown  bool
}

func newLedger() ledger { return ledger{minutes: map[int]*minute{}} }

func (l *ledger) at(t time.Duration) *minute {
	n := int(t / time.Minute)
	m, exists := l.minutes[n]
	if !exists {
		m = &minute{}
		l.minutes[n] = m
	}
	return m
}

func (l *ledger) watch(h *Hub, dt pace) {
	m := l.at(h.now)
	if h.hub == nil || !h.hub.up {
		l.DownSeconds += dt.simulated
	}
	if h.proxy == "" && h.running() > 0 {
		m.proxyDown = true
	}
}

// record takes the end of a launch that people asked for.
func (l *ledger) record(asked time.Duration, o Outcome) {
	l.Launches++
	switch o {
	case Succeeded:
		l.Succeeded++
		l.at(asked).ok++
	case Failed:
		l.Failures++
		l.at(asked).failed++
	default:
		l.Rejected++
	}
}

// goodShare is the least share of the launches of a minute that must succeed.
const goodShare = 0.9

// degraded returns how many minutes were observed, and in how many of them the
// service was degraded: of the launches asked for in it too few succeeded, or
// people's servers could not be reached.
func (l *ledger) degraded() (all, bad int) {
	for _, m := range l.minutes {
		all++
		if m.proxyDown || float64(m.ok) < goodShare*float64(m.ok+m.failed) {
			bad++
		}
	}
	return all, bad
}
