package notify

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/journal"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func finished() run.Notice {
	return run.Notice{
		Kind: run.NoticeFinished, Run: "r1", Config: "mybinder", Outcome: journal.WasRolledBack, Text: "r1 of mybinder: rolled back <b>",
		Time: noon.Add(time.Minute), Began: noon,
	}
}

// TestBodies checks what each kind of target is sent.
func TestBodies(t *testing.T) {
	step := run.Notice{Kind: run.NoticeFailed, Run: "r1", Config: "mybinder", Cluster: "prod", Step: &plan.Step{ID: "02-hub.prod/hub"}, Text: "failed", Time: noon}
	for _, test := range []struct {
		reason string
		sink   func(address string) Sink
		notice run.Notice
		path   string
		auth   string
		want   string
	}{
		{
			"the end of a run is a region in Grafana",
			func(u string) Sink {
				return Grafana{URL: u + "/grafana/", Token: resource.Secret("tok"), Tags: []string{"deploy"}, Dashboard: "abc"}
			},
			finished(), "/grafana/api/annotations", "Bearer tok",
			`{"time":1795262400000,"timeEnd":1795262460000,"text":"r1 of mybinder: rolled back <b>","tags":["hubcap","mybinder","finished","deploy"],"dashboardUID":"abc"}`,
		},
		{
			"an instant in Grafana", func(u string) Sink { return Grafana{URL: u} }, step, "/api/annotations", "",
			`{"time":1795262400000,"text":"failed","tags":["hubcap","mybinder","failed"]}`,
		},
		{
			"Slack's markup is escaped", func(u string) Sink { return Slack{URL: resource.Secret(u + "/services/T/B/x")} }, finished(), "/services/T/B/x", "",
			`{"text":"r1 of mybinder: rolled back &lt;b&gt;"}`,
		},
		{
			"a webhook gets what a program needs", func(u string) Sink { return Webhook{URL: resource.Secret(u + "/hook"), Token: resource.Secret("tok")} }, step, "/hook", "Bearer tok",
			`{"format_version":"1.0","event":"failed","time":"2026-11-21T12:00:00Z","run":"r1","config":"mybinder","cluster":"prod","step":"02-hub.prod/hub","text":"failed"}`,
		},
	} {
		t.Run(test.reason, func(t *testing.T) {
			var path, auth, body string
			s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				text, _ := io.ReadAll(r.Body)
				path, auth, body = r.URL.Path, r.Header.Get("Authorization"), string(text)
			}))
			defer s.Close()
			if err := test.sink(s.URL).Send(t.Context(), test.notice); err != nil {
				t.Fatal(err)
			}
			if path != test.path || auth != test.auth {
				t.Errorf("path %q, authorization %q; want %q, %q", path, auth, test.path, test.auth)
			}
			var got, want any
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

// TestErrorsHideTheURL checks that a webhook's URL is in no error.
func TestErrorsHideTheURL(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved/hush" {
			http.Redirect(w, r, "/elsewhere/hush", http.StatusFound)
			return
		}
		http.Error(w, "no", http.StatusForbidden)
	}))
	down := s.URL
	for _, path := range []string{"/hush", "/moved/hush"} {
		if err := (Slack{URL: resource.Secret(s.URL + path)}).Send(t.Context(), finished()); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: error %v", path, err)
		}
	}
	s.Close()
	for _, address := range []string{down + "/hush", "://hush"} {
		if err := (Slack{URL: resource.Secret(address)}).Send(t.Context(), finished()); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: error %v", address, err)
		}
	}
}

type sinkFunc func(ctx context.Context, n run.Notice) error

func (f sinkFunc) Send(ctx context.Context, n run.Notice) error { return f(ctx, n) }

// TestHangs checks that a target that never answers delays nobody: not the run,
// not the other targets, and the end only as long as was agreed.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var warnings []string
		got := 0
		n := New([]Target{
			{Name: "notify.hangs", Sink: sinkFunc(func(ctx context.Context, _ run.Notice) error { <-ctx.Done(); return ctx.Err() }), Timeout: 5 * time.Second},
			{Name: "notify.well", Sink: sinkFunc(func(context.Context, run.Notice) error { got++; return nil })},
			{Name: "notify.few", On: []run.NoticeKind{run.NoticeFailed}, Sink: sinkFunc(func(context.Context, run.Notice) error { t.Error("told what it did not want"); return nil })},
		}, func(text string) { mu.Lock(); warnings = append(warnings, text); mu.Unlock() })
		start := time.Now()
		for range 2 * queued {
			n.Notify(finished())
			synctest.Wait()
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("telling took %s", took)
		}
		if got != 2*queued {
			t.Errorf("the other target got %d notices, want %d", got, 2*queued)
		}
		time.Sleep(6 * time.Second) // of the bubble's clock
		start = time.Now()
		n.Close(3 * time.Second)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("closing took %s, want 3s", took)
		}
		n.Notify(finished()) // after the end: nothing happens
		n.Close(time.Second)
		text := strings.Join(warnings, "\n")
		if !strings.Contains(text, "notify.hangs: no answer within 5s") || !strings.Contains(text, "notices were dropped") || strings.Contains(text, "notify.well") {
			t.Errorf("warnings:\n%s", text)
		}
	})
}
