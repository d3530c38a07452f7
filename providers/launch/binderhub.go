package launch

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"hubcap/engine/resource"
)

// A phase is one event of a BinderHub build.
type phase struct {
	Phase      string `json:"phase"`
	Message    string `json:"message"`
	StatusCode int    `json:"status_code"`
	URL        string `json:"url"`
	Token      string `json:"token"`
}

// fullMarks are in the messages with which BinderHub turns a launch away because
// of a quota: what the chart's users see, not an interface.
var fullMarks = []string{"too many users", "quota", "rate limit", "too many requests"}

// viaBinder launches a repository and waits until its server answers.
func (h *hub) viaBinder(ctx context.Context, spec string) (clean func(context.Context) error, err error) {
	clean = func(context.Context) error { return nil }
	response, err := h.open(ctx, http.MethodGet, h.base+"/build/"+spec, nil)
	if err != nil {
		return clean, err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusTooManyRequests:
		return clean, unclear("BinderHub turned the launch away: too many requests")
	case response.StatusCode != http.StatusOK:
		return clean, failf("the build answered %d", response.StatusCode)
	}
	last, err := follow(ctx, response)
	if err != nil {
		return clean, err
	}
	server := &hub{client: h.client, base: strings.TrimSuffix(last.URL, "/"), token: resource.Secret(last.Token)}
	clean = server.shutDown
	status, _, err := server.ask(ctx, http.MethodGet, server.base+"/api", nil)
	if err != nil {
		return clean, failf("launched, but the server gives %s", err)
	}
	if status != http.StatusOK {
		return clean, failf("launched, but the server answers %d", status)
	}
	return clean, nil
}

// follow reads the event stream until the launch is ready or has failed.
func follow(ctx context.Context, response *http.Response) (phase, error) {
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, largest)
	seen := "none"
	for lines.Scan() {
		text, isData := strings.CutPrefix(lines.Text(), "data:")
		if !isData {
			continue // a comment keeps the connection alive
		}
		var p phase
		if json.Unmarshal([]byte(text), &p) != nil {
			continue
		}
		switch p.Phase {
		case "ready":
			if p.URL == "" {
				return p, failf("BinderHub says ready, and not where")
			}
			return p, nil
		case "failed", "failure":
			return p, turnedDown(p, seen)
		}
		seen = p.Phase
	}
	if ctx.Err() != nil {
		return phase{}, ctx.Err()
	}
	if err := lines.Err(); err != nil {
		return phase{}, failf("the event stream broke off after the phase %s: %v", seen, plain(err))
	}
	return phase{}, failf("the event stream ended after the phase %s", seen)
}

// turnedDown tells a launch that failed from one that was not wanted.
func turnedDown(p phase, seen string) error {
	low := strings.ToLower(p.Message)
	for _, mark := range fullMarks {
		if p.StatusCode == http.StatusTooManyRequests || strings.Contains(low, mark) {
			return unclear("BinderHub turned the launch away: %s", short(p.Message))
		}
	}
	return failf("failed after the phase %s: %s", seen, short(p.Message))
}

// shutDown asks a launched server to end.
func (h *hub) shutDown(ctx context.Context) error {
	status, _, err := h.ask(ctx, http.MethodPost, h.base+"/api/shutdown", nil)
	if err != nil {
		return err
	}
	if status >= http.StatusBadRequest && status != http.StatusNotFound {
		return failf("its shutdown answered %d", status)
	}
	return nil
}
