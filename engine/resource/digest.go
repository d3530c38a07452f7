package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Digest returns the sha256 of o in hex, sensitive values included. It belongs
// in [Applied] on the object itself, whose readers see the values anyway, and
// nowhere else. Equal objects have equal digests. What an object remembers about
// its sensitive fields is not in it: the marking of a value is no part of the value.
func Digest(o Object) string {
	plain := Object(Reveal(o).(map[string]any))
	forget(plain)
	text, err := json.Marshal(plain)
	if err != nil {
		panic(fmt.Sprintf("resource.Digest: an object holds what is not JSON: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
