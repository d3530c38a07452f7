package expand

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// BinderHub names images and build pods after repositories. The rules here are
// its own, to the letter: with them hubcap tells which image a repository will
// have under a prefix that nothing was built under yet.

// maxImageName is how long BinderHub lets an image's name become, prefix
// included; maxPodName is Kubernetes's bound.
const (
	maxImageName = 255
	maxPodName   = 63
)

// Escape keeps letters and digits of ASCII and writes every other byte of s as
// "-" and its two hexadecimal digits.
func Escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "-%X", c)
	}
	return b.String()
}

// SafeSlug returns s escaped, in lower case, and no longer than limit, with
// digits of a digest of s at the end so that what was cut off still tells.
func SafeSlug(s string, limit, digits int) string {
	escaped := Escape(s)
	if room := max(limit-digits-1, 0); len(escaped) > room {
		escaped = escaped[:room]
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToLower(escaped + "-" + hex.EncodeToString(sum[:])[:digits])
}

// ImageName returns the image that BinderHub builds for a repository's slug
// ("user-repo" for GitHub) at a resolved ref.
func ImageName(prefix, slug, ref string) string {
	name := prefix + SafeSlug(slug, maxImageName-len(prefix), 6) + ":" + ref
	return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}

// BuildPodName returns the name of the pod that builds a repository's slug at a
// resolved ref.
func BuildPodName(slug, ref string) string {
	const prefix, refLength = "build-", 6
	tail := SafeSlug(ref, refLength, 2)
	if len(tail) > refLength {
		tail = tail[:refLength]
	}
	return prefix + SafeSlug(slug, maxPodName-len(prefix)-refLength-1, 6) + "-" + tail
}
