package probe

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hubcap/engine/plan"
	"hubcap/engine/run"
)

func server(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"version": "4.0"}`)) })
	mux.HandleFunc("/gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Write([]byte("half"))
	})
	for i := range 6 {
		next := "/hop" + string(rune('0'+i+1))
		if i == 5 {
			next = "/ok"
		}
		mux.HandleFunc("/hop"+string(rune('0'+i)), func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, next, http.StatusFound) })
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestSample(t *testing.T) {
	s := server(t)
	closed := httptest.NewServer(nil)
	closed.Close()
	for _, test := range []struct {
		reason string
		check  plan.HTTPCheck
		want   run.Verdict
		says   string
	}{
		{"200 is good unless said otherwise", plan.HTTPCheck{URL: s.URL + "/ok"}, run.Pass, "status 200 in"},
		{"any of the statuses is good", plan.HTTPCheck{URL: s.URL + "/gone", Status: []int{200, 410}}, run.Pass, "status 410"},
		{"the number and the wanted one are named", plan.HTTPCheck{URL: s.URL + "/gone", Status: []int{200, 204}}, run.Fail, "status 410 in"},
		{"the text is there", plan.HTTPCheck{URL: s.URL + "/ok", Contains: `"4.0"`}, run.Pass, "status 200"},
		{"the text is missing", plan.HTTPCheck{URL: s.URL + "/ok", Contains: "5.0"}, run.Fail, `do not contain "5.0"`},
		{"nobody listens", plan.HTTPCheck{URL: closed.URL}, run.Fail, "connection refused"},
		{"too slow", plan.HTTPCheck{URL: s.URL + "/slow", Timeout: 50 * time.Millisecond}, run.Fail, "no answer within 50ms"},
		{"slower than it may be", plan.HTTPCheck{URL: s.URL + "/ok", MaxLatency: time.Nanosecond}, run.Fail, "(at most 1ns)"},
		{"fast enough", plan.HTTPCheck{URL: s.URL + "/ok", MaxLatency: 9 * time.Second}, run.Pass, "(at most 9s)"},
		{"five redirects are followed", plan.HTTPCheck{URL: s.URL + "/hop1"}, run.Pass, "status 200"},
		{"six are not", plan.HTTPCheck{URL: s.URL + "/hop0"}, run.Fail, "more than 5 redirects"},
		{"nor is a loop", plan.HTTPCheck{URL: s.URL + "/loop"}, run.Fail, "more than 5 redirects"},
		{"half an answer is none", plan.HTTPCheck{URL: s.URL + "/cut"}, run.Fail, "no answer: unexpected EOF"},
		{"an unknown name", plan.HTTPCheck{URL: "http://nobody.invalid/"}, run.Fail, "no answer"},
		{"a password in the URL is not repeated", plan.HTTPCheck{URL: strings.Replace(closed.URL, "http://", "http://u:hunter2@", 1)}, run.Fail, "no answer"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			got, err := New().Sample(t.Context(), run.Question{Gate: plan.Gate{Name: "g", HTTP: &test.check}})
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != test.want || !strings.Contains(got.Reason, test.says) || strings.Contains(got.Reason, "hunter2") {
				t.Errorf("got %s: %s, want %s with %q", got.Verdict, got.Reason, test.want, test.says)
			}
		})
	}
}

func TestSampleThatCannotBeMade(t *testing.T) {
	s := server(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New().Sample(cancelled, run.Question{Gate: plan.Gate{HTTP: &plan.HTTPCheck{URL: s.URL + "/ok"}}}); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that ends is no verdict: got %v", err)
	}
	for _, gate := range []plan.Gate{{Name: "pods"}, {HTTP: &plan.HTTPCheck{URL: "http://\x7f"}}} {
		if _, err := New().Sample(t.Context(), run.Question{Gate: gate}); err == nil {
			t.Errorf("gate %+v: want an error", gate)
		}
	}
}
