// Package launch takes the samples of gates that start a server as a person
// would: through JupyterHub's API, or through BinderHub's event stream.
//
// Place in the pipeline: a provider beside run; it satisfies run.Sampler for
// gates with a launch check. Whatever a sample starts it stops again, and it
// leaves no record of its own in the hub, also when it fails or is interrupted.
package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

const (
	cleanupTime = 90 * time.Second // to stop a server after a sample, whatever became of the sample
	pollEvery   = 500 * time.Millisecond
	largest     = 1 << 20 // of an answer
)

// A Token returns the token with which a gate speaks to its hub.
type Token func(ctx context.Context, g plan.Gate) (resource.Sensitive, error)

// A Launcher starts servers. It is safe for concurrent use.
type Launcher struct {
	token  Token
	client *http.Client
}

// New returns a launcher that asks token for each gate's.
func New(token Token) *Launcher {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // an old connection may lead to a pod that is on its way out
	return &Launcher{token: token, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A verdict ends a launch early: it is an error that knows what it means.
type verdict struct {
	is     run.Verdict
	reason string
}

func (v *verdict) Error() string { return v.reason }

func failf(format string, args ...any) error {
	return &verdict{run.Fail, fmt.Sprintf(format, args...)}
}

func unclear(format string, args ...any) error {
	return &verdict{run.Inconclusive, fmt.Sprintf(format, args...)}
}

// Sample launches once and cleans up. A launch that does not come to be in time
// fails; one that the hub turns away because it is full, or because somebody has
// used up a quota, says nothing about the change and is inconclusive.
func (l *Launcher) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	check := q.Gate.Launch
	if check == nil {
		return run.Sample{}, fmt.Errorf("sample gate %s: it launches nothing", q.Gate.Name)
	}
	token, err := l.token(ctx, q.Gate)
	if err != nil {
		return run.Sample{}, fmt.Errorf("sample gate %s: %w", q.Gate.Name, err)
	}
	h := &hub{client: l.client, base: strings.TrimSuffix(check.URL, "/"), token: token}
	launching, cancel := context.WithTimeout(ctx, check.Timeout)
	defer cancel()
	start := time.Now()
	var clean func(context.Context) error
	if check.Via == plan.ViaBinderHub {
		clean, err = h.viaBinder(launching, check.Spec)
	} else {
		clean, err = h.viaHub(launching, check.User)
	}
	took := time.Since(start)
	timedOut := launching.Err() != nil
	cleaning, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	uncleaned := clean(cleaning)
	if ctx.Err() != nil {
		return run.Sample{}, ctx.Err()
	}
	if err != nil && timedOut {
		err = failf("not launched within %s", check.Timeout)
	}
	return judged(err, uncleaned, took, check.Timeout), nil
}

// judged words how a launch and its cleaning up came out.
func judged(err, uncleaned error, took, timeout time.Duration) run.Sample {
	seconds, bound := took.Seconds(), timeout.Seconds()
	s := run.Sample{Verdict: run.Pass, Value: &seconds, Bound: &bound, Reason: fmt.Sprintf("launched in %s", took.Round(10*time.Millisecond))}
	var v *verdict
	switch {
	case errors.As(err, &v):
		s.Verdict, s.Reason = v.is, v.reason
	case err != nil:
		s.Verdict, s.Reason = run.Fail, err.Error()
	}
	if s.Verdict != run.Pass {
		s.Value, s.Bound = nil, nil
	}
	if uncleaned != nil {
		s.Reason += "; what was launched could not be removed: " + uncleaned.Error()
		if s.Verdict == run.Pass {
			s.Verdict = run.Fail
		}
	}
	return s
}

// A hub is a JupyterHub or BinderHub that is spoken to with one token.
type hub struct {
	client *http.Client
	base   string // without a slash at its end
	token  resource.Sensitive
}

// ask sends a request and returns the status and the answer. Errors hold neither
// URL nor token.
func (h *hub) ask(ctx context.Context, method, address string, body any) (int, []byte, error) {
	response, err := h.open(ctx, method, address, body)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, largest))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer: %w", plain(err))
	}
	return response.StatusCode, text, nil
}

func (h *hub) open(ctx context.Context, method, address string, body any) (*http.Response, error) {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		sent = strings.NewReader(string(text))
	}
	request, err := http.NewRequestWithContext(ctx, method, address, sent)
	if err != nil {
		return nil, fmt.Errorf("ask the hub: %w", plain(err))
	}
	request.Header.Set("User-Agent", "hubcap-gate")
	if t := h.token.Reveal(); t != "" {
		request.Header.Set("Authorization", "token "+t)
	}
	if method == http.MethodGet && strings.Contains(address, "/build/") {
		request.Header.Set("Accept", "text/event-stream")
	}
	response, err := h.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("no answer: %w", plain(err))
	}
	return response, nil
}

// plain drops what the client puts around an error: it repeats the URL.
func plain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// said is what an answer says, for a reason.
func said(text []byte) string {
	var body struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &body) == nil && body.Message != "" {
		return ": " + short(body.Message)
	}
	return ""
}

// short keeps the end of a message, where the cause is.
func short(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		return "…" + string(runes[len(runes)-most:])
	}
	return text
}

// pause waits before the next look.
func pause(ctx context.Context) error {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
