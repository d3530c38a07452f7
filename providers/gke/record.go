package gke

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// Resource labels that hubcap puts on its pools. The first two are part of what
// is desired; the notes are this package's own memory and never a difference.
const (
	LabelConfig    = "hubcap-config"    // name of the config that owns the pool
	LabelBlock     = "hubcap-block"     // sanitised address of its block: "node_pool-user"
	LabelProtected = "hubcap-protected" // "true": never deleted by a plan

	noteKeys    = "hubcap-keys"    // which labels, taints and tags hubcap wrote; more of them are numbered
	noteApplied = "hubcap-applied" // digest of what was last applied
	noteSeal    = "hubcap-seal"    // nonce that the sealed record of the pool has, too
)

// isNote reports whether a resource label is one of the notes.
func isNote(key string) bool {
	return key == noteApplied || key == noteSeal || key == noteKeys || strings.HasPrefix(key, noteKeys+"-")
}

// Resource labels hold lower case letters, digits, - and _, 63 of them at most.
const (
	labelSize = 63
	digits    = 4 // of a key's digest; 20 bits
)

// labelText returns s as a resource label can hold it: "node_pool.user" is
// "node_pool-user".
func labelText(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
	text := strings.Join(words, "-")
	return text[:min(len(text), labelSize)]
}

var lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// mark returns the digest of an entry's key.
func mark(l leaf) string {
	sum := sha256.Sum256([]byte(l.String()))
	return lower.EncodeToString(sum[:])[:digits]
}

// marks returns the digests that a pool's notes hold.
func marks(labels map[string]string) []string {
	var found []string
	for key, text := range labels {
		if !isNote(key) || key == noteApplied || key == noteSeal {
			continue
		}
		for ; len(text) >= digits; text = text[digits:] {
			found = append(found, text[:digits])
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// notes returns the resource labels that hold the digests.
func notes(digests []string) map[string]string {
	digests = slices.Compact(slices.Sorted(slices.Values(digests)))
	labels := map[string]string{}
	for chunk := range slices.Chunk(digests, labelSize/digits) {
		key := noteKeys
		if n := len(labels); n > 0 {
			key = fmt.Sprintf("%s-%d", noteKeys, n)
		}
		labels[key] = strings.Join(chunk, "")
	}
	return labels
}

// marksOf returns the digests of all entries that want has.
func marksOf(want resource.Object) []string {
	var digests []string
	for l := range leaves(want) {
		if l.entry != "" {
			digests = append(digests, mark(l))
		}
	}
	slices.Sort(digests)
	return slices.Compact(digests)
}

// ownedEntries returns the entries of live that hubcap wrote and that want lacks,
// in order. They are wanted no more.
func ownedEntries(want, live resource.Object) []leaf {
	known := marks(labelsOf(live))
	if len(known) == 0 {
		return nil
	}
	wanted := leaves(want)
	var owned []leaf
	for l := range leaves(live) {
		if _, isWanted := wanted[l]; !isWanted && l.entry != "" && slices.Contains(known, mark(l)) {
			owned = append(owned, l)
		}
	}
	slices.SortFunc(owned, func(a, b leaf) int { return strings.Compare(a.String(), b.String()) })
	return owned
}

// applied returns the digest of what want asks for, regardless of spelling.
func applied(want resource.Object) string {
	byPath := map[string]any{}
	for l, v := range leaves(want) {
		byPath[l.String()] = v
	}
	if byPath["autoscaling.enabled"] == nil { // no autoscaling is as none written (see fixedSize)
		delete(byPath, "autoscaling.enabled")
	}
	text, err := json.Marshal(byPath) // sorts the keys
	if err != nil {
		panic(fmt.Sprintf("gke: a node pool holds what is not JSON: %v", err))
	}
	sum := sha256.Sum256(text)
	return lower.EncodeToString(sum[:])[:16]
}

// labelsOf returns the resource labels of a pool as text.
func labelsOf(o resource.Object) map[string]string {
	labels := map[string]string{}
	v, _ := o.Value("config", "resourceLabels")
	for key, value := range entriesOf("config.resourceLabels", v) {
		labels[key] = value.(string)
	}
	return labels
}

// labelTree returns labels as a part of an object.
func labelTree(labels map[string]string) map[string]any {
	m := make(map[string]any, len(labels))
	for key, value := range labels {
		m[key] = value
	}
	return m
}

// withNotes returns labels with the notes replaced by those given; digest and nonce
// may be empty for none.
func withNotes(labels map[string]string, digests []string, digest, nonce string) map[string]string {
	with := maps.Clone(labels)
	maps.DeleteFunc(with, func(key, _ string) bool { return isNote(key) })
	maps.Copy(with, notes(digests))
	if digest != "" {
		with[noteApplied] = digest
	}
	if nonce != "" {
		with[noteSeal] = nonce
	}
	return with
}
