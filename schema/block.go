package schema

import (
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"hubcap/engine/resource"
)

// An entry is a decoded block: one of the slices' elements of [Config].
type entry interface {
	addTo(*Config)

	// fields are the plain attributes that a reference to the block offers. Their
	// types are the same for every block of a kind.
	fields() map[string]cty.Value
}

// A kind is a block type that makes entries.
type kind struct {
	decode func(*body, Block) entry
}

// kinds are the block types with for_each and references, by name. It is
// filled by init because decoding refers to it.
var kinds map[string]kind

func init() {
	kinds = map[string]kind{
		"cluster":     {decodeCluster},
		"qos_class":   {decodeQoSClass},
		"node_pool":   {decodeNodePool},
		"hub":         {decodeHub},
		"repo_limit":  {decodeRepoLimit},
		"repo_ban":    {decodeRepoBan},
		"image_cache": {decodeImageCache},
		"chart":       {decodeChart},
		"manifest":    {decodeManifest},
		"gate":        {decodeGate},
		"rollout":     {decodeRollout},
		"guard":       {decodeGuard},
		"event":       {decodeEvent},
		"notify":      {decodeNotify},
		"policy":      {decodePolicy},
		"known_bad":   {decodeKnownBad},
	}
}

func blockTypes() []string {
	return append(sortedKeys(kinds), "hubcap", "variable", "locals", "output", "module", "moved", "removed")
}

// blockInstances decodes a block once for every key of its for_each, and returns
// the reference to it, or an object of references by key.
func (l *loader) blockInstances(n *node) cty.Value {
	scopes, ok := l.forEach(n)
	if !ok {
		return cty.DynamicVal
	}
	values := make(map[string]cty.Value, len(scopes))
	for _, keyed := range scopes {
		b := l.body(keyed.scope, n.block, n.kind)
		b.attribute("for_each")
		header := l.header(n, keyed.key, b)
		decoded := kinds[n.kind].decode(b, header)
		b.done()
		l.settleMoments(header.Address)
		l.bad[header.Address] = *b.bad
		n.entries = append(n.entries, placed{address: header.Address, entry: decoded, expired: b.expired})
		ref := reference(&target{address: header.Address, kind: n.kind, entry: decoded}, *b.bad)
		if keyed.key == nil {
			return ref
		}
		values[*keyed.key] = ref
	}
	return cty.ObjectVal(values)
}

func (l *loader) header(n *node, key *string, b *body) Block {
	return Block{
		Address: resource.Address{Module: n.module.address, Kind: n.kind, Name: n.name + instanceKey(key)},
		Range:   n.header(),
		Attrs:   b.ranges,
	}
}

// instanceKey is what stands behind the name of an instance: `["a"]`.
func instanceKey(key *string) string {
	if key == nil {
		return ""
	}
	return `["` + *key + `"]`
}

// A keyedScope is the scope of one instance; key is nil without for_each.
type keyedScope struct {
	key   *string
	scope scope
}

// forEach returns the scopes of a block's instances, in the order of keys.
func (l *loader) forEach(n *node) ([]keyedScope, bool) {
	outer := scope{module: n.module, name: n.name}
	attr := n.block.Body.Attributes["for_each"]
	if attr == nil {
		return []keyedScope{{scope: outer}}, true
	}
	res := l.eval(outer, attr.Expr)
	at := subject(attr)
	switch {
	case res.IsMarked():
		l.errorAt(at, "Sensitive for_each", "The keys of for_each become names, which are shown, so none of them can be sensitive.")
		return nil, false
	case res.poisoned():
		return nil, false
	case res.IsNull():
		l.errorAt(at, "Missing value of for_each", "for_each is null. Write {} or [] for no instances.")
		return nil, false
	}
	t := res.Type()
	isList := t.IsListType() || t.IsSetType() || t.IsTupleType()
	if !isList && !t.IsMapType() && !t.IsObjectType() || isReferenceType(t) {
		l.errorAt(at, "Wrong type of for_each", "for_each takes a map, or a list or set of texts, not %s.", phraseOf(res.Value))
		return nil, false
	}
	scopes, ok := l.instanceScopes(n, at, res.Value)
	for i := range scopes {
		scopes[i].scope.over = attr.Expr
	}
	return scopes, ok
}

func (l *loader) instanceScopes(n *node, at hcl.Range, over cty.Value) ([]keyedScope, bool) {
	t := over.Type()
	isList := t.IsListType() || t.IsSetType() || t.IsTupleType()
	var scopes []keyedScope
	seen := map[string]bool{}
	for it := over.ElementIterator(); it.Next(); {
		k, v := it.Element()
		if isList && v.IsMarked() {
			l.errorAt(at, "Sensitive for_each", "The keys of for_each become names, which are shown, so none of them can be sensitive.")
			return nil, false
		}
		if isList {
			text, err := convert.Convert(v, cty.String)
			if err != nil || text.IsNull() {
				l.errorAt(at, "Wrong type of for_each", "Every element of the list must be a text; one is %s.", phraseOf(v))
				return nil, false
			}
			k, v = text, text
		}
		key := k.AsString()
		if problem := badKey(key); problem != "" || seen[key] {
			if problem == "" {
				problem = "is there twice"
			}
			l.errorAt(at, "Invalid for_each key", "The key %q %s.", key, problem)
			return nil, false
		}
		seen[key] = true
		each := cty.ObjectVal(map[string]cty.Value{"key": k, "value": v})
		scopes = append(scopes, keyedScope{key: &key, scope: scope{module: n.module, each: each, name: n.name + "-" + key}})
	}
	return scopes, true
}

// badKey says why a key cannot stand in an address.
func badKey(key string) string {
	if key == "" {
		return "is empty"
	}
	if strings.ContainsFunc(key, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`"[]\`, r)
	}) {
		return `has a space, a quote, a bracket, a backslash or an unprintable character, which an address cannot hold`
	}
	return ""
}

// subject is where a diagnostic about an attribute's value points: the
// expression, or the name when the expression has many lines.
func subject(attr *hclsyntax.Attribute) hcl.Range {
	at := attr.Expr.Range()
	if at.Start.Line != at.End.Line {
		return attr.NameRange
	}
	return at
}

// gather collects the entries of a module in the order of its files.
func (l *loader) gather(m *module) {
	for _, n := range m.order {
		for _, p := range n.entries {
			if !p.expired {
				p.entry.addTo(l.config)
			}
		}
		for _, child := range n.children {
			l.gather(child)
		}
	}
}

func textValue(s string) cty.Value { return cty.StringVal(s) }

func labelsValue(labels map[string]string) cty.Value {
	if len(labels) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	values := make(map[string]cty.Value, len(labels))
	for k, v := range labels {
		values[k] = cty.StringVal(v)
	}
	return cty.MapVal(values)
}
