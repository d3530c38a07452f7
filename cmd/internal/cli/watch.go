package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"hubcap/cmd/internal/render"
	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// A watch shows a run on standard error while it goes on: a live view on a
// terminal, lines with time stamps otherwise. Events come in by notify, which
// never blocks; one goroutine writes.
type watch struct {
	out   io.Writer
	live  bool
	color bool
	size  func() (width, height int) // of the terminal, which may change
	now   func() time.Time

	mu       sync.Mutex
	waiting  []run.Event
	notes    []string // said by the command itself
	progress render.Progress
	plan     *plan.Plan // of the run that began

	wake    chan struct{}
	quit    chan struct{}
	stopped chan struct{}
	drawn   int // lines of the frame on the screen
}

// How often the view moves without events.
const (
	liveEvery  = 250 * time.Millisecond
	plainEvery = time.Second
)

func (s *session) watch() *watch {
	term, _ := s.env("TERM")
	w := &watch{
		out: s.err, live: isTerminal(s.err) && term != "dumb", now: s.now,
		color: s.colored(s.err), size: func() (int, int) { return s.size(s.err) },
		wake: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	go w.loop()
	return w
}

// notify takes an event in.
func (w *watch) notify(e run.Event) {
	w.mu.Lock()
	w.waiting = append(w.waiting, e)
	if began, isBegan := e.(run.RunBegan); isBegan {
		w.plan = began.Plan
	}
	w.mu.Unlock()
	w.stir()
}

// say writes a line into the view.
func (w *watch) say(line string) {
	w.mu.Lock()
	w.notes = append(w.notes, line)
	w.mu.Unlock()
	w.stir()
}

func (w *watch) stir() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// close shows what is left and stops.
func (w *watch) close() {
	close(w.quit)
	<-w.stopped
}

// alive says in one line what the run has made so far.
func (w *watch) alive() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.progress.Live()
}

func (w *watch) loop() {
	defer close(w.stopped)
	every := plainEvery
	if w.live {
		every = liveEvery
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-w.quit:
			w.show()
			return
		case <-w.wake:
		case <-ticker.C:
		}
		w.show()
	}
}

// show writes what came in, and moves the live view. It writes without the lock:
// a terminal that is held must not hold the run.
func (w *watch) show() {
	now := w.now()
	w.mu.Lock()
	lines := w.told(now)
	var frame []string
	if w.live {
		width, height := w.size()
		frame = w.progress.Frame(now, render.Style{Width: width, Color: w.color}, height-1)
	} else {
		lines = append(lines, w.progress.Tick(now)...)
	}
	w.mu.Unlock()
	if w.live {
		width, _ := w.size()
		w.redraw(rows(lines, width), frame)
		return
	}
	for _, line := range lines {
		fmt.Fprintf(w.out, "%s %s\n", now.UTC().Format("15:04:05Z"), line)
	}
}

// told feeds the view what came in and returns the lines that tell it: with a
// live view only those that no frame shows.
func (w *watch) told(now time.Time) []string {
	var lines []string
	for _, e := range w.waiting {
		told := w.progress.Feed(e, now)
		_, isWarning := e.(run.Warned)
		_, isNote := e.(run.Noted)
		if !w.live || isWarning || isNote {
			lines = append(lines, told...)
		}
	}
	lines = append(lines, w.notes...)
	w.waiting, w.notes = nil, nil
	return lines
}

// rows breaks lines where a terminal of that width would: every row of the screen is
// erased before it is written, and those that are left are counted.
func rows(lines []string, width int) []string {
	var all []string
	for _, line := range lines {
		all = append(all, strings.Split(text.WrapHard(line, max(width, 1)), "\n")...)
	}
	return all
}

// redraw replaces the frame on the screen, with lines above it that stay.
func (w *watch) redraw(lines, frame []string) {
	var b strings.Builder
	if w.drawn > 0 {
		b.WriteString(text.CursorUp.Sprintn(w.drawn))
	}
	for _, line := range append(lines, frame...) {
		b.WriteString("\r" + text.EraseLine.Sprint() + render.Harmless(line, w.color) + "\n")
	}
	for range w.drawn - len(frame) - len(lines) {
		b.WriteString("\r" + text.EraseLine.Sprint() + "\n")
	}
	if extra := w.drawn - len(frame) - len(lines); extra > 0 {
		b.WriteString(text.CursorUp.Sprintn(extra))
	}
	w.drawn = len(frame)
	// The lines are cleaned, and the rest moves the cursor, which no screen lets pass. A
	// terminal that is gone must not stop the run.
	_, _ = io.WriteString(unscreened(w.out), b.String())
}
