package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// prometheus starts what answers like one, and sets PROMETHEUS to its URL. It
// knows the metric good, which is 0.98, and bad, which is 0.5; both have the
// namespace hub. To down it answers 503, to anything else with nothing. It wants
// the token s3cr3t-token.
func prometheus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: prometheus")
	}
	server := httptest.NewServer(http.HandlerFunc(answer))
	ts.Defer(server.Close)
	ts.Setenv("PROMETHEUS", server.URL)
}

func answer(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer s3cr3t-token" {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/api/v1/label/namespace/") {
		fmt.Fprint(w, `{"status":"success","data":["hub"]}`)
		return
	}
	_ = r.ParseForm()
	query := r.Form.Get("query")
	value := ""
	switch {
	case strings.Contains(query, "down"):
		http.Error(w, "upstream is away", http.StatusServiceUnavailable)
		return
	case strings.Contains(query, "namespace=") && !strings.Contains(query, `namespace="hub"`):
	case strings.Contains(query, "good"):
		value = "0.98"
	case strings.Contains(query, "bad"):
		value = "0.5"
	}
	if strings.HasPrefix(query, "count(") && value != "" {
		value = "2"
	}
	kind, result := "vector", ""
	var start, end, step float64
	_, _ = fmt.Sscan(r.Form.Get("start"), &start)
	_, _ = fmt.Sscan(r.Form.Get("end"), &end)
	_, _ = fmt.Sscan(r.Form.Get("step"), &step)
	switch {
	case step > 0:
		kind = "matrix"
		var points []string
		for at := start; at <= end && value != ""; at += step {
			points = append(points, fmt.Sprintf(`[%f,%q]`, at, value))
		}
		if len(points) > 0 {
			result = `{"metric":{},"values":[` + strings.Join(points, ",") + `]}`
		}
	case value != "":
		result = fmt.Sprintf(`{"metric":{},"value":[1,%q]}`, value)
	}
	fmt.Fprintf(w, `{"status":"success","data":{"resultType":%q,"result":[%s]}}`, kind, result)
}
