package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // where hubcap runs there may be no database of time zones
)

// A Window is a stretch of the clock in which changes are allowed, on some days
// of the week. It goes by the wall clock of its zone: from 22:00 to 06:00 is so in
// the night in which clocks are put forward, too. One that ends at or before its
// beginning ends on the next day, and belongs to the day on which it began.
type Window struct {
	Days []string `json:"days,omitempty"` // "mon" … "sun"; empty: every day
	From string   `json:"from"`           // "22:00"
	To   string   `json:"to"`             // not included; "24:00" is midnight
	Zone string   `json:"zone"`           // of the IANA database: "Europe/Oslo"
}

// weekdays are the words for days of the week.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseClock returns the minutes since midnight of a time like "22:00"; "24:00" is
// the end of the day.
func ParseClock(s string) (minutes int, err error) {
	h, m, has := strings.Cut(s, ":")
	hours, hErr := strconv.Atoi(h)
	rest, mErr := strconv.Atoi(m)
	bad := !has || hErr != nil || mErr != nil || len(h) != 2 || len(m) != 2 ||
		hours < 0 || rest < 0 || rest > 59 || hours > 24 || hours == 24 && rest > 0
	if bad {
		return 0, fmt.Errorf("%q is no time of day", s)
	}
	return hours*60 + rest, nil
}

// Holds reports whether at lies in the window.
func (w Window) Holds(at time.Time) bool {
	f, err := w.frame()
	return err == nil && f.covers(at)
}

// A frame is a window whose times and zone are parsed.
type frame struct {
	Window
	from, to int // minutes since midnight
	place    *time.Location
}

func (w Window) frame() (f frame, err error) {
	f.Window = w
	if f.from, err = ParseClock(w.From); err != nil {
		return f, err
	}
	if f.to, err = ParseClock(w.To); err != nil {
		return f, err
	}
	f.place, err = time.LoadLocation(w.Zone)
	return f, err
}

// covers goes by what clocks on the wall show.
func (f frame) covers(at time.Time) bool {
	local := at.In(f.place)
	clock := local.Hour()*60 + local.Minute()
	today := f.on(local.Weekday())
	if f.from < f.to {
		return today && clock >= f.from && clock < f.to
	}
	yesterday := f.on((local.Weekday() + 6) % 7)
	return today && clock >= f.from || yesterday && clock < f.to
}

func (w Window) on(day time.Weekday) bool {
	return len(w.Days) == 0 || slices.Contains(w.Days, weekdays[day])
}

// lookAhead is how far the next opening of a window is looked for.
const lookAhead = 9 // days

// Opens returns the first minute at or after at that lies in the window, or false
// when there is none soon.
func (w Window) Opens(at time.Time) (time.Time, bool) {
	f, err := w.frame()
	if err != nil {
		return time.Time{}, false
	}
	if f.covers(at) {
		return at, true
	}
	year, month, date := at.In(f.place).Date()
	for day := range lookAhead {
		// Where clocks are put forward the time may not exist, where they are put
		// back it exists twice: the first minute around it that is covered counts.
		near := time.Date(year, month, date+day, f.from/60, f.from%60, 0, 0, f.place)
		for t := near.Add(-2 * time.Hour); !t.After(near.Add(2 * time.Hour)); t = t.Add(time.Minute) {
			if t.After(at) && f.covers(t) {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

// standOfWindows holds outside of all windows, until the first one opens.
func standOfWindows(windows []Window, at time.Time) Stand {
	var next time.Time
	zone := ""
	for _, w := range windows {
		opens, has := w.Opens(at)
		if has && opens.Equal(at) {
			return Stand{}
		}
		if has && (next.IsZero() || opens.Before(next)) {
			next, zone = opens, w.Zone
		}
	}
	if next.IsZero() {
		return Stand{Holds: true, Final: true, Reason: "outside of every change window"}
	}
	return Stand{Holds: true, Until: next, Reason: "outside of the change windows until " + told(next, zone, at)}
}
