package chart

import (
	"slices"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// Find returns the keys under which the values of a dependency of that name lie,
// of the nearest one: aliases stand for names. It asks no conditions.
func (c *Chart) Find(name string) (keys []string, found bool) {
	type place struct {
		chart *helmchart.Chart
		keys  []string
	}
	for queue := []place{{chart: c.root}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if len(at.keys) > 0 && at.chart.Name() == name {
			return at.keys, true
		}
		for _, child := range at.chart.Dependencies() {
			queue = append(queue, place{child, append(slices.Clone(at.keys), keyOf(at.chart, child))})
		}
	}
	return nil, false
}

// keyOf returns the key of a dependency's values.
func keyOf(parent, child *helmchart.Chart) string {
	for _, need := range parent.Metadata.Dependencies {
		if need != nil && need.Name == child.Name() && need.Alias != "" {
			return need.Alias
		}
	}
	return child.Name()
}
