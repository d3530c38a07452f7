package schema

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"hubcap/engine/resource"
)

// rolledOut are the kinds whose blocks a rollout can order.
var rolledOut = []string{"hub", "node_pool", "chart", "manifest"}

// decodeRollout decodes a rollout block.
func decodeRollout(b *body, header Block) entry {
	r := &Rollout{
		Block:       header,
		StepTimeout: b.positive("step_timeout"),
		OnFailure:   b.word("on_failure", "rollback", "stop"),
	}
	if r.OnFailure == "" {
		r.OnFailure = "rollback"
	}
	for _, t := range b.refs("gates", "gate") {
		r.Gates = append(r.Gates, t.address)
	}
	r.Order = b.order()
	return r
}

// order decodes waves: each is a block, a list of blocks, or all instances of a
// block with for_each.
func (b *body) order() [][]resource.Address {
	res := b.reference("order")
	if res == nil {
		return nil
	}
	value := res.Value
	t := value.Type()
	if !t.IsTupleType() && !t.IsListType() {
		b.errorIn("order", "Wrong type of value", "%s.order must be a list of waves, as in [[hub.staging], [hub.prod]].", b.where)
		return nil
	}
	var waves [][]resource.Address
	seen := map[resource.Address]bool{}
	i := 0
	for it := value.ElementIterator(); it.Next(); i++ {
		_, v := it.Element()
		at := b.elementAt("order", i)
		var wave []resource.Address
		for _, t := range b.wave(v, at) {
			if seen[t.address] {
				b.errorAt(at, "Block in two waves", "%s is in the order already. Name each block once.", t.address)
			}
			seen[t.address] = true
			wave = append(wave, t.address)
		}
		if len(wave) > 0 {
			waves = append(waves, wave)
		}
	}
	return waves
}

func (b *body) wave(v cty.Value, at hcl.Range) []*target {
	if !v.IsKnown() {
		return nil
	}
	t := v.Type()
	isList := t.IsTupleType() || t.IsListType() || t.IsSetType()
	if v.IsNull() || targetOf(v) != nil || !isList && instanceExample(v) == "" {
		if found := b.targetIn(v, at, "order", rolledOut); found != nil {
			return []*target{found}
		}
		return nil
	}
	var wave []*target
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if found := b.wave(e, at); found != nil {
			wave = append(wave, found...)
		}
	}
	return wave
}

func (r *Rollout) addTo(config *Config) { config.Rollouts = append(config.Rollouts, *r) }

func (r *Rollout) fields() map[string]cty.Value {
	return map[string]cty.Value{"on_failure": textValue(r.OnFailure)}
}

func (o *Output) addTo(config *Config) { config.Outputs = append(config.Outputs, *o) }

func (o *Output) fields() map[string]cty.Value { return map[string]cty.Value{} }
