package adopt

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/resource"
)

// What a key calls a secret, and what only sounds like one: the name of a Secret,
// where a token is to be had.
var (
	secretKey = regexp.MustCompile(`(?i)(password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key|credential|dockerconfigjson|htpasswd|webhook[_-]?url|auth[_-]?key)`)
	sounding  = regexp.MustCompile(`(?i)(^existing|^(image[_-]?)?(push|pull)[_-]?secrets?$|secrets?[_-]?name|(name|names|ref|class|classes|file|path|dir|mount|enabled|type|expires|expiry|seconds|ttl|lifetime|scope|scopes|origin|header|prefix|endpoint|algorithm|username|user|audience|issuer|key[_-]?name|token[_-]?url|auth[_-]?url|check|check[_-]?origin|required|method|validator)$)`)
	holder    = regexp.MustCompile(`(?i)^(secrets|passwords|tokens|credentials|api_?keys|keys)$`)
)

// What a text looks like when it is a secret, or has one in it, whatever its key.
var secretText = regexp.MustCompile(strings.Join([]string{
	`-----BEGIN [A-Z ]*PRIVATE KEY`, `"private_key"\s*:`, `\bgh[pousr]_[A-Za-z0-9]{20,}`, `\bgithub_pat_[A-Za-z0-9_]{20,}`, `\bglpat-[A-Za-z0-9_-]{16,}`,
	`\bxox[abeprs]-[A-Za-z0-9-]{10,}`, `\bAKIA[0-9A-Z]{16}\b`, `\bAIza[0-9A-Za-z_-]{30,}`, `\bya29\.[0-9A-Za-z_-]{20,}`,
	`\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.`, `\$apr1\$`, `\$2[aby]\$\d\d\$`, `\bAGE-SECRET-KEY-1`, `hooks\.slack\.com/services/`,
	`://[^/\s:@]*:[^/\s@$]+@`,
	`(?i)(password|passwd|passphrase|secret|token|api_?key|private_key)["'\]]*\s*[=:]\s*[furbFURB]*["'][^"'\s]{6,}["']`,
}, "|"))

var (
	hexToken   = regexp.MustCompile(`^[0-9a-fA-F]{32,}(;[0-9a-fA-F]{32,})*$`)
	longToken  = regexp.MustCompile(`^[A-Za-z0-9+/_=-]{40,}$`)
	noToken    = regexp.MustCompile(`(?i)(tag|digest|ref|sha|sha256|rev|revision|commit|image|version|prefix|checksum|identity|fingerprint)$`)
	hasUpper   = regexp.MustCompile(`[A-Z]`)
	hasLower   = regexp.MustCompile(`[a-z]`)
	hasDigit   = regexp.MustCompile(`[0-9]`)
	variableOf = regexp.MustCompile(`[^A-Za-z0-9_]+`)
)

// looksSecret reports whether the text at a path of a chart's values is a secret.
// It errs on the side of secrecy: what it takes for one that is none is only
// written elsewhere.
func looksSecret(path []string, text string) bool {
	if text == "" || strings.TrimSpace(text) == "" {
		return false
	}
	if secretText.MatchString(text) {
		return true
	}
	name, above := lastKeys(path)
	switch {
	case sounding.MatchString(name):
	case secretKey.MatchString(name), holder.MatchString(above), holder.MatchString(name) && above == "CryptKeeper":
		return !isWord(text)
	case noToken.MatchString(name):
	case hexToken.MatchString(text):
		return true
	case longToken.MatchString(text) && hasUpper.MatchString(text) && hasLower.MatchString(text) && hasDigit.MatchString(text):
		return true
	}
	return false
}

// isWord reports whether a text is a switch rather than a secret.
func isWord(text string) bool {
	return slices.Contains([]string{"true", "false", "yes", "no", "none", "default", "null"}, strings.ToLower(text))
}

// lastKeys returns the last key of a path that is no index, and the one above.
func lastKeys(path []string) (name, above string) {
	for _, k := range slices.Backward(path) {
		if _, err := strconv.Atoi(k); err == nil {
			continue
		}
		if name == "" {
			name = k
			continue
		}
		return name, k
	}
	return name, ""
}

// A vault takes the secrets out of one release's values.
type vault struct {
	set    SecretSet
	isOpen func(path []string) bool // whether a text is written as it is, whatever it looks like
}

// vault returns a vault for the block of a release; its variable is named after that.
func (w *writing) vault(r *Release, address resource.Address) *vault {
	name := strings.Trim(variableOf.ReplaceAllString(address.Name, "_"), "_") + "_secrets"
	isOpen := func(path []string) bool {
		at := strings.Join(path, ".")
		if w.facts.Open[r.Key][at] {
			w.unsaid(address.String(), at, "its key sounds like a secret's, but the chart puts it where nothing can be hidden; written as it is")
		}
		return w.facts.Open[r.Key][at]
	}
	return &vault{isOpen: isOpen, set: SecretSet{Block: address, Variable: w.names.free("variable", name), Values: map[string]resource.Sensitive{}}}
}

// open returns a copy of a tree in which a reference to the variable stands for
// every secret, and every other text is plain.
func (s *vault) open(path []string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		hidden := isSecretEntry(v)
		for k, e := range v {
			if text, isText := e.(resource.Sensitive); hidden && isText && k == "value" && text.Reveal() != "" && !s.isOpen(append(slices.Clone(path), k)) {
				out[k] = s.take(append(slices.Clone(path), k), text)
				continue
			}
			out[k] = s.open(append(slices.Clone(path), k), e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = s.open(append(slices.Clone(path), strconv.Itoa(i)), e)
		}
		return out
	case resource.Sensitive:
		if looksSecret(path, v.Reveal()) && !s.isOpen(path) {
			return s.take(path, v)
		}
		return v.Reveal()
	}
	return v
}

// isSecretEntry reports whether a table is an environment variable of a secret's
// name: { name = "GITHUB_TOKEN", value = … }.
func isSecretEntry(v map[string]any) bool {
	name, _ := v["name"].(resource.Sensitive)
	return secretKey.MatchString(name.Reveal()) && !sounding.MatchString(name.Reveal())
}

func (s *vault) take(path []string, text resource.Sensitive) code {
	at := strings.Join(path, ".")
	s.set.Values[at] = text
	return code("var." + s.set.Variable + "[" + quote(at) + "]")
}
