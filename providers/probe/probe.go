// Package probe takes the samples of gates that ask a URL or run a program.
//
// Place in the pipeline: a provider beside run; it satisfies run.Sampler for
// gates with an HTTP or exec check.
package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/run"
)

const (
	mostRedirects  = 5
	defaultTimeout = 10 * time.Second
	largestBody    = 1 << 20 // what "contains" looks at
)

// errRedirects stops a chain of redirects.
var errRedirects = fmt.Errorf("more than %d redirects", mostRedirects)

// A Probe asks URLs. It is safe for concurrent use.
type Probe struct{ client *http.Client }

// New returns a probe. It opens a connection for each sample: an old connection
// may lead to a pod that is on its way out.
func New() *Probe {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return &Probe{client: &http.Client{
		Transport: transport,
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > mostRedirects {
				return errRedirects
			}
			return nil
		},
	}}
}

// Sample asks the gate's URL once. An answer other than the wanted one fails, and
// so does none: what people cannot reach is not well. Only a check that cannot be
// made at all is an error.
func (p *Probe) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	gate, check := q.Gate, q.Gate.HTTP
	if check == nil {
		return run.Sample{}, fmt.Errorf("sample gate %s: it asks no URL", gate.Name)
	}
	timeout := check.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	asking, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(asking, http.MethodGet, check.URL, nil)
	if err != nil {
		return run.Sample{}, fmt.Errorf("sample gate %s: %w", gate.Name, err)
	}
	request.Header.Set("User-Agent", "hubcap-gate")
	start := time.Now()
	status, body, err := p.ask(request)
	took := time.Since(start)
	switch {
	case ctx.Err() != nil:
		return run.Sample{}, ctx.Err()
	case asking.Err() != nil:
		return failed("no answer within %s", timeout), nil
	case err != nil:
		return failed("no answer: %v", err), nil
	}
	return judge(check, status, body, took), nil
}

// ask makes the request and reads the answer, up to what is looked at.
func (p *Probe) ask(request *http.Request) (status int, body []byte, err error) {
	response, err := p.client.Do(request)
	if err != nil {
		return 0, nil, cause(err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, largestBody))
	return response.StatusCode, body, err
}

// cause drops what the client puts around an error: it repeats the URL, which may
// hold a password.
func cause(err error) error {
	if errors.Is(err, errRedirects) {
		return errRedirects
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func judge(check *plan.HTTPCheck, status int, body []byte, exactly time.Duration) run.Sample {
	took := exactly.Round(time.Millisecond)
	wanted := check.Status
	if len(wanted) == 0 {
		wanted = []int{http.StatusOK}
	}
	if !slices.Contains(wanted, status) {
		return failed("status %d in %s, wanted %s", status, took, list(wanted))
	}
	if check.Contains != "" && !bytes.Contains(body, []byte(check.Contains)) {
		return failed("status %d in %s, but the first %d bytes do not contain %q", status, took, len(body), check.Contains)
	}
	s := run.Sample{Verdict: run.Pass, Reason: fmt.Sprintf("status %d in %s", status, took)}
	if most := check.MaxLatency; most > 0 {
		value, bound := exactly.Seconds(), most.Seconds()
		s.Value, s.Bound = &value, &bound
		s.Reason += fmt.Sprintf(" (at most %s)", most)
		if exactly > most {
			s.Verdict = run.Fail
		}
	}
	return s
}

func failed(format string, args ...any) run.Sample {
	return run.Sample{Verdict: run.Fail, Reason: fmt.Sprintf(format, args...)}
}

func list(statuses []int) string {
	text := ""
	for i, s := range statuses {
		if i > 0 {
			text += " or "
		}
		text += fmt.Sprint(s)
	}
	return text
}
