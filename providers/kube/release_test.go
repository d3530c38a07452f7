package kube

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubcap/engine/resource"
)

// packed encodes the JSON of a record as Helm does.
func packed(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(out.Bytes()))
}

const record = `{"name":"prod","namespace":"hubs","version":7,"manifest":"---\nkind: ConfigMap\n","apply_method":"ssa",
"info":{"first_deployed":"2026-01-02T03:04:05.6+01:00","last_deployed":"","status":"deployed"},
"config":{"hub":{"cookieSecret":"hunter2-hunter2","concurrentSpawnLimit":64,"ratio":0.5},"imageCleaner":{"high":2.6e+11},"off":null},
"hooks":[{"name":"h","manifest":"kind: Job\n"}],
"chart":{"metadata":{"name":"jupyterhub","version":"4.3.3","appVersion":"5.4.0"},
"lock":{"dependencies":[]},"values":{"hub":{"x":1}},"schema":"e30=",
"templates":[{"name":"templates/hub/a.yaml","data":"a2luZDogQ29uZmlnTWFwCg=="}],"files":[{"name":"files/x.py","data":"eA=="}]}}`

func TestDecodeRelease(t *testing.T) {
	for _, data := range [][]byte{packed(t, record), []byte(base64.StdEncoding.EncodeToString([]byte(record)))} {
		r, err := DecodeRelease(data)
		if err != nil {
			t.Fatal(err)
		}
		if r.Name != "prod" || r.Namespace != "hubs" || r.Revision != 7 || r.Status != "deployed" || !r.ServerSide || r.Pending() {
			t.Errorf("read as %+v", *r)
		}
		if r.First.IsZero() || !r.Last.IsZero() {
			t.Errorf("first deployed %v, last %v", r.First, r.Last)
		}
		want := map[string]any{
			"hub":          map[string]any{"cookieSecret": "hunter2-hunter2", "concurrentSpawnLimit": int64(64), "ratio": 0.5},
			"imageCleaner": map[string]any{"high": int64(260e9)}, "off": nil,
		}
		if diff := cmp.Diff(want, resource.Reveal(map[string]any(r.Values))); diff != "" {
			t.Errorf("values (-want +got):\n%s", diff)
		}
		if shown := fmt.Sprintf("%v %+v %#v", *r, r.Values, r.Manifest); strings.Contains(shown, "hunter2") || strings.Contains(shown, "ConfigMap") {
			t.Error("a release that is printed shows what is in it")
		}
		files := r.Chart.Files()
		if got := string(files["templates/hub/a.yaml"]); got != "kind: ConfigMap\n" {
			t.Errorf("the template is %q", got)
		}
		for _, name := range []string{"Chart.yaml", "values.yaml", "values.schema.json", "files/x.py"} {
			if len(files[name]) == 0 {
				t.Errorf("the chart has no %s", name)
			}
		}
		if !r.Chart.Whole() || len(r.Hooks) != 1 {
			t.Errorf("whole %v, %d hooks", r.Chart.Whole(), len(r.Hooks))
		}
	}
}

func TestDecodeReleaseDependencies(t *testing.T) {
	text := strings.Replace(record, `"appVersion":"5.4.0"`, `"dependencies":[{"name":"hub","version":"~4","repository":"https://charts.example.org"}]`, 1)
	text = strings.Replace(text, `"lock":{"dependencies":[]}`, `"lock":{"dependencies":[{"name":"hub","version":"4.2.0"}]}`, 1)
	r, err := DecodeRelease(packed(t, text))
	if err != nil {
		t.Fatal(err)
	}
	want := []ReleaseDependency{{Name: "hub", Version: "4.2.0", Repository: "https://charts.example.org"}}
	if diff := cmp.Diff(want, r.Chart.Dependencies); diff != "" || r.Chart.Whole() {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
}

func TestDecodeReleaseRefuses(t *testing.T) {
	bomb := packed(t, `{"name":"x","manifest":"`+strings.Repeat("A", maxRelease)+`"}`)
	for _, row := range []struct {
		reason string
		data   []byte
		want   string
	}{
		{"nothing", nil, "empty"},
		{"not base64", []byte("%%%"), "base64"},
		{"cut off", packed(t, record)[:200], "unpack"},
		{"a bomb", bomb, "larger than"},
		{"not JSON", packed(t, `hunter2`), "not the JSON"},
		{"another type", packed(t, `{"name":"x","config":["hunter2"],"chart":{}}`), "not a table"},
		{"another type inside", packed(t, `{"name":["hunter2"]}`), "(at name)"},
		{"no chart", packed(t, `{"name":"x"}`), "no chart"},
		{"no metadata", packed(t, `{"name":"x","chart":{"metadata":{}}}`), "no metadata"},
		{"a file outside", packed(t, strings.Replace(record, "files/x.py", "../../x.py", 1)), "outside"},
		{"an absolute file", packed(t, strings.Replace(record, "files/x.py", "/etc/x", 1)), "outside"},
	} {
		_, err := DecodeRelease(row.data)
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", row.reason, err, row.want)
		}
	}
}

func TestCurrentRevision(t *testing.T) {
	for _, row := range []struct {
		reason   string
		statuses []string // of revisions 1, 2, …
		want     string   // revision, status and what is newer
	}{
		{"one", []string{"deployed"}, "1 deployed []"},
		{"the newest deployed", []string{"superseded", "deployed"}, "2 deployed []"},
		{"stuck on top of a deployed one", []string{"deployed", "pending-upgrade"}, "2 pending-upgrade []"},
		{"stuck at once", []string{"pending-install"}, "1 pending-install []"},
		{"a failure counts not", []string{"deployed", "failed"}, "1 deployed [{2 failed}]"},
		{"failed only", []string{"failed", "failed"}, "2 failed []"},
		{"uninstalled, kept for the record", []string{"superseded", "uninstalled"}, ""},
		{"being uninstalled", []string{"deployed", "uninstalling"}, ""},
	} {
		var records []releaseRecord
		for i, status := range row.statuses {
			records = append(records, releaseRecord{namespace: "n", name: "r", status: status, revision: i + 1})
		}
		got := ""
		for _, r := range current(records) {
			got += fmt.Sprintf("%d %s %v", r.revision, r.status, r.newer)
		}
		if got != row.want {
			t.Errorf("%s: %q, want %q", row.reason, got, row.want)
		}
	}
}

func FuzzDecodeRelease(f *testing.F) {
	f.Add(packed(f, record))
	f.Add([]byte("e30="))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRelease(data)
		if (r == nil) == (err == nil) {
			t.Fatal("neither a release nor an error")
		}
	})
}
