package schema

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"hubcap/engine/resource"
)

// A Moved says that a block has another address now: its objects are the same. An
// address without a key stands for all instances of a block.
type Moved struct {
	From, To resource.Address
	Range    hcl.Range // of the block's header
}

// A Removed says that the objects of a block that is gone may be deleted. An address
// without a key stands for all instances of the block.
type Removed struct {
	From  resource.Address
	Range hcl.Range
}

// covers reports whether address is about block, or about all instances of it.
func covers(address, block resource.Address) bool {
	if address == block {
		return true
	}
	name, _, isInstance := strings.Cut(block.Name, "[")
	block.Name = name
	return isInstance && address == block
}

// Permits reports whether the objects of a block that is gone may be deleted.
func (r Removed) Permits(block resource.Address) bool { return covers(r.From, block) }

// MovedTo returns the address that a block or an object in it has now.
func (c *Config) MovedTo(a resource.Address) resource.Address { return c.follow(a, false) }

// MovedFrom returns the address that a block or an object in it had first.
func (c *Config) MovedFrom(a resource.Address) resource.Address { return c.follow(a, true) }

// follow follows the moves from an address, forth or back. There is no cycle in a
// config without errors; in one with errors it ends all the same.
func (c *Config) follow(a resource.Address, back bool) resource.Address {
	for range c.Moved {
		next := a
		for _, m := range c.Moved {
			from, to := m.From, m.To
			if back {
				from, to = to, from
			}
			if block := a.Block(); covers(from, block) {
				to.Name += strings.TrimPrefix(block.Name, from.Name)
				to.Object = a.Object
				next = to
				break
			}
		}
		if next == a {
			break
		}
		a = next
	}
	return a
}

// movable are the kinds of blocks that make objects.
var movable = []string{"hub", "node_pool", "chart", "manifest"}

// readMoves reads the moved and removed blocks of a module, before its other blocks are
// evaluated: the live name of a node pool depends on them.
func (l *loader) readMoves(m *module) {
	for _, block := range m.moves {
		at := block.DefRange()
		if len(block.Labels) > 0 {
			l.errorAt(block.LabelRanges[0], "Wrong number of labels", "%s block has no label: %s { … }.", article(block.Type), block.Type)
			continue
		}
		b := l.body(scope{module: m}, block, block.Type)
		b.require("from")
		from, fine := b.addressOf("from")
		if block.Type == "removed" {
			if b.done(); fine {
				l.config.Removed = append(l.config.Removed, Removed{From: from, Range: at})
			}
			continue
		}
		b.require("to")
		to, isFine := b.addressOf("to")
		if b.done(); fine && isFine {
			l.config.Moved = append(l.config.Moved, Moved{From: from, To: to, Range: at})
		}
	}
}

// addressOf returns the address that an attribute spells. It is not evaluated: what
// has moved is not there any more.
func (b *body) addressOf(name string) (resource.Address, bool) {
	attr := b.attribute(name)
	if attr == nil {
		return resource.Address{}, false
	}
	b.ranges[b.prefix+name] = attr.NameRange
	text, isAddress := spelledAddress(attr.Expr)
	if b.scope.module.address != "" {
		text = b.scope.module.address + "." + text
	}
	address := resource.ParseAddress(text)
	isMovable := false
	for _, kind := range movable {
		isMovable = isMovable || address.Kind == kind
	}
	if !isAddress || !isMovable || address.Name == "" {
		b.errorIn(name, "Invalid address", "%s.%s must be the address of a hub, node_pool, chart or manifest block, without quotes: hub.prod, hub.prod[\"a\"] or module.a.hub.prod.%s",
			b.where, name, suggestion(address.Kind, movable))
		return address, false
	}
	return address, true
}

// spelledAddress returns the text of an expression that is nothing but an address.
func spelledAddress(expr hclsyntax.Expression) (string, bool) {
	traversal, diags := hcl.AbsTraversalForExpr(expr)
	if diags.HasErrors() {
		return "", false
	}
	var text strings.Builder
	for _, step := range traversal {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			text.WriteString(step.Name)
		case hcl.TraverseAttr:
			text.WriteString("." + step.Name)
		case hcl.TraverseIndex:
			if step.Key.Type() != cty.String {
				return "", false
			}
			key := step.Key.AsString()
			text.WriteString(instanceKey(&key))
		default:
			return "", false
		}
	}
	return text.String(), true
}

// checkMoves finds moves and removals of what is there, to what is not, and twice.
func (l *loader) checkMoves() {
	declared := l.declared()
	find := func(address resource.Address) (Block, bool) {
		for _, b := range declared {
			if covers(address, b.Address) {
				return b, true
			}
		}
		return Block{}, false
	}
	froms, tos := once[resource.Address]{}, once[resource.Address]{}
	gone := func(from resource.Address, at hcl.Range, what string) {
		if b, isThere := find(from); isThere {
			l.errorAt(at, "Block that is still there", "%s is declared at %s, so nothing of it can be %s. Remove that block, or this one.", from, line(b.Range), what)
		}
		if first, isSecond := froms.second(from, Block{Address: from, Range: at}); isSecond {
			l.errorAt(at, "Address twice", "%s is moved or removed at %s already.", from, line(first.Range))
		}
	}
	for _, r := range l.config.Removed {
		gone(r.From, r.Range, "removed")
	}
	for _, m := range l.config.Moved {
		if m.From == m.To || l.config.turns(m) {
			l.errorAt(m.Range, "Cycle of moves", "From %s the moves lead back to it. Remove one of them.", m.From)
			continue
		}
		gone(m.From, m.Range, "moved")
		if m.From.Kind != m.To.Kind {
			l.errorAt(m.Range, "Move to another kind", "%s cannot become %s: their objects are not the same.", m.From, m.To)
		}
		if first, isSecond := tos.second(m.To, Block{Address: m.To, Range: m.Range}); isSecond {
			l.errorAt(m.Range, "Address twice", "%s is moved to at %s already.", m.To, line(first.Range))
		}
		if _, isThere := find(l.config.MovedTo(m.To)); !isThere {
			l.errorAt(m.Range, "Move to nowhere", "There is no %s. Declare it, or write removed { from = %s } if its objects may be deleted.", m.To, m.From)
		}
	}
}

// turns reports whether the moves lead from m back to where it begins.
func (c *Config) turns(m Moved) bool {
	at := m.To
	for range c.Moved {
		if at == m.From {
			return true
		}
		for _, next := range c.Moved {
			if next.From == at {
				at = next.To
				break
			}
		}
	}
	return at == m.From
}

// declared returns the blocks that make objects.
func (l *loader) declared() []Block {
	var all []Block
	for _, b := range l.config.Hubs {
		all = append(all, b.Block)
	}
	for _, b := range l.config.NodePools {
		all = append(all, b.Block)
	}
	for _, b := range l.config.Charts {
		all = append(all, b.Block)
	}
	for _, b := range l.config.Manifests {
		all = append(all, b.Block)
	}
	return all
}
