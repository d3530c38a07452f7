package schema

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"sigs.k8s.io/yaml"
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
}

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
		for i, line := range bytes.Split(data, []byte("\n")) {
			if nullKey.Match(line) {
				return fmt.Sprintf("line %d: a key is null; put quotes around it when it is a text", i+1)
			}
		}
	}
	return reason
}
