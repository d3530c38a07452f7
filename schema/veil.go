package schema

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// veil keeps the literals in an expression, which is a sensitive value, out of the snippets
// that diagnostics show of files: they may be about something else in the same line.
func (l *loader) veil(expr hclsyntax.Node) {
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		literal, isLiteral := n.(*hclsyntax.LiteralValueExpr)
		if isLiteral && (literal.Val.Type() == cty.String || literal.Val.Type() == cty.Number) {
			l.veiled = append(l.veiled, literal.SrcRange)
		}
		return nil
	})
}

// veilCalls does so for what sensitive() is called with below a node.
func (l *loader) veilCalls(node hclsyntax.Node) {
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, isCall := n.(*hclsyntax.FunctionCallExpr); isCall && call.Name == "sensitive" {
			l.veil(call)
		}
		return nil
	})
}

// veilIn does so for the value of an attribute.
func (b *body) veilIn(name string) {
	if attr := b.syntax.Attributes[name]; attr != nil {
		b.l.veil(attr.Expr)
	}
}

// veilFiles puts stars in the place of what was veiled. Offsets and lines stay.
func (l *loader) veilFiles() {
	copied := map[string]bool{}
	for _, r := range l.veiled {
		file := l.config.Files[r.Filename]
		if file == nil || r.End.Byte > len(file.Bytes) {
			continue
		}
		if !copied[r.Filename] {
			copied[r.Filename] = true
			bare := *file
			bare.Bytes = bytes.Clone(file.Bytes)
			file = &bare
			l.config.Files[r.Filename] = file
		}
		for i := r.Start.Byte; i < r.End.Byte; i++ {
			if c := file.Bytes[i]; c != '\n' && c != '\r' {
				file.Bytes[i] = '*'
			}
		}
	}
}

// mayHoldPassword reports whether a text is a URL that somebody's name or password may stand in.
func mayHoldPassword(s string) bool {
	_, rest, isURL := strings.Cut(s, "://")
	return isURL && strings.Contains(strings.ReplaceAll(rest, "@sha256:", ""), "@")
}
