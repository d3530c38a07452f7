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
	from, to, place, err := w.parse()
	return err == nil && w.covers(at.In(place), from, to)
}

func (w Window) parse() (from, to int, place *time.Location, err error) {
	if from, err = ParseClock(w.From); err != nil {
		return 0, 0, nil, err
	}
	if to, err = ParseClock(w.To); err != nil {
		return 0, 0, nil, err
	}
	place, err = time.LoadLocation(w.Zone)
	return from, to, place, err
}

// covers goes by what clocks on the wall show.
func (w Window) covers(local time.Time, from, to int) bool {
	clock := local.Hour()*60 + local.Minute()
	today := w.on(local.Weekday())
	if from < to {
		return today && clock >= from && clock < to
	}
	yesterday := w.on((local.Weekday() + 6) % 7)
	return today && clock >= from || yesterday && clock < to
}

func (w Window) on(day time.Weekday) bool {
	return len(w.Days) == 0 || slices.Contains(w.Days, weekdays[day])
}

// lookAhead is how far the next opening of a window is looked for.
const lookAhead = 9 // days

// Opens returns the first minute at or after at that lies in the window, or false
// when there is none soon.
func (w Window) Opens(at time.Time) (time.Time, bool) {
	from, to, place, err := w.parse()
	if err != nil {
		return time.Time{}, false
	}
	if w.covers(at.In(place), from, to) {
		return at, true
	}
	local := at.In(place)
	for day := range lookAhead {
		year, month, date := local.Date()
		// Where clocks are put forward the time may not exist, where they are put
		// back it exists twice: the first minute around it that is covered counts.
		near := time.Date(year, month, date+day, from/60, from%60, 0, 0, place)
		for t := near.Add(-2 * time.Hour); !t.After(near.Add(2 * time.Hour)); t = t.Add(time.Minute) {
			if t.After(at) && w.covers(t.In(place), from, to) {
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
