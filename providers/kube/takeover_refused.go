package kube

import (
	"context"

	"hubcap/engine/resource"
)

// A Refusal is an object that a config may not write: it exists and is another's, or
// the server does not know its kind.
type Refusal struct {
	Address resource.Address
	Config  string // config of hubcap that it belongs to; empty when it is anybody else's
	Reason  string // whose it is, and what to do about it; why the server has no such kind
	NoKind  bool   // the server does not know its kind
}

// Refusals returns which of desired are not for this config to write, and what could not
// be read. It reads as [Provider.Read] does and asks for no dry
// run.
func (p *Provider) Refusals(ctx context.Context, desired []resource.Desired) ([]Refusal, []resource.Unreadable, error) {
	s, _, err := p.survey(ctx, desired)
	if err != nil {
		return nil, nil, err
	}
	var refused []Refusal
	for i, d := range s.desired {
		if err := s.unknown[i]; err != nil {
			o, err := s.observeUnknown(d, err)
			if err != nil {
				return nil, nil, err
			}
			if o.Refused != "" {
				refused = append(refused, Refusal{Address: d.Address, Reason: o.Refused, NoKind: true})
			}
			continue
		}
		if s.live[i] == nil || d.Presence == resource.Ensured {
			continue
		}
		if c := p.claim(s.live[i], d); c.reason != "" {
			refused = append(refused, Refusal{Address: d.Address, Config: s.live[i].GetLabels()[LabelConfig], Reason: c.reason})
		}
	}
	return refused, s.unreadable, nil
}
