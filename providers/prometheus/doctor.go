package prometheus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"hubcap/engine/gate"
)

// gone is how far back a metric is looked for that is not there now.
const gone = 24 * time.Hour

// mostValues is how many values of a label are named.
const mostValues = 5

// Why returns why an expression gives no data at an instant, in words that name
// the metric or the label to look at; empty when everything that it reads is
// there. An error means that it could not be found out.
func (c *Client) Why(ctx context.Context, expr string, at time.Time) (string, error) {
	for _, s := range gate.Selectors(expr) {
		n, err := c.count(ctx, s.String(), at)
		if err != nil {
			return "", err
		}
		if n > 0 {
			continue
		}
		return c.missing(ctx, s, at)
	}
	return "", nil
}

// missing says why a selector finds nothing.
func (c *Client) missing(ctx context.Context, s gate.Selector, at time.Time) (string, error) {
	if s.Metric == "" {
		return "nothing has " + s.String(), nil
	}
	n, err := c.count(ctx, s.Metric, at)
	if err != nil {
		return "", err
	}
	if n == 0 {
		return c.unknown(ctx, s, at)
	}
	for _, m := range s.Matchers {
		n, err := c.count(ctx, gate.Selector{Metric: s.Metric, Matchers: []string{m}}.String(), at)
		if err != nil {
			return "", err
		}
		if n > 0 {
			continue
		}
		values, _, err := c.api.LabelValues(ctx, gate.Label(m), []string{s.Metric}, at.Add(-time.Hour), at)
		if err != nil {
			return "", fmt.Errorf("ask Prometheus %s: %w", c.name, c.cause(err))
		}
		if len(values) == 0 {
			return fmt.Sprintf("%s has no label %s", s.Metric, gate.Label(m)), nil
		}
		return fmt.Sprintf("no %s has %s: there is %s", s.Metric, m, list(values)), nil
	}
	return fmt.Sprintf("no %s has all of %s at once", s.Metric, strings.Join(s.Matchers, ", ")), nil
}

// unknown says why a metric is not there at all.
func (c *Client) unknown(ctx context.Context, s gate.Selector, at time.Time) (string, error) {
	n, err := c.count(ctx, fmt.Sprintf("last_over_time(%s[%s])", s.Metric, model.Duration(gone)), at)
	if err != nil {
		return "", err
	}
	if n == 0 {
		return fmt.Sprintf("there is no metric %s, nor was there in the last %s%s", s.Metric, model.Duration(gone), exporter(s.Metric)), nil
	}
	text := fmt.Sprintf("there is no metric %s any more, though there was in the last %s", s.Metric, model.Duration(gone))
	down, err := c.Down(ctx, at)
	if err != nil {
		return "", err
	}
	if len(down) > 0 {
		text += ": targets are down: " + strings.Join(down, ", ")
	}
	return text, nil
}

// exporter hints at where a metric comes from.
func exporter(metric string) string {
	for _, e := range []struct{ prefix, hint string }{
		{"kube_pod_container_resource_limits", "kube-state-metrics brings it, of containers that have a limit"},
		{"kube_", "kube-state-metrics brings it"},
		{"container_", "the kubelet's cAdvisor brings it"},
		{"node_", "the node exporter brings it"},
		{"kubelet_", "the kubelet brings it"},
		{"binderhub_", "the binder's /metrics brings it"},
		{"jupyterhub_", "the hub's /hub/metrics brings it, and without a token only with authenticate_prometheus = false"},
	} {
		if strings.HasPrefix(metric, e.prefix) {
			return ": " + e.hint
		}
	}
	return ""
}

func list(values model.LabelValues) string {
	var all []string
	for i, v := range values {
		if i == mostValues {
			all = append(all, fmt.Sprintf("and %d more", len(values)-i))
			break
		}
		all = append(all, fmt.Sprintf("%q", string(v)))
	}
	return strings.Join(all, ", ")
}

// count returns how many series an expression gives.
func (c *Client) count(ctx context.Context, expr string, at time.Time) (int, error) {
	points, err := c.Ask(ctx, gate.Query{Expr: "count(" + expr + ")", At: at})
	if err != nil || len(points) == 0 {
		return 0, err
	}
	return int(points[0].Value), nil
}

// Down returns the targets that cannot be scraped, as "job instance", the first
// few of them.
func (c *Client) Down(ctx context.Context, at time.Time) ([]string, error) {
	asking, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, _, err := c.api.Query(asking, "topk(6, up == 0)", at, v1.WithTimeout(queryTimeout))
	if err != nil {
		return nil, fmt.Errorf("ask Prometheus %s: %w", c.name, c.cause(err))
	}
	vector, isVector := value.(model.Vector)
	if !isVector {
		return nil, errors.New("the query gives no list")
	}
	var down []string
	for _, s := range vector {
		down = append(down, strings.TrimSpace(string(s.Metric["job"])+" "+string(s.Metric["instance"])))
	}
	slices.Sort(down)
	return down, nil
}
