// Package prometheus asks the Prometheus of a cluster, for gates, guards and the
// doctor.
//
// Place in the pipeline: a provider beside run; it satisfies run.Sampler for gates
// with a Prometheus check. What an answer means is engine/gate's to say.
package prometheus

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"hubcap/engine/gate"
	"hubcap/engine/resource"
)

const (
	queryTimeout  = 15 * time.Second // of one query
	largestAnswer = 16 << 20
)

// A Config says where a Prometheus is and how to get in.
type Config struct {
	URL         string
	Name        string             // for people: "support/prometheus:80"; "" for the URL's host
	BearerToken resource.Sensitive // "" without
	Username    string             // of basic authentication; "" without
	Password    resource.Sensitive
	CA          string // in PEM; "" for the system's
	UserAgent   string

	// Transport, when set, brings its own authentication: the API server's, for a
	// Prometheus that is asked through it. CA is not used then.
	Transport http.RoundTripper
}

// A Client asks one Prometheus. It is safe for concurrent use.
type Client struct {
	api  v1.API
	name string   // for people
	hide []string // that no error may hold
}

// New returns a client. It makes no request.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("connect to Prometheus: %q is not a URL", c.URL)
	}
	transport := c.Transport
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		if c.CA != "" {
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM([]byte(c.CA)) {
				return nil, errors.New("connect to Prometheus: the CA holds no certificate")
			}
			own.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		}
		transport = own
	}
	client, err := api.NewClient(api.Config{Address: c.URL, RoundTripper: &polite{Config: c, host: u.Host, next: transport}})
	if err != nil {
		return nil, fmt.Errorf("connect to Prometheus: %w", err)
	}
	out := &Client{api: v1.NewAPI(client), name: cmp.Or(c.Name, u.Host)}
	for _, secret := range []resource.Sensitive{c.BearerToken, c.Password} {
		if s := secret.Reveal(); s != "" {
			out.hide = append(out.hide, s)
		}
	}
	return out, nil
}

// polite authenticates requests, follows no redirect to elsewhere, where the
// credentials would go too, and ends answers that are too large.
type polite struct {
	Config
	host string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (p *polite) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != p.host {
		return nil, fmt.Errorf("it sends to %s, which may be a login: give a URL that answers itself", r.URL.Host)
	}
	r = r.Clone(r.Context())
	if p.UserAgent != "" {
		r.Header.Set("User-Agent", p.UserAgent)
	}
	if token := p.BearerToken.Reveal(); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	} else if p.Username != "" {
		r.SetBasicAuth(p.Username, p.Password.Reveal())
	}
	response, err := p.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &bounded{ReadCloser: response.Body, left: largestAnswer}
	return response, nil
}

var errTooLarge = fmt.Errorf("the answer is larger than %d MiB: aggregate the query with sum() or max()", largestAnswer>>20)

// bounded fails when more is read than it has left.
type bounded struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// Ask asks one query. What cannot be relied on is an error: no answer, a partial
// one, and several numbers where one was asked for.
func (c *Client) Ask(ctx context.Context, q gate.Query) ([]gate.Point, error) {
	asking, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var value model.Value
	var warnings v1.Warnings
	var err error
	if q.From.IsZero() {
		value, warnings, err = c.api.Query(asking, q.Expr, q.At, v1.WithTimeout(queryTimeout))
	} else {
		value, warnings, err = c.api.QueryRange(asking, q.Expr, v1.Range{Start: q.From, End: q.At, Step: q.Step}, v1.WithTimeout(queryTimeout))
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case asking.Err() != nil:
		return nil, fmt.Errorf("ask Prometheus %s: no answer within %s", c.name, queryTimeout)
	case err != nil:
		return nil, fmt.Errorf("ask Prometheus %s: %w", c.name, c.cause(err))
	case len(warnings) > 0:
		return nil, fmt.Errorf("ask Prometheus %s: it warns of its own answer: %s", c.name, warnings[0])
	}
	return points(value)
}

// cause puts the client's error into words that fit into one line and hold no
// secret.
func (c *Client) cause(err error) error {
	var answered *v1.Error
	var network *url.Error
	text := err.Error()
	switch {
	case errors.Is(err, errTooLarge):
		return errTooLarge
	case errors.As(err, &answered):
		text = answered.Msg
		if detail := strings.Join(strings.Fields(plain(answered.Detail)), " "); detail != "" && answered.Type != v1.ErrBadResponse {
			text += ": " + cut(detail)
		}
	case errors.As(err, &network):
		text = network.Err.Error()
	}
	for _, secret := range c.hide {
		text = strings.ReplaceAll(text, secret, "(sensitive)")
	}
	return errors.New(text)
}

// plain returns the message of what an API server says instead of the Prometheus
// behind it, and anything else as it is.
func plain(detail string) string {
	var status struct{ Kind, Message string }
	if err := json.Unmarshal([]byte(detail), &status); err == nil && status.Kind == "Status" && status.Message != "" {
		return "the API server says: " + status.Message
	}
	return detail
}

func cut(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// points reads the one series of an answer. An empty answer has no points.
func points(value model.Value) ([]gate.Point, error) {
	var all []gate.Point
	add := func(t model.Time, v model.SampleValue) {
		all = append(all, gate.Point{Time: t.Time(), Value: float64(v)})
	}
	switch v := value.(type) {
	case *model.Scalar:
		add(v.Timestamp, v.Value)
	case model.Vector:
		if len(v) > 1 {
			return nil, several(len(v), v[0].Metric, v[1].Metric)
		}
		for _, s := range v {
			if s.Histogram != nil {
				return nil, errors.New("the query gives a histogram, not a number: take a quantile or a count of it")
			}
			add(s.Timestamp, s.Value)
		}
	case model.Matrix:
		if len(v) > 1 {
			return nil, several(len(v), v[0].Metric, v[1].Metric)
		}
		for _, s := range v {
			if len(s.Histograms) > 0 {
				return nil, errors.New("the query gives histograms, not numbers: take a quantile or a count of them")
			}
			for _, p := range s.Values {
				add(p.Timestamp, p.Value)
			}
		}
	default:
		return nil, errors.New("the query gives a text, not a number")
	}
	return all, nil
}

// several says that a query does not give one number, and what tells the numbers
// apart.
func several(n int, a, b model.Metric) error {
	var labels []string
	for name, value := range a {
		if b[name] != value {
			labels = append(labels, string(name))
		}
	}
	slices.Sort(labels)
	by := ""
	if len(labels) > 0 {
		by = ", by " + strings.Join(labels, ", ")
	}
	return fmt.Errorf("the query gives %d numbers%s: make one of them with sum() or max()", n, by)
}
