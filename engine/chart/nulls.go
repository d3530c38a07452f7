package chart

import (
	"fmt"

	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// Nulls says what the nulls in values mean. Versions of Helm disagree, and charts
// such as JupyterHub's stamp pods with a checksum of all values.
type Nulls string

const (
	Classic Nulls = "helm3" // to Helm 3.19: a chart's own null is a value, and deletes a default below
	Modern  Nulls = "helm4" // Helm 4: a chart's own null says nothing
)

// complete completes the values of a rendering, whose dependencies are resolved,
// with the defaults of its charts.
func (c *Chart) complete(r *rendering) error {
	if c.nulls != Modern {
		return coalesce(r.chart, r.values, nullDeletes, &r.warnings)
	}
	// Helm's own way through, which resolves the dependencies as well.
	r.chart = clone(c.root)
	if err := chartutil.ProcessDependencies(r.chart, r.values); err != nil {
		return fmt.Errorf("resolve the dependencies of chart %s: %w", c.Name(), err)
	}
	values, err := commonutil.CoalesceValues(r.chart, r.values)
	if err != nil {
		return fmt.Errorf("complete the values of chart %s: %w", c.Name(), err)
	}
	r.values = values
	return nil
}
