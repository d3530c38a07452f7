// Package seal signs what hubcap keeps in a cluster and acts on later, so that a
// copy, an edit or an invention of somebody else's is told from it.
//
// A seal is an ed25519 signature over a [Statement]. It proves that a holder of the
// cluster's signing key made the statement, and nothing more: what is sealed may be
// old, so whoever acts on it compares it with what lives as well.
//
// Place in the pipeline: a noun beside engine/resource. It does no input or output;
// providers keep the keys.
package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
)

// domain begins the bytes that are signed, so that no signature made here is one of
// another program, or of another version of the encoding.
const domain = "hubcap.dev/seal/v1\n"

// A Statement is what a seal is over. Two statements are the same exactly when all
// fields are.
type Statement struct {
	Type    string // what kind of thing is sealed: "object", "record"; no seal of one serves for another
	Cluster string // UID of kube-system of the cluster whose key signs
	Config  string // name of the config that owns it
	Place   string // where it lies, see [Place]
	Content string // digest of what it says, see [Digest]; empty when only the place is sealed
}

// bytes returns the canonical encoding: each field with its length before it.
func (s Statement) bytes() []byte {
	b := []byte(domain)
	for _, field := range []string{s.Type, s.Cluster, s.Config, s.Place, s.Content} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(field)))
		b = append(b, field...)
	}
	return b
}

// Place joins the parts of a place, such as group, kind, namespace and name. Other
// parts give another place, whatever characters are in them.
func Place(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, p := range parts {
		escaped[i] = url.PathEscape(p)
	}
	return strings.Join(escaped, "/")
}

// Digest returns the sha256 of content in hex.
func Digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// A Key is the private half of a cluster's key pair. It shows itself to nobody:
// only [Key.Bytes] gives it away. The zero Key is none.
type Key struct {
	reveal func() ed25519.PrivateKey // not the bytes, which fmt prints of a field that is not exported
}

func keyOf(private ed25519.PrivateKey) Key {
	return Key{func() ed25519.PrivateKey { return private }}
}

// Draw returns a new random key.
func Draw() (Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("draw a signing key: %w", err)
	}
	return keyOf(private), nil
}

// ParseKey returns the key that [Key.Bytes] gave away.
func ParseKey(seed []byte) (Key, error) {
	if len(seed) != ed25519.SeedSize {
		return Key{}, fmt.Errorf("a signing key has %d bytes, not %d", ed25519.SeedSize, len(seed))
	}
	return keyOf(ed25519.NewKeyFromSeed(seed)), nil
}

// Bytes returns the key as it is stored where only applying roles can read it.
func (k Key) Bytes() []byte { return bytes.Clone(k.reveal().Seed()) }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.reveal == nil }

// Public returns the half that verifies.
func (k Key) Public() Public {
	if k.IsZero() {
		return Public{}
	}
	var p Public
	copy(p.key[:], k.reveal().Public().(ed25519.PublicKey))
	return p
}

// Sign returns the seal of s. Signing the same again gives the same seal.
func (k Key) Sign(s Statement) string {
	if k.IsZero() {
		panic("seal: sign without a key")
	}
	return strings.Join([]string{version, k.Public().ID(), encoding.EncodeToString(ed25519.Sign(k.reveal(), s.bytes()))}, ".")
}

// Format hides the key from every verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "(signing key)") }

// MarshalText refuses: a key is written only by [Key.Bytes].
func (k Key) MarshalText() ([]byte, error) {
	return nil, fmt.Errorf("encode a signing key: it does not leave the process")
}

// A seal is "v1", the ID of the key and the signature, joined by dots.
const version = "v1"

var encoding = base64.RawURLEncoding.Strict()

// A Public is the half of a key pair that verifies. It is comparable; the zero
// Public is none and verifies nothing.
type Public struct{ key [ed25519.PublicKeySize]byte }

// publicPrefix begins the text of a public key.
const publicPrefix = "ed25519:"

// ParsePublic returns the key that [Public.String] wrote.
func ParsePublic(text string) (Public, error) {
	var p Public
	encoded, found := strings.CutPrefix(strings.TrimSpace(text), publicPrefix)
	key, err := encoding.DecodeString(encoded)
	if !found || err != nil || len(key) != len(p.key) {
		return Public{}, fmt.Errorf("%.80q is no public key", text)
	}
	copy(p.key[:], key)
	return p, nil
}

// String returns the key as text; empty when there is none.
func (p Public) String() string {
	if p.IsZero() {
		return ""
	}
	return publicPrefix + encoding.EncodeToString(p.key[:])
}

// ID returns a short name of the key for messages; empty when there is none.
func (p Public) ID() string {
	if p.IsZero() {
		return ""
	}
	return Digest(p.key[:])[:12]
}

// IsZero reports whether there is no key.
func (p Public) IsZero() bool { return p == Public{} }

// Verify reports whether seal is the seal of s by this key.
func (p Public) Verify(s Statement, seal string) bool {
	if p.IsZero() {
		return false
	}
	v, rest, _ := strings.Cut(seal, ".")
	id, encoded, _ := strings.Cut(rest, ".")
	if v != version || id != p.ID() {
		return false
	}
	signature, err := encoding.DecodeString(encoded)
	return err == nil && ed25519.Verify(p.key[:], s.bytes(), signature)
}

// KeyOf returns the ID of the key that a seal says it was made with; empty for a
// text that is no seal. Anybody can write one: it serves messages, nothing else.
func KeyOf(seal string) string {
	v, rest, _ := strings.Cut(seal, ".")
	id, _, found := strings.Cut(rest, ".")
	if v != version || !found {
		return ""
	}
	return id
}
