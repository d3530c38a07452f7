package journal

import (
	"fmt"
	"unicode/utf8"
)

// The sizes in bytes to which texts of others (log lines, errors of a server, what a
// person gives as a reason) are cut where they are recorded.
const (
	maxReason       = 8 << 10
	maxSampleReason = 1 << 10
)

// Bounded returns e with its texts cut to what the journal keeps of them.
func (e Entry) Bounded() Entry {
	e.Reason = cut(e.Reason, maxReason)
	for i, s := range e.Samples {
		if len(s.Reason) > maxSampleReason {
			samples := append([]Sample(nil), e.Samples...)
			for j := i; j < len(samples); j++ {
				samples[j].Reason = cut(samples[j].Reason, maxSampleReason)
			}
			e.Samples = samples
			break
		}
	}
	return e
}

// Bounded returns o with its texts cut to what is kept of them.
func (o Order) Bounded() Order {
	o.By, o.Reason = cut(o.By, maxSampleReason), cut(o.Reason, maxSampleReason)
	return o
}

// cut returns the beginning and the end of a text that is longer than most bytes: what
// happened first, and the last lines of a log.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	head, tail := text[:most/2], text[len(text)-most/2:]
	for len(head) > 0 && !utf8.RuneStart(text[len(head)]) {
		head = head[:len(head)-1]
	}
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	return fmt.Sprintf("%s … (%d bytes left out) … %s", head, len(text)-len(head)-len(tail), tail)
}
