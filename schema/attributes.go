package schema

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
)

// text returns a text attribute.
func (b *body) text(name string) string {
	value, _ := b.plain(name, cty.String)
	if value == cty.NilVal {
		return ""
	}
	return value.AsString()
}

// nonEmpty returns a text attribute that must not be "".
func (b *body) nonEmpty(name string) string {
	value, _ := b.plain(name, cty.String)
	if value == cty.NilVal {
		return ""
	}
	if strings.TrimSpace(value.AsString()) == "" {
		b.errorIn(name, "Empty text", "%s.%s is empty. Leave the attribute out if nothing is meant.", b.where, name)
	}
	return value.AsString()
}

// checked returns a text attribute after a check, which says what is wrong with
// it as the end of a sentence, or nothing. What is wrong with counts as not set.
func (b *body) checked(name, summary string, problem func(string) string) string {
	value, res := b.plain(name, cty.String)
	if value == cty.NilVal {
		return ""
	}
	p := problem(value.AsString())
	if p != "" && mayHoldPassword(value.AsString()) {
		b.veilIn(name)
		b.errorIn(name, summary, "The URL %s", p)
		return ""
	}
	if p != "" {
		b.about(res, b.at(name), summary, "%q %s", shorten(value.AsString()), p)
		return ""
	}
	return value.AsString()
}

// texts returns a list of texts; a single text is not a list.
func (b *body) texts(name string) []string {
	value, _ := b.plain(name, cty.List(cty.String))
	if value == cty.NilVal {
		return nil
	}
	list := make([]string, 0, value.LengthInt())
	for it := value.ElementIterator(); it.Next(); {
		_, v := it.Element()
		list = append(list, v.AsString())
	}
	return list
}

// textMap returns a map of texts; numbers and booleans are written as text.
func (b *body) textMap(name string) map[string]string {
	value, _ := b.plain(name, cty.Map(cty.String))
	if value == cty.NilVal {
		return nil
	}
	m := make(map[string]string, value.LengthInt())
	for it := value.ElementIterator(); it.Next(); {
		k, v := it.Element()
		m[k.AsString()] = v.AsString()
	}
	return m
}

// boolean returns a boolean, or nil when it is not set.
func (b *body) boolean(name string) *bool {
	value, _ := b.plain(name, cty.Bool)
	if value == cty.NilVal {
		return nil
	}
	v := value.True()
	return &v
}

// flag returns a boolean that is false when it is not set.
func (b *body) flag(name string) bool {
	v := b.boolean(name)
	return v != nil && *v
}

// A span is the range that a number must be in, both ends included.
type span struct{ low, high int64 }

var (
	atLeast0 = span{0, math.MaxInt32}
	atLeast1 = span{1, math.MaxInt32}
	percent  = span{0, 100}
)

// integer returns a whole number within a span, or nil when it is not set.
func (b *body) integer(name string, within span) *int64 {
	value, res := b.plain(name, cty.Number)
	if value == cty.NilVal {
		return nil
	}
	n, accuracy := value.AsBigFloat().Int64()
	switch {
	case !value.AsBigFloat().IsInt():
		b.about(res, b.at(name), "Number that is not whole", "%s.%s counts something, so it must be a whole number.", b.where, name)
	case accuracy != 0 || n < within.low || n > within.high:
		if within.high == math.MaxInt32 {
			b.about(res, b.at(name), "Number out of range", "%s.%s must be at least %d.", b.where, name, within.low)
		} else {
			b.about(res, b.at(name), "Number out of range", "%s.%s must be from %d to %d.", b.where, name, within.low, within.high)
		}
	default:
		return &n
	}
	return nil
}

// number returns a whole number, or fallback when it is not set.
func (b *body) number(name string, within span, fallback int64) int64 {
	if n := b.integer(name, within); n != nil {
		return *n
	}
	return fallback
}

// positive returns a duration that must be longer than nothing.
func (b *body) positive(name string) time.Duration { return b.durationFrom(name, time.Second) }

// duration returns a Go duration of whole seconds. Zero is "not set".
func (b *body) duration(name string) time.Duration { return b.durationFrom(name, 0) }

func (b *body) durationFrom(name string, shortest time.Duration) time.Duration {
	var d time.Duration
	b.checked(name, "Invalid duration", func(s string) string {
		parsed, err := time.ParseDuration(s)
		switch {
		case err != nil:
			return `is not a duration. ` + durationHint(s)
		case parsed < 0:
			return "is negative."
		case parsed%time.Second != 0:
			return "is not a whole number of seconds."
		case parsed < shortest:
			return "is too short. Leave the attribute out if nothing is meant."
		}
		d = parsed
		return ""
	})
	return d
}

func durationHint(s string) string {
	if days, isDays := strings.CutSuffix(strings.TrimSpace(s), "d"); isDays && days != "" && len(days) < 6 && strings.Trim(days, "0123456789") == "" {
		n, _ := strconv.Atoi(days)
		return fmt.Sprintf(`Days are written in hours: "%dh".`, n*24)
	}
	if s != "" && strings.Trim(s, "0123456789.") == "" {
		return `Write the unit: "` + s + `s", "` + s + `m" or "` + s + `h".`
	}
	return `Write numbers with the units "h", "m" and "s", as in "90s" or "1h30m".`
}

// instant returns a time of RFC 3339, or nil when it is not set.
func (b *body) instant(name string) *time.Time {
	var t *time.Time
	b.checked(name, "Invalid time", func(s string) string {
		parsed, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return `is not a time with a zone. Write it as in "2026-11-30T18:00:00+01:00" or "2026-11-30T17:00:00Z".`
		}
		t = &parsed
		b.moment(name, parsed)
		return ""
	})
	return t
}

// until returns when a block ends. When that has passed the block is left out of
// the config, with a warning.
func (b *body) until() *time.Time {
	t := b.instant("until")
	if b.hasPassed(t) {
		b.expired = true
		b.l.warnAt(b.at("until"), "Expired block", "The time of \"until\" has passed, so the %s has no effect any more. Remove the block, or set a later time.", b.where)
	}
	return t
}

func (b *body) hasPassed(t *time.Time) bool {
	now := b.l.opts.Now
	return t != nil && !now.IsZero() && t.Before(now)
}

// word returns one of a few words, or "" when it is not set.
func (b *body) word(name string, allowed ...string) string {
	return b.checked(name, "Unknown value", func(s string) string {
		if slices.Contains(allowed, s) {
			return ""
		}
		return "is not a value of " + name + ", which is one of " + quoted(allowed) + "." + suggestion(s, allowed)
	})
}

func quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = `"` + w + `"`
	}
	return strings.Join(q, ", ")
}

// quantityProblem says why a text is no Kubernetes quantity of something there can
// be, "" when it is one.
func quantityProblem(s string) string {
	q, err := apiresource.ParseQuantity(s)
	switch {
	case err != nil:
		return "is not a Kubernetes quantity. " + quantityHint(s)
	case q.Sign() < 0:
		return "is negative."
	}
	return ""
}

func quantityHint(s string) string {
	number := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit := strings.TrimSpace(s[len(number):])
	if _, err := apiresource.ParseQuantity(number); err == nil {
		switch strings.ToLower(strings.TrimSuffix(strings.ToLower(unit), "b")) {
		case "k", "ki":
			return `Did you mean "` + number + `Ki"?`
		case "m", "mi":
			return `Did you mean "` + number + `Mi"?`
		case "g", "gi":
			return `Did you mean "` + number + `Gi"?`
		case "t", "ti":
			return `Did you mean "` + number + `Ti"?`
		}
	}
	return `Write cpu as in "500m" or "2", and memory as in "512Mi" or "4Gi".`
}

// address returns an absolute http or https URL.
func (b *body) address(name string) string {
	return b.checked(name, "Invalid URL", invalidURL)
}

func invalidURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return `is not a URL. Write it with its scheme, as in "https://hub.example.org".`
	}
	if u.User != nil {
		return "holds a user name or password, which would be shown. Leave it out."
	}
	return ""
}

// ref returns the block that an attribute refers to, or nil.
func (b *body) ref(name string, allowed ...string) *target {
	res := b.reference(name)
	if res == nil {
		return nil
	}
	return b.targetIn(res.Value, b.at(name), name, allowed)
}

// reference returns the value of an attribute that consists of references, which
// nothing sensitive can be part of.
func (b *body) reference(name string) *result {
	res := b.evaluate(name)
	if res == nil || !res.IsKnown() {
		return nil
	}
	if res.ContainsMarked() {
		b.errorIn(name, "Sensitive value where it would be shown", "%s.%s refers to blocks, and a sensitive value is none.", b.where, name)
		return nil
	}
	return res
}

// targetIn returns what a value refers to and reports when it is no reference,
// or one to a block of another kind.
func (b *body) targetIn(v cty.Value, at hcl.Range, name string, allowed []string) *target {
	if !v.IsKnown() {
		return nil
	}
	want := oneOf(allowed)
	t := targetOf(v)
	if t == nil {
		problem := ", not " + phraseOf(v)
		if example := instanceExample(v); example != "" {
			problem = "; this block has for_each, so say which instance: " + example
		} else if v.Type() == cty.String && !v.IsNull() {
			problem += ". Write the reference without quotes"
		}
		b.errorAt(at, "Wrong type of value", "%s.%s must be a reference to %s, as in %s.NAME%s.", b.where, name, want, allowed[0], problem)
		return nil
	}
	if !slices.Contains(allowed, t.kind) {
		b.errorAt(at, "Reference to the wrong kind of block", "%s.%s must refer to %s, and %s is a %s.", b.where, name, want, t.address, t.kind)
		return nil
	}
	return t
}

// instanceExample names an instance of a block with for_each that v stands for.
func instanceExample(v cty.Value) string {
	if v.IsNull() || !v.Type().IsObjectType() {
		return ""
	}
	for _, key := range sortedKeys(v.Type().AttributeTypes()) {
		if t := targetOf(v.GetAttr(key)); t != nil {
			return t.address.String()
		}
	}
	return ""
}

func oneOf(kinds []string) string {
	list := make([]string, len(kinds))
	for i, k := range kinds {
		list[i] = "a " + k
	}
	if len(list) == 1 {
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// refs returns the blocks that a list refers to.
func (b *body) refs(name string, allowed ...string) []*target {
	res := b.reference(name)
	if res == nil {
		return nil
	}
	value := res.Value
	t := value.Type()
	if !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		if targetOf(value) != nil {
			b.errorIn(name, "Wrong type of value", "%s.%s is a list: write it in brackets, as in [%s].", b.where, name, targetOf(value).address)
		} else {
			b.errorIn(name, "Wrong type of value", "%s.%s must be a list of references to %s.", b.where, name, oneOf(allowed))
		}
		return nil
	}
	var targets []*target
	i := 0
	for it := value.ElementIterator(); it.Next(); i++ {
		_, v := it.Element()
		if found := b.targetIn(v, b.elementAt(name, i), name, allowed); found != nil {
			targets = append(targets, found)
		}
	}
	return targets
}

// refMap returns the blocks that a map of known keys refers to.
func (b *body) refMap(name, allowed string, keys []string) map[string]*target {
	res := b.reference(name)
	if res == nil {
		return nil
	}
	value := res.Value
	if t := value.Type(); !t.IsObjectType() && !t.IsMapType() || targetOf(value) != nil {
		b.errorIn(name, "Wrong type of value", "%s.%s must be a map of references, as in { %s = %s.NAME }.", b.where, name, keys[0], allowed)
		return nil
	}
	targets := map[string]*target{}
	for it := value.ElementIterator(); it.Next(); {
		k, v := it.Element()
		key := k.AsString()
		if !slices.Contains(keys, key) {
			b.errorAt(b.keyAt(name, key), "Unknown key", "%s.%s has no key %q; there are %s.%s", b.where, name, key, quoted(keys), suggestion(key, keys))
			continue
		}
		if found := b.targetIn(v, b.keyAt(name, key), name, []string{allowed}); found != nil {
			targets[key] = found
		}
		b.ranges[b.prefix+name+"."+key] = b.keyAt(name, key)
	}
	return targets
}
