package prometheus

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hubcap/engine/gate"
	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// good is how a Prometheus answers with one number.
const good = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1793534400,"0.98"]}]}}`

// serve answers every query with what answer writes.
func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func result(kind, result string) string {
	return `{"status":"success","data":{"resultType":"` + kind + `","result":` + result + `}}`
}

// TestMisbehaviour holds that only a number passes: whatever else a Prometheus
// does, the sample is inconclusive and says why, on one line and without secrets.
func TestMisbehaviour(t *testing.T) {
	least := 0.95
	check := &plan.PrometheusCheck{Cluster: "c", Query: "q", Min: &least, Window: time.Minute}
	for _, test := range []struct {
		reason string
		answer http.HandlerFunc
		want   run.Verdict
		says   string
	}{
		{"a number", says(200, good), run.Pass, "0.98 (at least 0.95)"},
		{"a scalar", says(200, result("scalar", `[1,"1"]`)), run.Pass, "1 (at least"},
		{"a bad number", says(200, strings.Replace(good, "0.98", "0.5", 1)), run.Fail, "0.5 (at least 0.95)"},
		{"nothing", says(200, result("vector", `[]`)), run.Inconclusive, "no data for q"},
		{"NaN", says(200, strings.Replace(good, "0.98", "NaN", 1)), run.Inconclusive, "NaN"},
		{"infinity", says(200, strings.Replace(good, "0.98", "+Inf", 1)), run.Inconclusive, "+Inf"},
		{"several numbers", says(200, result("vector", `[{"metric":{"pod":"a","job":"j"},"value":[1,"1"]},{"metric":{"pod":"b","job":"j"},"value":[1,"1"]}]`)),
			run.Inconclusive, "the query gives 2 numbers, by pod: make one of them with sum() or max()"},
		{"a histogram", says(200, result("vector", `[{"metric":{},"histogram":[1,{"count":"1","sum":"1","buckets":[]}]}]`)), run.Inconclusive, "histogram"},
		{"a text", says(200, result("string", `[1,"x"]`)), run.Inconclusive, "text"},
		{"a partial answer", says(200, strings.Replace(good, `"status":"success"`, `"status":"success","warnings":["store us-east is unavailable"]`, 1)),
			run.Inconclusive, "it warns of its own answer: store us-east is unavailable"},
		{"a mistake in the query", says(400, `{"status":"error","errorType":"bad_data","error":"1:4: parse error: unexpected end"}`), run.Inconclusive, "parse error: unexpected end"},
		{"a query that is too dear", says(422, `{"status":"error","errorType":"execution","error":"query processing would load too many samples"}`), run.Inconclusive, "too many samples"},
		{"unavailable", says(503, "upstream connect error\nor disconnect"), run.Inconclusive, "503: upstream connect error or disconnect"},
		{"the token is not good enough, and comes back", says(401, "no access with s3cr3t-token"), run.Inconclusive, "no access with (sensitive)"},
		{"a login page", says(200, "<html><body>Log in</body></html>"), run.Inconclusive, "ask Prometheus 127.0.0.1"},
		{"an answer that is cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, good[:40])
		}, run.Inconclusive, "unexpected EOF"},
		{"a huge answer", func(w http.ResponseWriter, _ *http.Request) {
			line := []byte(strings.Repeat(" ", 1<<20))
			for range 40 {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}, run.Inconclusive, "larger than 16 MiB"},
		{"a redirect to elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://login.invalid/?from=prometheus", http.StatusTemporaryRedirect)
		}, run.Inconclusive, "sends to login.invalid, which may be a login"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			server := serve(t, test.answer)
			client, err := New(Config{URL: server.URL, BearerToken: resource.Secret("s3cr3t-token")})
			if err != nil {
				t.Fatal(err)
			}
			s := &Sampler{Client: func(string) (*Client, error) { return client, nil }}
			got, err := s.Sample(t.Context(), later(check))
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != test.want || !strings.Contains(got.Reason, test.says) || strings.Contains(got.Reason, "\n") || strings.Contains(got.Reason, "s3cr3t") {
				t.Errorf("%s: %s, want %s with %q", got.Verdict, got.Reason, test.want, test.says)
			}
		})
	}
}

// later is a question half an hour into a bake.
func later(check *plan.PrometheusCheck) run.Question {
	began := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	g := plan.Gate{Name: "g", Bake: time.Hour, Interval: 30 * time.Second, Failures: 1, Prometheus: check}
	return run.Question{Gate: g, Began: began, Baking: began, At: began.Add(30 * time.Minute)}
}

// TestDown holds what a Prometheus that is not there, or was never configured,
// makes of a sample.
func TestDown(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	most := 1.0
	q := later(&plan.PrometheusCheck{Cluster: "c", Query: "q", Max: &most, Window: time.Minute})
	client, err := New(Config{URL: closed.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		reason string
		client func(string) (*Client, error)
		says   string
	}{
		{"nobody listens", func(string) (*Client, error) { return client, nil }, "connection refused"},
		{"none is configured", func(string) (*Client, error) { return nil, nil }, "ask the Prometheus of cluster c: no Prometheus is configured"},
		{"its cluster is not reached", func(string) (*Client, error) { return nil, errors.New("no route") }, "no route"},
	} {
		got, err := (&Sampler{Client: test.client}).Sample(t.Context(), q)
		if err != nil || got.Verdict != run.Inconclusive || !strings.Contains(got.Reason, test.says) {
			t.Errorf("%s: %+v, %v, want it inconclusive with %q", test.reason, got, err, test.says)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Sampler{Client: func(string) (*Client, error) { return client, nil }}).Sample(cancelled, q); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that ends is no verdict: %v", err)
	}
}

// TestAuthentication holds that credentials are sent, to whom they belong, and
// that a certificate of one's own is checked.
func TestAuthentication(t *testing.T) {
	var got []string
	answer := func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		says(200, good)(w, r)
	}
	plain := serve(t, answer)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of who does not trust it
	secure.StartTLS()
	t.Cleanup(secure.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	for _, test := range []struct {
		reason string
		config Config
		want   string // of the header; "refused" when the certificate is
	}{
		{"none", Config{URL: plain.URL}, ""},
		{"a token", Config{URL: plain.URL, BearerToken: resource.Secret("long-token")}, "Bearer long-token"},
		{"a password", Config{URL: plain.URL, Username: "u", Password: resource.Secret("p")}, "Basic dTpw"},
		{"a certificate of one's own", Config{URL: secure.URL, CA: ca, BearerToken: resource.Secret("long-token")}, "Bearer long-token"},
		{"a certificate that nobody vouches for", Config{URL: secure.URL, BearerToken: resource.Secret("long-token")}, "refused"},
	} {
		got = nil
		client, err := New(test.config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Ask(t.Context(), gate.Query{Expr: "q", At: time.Now()})
		switch {
		case test.want == "refused" && (err == nil || !strings.Contains(err.Error(), "certificate")):
			t.Errorf("%s: %v", test.reason, err)
		case test.want != "refused" && (err != nil || len(got) != 1 || got[0] != test.want):
			t.Errorf("%s: sent %q, %v, want %q", test.reason, got, err, test.want)
		}
	}
}

// TestRange holds that a curve is read whole and in order, and that a query is
// cancelled with the run.
func TestRange(t *testing.T) {
	var asked string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked = fmt.Sprint(r.URL.Path, " ", r.Form.Get("query"), " ", r.Form.Get("start"), " ", r.Form.Get("end"), " ", r.Form.Get("step"))
		says(200, result("matrix", `[{"metric":{},"values":[[1793534400,"1"],[1793534430,"NaN"],[1793534460,"3"]]}]`))(w, r)
	})
	client, err := New(Config{URL: server.URL + "/prefix/"})
	if err != nil {
		t.Fatal(err)
	}
	from := time.Unix(1793534400, 0)
	points, err := client.Ask(t.Context(), gate.Query{Expr: "x", From: from, At: from.Add(time.Minute), Step: 30 * time.Second})
	if err != nil || len(points) != 3 || points[2].Value != 3 || !points[0].Time.Equal(from) {
		t.Errorf("got %v, %v", points, err)
	}
	if want := "/prefix/api/v1/query_range x 1793534400 1793534460 30"; asked != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
	hangs := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that the client is gone
		<-r.Context().Done()
	})
	slow, err := New(Config{URL: hangs.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := slow.Ask(ctx, gate.Query{Expr: "x", At: from}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a Prometheus that hangs: %v", err)
	}
}

// TestReplay holds that a replay judges exactly as the samples of a run would
// have, and asks far fewer queries.
func TestReplay(t *testing.T) {
	queries := 0
	value := func(at float64) string { // good for half an hour, then bad
		if at-1793534400 < 1800 {
			return "0.99"
		}
		return "0.5"
	}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		queries++
		_ = r.ParseForm()
		var start, end, step float64
		fmt.Sscan(r.Form.Get("start"), &start)
		fmt.Sscan(r.Form.Get("end"), &end)
		fmt.Sscan(r.Form.Get("step"), &step)
		if step == 0 {
			fmt.Sscan(r.Form.Get("time"), &start)
			says(200, result("vector", fmt.Sprintf(`[{"metric":{},"value":[%f,"%s"]}]`, start, value(start))))(w, r)
			return
		}
		var all []string
		for at := start; at <= end; at += step {
			all = append(all, fmt.Sprintf(`[%f,"%s"]`, at, value(at)))
		}
		says(200, result("matrix", `[{"metric":{},"values":[`+strings.Join(all, ",")+`]}]`))(w, r)
	})
	client, err := New(Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	s := &Sampler{Client: func(string) (*Client, error) { return client, nil }}
	least := 0.95
	g := plan.Gate{Name: "g", Bake: time.Hour, Interval: 30 * time.Second, Failures: 3, Prometheus: &plan.PrometheusCheck{Query: "q[$window]", Min: &least, Window: 5 * time.Minute}}
	began := time.Unix(1793534400, 0).UTC()
	q := run.Question{Gate: g, Began: began, Baking: began}
	r := gate.NewReplay(q, began.Add(2*time.Hour))
	frames := r.Frames(s.Answer(t.Context(), r.Queries()))
	replayed := queries
	bake := run.NewBake(g, began)
	for i := 0; bake.Verdict() == ""; i++ {
		q.At = bake.Next()
		sample, err := s.Sample(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		bake.Take(sample, q.At)
		if f := frames[i]; !f.At.Equal(q.At) || f.Verdict != bake.Verdict() || f.Sample.Reason != sample.Reason {
			t.Fatalf("sample %d: replayed %+v, live %+v at %s, gate %q", i, f, sample, q.At, bake.Verdict())
		}
	}
	if bake.Verdict() != run.Fail || replayed > 12 {
		t.Errorf("the gate %s after %d queries of the replay; want a failure and at most 12", bake.Verdict(), replayed)
	}
	stretches := gate.Stretches(frames)
	if len(stretches) != 2 || stretches[0].Last.Verdict != run.Pass || stretches[1].From.Sub(began) != 30*time.Minute {
		t.Errorf("stretches: %+v", stretches)
	}
}

// TestPlain holds that what an API server says instead of a Prometheus is told in its
// words, and anything else as it came.
func TestPlain(t *testing.T) {
	for _, test := range []struct{ reason, detail, want string }{
		{"a status", `{"kind":"Status","status":"Failure","message":"no endpoints available for service \"p\"","code":503}`, `the API server says: no endpoints available for service "p"`},
		{"a status without words", `{"kind":"Status","code":503}`, `{"kind":"Status","code":503}`},
		{"other JSON", `{"message":"x"}`, `{"message":"x"}`},
		{"text", "bad gateway", "bad gateway"},
		{"nothing", "", ""},
	} {
		if got := plain(test.detail); got != test.want {
			t.Errorf("%s: %q, want %q", test.reason, got, test.want)
		}
	}
}
