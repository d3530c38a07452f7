package schema

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// maxFormatPasses is how often the formatter is asked until its own output
// pleases it.
const maxFormatPasses = 4

// Format returns src in the canonical layout: formatting that again changes
// nothing. What does not parse is refused; of what does, only spaces change,
// never a token. The files of the diagnostics are the caller's: filename names
// src.
func Format(src []byte, filename string) ([]byte, hcl.Diagnostics) {
	l := newLoader(Options{})
	if _, ok := l.parseBytes(src, filename); !ok {
		return nil, tidy(l.diags)
	}
	out := src
	for range maxFormatPasses {
		next := hclwrite.Format(out)
		if bytes.Equal(next, out) {
			return out, nil
		}
		out = next
		if !sameTokens(src, out) {
			break
		}
	}
	return src, nil // rather what is right than what is pretty
}

// sameTokens reports whether two files consist of the same tokens.
func sameTokens(a, b []byte) bool {
	at, diags := hclsyntax.LexConfig(a, "", hcl.InitialPos)
	bt, more := hclsyntax.LexConfig(b, "", hcl.InitialPos)
	if diags.HasErrors() || more.HasErrors() || len(at) != len(bt) {
		return false
	}
	for i, t := range at {
		if t.Type != bt[i].Type || !bytes.Equal(t.Bytes, bt[i].Bytes) {
			return false
		}
	}
	return true
}
