package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"hubcap/engine/seal"
)

// AnnotationSeal is on every object that hubcap wrote: the seal of its place, and of
// all that hubcap noted on it.
const AnnotationSeal = ownMarks + "seal"

// The types of statements that seals are over.
const (
	sealedObject = "object" // an object that hubcap wrote: its place and marks
	sealedRecord = "record" // one that holds what hubcap acts on: all its data, too
)

// Unsealed is an object that bears this config's label, that nothing desires, and
// that is not known to be hubcap's: it is shown and nothing is done about it. It is
// apart from [Live], so that nobody takes what it says for hubcap's own words.
type Unsealed struct {
	ID     ID
	Reason string

	Says    Component   // whose it says to be: anybody's word, for people
	Record  string      // what hubcap would act on in it, such as "hooks"; empty: it is no record
	Version string      // as it was read
	Seal    string      // that it bears, of whatever key; empty when it bears none
	Barred  string      // why not even a person's word makes it hubcap's; empty: it may be sealed
	Under   seal.Public // set: it may be sealed only if this key's seal on it is valid
}

// ErrChanged says that an object is not as it was when a person was asked about it.
var ErrChanged = errors.New("it was written since it was shown, or is gone")

// BarredSeal returns why an object with the seal own, which is in doubt under key, may
// not be sealed on a person's word: the present key would have sealed it as it is, if it
// were hubcap's.
func BarredSeal(own string, key seal.Public) string {
	if !key.IsZero() && seal.KeyOf(own) == key.ID() {
		return "this cluster's key sealed something else: it is a copy, or was changed since"
	}
	return ""
}

// Statement returns what the seal of o, which lies at id, is over. cluster is the
// cluster's identity, config the name of the owner. Annotations of others are no part
// of it, and neither is the label, which says no more than config.
func Statement(id ID, cluster, config string, o Object) seal.Statement {
	s := seal.Statement{
		Type: sealedObject, Cluster: cluster, Config: config,
		Place: seal.Place(id.Group, id.Kind, id.Namespace, id.Name),
	}
	content := map[string]any{"annotations": marks(o)}
	if IsRecord(o) {
		s.Type, content["data"] = sealedRecord, Reveal(o["data"])
	}
	text, err := json.Marshal(content)
	if err != nil {
		panic(fmt.Sprintf("resource: an object holds what is not JSON: %v", err))
	}
	s.Content = seal.Digest(text)
	return s
}

// marks returns those of o's annotations that are hubcap's own, but for the seal
// itself.
func marks(o Object) map[string]any {
	own := map[string]any{}
	all, _ := o.Value("metadata", "annotations")
	m, _ := all.(map[string]any)
	for name, v := range m {
		if strings.HasPrefix(name, ownMarks) && name != AnnotationSeal {
			own[name] = Reveal(v)
		}
	}
	return own
}

// SealOf returns the seal that o bears, valid or not; empty when it has none.
func SealOf(o Object) string { return o.Text("metadata", "annotations", AnnotationSeal) }

// Doubt returns why own is not a seal of s by key: empty when it is.
func Doubt(s seal.Statement, own string, key seal.Public) string {
	switch {
	case key.Verify(s, own):
		return ""
	case key.IsZero():
		return "the cluster has no public key to tell hubcap's objects by"
	case own == "":
		return "bears hubcap's label and no seal: a copy, or written by a version of hubcap without seals"
	case seal.KeyOf(own) != key.ID():
		return "its seal was made with another key than this cluster's"
	}
	return "its seal is of another object, or its marks were changed since"
}
