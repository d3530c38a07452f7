package expand

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/resource"
	"hubcap/schema"
)

// Texts this short would be found everywhere; a leaf is sensitive when it is
// one of them, not when it contains one.
const shortText = 4

// longName is how long a sensitive text must be to be told from an ordinary word
// in a name, which cannot be hidden.
const longName = 8

// longLine is how long one line of a sensitive text must be to give it away.
const longLine = 16

// A shield knows what is sensitive and finds it wherever templates put it.
type shield struct {
	whole []string // leaves that equal one of these are sensitive
	parts []string // leaves that contain one of these are
	named []string // texts that must not stand in a name or key
}

// newShield returns a shield against everything that the config marks.
func newShield(cfg *schema.Config) *shield {
	s := &shield{}
	for _, secret := range cfg.Sensitive {
		s.add(secret.Reveal())
	}
	for i := range cfg.Hubs {
		s.gather(cfg.Hubs[i].Values)
	}
	for i := range cfg.Charts {
		s.gather(cfg.Charts[i].Values)
	}
	for i := range cfg.Manifests {
		for _, o := range cfg.Manifests[i].Objects {
			s.gather(map[string]any(o))
		}
	}
	s.sort()
	for _, part := range s.parts {
		if len(part) >= longName {
			s.named = append(s.named, part)
		}
	}
	s.decrypted(cfg)
	return s
}

// decrypted adds the texts of encrypted values files. These hold ordinary words
// too, as in "type: github", so that only what looks drawn may not stand in a
// name.
func (s *shield) decrypted(cfg *schema.Config) {
	more := &shield{}
	for i := range cfg.Hubs {
		more.gatherFiles(cfg.Hubs[i].ValuesFiles)
	}
	for i := range cfg.Charts {
		more.gatherFiles(cfg.Charts[i].ValuesFiles)
	}
	s.whole, s.parts = append(s.whole, more.whole...), append(s.parts, more.parts...)
	s.sort()
	for _, part := range more.parts {
		if isToken(part) {
			s.named = append(s.named, part)
		}
	}
}

func (s *shield) gatherFiles(files []schema.ValuesFile) {
	for _, f := range files {
		if f.Secret {
			s.gather(f.Values)
		}
	}
}

// sort puts longer texts first, so that masking a message leaves no remainder.
func (s *shield) sort() {
	slices.SortFunc(s.parts, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	s.parts = slices.Compact(s.parts)
}

// gather adds every sensitive value below v.
func (s *shield) gather(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			s.gather(e)
		}
	case []any:
		for _, e := range v {
			s.gather(e)
		}
	case resource.Sensitive:
		s.add(v.Reveal())
	}
}

// add adds a text, and the forms in which templates print it.
func (s *shield) add(text string) {
	if text == "" {
		return
	}
	s.whole = append(s.whole, text, base64.StdEncoding.EncodeToString([]byte(text)))
	if len(text) < shortText {
		return
	}
	s.parts = append(s.parts, text, base64.StdEncoding.EncodeToString([]byte(text)))
	if quoted, err := json.Marshal(text); err == nil {
		s.parts = append(s.parts, string(quoted[1:len(quoted)-1]))
	}
	if strings.Contains(strings.TrimSpace(text), "\n") {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); len(line) >= longLine {
				s.parts = append(s.parts, line)
			}
		}
	}
}

// with returns a shield that also covers what the objects' Secrets hold, for
// templates that print a token in two places. Only texts of one line and some
// length: a Secret holds whole files too, most of whose lines are no secret.
func (s *shield) with(objects []resource.Object) *shield {
	more := &shield{whole: slices.Clone(s.whole), parts: slices.Clone(s.parts), named: s.named}
	for _, o := range objects {
		if !isSecret(o) {
			continue
		}
		data, _ := o["data"].(map[string]any)
		for _, value := range data {
			text, _ := resource.Reveal(value).(string)
			plain, err := base64.StdEncoding.DecodeString(text)
			if err == nil && isToken(string(plain)) {
				more.add(string(plain))
			}
		}
	}
	more.sort()
	return more
}

// isToken reports whether text looks drawn rather than written: long, of one
// word, and no name made of words as hosts and objects have.
func isToken(text string) bool {
	if len(text) < longLine || strings.ContainsAny(text, " \n\t") {
		return false
	}
	isName := strings.ContainsAny(text, ".-") && strings.ContainsAny(text, "ghijklmnopqrstuvwxyz") &&
		strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789.-:/") == ""
	return !isName && strings.ContainsAny(text, "0123456789")
}

// betrays reports whether a name or key has something sensitive in it.
func (s *shield) betrays(name string) bool { return s.betrayed(name) != "" }

// betrayed returns the sensitive text in a name or key, "" when there is none.
func (s *shield) betrayed(name string) string {
	i := slices.IndexFunc(s.named, func(part string) bool { return strings.Contains(name, part) })
	if i < 0 {
		return ""
	}
	return s.named[i]
}

// An exposure is a sensitive text where nothing can be hidden.
type exposure struct {
	where string
	text  resource.Sensitive
}

func (e *exposure) Error() string {
	said := "it would stand in " + e.where + ", which cannot be hidden"
	if e.where == "a number" {
		said += "; put quotes around it"
	}
	return said
}

// Exposed is the Extra of a diagnostic on a sensitive text that would stand in the
// open: the text, for whoever marked it to tell which it was.
type Exposed struct{ Text resource.Sensitive }

// covers reports whether text gives something sensitive away.
func (s *shield) covers(text string) bool {
	return slices.Contains(s.whole, text) || slices.ContainsFunc(s.parts, func(part string) bool { return strings.Contains(text, part) })
}

// within returns the sensitive texts that stand in a text.
func (s *shield) within(text string) (found []string) {
	for _, part := range s.parts {
		if strings.Contains(text, part) {
			found = append(found, part)
		}
	}
	return found
}

// redact returns a message without what is sensitive in it.
func (s *shield) redact(message string) string {
	r := resource.Redactor{Least: shortText}
	for _, part := range s.parts {
		r.Add(part)
	}
	return r.Redact(message)
}

// identity is the fields that tell one object from another.
var identity = [][]string{{"apiVersion"}, {"kind"}, {"metadata", "name"}, {"metadata", "namespace"}}

// cover makes every leaf of o sensitive that has to be. It errs on what cannot
// be hidden: a name, a key.
func (s *shield) cover(o resource.Object) error {
	open := map[string]string{}
	for _, field := range identity {
		text := o.Text(field...)
		if part := s.betrayed(text); part != "" {
			return &exposure{where: strings.Join(field, "."), text: resource.Secret(part)}
		}
		open[strings.Join(field, ".")] = text
	}
	if isSecret(o) {
		if data, isTable := o["data"].(map[string]any); isTable {
			for key, value := range data {
				if text, isText := value.(string); isText {
					data[key] = resource.Secret(text)
				}
			}
		}
	}
	_, err := s.walk(map[string]any(o))
	for _, field := range identity {
		// A word that is no secret by itself may stand here, and here only.
		if text := open[strings.Join(field, ".")]; text != "" {
			o.Set(text, field...)
		}
	}
	return err
}

func (s *shield) walk(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if part := s.betrayed(key); part != "" {
				return nil, &exposure{where: "the name of a field", text: resource.Secret(part)}
			}
			if v[key], err = s.walk(value); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, value := range v {
			if v[i], err = s.walk(value); err != nil {
				return nil, err
			}
		}
	case string:
		if v != "" && s.covers(v) {
			return resource.SecretOf(v, s.within(v)...), nil
		}
	case resource.Sensitive:
		if found := s.within(v.Reveal()); len(found) > 0 && !v.Generated && len(v.Pieces()) == 1 && v.Pieces()[0] == v.Reveal() {
			return resource.SecretOf(v.Reveal(), found...), nil
		}
	case int64:
		if text := strconv.FormatInt(v, 10); len(text) >= longName && slices.Contains(s.named, text) {
			return nil, &exposure{where: "a number", text: resource.Secret(text)}
		}
	}
	return v, nil
}

func isSecret(o resource.Object) bool {
	return o.Text("apiVersion") == "v1" && o.Text("kind") == "Secret"
}
