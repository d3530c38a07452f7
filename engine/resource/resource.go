// Package resource holds the nouns that every stage of the pipeline shares: what
// is wanted ([Desired]), what exists ([Live]), what was seen when the two were
// held side by side ([Observation]) and how one becomes the other ([Change]).
//
// Place in the pipeline: beneath all of it. It has no behaviour beyond naming,
// copying and comparing, and imports no other package of this module, so that
// every other package may import it.
package resource

import (
	"strings"
	"time"
)

// An Address is how people name a thing: the block that asked for it and, for an
// object that a block renders, the object inside it. It is comparable.
//
//	hub.prod                      the block
//	hub.prod/Deployment/hub       an object inside it
//	module.pools.node_pool.user   a block of a module
type Address struct {
	Module string // "module.pools", nested ones joined by dots; empty in the root
	Kind   string // block type: "hub"
	Name   string // block label, with the instance key if any: `prod`, `prod["a"]`
	Object string // "Deployment/hub"; empty for the block itself
}

// String returns the address as an author writes it.
func (a Address) String() string {
	s := a.Kind + "." + a.Name
	if a.Module != "" {
		s = a.Module + "." + s
	}
	if a.Object != "" {
		s += "/" + a.Object
	}
	return s
}

// Block returns the address of the block that a belongs to.
func (a Address) Block() Address {
	a.Object = ""
	return a
}

// IsZero reports whether a names nothing.
func (a Address) IsZero() bool { return a == Address{} }

// MarshalText encodes the address as String does.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText parses what MarshalText wrote.
func (a *Address) UnmarshalText(text []byte) error {
	*a = ParseAddress(string(text))
	return nil
}

// ParseAddress parses what [Address.String] returns. Text without a dot becomes
// an address with only a Kind.
func ParseAddress(s string) Address {
	var a Address
	block := s
	// The object follows the first slash outside an instance key.
	depth := 0
	for i, r := range s {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		}
		if r == '/' && depth == 0 {
			block, a.Object = s[:i], s[i+1:]
			break
		}
	}
	for strings.HasPrefix(block, "module.") {
		rest := block[len("module."):]
		name, after, found := strings.Cut(rest, ".")
		if !found {
			break
		}
		if a.Module != "" {
			a.Module += "."
		}
		a.Module += "module." + name
		block = after
	}
	a.Kind, a.Name, _ = strings.Cut(block, ".")
	return a
}

// GroupGKE is the Group of objects that live in the GKE API rather than in a
// Kubernetes API server.
const GroupGKE = "container.googleapis.com"

// KindNodePool is the Kind of a GKE node pool.
const KindNodePool = "NodePool"

// An ID is the identity of an object in the outside world: it is deterministic
// from the config and the only key under which two runs meet the same object. It
// is comparable. The API version is left out on purpose.
type ID struct {
	Cluster   string `json:"cluster"` // address name of the cluster block: "prod"
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"` // empty when cluster-scoped, and for GKE
	Name      string `json:"name"`
}

// String returns "cluster/namespace/Kind.group/name" without the empty parts.
func (id ID) String() string {
	kind := id.Kind
	if id.Group != "" {
		kind += "." + id.Group
	}
	parts := []string{id.Cluster}
	if id.Namespace != "" {
		parts = append(parts, id.Namespace)
	}
	return strings.Join(append(parts, kind, id.Name), "/")
}

// Within returns the namespace that an object lives in or, where it is a namespace, that
// one; empty when it is of none.
func (id ID) Within() string {
	if id.Kind == "Namespace" && id.Group == "" {
		return id.Name
	}
	return id.Namespace
}

// A Component is the smallest thing that is rolled out, checked and rolled back
// alone: a node pool, or the hub, the proxy, the binder … of one hub block. It is
// comparable.
type Component struct {
	Block Address `json:"block"`
	Name  string  `json:"name,omitempty"` // "hub", "proxy", "binder"; empty when the block is one component
}

// String returns "hub.prod/binder", or "node_pool.user".
func (c Component) String() string {
	if c.Name == "" {
		return c.Block.String()
	}
	return c.Block.String() + "/" + c.Name
}

// Presence says how much of an object is hubcap's.
type Presence int

// The zero Presence is invalid, so that a forgotten one is caught.
const (
	Managed Presence = iota + 1 // created, kept as desired, deleted when its block is gone
	Ensured                     // created when absent; never compared, changed or deleted (a namespace)
)

// A Range is the place in a file where something was asked for. It repeats what
// is needed of hcl.Range in a form that a plan file can hold.
type Range struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// Desired is an object as the config wants it.
type Desired struct {
	ID        ID
	Address   Address
	Component Component
	Object    Object // as it is to be written; apiVersion, kind and metadata included for Kubernetes
	Presence  Presence
	Needs     []ID // objects that must have settled before this one is written
	Origin    Range
	Protected bool  // never deleted or replaced by a plan
	Hook      *Hook // of a chart; a Managed object has it too when the hook is one that stays

	Release   *Release  // Helm release whose object this may be, and is taken over then; nil: of none
	Adopt     bool      // may be taken over from whoever made it, but for other releases and configs
	GivesBack *Takeover // wanted as it was before this take-over: not hubcap's

	// Defaults names the fields of Object, which is a pre-image, that nobody owned: see
	// Change. They are left to the server where it fills in the same.
	Defaults string

	Owners []FieldOwner // whose fields of Object, which is a pre-image, are not only hubcap's: see Change
}

// Applied is what hubcap wrote beside an object the last time it wrote it.
type Applied struct {
	Digest string    `json:"digest"`
	Run    string    `json:"run"`
	Commit string    `json:"commit,omitempty"`
	Time   time.Time `json:"time"`

	// Sensitive is the digest of what the object was to remember, see [Remembered];
	// empty: nobody knows, an older version wrote it.
	Sensitive string `json:"sensitive,omitempty"`

	// Manager is the field manager that wrote it; empty in records of older versions.
	Manager string `json:"manager,omitempty"`

	// Sizes are the sizes of claims and volumes that it wrote, by their fields.
	Sizes map[string]string `json:"sizes,omitempty"`
}

// Live is an object as it was last seen.
type Live struct {
	ID        ID
	Address   Address   // from our mark on the object; zero when it bears none
	Component Component // likewise
	Object    Object    // whole, with every value of a Secret marked [Sensitive]
	Owner     string    // name of the config that owns it; empty when none does
	Version   string    // opaque; makes a later write conditional
	Applied   *Applied  // nil when hubcap never wrote it
	Protected bool
	Seal      string // that it bears, of whatever key, valid or not; empty when it bears none
}

// A Foreign field is a field of an object that hubcap wants one way and that
// someone else wrote since.
type Foreign struct {
	Path    string    `json:"path"`
	Manager string    `json:"manager"` // "kubectl-edit"
	Time    time.Time `json:"time"`
	Wanted  any       `json:"wanted"`            // as hubcap last applied or now wants it; nil when unknown
	Live    any       `json:"live"`              // nil when removed
	Release string    `json:"release,omitempty"` // "revision 5 of Helm release prod/hub"
	Note    string    `json:"note,omitempty"`    // why it is not written, and what to do about it
}

// An Observation is one desired object held beside its live one.
type Observation struct {
	Desired Desired
	Live    *Live // nil when it does not exist

	// Same reports that writing Desired would change nothing. The fields below
	// are empty then, except Foreign.
	Same bool

	// Wanted is Desired.Object as it has to be written, where that takes more: which of
	// several alternatives it has. nil: as desired.
	Wanted Object

	// Alternatives are the fields of the live object that may not be beside what is
	// wanted, whoever set them: the write removes them.
	Alternatives []string

	// Before is the part of the live object that hubcap owns or is about to own:
	// wanting it again is what rolling back means. nil when it does not exist.
	Before Object

	// Defaults names the fields of Before that nobody owns, see Change.
	Defaults string

	Owners []FieldOwner // who else owns fields of Before that get another value, see Change

	// Preview is the same part as it would be after the write (a server-side dry
	// run, where there is one).
	Preview Object

	// Replace lists the fields that cannot be changed in place, so that the
	// object has to be made anew; empty when the change can be made in place.
	Replace []string

	// Refused says why the object may not be written (it belongs to someone
	// else, the server rejects it); empty when it may.
	Refused string

	TakesOver *Takeover // nil: the object is hubcap's already, or new

	// Seals says that the object bears no seal, or one of another key, and that
	// writing it gives it one.
	Seals bool

	// Unmoved says that the config asks for what hubcap applied last, as its provider
	// noted it: what differs then is others' doing.
	Unmoved bool

	Foreign []Foreign
	Notes   []string // facts worth a line in the plan: "takes over 12 fields from helm"
}

// Unreadable is something that could not be read, and why. A plan with one is
// incomplete.
type Unreadable struct {
	What   string `json:"what"` // "secrets in namespace prod"
	Reason string `json:"reason"`
}

// A Reading is what one look at the outside world brought back.
type Reading struct {
	Observations []Observation
	Orphans      []Live     // sealed as this config's, and wanted no more
	Unsealed     []Unsealed // labelled as this config's, wanted no more, and not sealed
	Unreadable   []Unreadable
	Releases     []HelmRelease // that objects are taken over from, or that wrote into taken ones
}

// Health tells whether an object has settled.
type Health struct {
	Ready    bool
	Terminal bool   // it will not settle by waiting: fail at once
	Reason   string // why it is not ready, in one line
	Details  []string
}
