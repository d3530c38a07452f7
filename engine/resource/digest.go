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
// Nor are nulls, which say that a field is not there.
func Digest(o Object) string {
	plain := Object(Reveal(o).(map[string]any))
	forget(plain)
	text, err := json.Marshal(WithoutNulls(map[string]any(plain)))
	if err != nil {
		panic(fmt.Sprintf("resource.Digest: an object holds what is not JSON: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// WithoutNulls returns a copy of v without the keys of maps whose value is null: what
// is removed explicitly is as absent as what was never there.
func WithoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			if e != nil {
				c[k] = WithoutNulls(e)
			}
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = WithoutNulls(e)
		}
		return c
	}
	return v
}
