package expand

import (
	"regexp"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// rendered is merged for a rendering, which finds out what depends on sensitive values:
// of encrypted files, in which every text is sensitive, only what is one by its looks
// or its key. Ordinary words decide what a chart renders, and stand in names.
func (l layers) rendered() map[string]any {
	files := slices.Clone(l.files)
	for i, f := range files {
		if f.Secret {
			files[i].Values, _ = onlySecrets("", f.Values).(map[string]any)
		}
	}
	l.files = files
	return l.merged()
}

// secretKey matches the keys under which charts are given secrets.
var secretKey = regexp.MustCompile(`(?i)(pass(word|wd|phrase)?|secret|tokens?|credentials?|(private|api|access|crypt|cookie|signing|ssh|tls)[_-]?key|keys|\.key|\.pem)$`)

// onlySecrets returns a copy of v in which only such texts are sensitive; key is where
// v lies.
func onlySecrets(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			c[k] = onlySecrets(k, e)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = onlySecrets(key, e)
		}
		return c
	case resource.Sensitive:
		text := v.Reveal()
		if !secretKey.MatchString(key) && !isToken(text) && !strings.Contains(strings.TrimSpace(text), "\n") {
			return text
		}
	}
	return v
}
