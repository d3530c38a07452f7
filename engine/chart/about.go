package chart

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// A Part is a chart that takes part in a render: the chart itself, or one below it.
type Part struct {
	Parent     string // the charts above it, outermost first: "mybinder/binderhub"
	Name       string // as it renders: a dependency's alias goes before its name
	Version    string
	AppVersion string
}

// AppVersion returns the version of what the chart installs, as it says.
func (c *Chart) AppVersion() string { return c.root.Metadata.AppVersion }

// Digest returns "sha256:…": of the archive that the chart was fetched as, or of
// all files of a chart that lies in a folder or ships with hubcap.
func (c *Chart) Digest() string { return c.digest }

// parts returns c, whose dependencies are resolved, and what lies below it, parents
// first and in the order of their names.
func parts(c *helmchart.Chart, parent string) []Part {
	all := []Part{{Parent: parent, Name: c.Name(), Version: c.Metadata.Version, AppVersion: c.Metadata.AppVersion}}
	below := slices.Clone(c.Dependencies())
	slices.SortFunc(below, func(a, b *helmchart.Chart) int { return strings.Compare(a.Name(), b.Name()) })
	path := c.Name()
	if parent != "" {
		path = parent + "/" + path
	}
	for _, child := range below {
		all = append(all, parts(child, path)...)
	}
	return all
}

// digestFiles digests the files of a chart, and of those that were loaded beside
// it, whatever the order in which they were read.
func digestFiles(c *helmchart.Chart) string {
	sum := sha256.New()
	write := func(prefix string, files []*common.File) {
		sorted := slices.SortedFunc(slices.Values(files), func(a, b *common.File) int { return strings.Compare(a.Name, b.Name) })
		for _, f := range sorted {
			fmt.Fprintf(sum, "%s%s\x00%d\x00", prefix, f.Name, len(f.Data))
			sum.Write(f.Data)
		}
	}
	write("", c.Raw)
	for _, child := range c.Dependencies() {
		if len(child.Raw) > 0 && !contains(c, child) {
			write(child.Name()+"/", child.Raw)
		}
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// contains reports whether the files of c hold those of its dependency.
func contains(c, child *helmchart.Chart) bool {
	return slices.ContainsFunc(c.Raw, func(f *common.File) bool {
		return strings.HasPrefix(f.Name, "charts/"+child.Name()+"/") || strings.HasPrefix(f.Name, "charts/"+child.Name()+"-")
	})
}
