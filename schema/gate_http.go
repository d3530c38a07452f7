package schema

import (
	"net/url"
	"strings"
	"time"
)

// HTTPCheck asks one URL.
type HTTPCheck struct {
	URL        string // a path is below the url of the hub that is changed
	Status     []int64
	Contains   string
	Timeout    time.Duration
	MaxLatency time.Duration // zero: any
}

// OfHub reports whether the URL is a path below that of the hub that is changed.
func (h *HTTPCheck) OfHub() bool { return strings.HasPrefix(h.URL, "/") }

// Defaults of an HTTP check.
const (
	httpTimeout = 10 * time.Second
	httpStatus  = 200
)

func (b *body) httpCheck() *HTTPCheck {
	h := b.block("http")
	if h == nil {
		return nil
	}
	h.require("url")
	check := &HTTPCheck{
		URL:        h.place("url"),
		Contains:   h.text("contains"),
		Timeout:    h.positive("timeout"),
		MaxLatency: h.latency("max_latency"),
		Status:     h.statuses(),
	}
	if check.Timeout == 0 {
		check.Timeout = httpTimeout
	}
	if check.MaxLatency >= check.Timeout && !*b.bad {
		h.errorIn("max_latency", "Latency beyond the timeout", "An answer that takes longer than timeout = %q counts as none. Write a shorter max_latency.", check.Timeout)
	}
	h.done()
	return check
}

// place returns a URL, or a path below a hub's.
func (b *body) place(name string) string {
	return b.checked(name, "Invalid URL", func(s string) string {
		if strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") {
			return invalidPath(s)
		}
		return invalidURL(s)
	})
}

func invalidPath(s string) string {
	if _, err := url.Parse(s); err != nil {
		return `is not a path of a URL. Write it as in "/hub/health".`
	}
	return ""
}

// latency returns a duration that may be shorter than a second.
func (b *body) latency(name string) time.Duration {
	var d time.Duration
	b.checked(name, "Invalid duration", func(s string) string {
		parsed, err := time.ParseDuration(s)
		switch {
		case err != nil:
			return `is not a duration. Write it as in "800ms" or "2s".`
		case parsed < time.Millisecond:
			return "is too short. Leave the attribute out if nothing is meant."
		}
		d = parsed
		return ""
	})
	return d
}

// statuses returns the HTTP status, or a list of them.
func (b *body) statuses() []int64 {
	v := b.tree("status")
	if v == nil {
		return []int64{httpStatus}
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	var statuses []int64
	for i, e := range list {
		n, isWhole := e.(int64)
		if !isWhole || n < 100 || n > 599 {
			at := b.at("status")
			if isList {
				at = b.elementAt("status", i)
			}
			b.errorAt(at, "Invalid HTTP status", "A status is a number from 100 to 599, as in status = 200 or status = [200, 302].")
			return nil
		}
		statuses = append(statuses, n)
	}
	return statuses
}
