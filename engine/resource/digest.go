package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Digest returns the sha256 of o in hex, sensitive values included. It belongs
// in [Applied] on the object itself, whose readers see the values anyway, and
// nowhere else. Equal objects have equal digests.
func Digest(o Object) string {
	text, err := json.Marshal(Reveal(o))
	if err != nil {
		panic(fmt.Sprintf("resource.Digest: an object holds what is not JSON: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
