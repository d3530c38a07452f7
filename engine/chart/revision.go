package chart

import (
	"path"
	"regexp"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// asksRevision finds what of a release a template may ask that another revision
// answers differently.
var asksRevision = regexp.MustCompile(`\bIsInstall\b|\bIsUpgrade\b|\.Revision\b`)

// AsksRevision reports whether a template of the chart, or of one below it, may
// look at which revision of its release it renders. It errs on the side of yes.
func (c *Chart) AsksRevision() bool {
	c.asking.Do(func() { c.asks = asks(c.root) })
	return c.asks
}

func asks(c *helmchart.Chart) bool {
	for _, t := range c.Templates {
		if path.Base(t.Name) != "NOTES.txt" && asksRevision.Match(t.Data) {
			return true
		}
	}
	for _, child := range c.Dependencies() {
		if asks(child) {
			return true
		}
	}
	return false
}
