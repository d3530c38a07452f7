package chart

import (
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/Masterminds/sprig/v3"
	"golang.org/x/crypto/bcrypt"
)

// leastTraced is how long a drawn text has to be to be found again in an object.
const leastTraced = 6

// A hole is where a drawn text stands in a leaf.
type hole struct {
	text       string // trimmed
	start, end int
	encoded    bool // as base64
}

// trace returns the live texts of what was drawn, by that, as far as they are found, and
// which calls stand in an object at all.
func (k *keeper) trace() (found map[string]string, traced []bool) {
	found, traced = map[string]string{}, make([]bool, len(k.calls))
	for i, c := range k.calls {
		traced[i] = slices.ContainsFunc(c.texts(), k.stands)
	}
	for _, l := range k.leaves {
		for _, form := range []func(string) (string, bool){itself, decoded64} {
			text, fits := form(l.text)
			if !fits {
				continue
			}
			holes := k.holes(text)
			live, fits := form(l.live)
			if len(holes) == 0 || !l.has || !fits {
				continue
			}
			for at, value := range inHoles(text, live, holes) {
				if _, known := found[at]; !known {
					found[at] = value
				}
			}
			break
		}
	}
	for i := range k.calls { // a certificate is kept with its authority, which may stand nowhere
		for _, j := range k.family(i) {
			traced[i] = traced[i] || traced[j]
		}
	}
	return found, traced
}

func itself(text string) (string, bool) { return text, true }

// decoded64 returns the text that base64 stands for.
func decoded64(text string) (string, bool) {
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	return string(plain), err == nil && len(plain) > 0 && utf8.Valid(plain)
}

// holes returns where drawn texts stand in a text, in order.
func (k *keeper) holes(text string) []hole {
	var all []hole
	for _, c := range k.calls {
		for _, whole := range c.texts() {
			drawn := strings.TrimSpace(whole)
			if len(drawn) < leastTraced {
				continue
			}
			for _, spelt := range []string{drawn, base64.StdEncoding.EncodeToString([]byte(whole))} {
				if at := strings.Index(text, spelt); at >= 0 {
					all = append(all, hole{drawn, at, at + len(spelt), spelt != drawn})
					break
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b hole) int { return cmp.Or(a.start-b.start, b.end-a.end) })
	end := 0
	return slices.DeleteFunc(all, func(h hole) bool { // one text within another is that of the other
		within := h.start < end
		end = max(end, h.end)
		return within
	})
}

// inHoles returns what stands in live where text has its holes. Where the rest of the text
// is another by now, it is looked for by its line.
func inHoles(text, live string, holes []hole) map[string]string {
	var pattern strings.Builder
	pattern.WriteString(`(?s)^`)
	end := 0
	for _, h := range holes {
		pattern.WriteString(regexp.QuoteMeta(text[end:h.start]) + `(.+?)`)
		end = h.end
	}
	pattern.WriteString(regexp.QuoteMeta(text[end:]) + `$`)
	values := map[string]string{}
	if matched := matchOf(pattern.String(), live); matched != nil {
		for i, h := range holes {
			values[h.text] = h.decode(matched[i+1])
		}
		return values
	}
	for _, h := range holes {
		before := text[strings.LastIndex(text[:h.start], "\n")+1 : h.start]
		after, _, _ := strings.Cut(text[h.end:], "\n")
		line := regexp.QuoteMeta(before) + `(\S+)` + regexp.QuoteMeta(after)
		re, err := regexp.Compile(`(?m)^` + line + `$`)
		if err != nil || strings.TrimSpace(before+after) == "" {
			continue
		}
		if all := re.FindAllStringSubmatch(live, 2); len(all) == 1 {
			values[h.text] = h.decode(all[0][1])
		}
	}
	return values
}

func matchOf(pattern, text string) []string {
	re, err := regexp.Compile(pattern)
	if err != nil { // too large a text
		return nil
	}
	return re.FindStringSubmatch(text)
}

func (h hole) decode(text string) string {
	if plain, err := base64.StdEncoding.DecodeString(text); h.encoded && err == nil {
		return strings.TrimSpace(string(plain))
	}
	return text
}

// settledTexts returns the texts that call i gives from now on: the live ones where it
// has all that stand in an object, and they are what the call would draw; so for all
// of its family. nil: it draws.
func (k *keeper) settledTexts(i int, found map[string]string) []string {
	for _, j := range k.family(i) {
		if k.liveTexts(j, found) == nil {
			return nil
		}
	}
	return k.liveTexts(i, found)
}

func (k *keeper) liveTexts(i int, found map[string]string) []string {
	c := k.calls[i]
	texts := slices.Clone(c.texts())
	for n := range texts {
		if value, has := found[strings.TrimSpace(texts[n])]; has {
			if strings.HasSuffix(texts[n], "\n") && !strings.HasSuffix(value, "\n") {
				value += "\n" // trimmed where it stands
			}
			texts[n] = value
		} else if k.stands(texts[n]) {
			return nil
		}
	}
	args := make([]string, len(c.args))
	for n, arg := range c.args {
		for _, text := range textsOf(arg) {
			args[n] = text
		}
		if live, has := found[strings.TrimSpace(args[n])]; has {
			args[n] = live
		}
	}
	if !fits(c, args, texts) {
		return nil
	}
	return texts
}

// stands reports whether a drawn text stands in a drawn leaf.
func (k *keeper) stands(whole string) bool {
	drawn := strings.TrimSpace(whole)
	return len(drawn) >= leastTraced && slices.ContainsFunc(k.leaves, func(l leaf) bool {
		plain, _ := decoded64(l.text)
		encoded := base64.StdEncoding.EncodeToString([]byte(whole))
		return strings.Contains(l.text, drawn) || strings.Contains(plain, drawn) || strings.Contains(l.text, encoded)
	})
}

// drawer returns the call before i that drew a text.
func (k *keeper) drawer(i int, text string) (call int, drawn bool) {
	if len(text) < leastTraced {
		return 0, false
	}
	for j := range k.calls[:i] {
		if slices.Contains(k.calls[j].texts(), text) {
			return j, true
		}
	}
	return 0, false
}

// isDerived reports whether call i has an argument that was drawn.
func (k *keeper) isDerived(i int) bool {
	for _, arg := range k.calls[i].args {
		for _, text := range textsOf(arg) {
			if _, drawn := k.drawer(i, text); drawn {
				return true
			}
		}
	}
	return false
}

// family returns the calls that belong together with call i, itself included:
// certificates, their keys, and the authority that signed them.
func (k *keeper) family(i int) []int {
	isOf := make([]bool, len(k.calls))
	isOf[i] = true
	for grown := true; grown; {
		grown = false
		for j, c := range k.calls {
			if !strings.HasPrefix(c.name, "gen") {
				continue
			}
			for _, arg := range c.args {
				for _, text := range textsOf(arg) {
					if from, drawn := k.drawer(j, text); drawn && isOf[j] != isOf[from] {
						isOf[j], isOf[from], grown = true, true, true
					}
				}
			}
		}
	}
	var all []int
	for j, is := range isOf {
		if is {
			all = append(all, j)
		}
	}
	return all
}

// isMadeOf reports whether what a function draws is made of its arguments.
func isMadeOf(name string) bool {
	switch name {
	case "bcrypt", "htpasswd", "encryptAES", "shuffle":
		return true
	}
	return strings.HasPrefix(name, "gen") && name != "genPrivateKey"
}

// fits reports whether live texts are what a call may have drawn with its arguments.
func fits(c call, args, live []string) bool {
	drawn := c.texts()
	switch c.name {
	case "bcrypt":
		return bcrypt.CompareHashAndPassword([]byte(live[0]), []byte(args[0])) == nil
	case "htpasswd":
		user, hash, _ := strings.Cut(live[0], ":")
		return user == args[0] && bcrypt.CompareHashAndPassword([]byte(hash), []byte(args[1])) == nil
	case "encryptAES":
		decrypt, _ := sprig.TxtFuncMap()["decryptAES"].(func(string, string) (string, error))
		plain, err := decrypt(args[0], live[0])
		return err == nil && plain == args[1]
	case "shuffle":
		a, b := []rune(live[0]), []rune(drawn[0])
		slices.Sort(a)
		slices.Sort(b)
		return slices.Equal(a, b)
	}
	for n := range drawn {
		if block, _ := pem.Decode([]byte(drawn[n])); block != nil && !isLikePEM(block, live[n]) {
			return false
		}
	}
	return true
}

// isLikePEM reports whether a live text is of the same type as a drawn one and, when it is
// a certificate, for the same names and still good for a tenth of its time.
func isLikePEM(drawn *pem.Block, text string) bool {
	live, _ := pem.Decode([]byte(text))
	if live == nil || live.Type != drawn.Type {
		return false
	}
	want, err := x509.ParseCertificate(drawn.Bytes)
	if err != nil {
		return true // a key
	}
	has, err := x509.ParseCertificate(live.Bytes)
	if err != nil {
		return false
	}
	left := has.NotAfter.Sub(has.NotBefore) / 10
	return has.Subject.String() == want.Subject.String() && slices.Equal(has.DNSNames, want.DNSNames) &&
		reflect.DeepEqual(has.IPAddresses, want.IPAddresses) && has.IsCA == want.IsCA && time.Until(has.NotAfter) > left
}
