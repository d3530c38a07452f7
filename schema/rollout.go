package schema

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// rolledOut are the kinds whose blocks a rollout can order.
var rolledOut = []string{"hub", "node_pool", "chart", "manifest"}

// decodeRollout decodes a rollout block.
func decodeRollout(b *body, header Block) entry {
	r := &Rollout{
		Block:       header,
		StepTimeout: b.positive("step_timeout"),
		OnFailure:   b.word("on_failure", "rollback", "stop"),
		Rollback:    b.word("rollback", "component", "wave", "run"),
		MaxParallel: b.number("max_parallel", span{1, 1000}, 0),
		Components:  b.componentOrder(),
		Batch:       b.flag("batch"),
		Bisect:      b.flag("bisect"),
	}
	switch {
	case r.Bisect && !r.Batch:
		b.errorIn("bisect", "Attribute without effect", "Without batch = true every component is a step of its own, so who failed is known. Leave bisect out.")
	case r.Bisect && r.OnFailure == "stop":
		b.errorIn("bisect", "Contradictory attributes", "With on_failure = \"stop\" nothing is undone, and so nothing can be tried again. Remove one of the two.")
	case r.Bisect && !b.has("order"):
		b.errorIn("bisect", "Bisect without an order", "The culprit is looked for on the hubs of the first wave. Write an order that begins with hubs that may be disturbed.")
	}
	if r.OnFailure == "" {
		r.OnFailure = "rollback"
	}
	if r.OnFailure == "stop" && b.has("rollback") {
		b.errorIn("rollback", "Contradictory attributes", "With on_failure = \"stop\" nothing is undone, so rollback has no meaning. Remove one of the two.")
	}
	for _, t := range b.refs("gates", "gate") {
		r.Gates = append(r.Gates, t.address)
	}
	for _, t := range b.refs("guards", "guard") {
		r.Guards = append(r.Guards, t.address)
	}
	b.l.orders[header.Address] = b.order()
	if b.has("max_parallel") && !b.has("order") {
		b.errorIn("max_parallel", "Parallel hubs without an order", "Without an order every hub is a wave of its own. To change all hubs side by side write order = [\"rest\"].")
	}
	return r
}

// componentOrder decodes the order of components within a block.
func (b *body) componentOrder() []string {
	names := b.texts("components")
	seen := map[string]bool{}
	for i, name := range names {
		switch {
		case !componentName.MatchString(name):
			b.errorAt(b.elementAt("components", i), "Invalid component", `%q is not the name of a component: write it as the plan does after the slash, as in ["hub", "binder"].`, name)
		case seen[name]:
			b.errorAt(b.elementAt("components", i), "Duplicate component", "%q is in the order already.", name)
		}
		seen[name] = true
	}
	return names
}

// order decodes waves: each is a block, a list of blocks, all instances of a
// block with for_each, or a selector of hubs.
func (b *body) order() []selector {
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
	var waves []selector
	i := 0
	for it := value.ElementIterator(); it.Next(); i++ {
		_, v := it.Element()
		at := b.elementAt("order", i)
		s, isSelector := b.selector(v, at)
		if !isSelector {
			for _, t := range b.wave(v, at) {
				s.blocks = append(s.blocks, t.address)
			}
		}
		if s.at = at; s.means() {
			waves = append(waves, s)
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
