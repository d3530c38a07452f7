package render

import (
	"strings"

	"hubcap/engine/plan"
)

// chartLines says which charts rendered the objects of a plan, a line for each
// block: "hub.prod: binderhub 1.0.0, jupyterhub 4.2.0 (of 5.3.0)".
func chartLines(p *plan.Plan) []string {
	var lines []string
	last := ""
	for _, c := range p.Charts {
		name := clean(c.Chart) + " " + clean(c.Version)
		if c.AppVersion != "" && c.AppVersion != c.Version {
			name += " (of " + clean(c.AppVersion) + ")"
		}
		digest, isKnown := strings.CutPrefix(c.Digest, "sha256:")
		if isKnown && len(digest) >= 12 {
			name += " sha256:" + digest[:12]
		}
		if block := clean(c.Address.String()); block != last || len(lines) == 0 {
			last, lines = block, append(lines, block+": "+name)
			continue
		}
		lines[len(lines)-1] += ", " + name
	}
	return lines
}
