package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// Grafana makes an annotation of each notice; the end of a run is a region that
// spans it.
type Grafana struct {
	URL       string             // of Grafana itself
	Token     resource.Sensitive // of a service account; empty: none
	Tags      []string           // beside "hubcap" and the config's name
	Dashboard string             // UID; empty: the whole organisation
}

// Send posts the annotation.
func (g Grafana) Send(ctx context.Context, n run.Notice) error {
	body := map[string]any{
		"time": n.Time.UnixMilli(), "text": n.Text,
		"tags": append([]string{"hubcap", n.Config, string(n.Kind)}, g.Tags...),
	}
	if n.Kind == run.NoticeFinished && !n.Began.IsZero() {
		body["time"], body["timeEnd"] = n.Began.UnixMilli(), n.Time.UnixMilli()
	}
	if g.Dashboard != "" {
		body["dashboardUID"] = g.Dashboard
	}
	return post(ctx, resource.Secret(strings.TrimSuffix(g.URL, "/")+"/api/annotations"), g.Token, body)
}

// Slack posts each notice to an incoming webhook, whose URL is a secret.
type Slack struct{ URL resource.Sensitive }

// Send posts the message.
func (s Slack) Send(ctx context.Context, n run.Notice) error {
	return post(ctx, s.URL, resource.Sensitive{}, map[string]any{"text": slackEscapes.Replace(n.Text)})
}

var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Webhook posts each notice as JSON.
type Webhook struct {
	URL   resource.Sensitive
	Token resource.Sensitive // sent as a bearer token; empty: none
}

// A hookBody is what a webhook gets. A minor step of its version only adds keys.
type hookBody struct {
	FormatVersion string    `json:"format_version"`
	Event         string    `json:"event"`
	Time          time.Time `json:"time"`
	Run           string    `json:"run"`
	Config        string    `json:"config"`
	Cluster       string    `json:"cluster,omitempty"`
	Step          string    `json:"step,omitempty"`
	Outcome       string    `json:"outcome,omitempty"`
	Text          string    `json:"text"`
}

// Send posts the notice.
func (w Webhook) Send(ctx context.Context, n run.Notice) error {
	body := hookBody{
		FormatVersion: "1.0", Event: string(n.Kind), Time: n.Time.UTC(), Run: n.Run, Config: n.Config,
		Cluster: n.Cluster, Outcome: string(n.Outcome), Text: n.Text,
	}
	if n.Step != nil {
		body.Step = string(n.Step.ID)
	}
	return post(ctx, w.URL, w.Token, body)
}

// client follows no redirect: what the author named is where notices go.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// post sends body as JSON and wants a status of 200 to 299. Errors never hold the
// URL: a webhook's is a secret.
func post(ctx context.Context, address, token resource.Sensitive, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode notice: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.Reveal(), bytes.NewReader(text))
	if err != nil {
		return errors.New("the URL is not one")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "hubcap")
	if t := token.Reveal(); t != "" {
		request.Header.Set("Authorization", "Bearer "+t)
	}
	response, err := client.Do(request)
	if err != nil {
		if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("answered %s", response.Status)
	}
	return nil
}
