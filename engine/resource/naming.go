package resource

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// NamedBy reports whether a person who writes text means a. A block that is made for
// each key of something is meant with its key, hub.prod["a"], or with all its
// instances, hub.prod.
func (a Address) NamedBy(text string) bool { return means(text, a.String()) }

// NamedBy reports whether a person who writes text means c: by its own address or by
// that of its block, see [Address.NamedBy].
func (c Component) NamedBy(text string) bool {
	return means(text, c.String()) || c.Block.NamedBy(text)
}

// means reports whether text is an address, or that with keys of instances left out.
func means(text, address string) bool {
	i := 0
	for j := 0; j < len(address); j++ {
		if i < len(text) && text[i] == address[j] {
			i++
			continue
		}
		end := strings.Index(address[j:], `"]`)
		if address[j] != '[' || end < 0 {
			return false
		}
		j += end + len(`"]`) - 1
	}
	return i == len(text)
}

// Closest returns names, each once, those first that are most like what was written.
// An address is as like it as the same one without keys of instances.
func Closest(written string, names []string) []string {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	far := func(name string) int {
		return min(edits(written, name), edits(written, keys.ReplaceAllString(name, "")))
	}
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(far(a), far(b)) })
	return sorted
}

// mostNamed is how many names an error offers at most.
const mostNamed = 8

// Possible words which of names could have been meant by what was written: the
// [Closest], and not too many.
func Possible(written string, names []string) string {
	closest := Closest(written, names)
	if len(closest) == 0 {
		return "there is none"
	}
	text := "possible are " + strings.Join(closest[:min(len(closest), mostNamed)], ", ")
	if more := len(closest) - mostNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

var keys = regexp.MustCompile(`\[".*?"\]`)

// edits counts the letters that are put in, left out or changed to make b of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, diagonal+1, cost)
		}
	}
	return row[len(b)]
}
