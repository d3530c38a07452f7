package schema

import (
	"time"

	"github.com/zclconf/go-cty/cty"

	"hubcap/engine/resource"
)

// An Event is a workshop or an announcement: for so long its hubs are left alone
// by whatever a guard on events guards.
type Event struct {
	Block
	Hubs        []resource.Address
	Title       string
	From, Until time.Time
}

// decodeEvent decodes an event block.
func decodeEvent(b *body, header Block) entry {
	e := &Event{Block: header, Hubs: b.hubs(), Title: b.nonEmpty("title")}
	b.require("from")
	b.require("until")
	if t := b.instant("from"); t != nil {
		e.From = *t
	}
	if t := b.instant("until"); t != nil {
		e.Until = *t
	}
	if !e.From.IsZero() && !e.Until.IsZero() && !e.From.Before(e.Until) {
		b.errorIn("until", "Event that ends before it begins", "until must be later than from.")
	}
	return e
}

func (e *Event) addTo(config *Config) { config.Events = append(config.Events, *e) }

func (e *Event) fields() map[string]cty.Value {
	return map[string]cty.Value{"title": textValue(e.Title)}
}
