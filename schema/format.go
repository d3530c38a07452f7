package schema

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns src in the canonical layout. What does not parse is refused
// and not touched; only spaces and line ends change, never a token. The files of
// the diagnostics are the caller's: filename names src.
func Format(src []byte, filename string) ([]byte, hcl.Diagnostics) {
	l := newLoader(Options{})
	if _, ok := l.parseBytes(src, filename); !ok {
		return nil, tidy(l.diags)
	}
	out := hclwrite.Format(src)
	if _, diags := hclsyntax.ParseConfig(out, filename, hcl.InitialPos); diags.HasErrors() {
		return src, nil // keep what is right rather than what is pretty
	}
	return out, nil
}
