package lockmodel

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
)

// This is a model of the lock, the journal and the writes of runs: two runners on two
// machines, every order in which their acts, the network and the clock can follow one
// another. A runner may stand still for any time between two acts, which covers those
// that crash, are suspended, or lose their connection; requests and answers may come
// late or never. What it shows of the rules is at TestLockModel; docs/decisions/025-lock.md
// has what it assumes.
//
// Time goes in ticks. A lease lasts for leaseTicks; its holder writes until margin ticks
// before, counted from the start of its last renewal that was answered.
const (
	leaseTicks = 3
	lastTick   = 5
	maxVersion = 6 // of a cell: it bounds how often a runner tries again

	objects = 2       // that the run changes, from 0 to 1
	journal = objects // is written like an object: bit i says that object i was announced
	cells   = objects + 1
)

// rules are those of the implementation; a mutant drops one.
type rules struct {
	margin       int8 // ticks between a holder's last write and the end of its lease
	delay        int8 // most ticks until a request arrives; unbounded: it may come at any time
	deadline     bool // a holder looks at its clock before each try
	watch        bool // a lease is taken only after it was watched; otherwise by its holder's clock
	precondition bool // a write carries the version that it is based on
	journaled    bool // so does an entry of the journal
	nonce        bool // no two holders have the same identity
	fromStart    bool // a renewal counts from when it was sent, not from when it was answered
}

const unbounded = -1

var sound = rules{margin: 1, delay: unbounded, deadline: true, watch: true, precondition: true, journaled: true, nonce: true, fromStart: true}

// A cell is an object, or the journal, as the server has it.
type cell struct{ version, value, epoch int8 }

// A lease is the lock as the server has it.
type lease struct{ version, holder, epoch, renewed int8 }

// The points at which a runner stands.
type point int8

const (
	idle point = iota
	acquiring
	claiming   // the journal, by an entry of its own
	looking    // at the object
	announcing // that it will be written
	writing
	releasing
	ended
	gaveUp // it lost the lock
)

// A runner is one process that carries the run out (goal 1) or rolls it back (goal 0).
type runner struct {
	at              point
	goal, object    int8
	waits           bool // for an answer
	version, value  int8 // of what it looked at last
	announced       int8 // objects, as its journal says
	entries         int8 // version of the journal that it knows
	epoch           int8 // how often the lease had changed hands when it took it
	renewed, leased int8 // start of the last renewal; version of the lease that it knows
	seen, since     int8 // version of the lease that it watches, and since when; 0: none
}

// A request is on its way to the server.
type request struct {
	from, what    int8 // what: a cell, or one of the below
	value         int8
	version, sent int8
	epoch         int8
}

const (
	take  = cells
	renew = cells + 1
	free  = cells + 2
)

// A state is all of it. It is comparable, so that each is visited once.
type state struct {
	tick    int8
	cells   [cells]cell
	lease   lease
	runners [2]runner
	network [2]request // from 0 to n
	n       int8
}

// A model explores states.
type model struct {
	rules
	goals  []int8 // of the second runner
	bad    string // the first violation
	seen   map[state]bool
	states []state
	ends   int // states in which the last runner has come to its end
}

func (m *model) explore() {
	first := state{lease: lease{version: 1}}
	for i := range first.cells {
		first.cells[i].version = 1
	}
	for _, goal := range m.goals {
		s := first
		s.runners[0].goal, s.runners[1].goal = 1, goal
		m.visit(s)
	}
	for i := 0; i < len(m.states) && m.bad == ""; i++ { // the shortest way to a violation first
		s := m.states[i]
		m.judge(s)
		m.pass(s)
		for r := range s.runners {
			m.act(s, int8(r))
		}
		for i := range s.n {
			m.arrive(s, i)
		}
	}
}

func (m *model) visit(s state) {
	slices.SortFunc(s.network[:s.n], func(a, b request) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.what, b.what), cmp.Compare(a.sent, b.sent), cmp.Compare(a.version, b.version),
			cmp.Compare(a.value, b.value), cmp.Compare(a.epoch, b.epoch))
	})
	if !m.seen[s] {
		m.seen[s] = true
		m.states = append(m.states, s)
	}
}

// pass lets a tick pass, unless a request has to arrive, or get lost, before.
func (m *model) pass(s state) {
	for _, q := range s.network[:s.n] {
		if m.delay != unbounded && s.tick-q.sent >= m.delay {
			return
		}
	}
	if s.tick++; s.tick <= lastTick {
		m.visit(s)
	}
}

// judge checks that the run has come to its end or its beginning when the second runner
// has ended and nothing is on its way.
func (m *model) judge(s state) {
	b := s.runners[1]
	if b.at != ended || s.n > 0 {
		return
	}
	m.ends++
	for i, c := range s.cells[:objects] {
		if c.value != b.goal {
			m.bad = fmt.Sprintf("object %d ends as %d, wanted is %d: %+v", i, c.value, b.goal, s)
		}
	}
}

// holds reports whether runner r believes that it may write.
func (m *model) holds(s state, r int8) bool {
	return !m.deadline || s.tick-s.runners[r].renewed < leaseTicks-m.margin
}

// act lets a runner make its next act.
func (m *model) act(s state, r int8) {
	x := &s.runners[r]
	switch {
	case x.at == ended || x.at == gaveUp:
		return
	case x.at <= acquiring && r == 0 && s.lease.epoch > 0 && s.lease.holder != m.identity(r):
		return // one take-over is enough
	case x.at == idle && r == 1 && s.lease.epoch == 0:
		return // the second one comes when the first one has begun
	case x.at <= acquiring:
		m.lock(s, r)
		return
	case !m.holds(s, r):
		x.at, x.waits = gaveUp, false
		m.visit(s)
		return
	}
	m.keep(s, r)
	if x.waits { // the answer does not come: it looks again
		x.waits = false
		if x.at != claiming && x.at != releasing {
			x.at = looking
		}
		m.visit(s)
		return
	}
	m.step(s, r)
}

// keep sends a renewal of the lease.
func (m *model) keep(s state, r int8) {
	if x := s.runners[r]; s.tick > x.renewed && !m.has(s, r, renew) {
		m.send(s, request{from: r, what: renew, version: x.leased, epoch: x.epoch})
	}
}

func (m *model) has(s state, r, what int8) bool {
	return slices.ContainsFunc(s.network[:s.n], func(q request) bool { return q.from == r && q.what == what })
}

func (m *model) send(s state, q request) {
	if int(s.n) == len(s.network) {
		return
	}
	if q.sent = s.tick; m.delay == unbounded && q.what < cells {
		q.sent = 0 // when it was sent makes no difference
	}
	s.network[s.n] = q
	s.n++
	m.visit(s)
}

// identity is who runner r is to the lease.
func (m *model) identity(r int8) int8 {
	if m.nonce {
		return r + 1
	}
	return 1
}

// lock looks at the lease, and takes it where the rules let it.
func (m *model) lock(s state, r int8) {
	x := &s.runners[r]
	l := s.lease
	if l.holder == m.identity(r) { // by a try whose answer was lost, as it seems
		x.at, x.waits, x.epoch, x.leased = claiming, false, l.epoch, l.version
		if x.since == 0 && x.seen == 0 {
			x.renewed = s.tick
		}
		m.visit(s)
		return
	}
	if x.at == acquiring && m.has(s, r, take) {
		return
	}
	unchanged := x.seen == l.version && s.tick-x.since >= leaseTicks
	if !m.watch { // by the holder's clock, which is behind
		const behind = 2
		unchanged = s.tick-(l.renewed-behind) >= leaseTicks
	}
	if l.holder == 0 || unchanged {
		x.at, x.seen, x.since, x.renewed = acquiring, l.version, s.tick, s.tick
		m.send(s, request{from: r, what: take, version: l.version})
		return
	}
	if x.seen != l.version {
		x.seen, x.since = l.version, s.tick
		m.visit(s)
	}
}

// step makes the next act of a runner that holds the lock and waits for nothing.
func (m *model) step(s state, r int8) {
	x := &s.runners[r]
	switch x.at {
	case claiming:
		j := s.cells[journal]
		x.entries, x.announced, x.waits = j.version, j.value, true
		if j.epoch == x.epoch { // it was, and its answer was lost
			x.at, x.waits = looking, false
			m.visit(s)
			return
		}
		m.send(s, request{from: r, what: journal, value: j.value, version: j.version, epoch: x.epoch})
	case looking:
		if x.object == objects {
			x.at = releasing
			m.visit(s)
			return
		}
		c := s.cells[x.object]
		x.version, x.value = c.version, c.value
		switch mine := x.announced&(1<<x.object) != 0; {
		case c.value == x.goal && (x.goal == 0 || mine || c.epoch > 0), x.goal == 0 && !mine:
			x.object++ // as wanted, or never touched
		case mine:
			x.at = writing
		default:
			x.at = announcing
		}
		m.visit(s)
	case announcing:
		x.waits = true
		m.send(s, request{from: r, what: journal, value: x.announced | 1<<x.object, version: x.entries, epoch: x.epoch})
	case writing:
		x.waits = true
		m.send(s, request{from: r, what: x.object, value: x.goal, version: x.version, epoch: x.epoch})
	case releasing:
		x.at = ended
		m.send(s, request{from: r, what: free, version: x.leased, epoch: x.epoch})
	}
}

// arrive lets a request arrive, with an answer or without one, or get lost.
func (m *model) arrive(s state, i int8) {
	q := s.network[i]
	copy(s.network[i:], s.network[i+1:s.n])
	s.n--
	s.network[s.n] = request{}
	m.visit(s) // it got lost
	done := m.serve(&s, q)
	m.visit(s) // its answer gets lost
	m.answer(&s, q, done)
	m.visit(s)
}

// serve is the server.
func (m *model) serve(s *state, q request) bool {
	switch q.what {
	case take:
		if s.lease.version != q.version {
			return false
		}
		s.lease = lease{version: s.lease.version + 1, holder: m.identity(q.from), epoch: s.lease.epoch + 1, renewed: q.sent}
		return true
	case renew, free:
		if s.lease.version != q.version {
			return false
		}
		s.lease.version++
		s.lease.renewed = q.sent
		if q.what == free {
			s.lease.holder = 0
		}
		return true
	}
	c := &s.cells[q.what]
	conditional := m.precondition
	if q.what == journal {
		conditional = m.journaled
	}
	if conditional && c.version != q.version {
		return false
	}
	if q.epoch < c.epoch {
		m.bad = fmt.Sprintf("a write of a former holder takes effect on what the new one has written: %+v on %+v in %+v", q, *c, *s)
	}
	if c.version == maxVersion {
		return false
	}
	*c = cell{version: c.version + 1, value: q.value, epoch: q.epoch}
	return true
}

// answer lets the runner have the answer, if it still waits for it.
func (m *model) answer(s *state, q request, done bool) {
	x := &s.runners[q.from]
	switch q.what {
	case take:
		if x.at == acquiring && done {
			x.at, x.epoch, x.leased = claiming, s.lease.epoch, s.lease.version
		}
		return
	case renew:
		switch {
		case x.at == ended || x.at == gaveUp:
		case !done:
			x.at, x.waits = gaveUp, false // somebody else's
		default:
			x.leased, x.renewed = s.lease.version, max(x.renewed, q.sent)
			if !m.fromStart {
				x.renewed = s.tick + 1 // the answer took a tick
			}
		}
		return
	case free:
		return
	}
	m.answerWrite(s, q, done)
}

func (m *model) answerWrite(s *state, q request, done bool) {
	x := &s.runners[q.from]
	if !x.waits || x.epoch != q.epoch {
		return
	}
	switch {
	case q.what == journal && x.at == claiming && done:
		x.at, x.entries, x.waits = looking, s.cells[journal].version, false
	case q.what == journal && x.at == announcing && done:
		x.at, x.entries, x.announced, x.waits = writing, s.cells[journal].version, q.value, false
	case q.what == journal && x.at == announcing:
		x.at, x.waits = gaveUp, false // the journal is somebody else's
	case q.what == journal:
		x.waits = false // read it again
	case q.what == x.object && x.at == writing:
		x.at, x.waits = looking, false
	}
}

func explored(r rules, goals ...int8) *model {
	m := &model{rules: r, goals: goals, seen: map[state]bool{}}
	m.explore()
	return m
}

// However late requests and answers come, no write of a former holder takes effect on
// what the new holder has written, and a run that is resumed ends in what is desired.
// One that is rolled back ends in what was before, if a request arrives within the
// margin or never: what a rollback leaves alone, since it is as before, has no new
// version that would refuse it.
func TestLockModel(t *testing.T) {
	for _, test := range []struct {
		reason string
		rules  func(*rules)
		goals  []int8
		isBad  bool
	}{
		{"resume, whatever comes late", func(*rules) {}, []int8{1}, false},
		{"rollback, within the margin", func(r *rules) { r.delay = r.margin }, []int8{0}, false},
		{"mutant: no margin", func(r *rules) { r.margin, r.delay = 0, 1 }, []int8{0}, true},
		{"mutant: no deadline", func(r *rules) { r.deadline = false }, []int8{0, 1}, true},
		{"mutant: expiry by the holder's clock", func(r *rules) { r.watch, r.delay = false, 1 }, []int8{0, 1}, true},
		{"mutant: writes without a version", func(r *rules) { r.precondition = false }, []int8{0, 1}, true},
		{"mutant: entries without a version", func(r *rules) { r.journaled = false }, []int8{0, 1}, true},
		{"mutant: an identity that two have", func(r *rules) { r.nonce = false }, []int8{0, 1}, true},
		{"mutant: renewals count from their answer", func(r *rules) { r.fromStart, r.delay = false, 1 }, []int8{0, 1}, true},
	} {
		r := sound
		test.rules(&r)
		m := explored(r, test.goals...)
		t.Logf("%s: %d states, %d ends", test.reason, len(m.seen), m.ends)
		if (m.bad != "") != test.isBad {
			t.Errorf("%s: %q", test.reason, m.bad)
		}
		if !test.isBad && m.ends == 0 {
			t.Errorf("%s: no run came to its end", test.reason)
		}
	}
}
