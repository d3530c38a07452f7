package chart

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// settle gives the leaves of settled that are others in its twins their live values,
// and returns which. By then they depend on chance in a way that was not traced. A
// digest in the annotations of a pod template is drawn again when any file that it may
// be of has moved.
func (k *keeper) settle(settled []Object, twins [][]Object, chance bool) map[string]bool {
	kept := map[string]bool{}
	if !chance || len(twins) == 0 {
		return kept
	}
	byName := make([]map[string]resource.Object, len(twins))
	for n, twin := range twins {
		byName[n] = map[string]resource.Object{}
		for _, o := range twin {
			byName[n][nameOf(o)] = o.Object
		}
	}
	moved := false
	for _, files := range []bool{true, false} {
		for _, o := range settled {
			kind := o.Object.Text("kind")
			live, lives := k.live[nameOf(o)]
			if isFile := kind == "Secret" || kind == "ConfigMap"; o.Hook != nil || isFile != files || !lives {
				continue
			}
			others := make([]any, len(twins))
			for n := range twins {
				others[n] = map[string]any(byName[n][nameOf(o)])
			}
			s := &settling{kept: kept, moved: moved}
			s.value(map[string]any(o.Object), others, live, nameOf(o))
			moved = moved || files && !reflect.DeepEqual(o.Object["data"], live["data"])
		}
	}
	return kept
}

// A settling walks one object beside its twins and its live one.
type settling struct {
	kept  map[string]bool
	moved bool // a file of the chart is another
}

func (s *settling) value(v any, twins []any, live any, at string) any {
	switch v := v.(type) {
	case map[string]any:
		tables := make([]map[string]any, len(twins))
		for n := range twins {
			tables[n], _ = twins[n].(map[string]any)
		}
		below, _ := live.(map[string]any)
		for key := range v {
			others := make([]any, len(twins))
			for n := range tables {
				others[n] = tables[n][key]
			}
			v[key] = s.value(v[key], others, below[key], at+"."+key)
		}
		return v
	case []any:
		isLong := func(twin any) bool { list, _ := twin.([]any); return len(list) == len(v) }
		if !slices.ContainsFunc(twins, func(twin any) bool { return !isLong(twin) }) {
			for i := range v {
				others := make([]any, len(twins))
				for n := range twins {
					others[n] = twins[n].([]any)[i]
				}
				v[i] = s.value(v[i], others, counterpart(v, i, live), fmt.Sprintf("%s[%d]", at, i))
			}
			return v
		}
	}
	return s.leaf(v, twins, live, at)
}

// podAnnotations is where charts put digests of files.
const podAnnotations = ".template.metadata.annotations."

func (s *settling) leaf(v any, twins []any, live any, at string) any {
	differs := slices.ContainsFunc(twins, func(twin any) bool { return !resource.Equal(v, twin) })
	if !differs || live == nil || s.moved && strings.Contains(at, podAnnotations) {
		return v
	}
	if text, isText := v.(string); isText {
		other, isText := live.(string)
		if !isText || !isOneOf(text, twins, other) {
			return v
		}
	} else if isNumber(v) != isNumber(live) || !isNumber(v) && reflect.TypeOf(v) != reflect.TypeOf(live) {
		return v
	}
	s.kept[at] = true
	return live
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64:
		return true
	}
	return false
}

// isOneOf reports whether live is what text might be with other draws: it has all that
// text and its twins have in common, and in the same order.
func isOneOf(text string, twins []any, live string) bool {
	texts := []string{text}
	for _, twin := range twins {
		t, isText := twin.(string)
		if !isText {
			return false
		}
		texts = append(texts, t)
	}
	if plain, all := decodeAll(append(texts, live)); all {
		texts, live = plain[:len(plain)-1], plain[len(plain)-1]
	}
	return matchOf(commonPattern(texts), live) != nil
}

func decodeAll(texts []string) ([]string, bool) {
	out := make([]string, len(texts))
	for i, text := range texts {
		var fits bool
		if out[i], fits = decoded64(text); !fits || base64.StdEncoding.EncodeToString([]byte(out[i])) != text {
			return nil, false
		}
	}
	return out, true
}

// words of a text are what draws fill: an identifier, a digest, a line of base64.
var drawnWord = regexp.MustCompile(`[A-Za-z0-9+/_.-]+=*`)

// commonPattern returns a pattern for what texts have in common, word by word; where they have
// not the same words, for what they begin and end with.
func commonPattern(texts []string) string {
	words, gaps := make([][]string, len(texts)), make([][]string, len(texts))
	for i, text := range texts {
		words[i], gaps[i] = drawnWord.FindAllString(text, -1), drawnWord.Split(text, -1)
	}
	alike := true
	for i := range texts {
		alike = alike && slices.Equal(gaps[i], gaps[0])
	}
	var b strings.Builder
	b.WriteString(`(?s)^`)
	if !alike {
		b.WriteString(endsPattern(words))
		return b.String()
	}
	for i, gap := range gaps[0] {
		b.WriteString(regexp.QuoteMeta(gap))
		switch {
		case i >= len(words[0]):
		case slices.ContainsFunc(words, func(list []string) bool { return list[i] != words[0][i] }):
			b.WriteString(drawnWord.String())
		default:
			b.WriteString(regexp.QuoteMeta(words[0][i]))
		}
	}
	return b.String() + `$`
}

// endsPattern returns a pattern for the words that all lists begin and end with.
func endsPattern(words [][]string) string {
	head, tail := 0, 0
	same := func(at func(list []string) string) bool {
		return !slices.ContainsFunc(words, func(list []string) bool { return at(list) != at(words[0]) })
	}
	least := len(slices.MinFunc(words, func(a, b []string) int { return len(a) - len(b) }))
	for head < least && same(func(list []string) string { return list[head] }) {
		head++
	}
	for tail < least-head && same(func(list []string) string { return list[len(list)-1-tail] }) {
		tail++
	}
	var b strings.Builder
	b.WriteString(`\W*`)
	for _, word := range words[0][:head] {
		b.WriteString(regexp.QuoteMeta(word) + `\W+`)
	}
	b.WriteString(`.*`)
	for _, word := range words[0][len(words[0])-tail:] {
		b.WriteString(`\W+` + regexp.QuoteMeta(word))
	}
	return b.String()
}
