package sim

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// metricLabels are a metric's labels as they stand in the text format, without braces:
// `code="200",method="GET"`. Their order is the caller's.
type metricLabels string

// labelled writes pairs of names and values.
func labelled(pairs ...string) metricLabels {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s=%q", pairs[i], pairs[i+1])
	}
	return metricLabels(b.String())
}

// A counters is a metric that grows, per labels.
type counters map[metricLabels]float64

func (c counters) add(l metricLabels, by float64) { c[l] += by }

// A histogram is one metric of class histogram, per labels.
type histogram struct {
	bounds []float64
	series map[metricLabels]*observations
}

type observations struct {
	buckets    []float64 // not cumulative; one more than bounds
	sum, count float64
}

func newHistogram(bounds ...float64) *histogram {
	return &histogram{bounds: bounds, series: map[metricLabels]*observations{}}
}

// at returns the observations of the labels; asking for it makes the series exist.
func (h *histogram) at(l metricLabels) *observations {
	o, exists := h.series[l]
	if !exists {
		o = &observations{buckets: make([]float64, len(h.bounds)+1)}
		h.series[l] = o
	}
	return o
}

// observe counts a value so many times.
func (h *histogram) observe(l metricLabels, value, times float64) {
	o := h.at(l)
	i, _ := slices.BinarySearch(h.bounds, value)
	o.buckets[i] += times
	o.sum += value * times
	o.count += times
}

// An exposition writes metrics in Prometheus' text format.
type exposition struct{ w io.Writer }

func (e exposition) head(name, kind, help string) {
	fmt.Fprintf(e.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (e exposition) sample(name string, l metricLabels, value float64) {
	if l != "" {
		name += "{" + string(l) + "}"
	}
	fmt.Fprintf(e.w, "%s %s\n", name, strconv.FormatFloat(value, 'g', -1, 64))
}

func (e exposition) gauge(name, help string, value float64) {
	e.head(name, "gauge", help)
	e.sample(name, "", value)
}

func (e exposition) gauges(name, help string, values counters) {
	e.head(name, "gauge", help)
	e.all(name, values)
}

func (e exposition) counter(name, help string, value float64) {
	e.head(name, "counter", help)
	e.sample(name, "", value)
}

func (e exposition) counters(name, help string, values counters) {
	e.head(name, "counter", help)
	e.all(name, values)
}

func (e exposition) all(name string, values counters) {
	for _, l := range slices.Sorted(maps.Keys(values)) {
		e.sample(name, l, values[l])
	}
}

func (e exposition) histogram(name, help string, h *histogram) {
	e.head(name, "histogram", help)
	for _, l := range slices.Sorted(maps.Keys(h.series)) {
		o, sum := h.series[l], 0.0
		prefix := string(l)
		if prefix != "" {
			prefix += ","
		}
		for i, n := range o.buckets {
			sum += n
			bound := "+Inf"
			if i < len(h.bounds) {
				bound = strconv.FormatFloat(h.bounds[i], 'f', -1, 64)
				if !strings.Contains(bound, ".") {
					bound += ".0"
				}
			}
			e.sample(name+"_bucket", metricLabels(fmt.Sprintf("%sle=%q", prefix, bound)), sum)
		}
		e.sample(name+"_sum", l, o.sum)
		e.sample(name+"_count", l, o.count)
	}
}
