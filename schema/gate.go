package schema

import (
	"time"

	"github.com/zclconf/go-cty/cty"
)

// Defaults of a gate.
const (
	gateInterval = 10 * time.Second
	httpTimeout  = 10 * time.Second
	httpStatus   = 200
)

// decodeGate decodes a gate block: one check, repeated for the time of bake.
func decodeGate(b *body, header Block) entry {
	g := &Gate{
		Block:    header,
		Bake:     b.duration("bake"),
		Interval: b.positive("interval"),
		Failures: b.number("failures", atLeast1, 1),
	}
	if g.Interval == 0 {
		g.Interval = gateInterval
	}
	if b.has("interval") && b.has("bake") && g.Bake > 0 && g.Interval > g.Bake && !*b.bad {
		b.errorIn("interval", "Interval longer than the bake", "A bake of %s has no room for checks every %s. Shorten the interval.", g.Bake, g.Interval)
	}
	g.HTTP = b.httpCheck()
	g.Pods = b.podsCheck()
	switch {
	case g.HTTP == nil && g.Pods == nil:
		b.errorAt(b.header, "Gate without a check", "A gate has exactly one check: an http or a pods block.")
	case g.HTTP != nil && g.Pods != nil:
		b.errorAt(b.header, "Gate with two checks", "A gate has exactly one check. Write a second gate for the other one; a rollout can name both.")
	}
	return g
}

func (b *body) httpCheck() *HTTPCheck {
	h := b.block("http")
	if h == nil {
		return nil
	}
	h.require("url")
	check := &HTTPCheck{
		URL:      h.address("url"),
		Contains: h.text("contains"),
		Timeout:  h.positive("timeout"),
		Status:   h.statuses(),
	}
	if check.Timeout == 0 {
		check.Timeout = httpTimeout
	}
	h.done()
	return check
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

func (b *body) podsCheck() *PodsCheck {
	p := b.block("pods")
	if p == nil {
		return nil
	}
	check := &PodsCheck{
		MaxRestarts: p.number("max_restarts", atLeast0, 0),
		MaxPending:  p.number("max_pending", atLeast0, 0),
	}
	if t := p.ref("block", "hub", "chart", "manifest"); t != nil {
		check.Block = t.address
	}
	p.done()
	return check
}

func (g *Gate) addTo(config *Config) { config.Gates = append(config.Gates, *g) }

func (g *Gate) fields() map[string]cty.Value {
	return map[string]cty.Value{"bake": textValue(g.Bake.String())}
}
