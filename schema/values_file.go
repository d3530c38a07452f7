package schema

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"sigs.k8s.io/yaml"

	"hubcap/engine/resource"
)

var (
	keyTwice    = regexp.MustCompile(`line (\d+): key (".*?"|\S+) already set in map`)
	nullKey     = regexp.MustCompile(`^\s*(- +)?(~|null|Null|NULL)\s*:(\s|$)`)
	newDocument = regexp.MustCompile(`^---(\s|$)`)
)

// warnOfLosses warns of what is in a values file and does not count, as Helm passes over
// it: all but the last of a key that is there twice, and all documents but the first.
func (b *body) warnOfLosses(data []byte, file string, at hcl.Range) {
	if _, err := yaml.YAMLToJSONStrict(data); err != nil {
		for _, found := range keyTwice.FindAllStringSubmatch(err.Error(), -1) {
			b.l.warnAt(at, "Key that is there twice", "%s:%s: %s is there before, too, and only the last counts, as for Helm.", file, found[1], found[2])
		}
	}
	if line := secondDocument(data); line > 0 {
		b.l.warnAt(at, "Second document", "%s:%d: a second document begins. Only the first counts, as for Helm: put it into a file of its own.", file, line)
	}
	tree, _ := decodeYAML(data, lastWins)
	numbers := versionNumbers(tree, "", nil)
	for i, line := range strings.Split(string(data), "\n") {
		if found := versionNumber.FindStringSubmatch(line); found != nil {
			if read, isOther := otherNumber(found[1]); isOther && slices.Contains(numbers, read) { // else it is within a text
				b.l.warnAt(at, "Version that is a number", "%s:%d: %s is a number, and %s to Helm, and so to the chart. Put quotes around it.", file, i+1, found[1], read)
			}
		}
	}
}

// versionNumber finds a number without quotes in the place of a version.
var versionNumber = regexp.MustCompile(`(?i)^\s*(?:- +)?["']?[\w.-]*(?:tag|version|release|revision|commit|sha)["']?\s*:\s+([-+]?[.0-9][\w.+-]*)\s*(?:#.*)?$`)

// otherNumber returns what Helm prints of a text without quotes, and whether that is
// another text.
func otherNumber(text string) (string, bool) {
	v, err := decodeYAML([]byte(text), lastWins)
	if err != nil {
		return "", false
	}
	if n, isWhole := v.(int64); isWhole && strconv.FormatInt(n, 10) == text {
		return "", false // the chart tells of these, wherever they are from
	}
	read := printed64(v)
	return read, read != "" && read != text
}

// printed64 is what Helm prints of a number, "" of anything else.
func printed64(v any) string {
	switch v := v.(type) {
	case int64:
		return fmt.Sprint(float64(v))
	case float64:
		return fmt.Sprint(v)
	}
	return ""
}

// versionNumbers returns what Helm prints of the numbers that stand for versions.
func versionNumbers(v any, key string, found []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			found = versionNumbers(e, k, found)
		}
	case []any:
		for _, e := range v {
			found = versionNumbers(e, "", found)
		}
	default:
		if text := printed64(v); text != "" && resource.IsVersionKey(key) {
			found = append(found, text)
		}
	}
	return found
}

// warnOfHiddenLosses is warnOfLosses for what a command prints, of which nothing is shown.
func (b *body) warnOfHiddenLosses(data []byte, shown string, at hcl.Range) {
	if _, err := yaml.YAMLToJSONStrict(data); err != nil {
		for _, found := range keyTwice.FindAllStringSubmatch(err.Error(), -1) {
			b.l.warnAt(at, "Key that is there twice", "In %s, line %s: a key is there before, too, and only the last counts, as for Helm.", shown, found[1])
		}
	}
	if line := secondDocument(data); line > 0 {
		b.l.warnAt(at, "Second document", "In %s, line %d: a second document begins. Only the first counts, as for Helm.", shown, line)
	}
}

// nullKeyLine returns the line of a key that is null; 0 when there is none.
func nullKeyLine(data []byte) int {
	for i, line := range bytes.Split(data, []byte("\n")) {
		if nullKey.Match(line) {
			return i + 1
		}
	}
	return 0
}

// laterLines adds to the numbers of lines in a message those that come before.
func laterLines(message string, before int) string {
	return lineNumber.ReplaceAllStringFunc(message, func(found string) string {
		n, _ := strconv.Atoi(strings.TrimPrefix(found, "line "))
		return "line " + strconv.Itoa(n+before)
	})
}

var lineNumber = regexp.MustCompile(`\bline \d+`)

// secondDocument returns the line where a second document begins; 0 when none does.
func secondDocument(data []byte) int {
	lines := bytes.Split(data, []byte("\n"))
	begun := false
	for i, line := range lines {
		text := bytes.TrimSpace(line)
		switch {
		case newDocument.Match(line) && begun && len(bytes.TrimSpace(bytes.Join(lines[i+1:], nil))) > 0:
			return i + 1
		case len(text) > 0 && text[0] != '#' && text[0] != '%' && !newDocument.Match(line):
			begun = true
		}
	}
	return 0
}

// valuesReason is why a values file is not taken, with the line where one is known.
func valuesReason(data []byte, err error) string {
	reason := yamlReason(err)
	if strings.Contains(strings.ToLower(reason), "map key") {
		if line := nullKeyLine(data); line > 0 {
			return fmt.Sprintf("line %d: a key is null; put quotes around it when it is a text", line)
		}
	}
	return reason
}
