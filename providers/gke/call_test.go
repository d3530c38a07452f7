package gke

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	container "google.golang.org/api/container/v1"
	"google.golang.org/api/googleapi"

	"hubcap/providers/gke/emulator"
)

// TestJudge reads answers as GKE gives them: those of testdata are recorded, the codes of
// the others are those that users of other tools met. The same codes in other words
// are judged alike.
func TestJudge(t *testing.T) {
	tests := []struct {
		code                 int
		status, reason, text string
		want                 verdict
	}{
		{400, "FAILED_PRECONDITION", "failedPrecondition", "Operation operation-1590-d3e is currently upgrading cluster X. Please wait and try again once it is done.", busy},
		{400, "FAILED_PRECONDITION", "", "Cluster is running incompatible operation operation-1590-d3e.", busy},
		{400, "", "failedPrecondition", "Node pool is in an unsupported state.", busy},
		{400, "INVALID_ARGUMENT", "badRequest", "Must specify a field to update.", fatal},
		{400, "INVALID_ARGUMENT", "badRequest", "FAILED_PRECONDITION: operation-1: please try again", fatal},
		{401, "UNAUTHENTICATED", "authError", "Request had invalid authentication credentials.", fatal},
		{403, "PERMISSION_DENIED", "forbidden", `Required "container.clusters.get" permission(s) for "projects/P/zones/Z/clusters/C".`, fatal},
		{403, "PERMISSION_DENIED", "forbidden", `Insufficient regional quota to satisfy request: resource "SSD_TOTAL_GB"`, fatal},
		{403, "", "rateLimitExceeded", "Rate limit exceeded.", transient},
		{404, "NOT_FOUND", "notFound", `Not found: node pool "N" not found.`, absent},
		{408, "", "", "Request timeout", transient},
		{409, "ALREADY_EXISTS", "alreadyExists", "Already exists: projects/p/zones/z/clusters/c/nodePools/n.", taken},
		{409, "ALREADY_EXISTS", "", "Already exists: projects/p/zones/z/clusters/c/nodePools/n.", taken},
		{409, "ABORTED", "aborted", "etag mismatch", moved},
		{409, "ABORTED", "", "ALREADY_EXISTS is no word of this answer", moved},
		{412, "", "conditionNotMet", "Precondition failed", moved},
		{429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", "Quota exceeded", transient},
		{429, "RESOURCE_EXHAUSTED", "", `Too many operations: cluster "X" hits the concurrent operations quota 5, please try again later.`, transient},
		{429, "", "", "Reservation does not have enough resources for the request.", transient},
		{500, "INTERNAL", "backendError", "Internal error", transient},
		{501, "UNIMPLEMENTED", "notImplemented", "Not implemented, please try again", fatal},
		{502, "", "", "Bad gateway", transient},
		{503, "UNAVAILABLE", "backendError", "Unavailable", transient},
		{504, "DEADLINE_EXCEEDED", "", "Deadline exceeded", transient},
		{505, "", "", "HTTP version not supported", fatal},
	}
	for _, test := range tests {
		for _, text := range []string{test.text, "In other words, and in another language."} {
			if text != test.text && strings.Contains(test.text, "ALREADY_EXISTS is") {
				continue
			}
			if got := judge(answered(t, test.code, bodyOf(t, test.code, test.status, test.reason, text))); got != test.want {
				t.Errorf("judge(%d %s %s %q) = %d, want %d", test.code, test.status, test.reason, text, got, test.want)
			}
		}
	}
	for _, recorded := range []string{"no_pool.json", "no_cluster.json"} {
		body, err := os.ReadFile("testdata/" + recorded)
		if err != nil {
			t.Fatal(err)
		}
		if got := judge(answered(t, 404, body)); got != absent {
			t.Errorf("judge(%s) = %d", recorded, got)
		}
	}
	if judge(io.ErrUnexpectedEOF) != transient {
		t.Error("a broken connection is not tried again")
	}
	if judge(fmt.Errorf("token: %w", &oauth2.RetrieveError{})) != fatal {
		t.Error("expired credentials are tried again")
	}
}

// bodyOf is the body of an error answer; without any code there is none of GKE's.
func bodyOf(t *testing.T, code int, status, reason, text string) []byte {
	t.Helper()
	if status == "" && reason == "" {
		return []byte("<html>" + text + "</html>")
	}
	failure := map[string]any{"code": code, "message": text}
	if status != "" {
		failure["status"] = status
	}
	if reason != "" {
		failure["errors"] = []any{map[string]any{"domain": "global", "reason": reason, "message": text}}
	}
	body, err := json.Marshal(map[string]any{"error": failure})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// answered is the error that the client makes of an answer.
func answered(t *testing.T, code int, body []byte) error {
	t.Helper()
	err := googleapi.CheckResponse(&http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))})
	if err == nil {
		t.Fatalf("%d is no error", code)
	}
	return fmt.Errorf("asking: %w", err)
}

func TestExplain(t *testing.T) {
	got := explain(&googleapi.Error{Code: 403, Message: "Short of quota.", Body: `{"error":{}}`})
	if got.Error() != "Short of quota." || judge(got) != fatal {
		t.Errorf("explain: %v", got)
	}
	if got := explain(&googleapi.Error{Code: 418}); got.Error() != "I'm a teapot" {
		t.Errorf("explain without a message: %v", got)
	}
	plain := errors.New("plain")
	if explain(plain) != plain {
		t.Error("explain changes what is not the API's")
	}
}

// A creation whose answer was lost, and that GKE does not show yet, meets its own
// name.
func TestNameTakenByOurselves(t *testing.T) {
	in(t, emulator.Options{}, func(t *testing.T, w *world) {
		c := w.changes(t, desired("user"))[0]
		for _, f := range []emulator.Fault{
			{Method: "POST", Kind: emulator.LoseResponse},
			{Method: "GET", Path: "nodePools/user$", Nth: 3, Kind: emulator.Status, Status: 404, Message: `Not found: node pool "user" not found.`},
		} {
			if err := w.server.Inject(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.write(t, c); err != nil {
			t.Fatal(err)
		}
		if n := w.counts()["POST nodePools"]; n != 2 {
			t.Errorf("creation was asked for %d times, want 2: the test missed its point", n)
		}
		w.settled(t, desired("user"))
	})
}

// Over a real network and under a real clock it is all the same.
func TestOverTheNetwork(t *testing.T) {
	s, err := emulator.New(emulator.Options{
		Project: home.Project, Clusters: []*container.Cluster{{Location: home.Location, Name: home.Name}},
		Pending: time.Millisecond, Work: 5 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	defer func() {
		web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, endpoint := range []string{web.URL, web.URL + "/"} {
		p, err := New(Config{
			Cluster: "prod", Project: home.Project, Location: home.Location, Name: home.Name, Owner: "default",
			Endpoint: endpoint, Poll: 5 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{Provider: p, server: s, ctx: t.Context()}
		w.apply(t, desired("user"))
		w.settled(t, desired("user"))
		w.apply(t)
		web.CloseClientConnections()
	}
}

// No token goes to an endpoint that is not encrypted, and none is looked for.
func TestPlainEndpointBearsNoToken(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", t.TempDir()+"/none.json")
	var bearer string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bearer = r.Header.Get("Authorization")
		fmt.Fprint(w, "{}")
	}))
	defer web.Close()
	for endpoint, want := range map[string]string{web.URL: "", strings.Replace(web.URL, "http:", "https:", 1): "find Google credentials"} {
		p, err := New(Config{Cluster: "prod", Project: "p", Location: "l", Name: "n", Owner: "o", Endpoint: endpoint})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Read(t.Context(), nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", endpoint, err, want)
		}
	}
	if bearer != "" {
		t.Error("a token was sent in the open")
	}
}
