package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

// pack returns the archive of a chart. note tells two archives of one version
// apart.
func pack(t testing.TB, name, version, note string) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	text := fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\ndescription: %q\n", name, version, note)
	if err := w.WriteHeader(&tar.Header{Name: name + "/Chart.yaml", Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A world is a repository and a registry on the loopback, with the same charts.
type world struct {
	t      testing.TB
	server *httptest.Server

	mu       sync.Mutex
	charts   map[string][]byte // by "name-version.tgz"
	digests  map[string]string // in the index, instead of the true ones
	failures map[string]int    // by path: so many answers are 503
	asked    []string
	password string // of ada, who alone may read; empty: everybody may
}

func newWorld(t testing.TB, charts ...string) *world {
	w := &world{t: t, charts: map[string][]byte{}, digests: map[string]string{}, failures: map[string]int{}}
	for _, c := range charts {
		name, version, _ := strings.Cut(c, " ")
		w.add(name, version, "")
	}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) add(name, version, note string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.charts[name+" "+version] = pack(w.t, name, version, note)
}

func (w *world) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, in.URL.Path)
	if w.failures[in.URL.Path] > 0 {
		w.failures[in.URL.Path]--
		out.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if name, password, _ := in.BasicAuth(); w.password != "" && (name != "ada" || password != w.password) {
		out.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch path := in.URL.Path; {
	case path == "/charts/index.yaml":
		_, _ = out.Write(w.index())
	case strings.HasPrefix(path, "/charts/files/"):
		data, exists := w.charts[strings.TrimSuffix(strings.Replace(strings.TrimPrefix(path, "/charts/files/"), "_", " ", 1), ".tgz")]
		if !exists {
			http.NotFound(out, in)
			return
		}
		_, _ = out.Write(data)
	case strings.HasPrefix(path, "/v2/"):
		w.registry(out, strings.TrimPrefix(path, "/v2/"))
	default:
		http.NotFound(out, in)
	}
}

func (w *world) index() []byte {
	entries := map[string][]indexEntry{}
	for key, data := range w.charts {
		name, version, _ := strings.Cut(key, " ")
		digest := strings.TrimPrefix(digestOf(data), "sha256:")
		if other, isSet := w.digests[key]; isSet {
			digest = other
		}
		entries[name] = append(entries[name], indexEntry{
			Version: version, URLs: []string{"files/" + name + "_" + version + ".tgz"}, Digest: digest,
		})
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "entries": entries})
	if err != nil {
		w.t.Error(err)
	}
	return text
}

// registry answers as the part of an OCI registry that only reads.
func (w *world) registry(out http.ResponseWriter, path string) {
	missing := func(code string) {
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(out, `{"errors":[{"code":%q,"message":"not found"}]}`, code)
	}
	blobs := map[string][]byte{digestOf([]byte("{}")): []byte("{}")}
	manifests := map[string][]byte{}
	tags := map[string][]string{}
	for key, data := range w.charts {
		name, version, _ := strings.Cut(key, " ")
		tag := strings.ReplaceAll(version, "+", "_")
		manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
			`"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":%q,"size":2},`+
			`"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":%q,"size":%d}]}`,
			digestOf([]byte("{}")), digestOf(data), len(data))
		blobs[digestOf(data)] = data
		manifests["charts/"+name+"/manifests/"+tag] = manifest
		manifests["charts/"+name+"/manifests/"+digestOf(manifest)] = manifest
		tags["charts/"+name] = append(tags["charts/"+name], tag)
	}
	if name, isTags := strings.CutSuffix(path, "/tags/list"); isTags && tags[name] != nil {
		_ = json.NewEncoder(out).Encode(map[string]any{"name": name, "tags": append(tags[name], "latest")})
		return
	}
	if manifest, exists := manifests[path]; exists {
		out.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		out.Header().Set("Docker-Content-Digest", digestOf(manifest))
		_, _ = out.Write(manifest)
		return
	}
	if blob, exists := blobs[path[strings.LastIndexByte(path, '/')+1:]]; exists && strings.Contains(path, "/blobs/") {
		_, _ = out.Write(blob)
		return
	}
	missing("NAME_UNKNOWN")
}

// requests returns how many requests there were, and forgets them.
func (w *world) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.asked)
	w.asked = nil
	return n
}

func (w *world) http(name, constraint string) Ref {
	return Ref{Repository: w.server.URL + "/charts", Name: name, Constraint: constraint}
}

func (w *world) oci(name, constraint string) Ref {
	return Ref{Repository: strings.Replace(w.server.URL, "http://", "oci://", 1) + "/charts", Name: name, Constraint: constraint}
}

func resolver(t testing.TB) *Resolver {
	t.Helper()
	dir := t.TempDir()
	return &Resolver{Cache: filepath.Join(dir, "cache"), Credentials: filepath.Join(dir, "none.json"), Pause: time.Nanosecond}
}

// one resolves one ref, with an empty lock.
func one(t *testing.T, r *Resolver, ref Ref) (Archive, *Problem) {
	t.Helper()
	found := r.Resolve(context.Background(), []Ref{ref}, &Lock{}, Extend)
	a, isThere := found.Charts[ref]
	if problem := found.Problems[ref]; isThere == (problem != nil) {
		t.Fatalf("a chart: %v, a problem: %v", isThere, problem)
	}
	return a, found.Problems[ref]
}

func TestChooses(t *testing.T) {
	w := newWorld(t, "hub 1.0.0", "hub 1.2.0", "hub 1.2.10", "hub 1.2.9", "hub 2.0.0-beta.1", "hub 2.0.0-0.dev.git.7000.habc", "early 0.1.0-alpha", "plus 1.0.0+build.7")
	tests := []struct{ name, constraint, want, reason string }{
		{"hub", "", "1.2.10", "the newest release, by number and not by letter"},
		{"hub", "~1.2", "1.2.10", "within"},
		{"hub", "1.2.0", "1.2.0", "exactly one"},
		{"hub", "v1.2.0", "1.2.0", "as people write tags"},
		{"hub", "< 1.2", "1.0.0", "below"},
		{"hub", "2.0.0-0.dev.git.7000.habc", "2.0.0-0.dev.git.7000.habc", "a pre-release that is named"},
		{"hub", ">= 1.2.0-0", "2.0.0-beta.1", "pre-releases when the constraint has one"},
		{"hub", ">= 1.2", "1.2.10", "and not otherwise"},
		{"early", ">= 0.1.0-0", "0.1.0-alpha", "only pre-releases"},
		{"plus", "", "1.0.0+build.7", "build metadata, which is no tag as it is"},
	}
	for _, test := range tests {
		for _, ref := range []Ref{w.http(test.name, test.constraint), w.oci(test.name, test.constraint)} {
			a, problem := one(t, resolver(t), ref)
			if problem != nil || a.Version != test.want {
				t.Errorf("%s %q (%s): got %q, %v", ref, test.constraint, test.reason, a.Version, problem)
			}
			if a.Digest != digestOf(a.Data) {
				t.Errorf("%s: the digest is of something else", ref)
			}
		}
	}
}

func TestAddressOfAnArchive(t *testing.T) {
	w := newWorld(t, "hub 1.0.0")
	ref := Ref{Name: w.server.URL + "/charts/files/hub_1.0.0.tgz", Constraint: "~1.0"}
	if a, problem := one(t, resolver(t), ref); problem != nil || a.Version != "1.0.0" {
		t.Errorf("got %q, %v", a.Version, problem)
	}
	ref.Constraint = "~2.0"
	if _, problem := one(t, resolver(t), ref); problem == nil || problem.Attr != "chart_version" {
		t.Errorf("got %v", problem)
	}
}

func TestProblems(t *testing.T) {
	w := newWorld(t, "jupyterhub 1.0.0", "jupyterhub 1.1.0", "jupyterhub 2.0.0-beta.1", "binderhub 1.0.0", "early 0.1.0-alpha", "lied 1.0.0", "torn 1.0.0")
	w.digests["lied 1.0.0"] = strings.Repeat("0", 64)
	w.charts["torn 1.0.0"] = []byte("<html>Please log in</html>")
	w.charts["named 1.0.0"] = pack(t, "other", "1.0.0", "")
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	tests := []struct {
		reason string
		ref    Ref
		attr   string
		want   []string
	}{
		{"a name with a mistake", w.http("jupyerhub", ""), "chart", []string{`has no chart "jupyerhub"`, "It has jupyterhub, "}},
		{"none in the registry", w.oci("jupyerhub", ""), "chart", []string{`has no chart "jupyerhub"`}},
		{"none in the registry, one version", w.oci("jupyerhub", "1.0.0"), "chart", []string{`has no chart "jupyerhub"`}},
		{"no such version", w.http("jupyterhub", "~3"), "chart_version", []string{`no version within "~3"`, "There are 1.1.0, 1.0.0."}},
		{"no such version, near ones", w.http("jupyterhub", "1.0.7"), "chart_version", []string{"There are 1.0.0."}},
		{"no such tag", w.oci("jupyterhub", "1.0.7"), "chart_version", []string{`no version within "1.0.7"`, "There are 1.0.0."}},
		{"only pre-releases", w.http("early", ""), "chart_version", []string{"only pre-releases: 0.1.0-alpha", "chart_version"}},
		{"an index that lies", w.http("lied", ""), "chart", []string{"has the digest sha256:", "says sha256:0000"}},
		{"no archive but a page", w.http("torn", ""), "chart", []string{"is no chart"}},
		{"another chart under the name", w.http("named", ""), "chart", []string{"is other 1.0.0"}},
		{"no repository there", Ref{Repository: w.server.URL + "/nothing", Name: "hub"}, "repository", []string{"has no index.yaml"}},
		{"a server that is not there", Ref{Repository: gone.URL, Name: "hub"}, "repository", []string{"does not answer", "refused"}},
		{"a registry that is not there", Ref{Repository: strings.Replace(gone.URL, "http", "oci", 1), Name: "hub"}, "repository", []string{"/hub: 127.0.0.1:", " does not answer: dial tcp", "refused"}},
		{"a version in a registry that is not there", Ref{Repository: strings.Replace(gone.URL, "http", "oci", 1), Name: "hub", Constraint: "1.0.0"}, "repository", []string{"/hub: 127.0.0.1:", " does not answer: dial tcp", "refused"}},
		{"nothing at the address", Ref{Name: w.server.URL + "/hub.tgz"}, "chart", []string{"nothing at "}},
	}
	for _, test := range tests {
		r := resolver(t)
		_, problem := one(t, r, test.ref)
		if problem == nil || problem.Attr != test.attr || problem.Summary == "" {
			t.Errorf("%s: got %+v", test.reason, problem)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(problem.Error(), want) {
				t.Errorf("%s: %q does not say %q", test.reason, problem, want)
			}
		}
		if entries, _ := os.ReadDir(filepath.Join(r.Cache, "archives")); len(entries) > 0 {
			t.Errorf("%s: the cache has %v", test.reason, entries)
		}
	}
}

func TestLockHolds(t *testing.T) {
	w := newWorld(t, "hub 1.0.0")
	for _, ref := range []Ref{w.http("hub", "~1"), w.oci("hub", "~1")} {
		w.add("hub", "1.0.0", "")
		delete(w.charts, "hub 1.1.0")
		r := resolver(t)
		first := r.Resolve(context.Background(), []Ref{ref, ref}, &Lock{}, Extend)
		if len(first.Changes) != 1 || len(first.Problems) > 0 {
			t.Fatalf("%s: %v, %v", ref, first.Changes, first.Problems)
		}
		w.add("hub", "1.1.0", "newer")
		w.requests()

		again := r.Resolve(context.Background(), []Ref{ref}, first.Lock, Extend)
		if n := w.requests(); n != 0 || len(again.Changes) != 0 || again.Charts[ref].Version != "1.0.0" || !again.Lock.Equal(first.Lock) {
			t.Errorf("%s: %d requests for what is cached, %v", ref, n, again.Changes)
		}
		fresh := resolver(t)
		if a := fresh.Resolve(context.Background(), []Ref{ref}, first.Lock, Frozen); a.Charts[ref].Version != "1.0.0" {
			t.Errorf("%s: without a cache: %v", ref, a.Problems[ref])
		}
		moved := resolver(t).Resolve(context.Background(), []Ref{ref}, first.Lock, Upgrade)
		if len(moved.Changes) != 1 || moved.Changes[0].Was.Version != "1.0.0" || moved.Changes[0].Is.Version != "1.1.0" {
			t.Errorf("%s: upgraded: %v", ref, moved.Changes)
		}
		other := ref
		other.Constraint = "~1.1"
		frozen := r.Resolve(context.Background(), []Ref{other}, first.Lock, Frozen)
		if p := frozen.Problems[other]; p == nil || !strings.Contains(p.Detail, "--locked") {
			t.Errorf("%s: a new constraint under --locked: %v", ref, p)
		}

		// Somebody replaces the archive of the version.
		w.add("hub", "1.0.0", "replaced")
		replaced := resolver(t).Resolve(context.Background(), []Ref{ref}, first.Lock, Extend)
		if p := replaced.Problems[ref]; p == nil || !strings.Contains(p.Detail, "the lock file says "+first.Charts[ref].Digest) {
			t.Errorf("%s: a replaced archive: %v", ref, p)
		}
		if len(replaced.Changes) > 0 || !replaced.Lock.Equal(first.Lock) {
			t.Errorf("%s: a replaced archive moved the lock", ref)
		}
	}
}

func TestUpgradeDropsWhatNobodyAsksFor(t *testing.T) {
	w := newWorld(t, "hub 1.0.0", "other 1.0.0")
	r, both := resolver(t), []Ref{w.http("hub", ""), w.http("other", "")}
	lock := r.Resolve(context.Background(), both, &Lock{}, Extend).Lock
	if kept := r.Resolve(context.Background(), both[:1], lock, Extend).Lock; !kept.Equal(lock) {
		t.Errorf("an ordinary run dropped something: %v", kept.Entries())
	}
	if kept := r.Resolve(context.Background(), both[:1], lock, Upgrade).Lock.Entries(); len(kept) != 1 || kept[0].Name != "hub" {
		t.Errorf("got %v", kept)
	}
}

func TestOffline(t *testing.T) {
	w := newWorld(t, "hub 1.0.0", "hub 1.1.0")
	r, ref := resolver(t), w.http("hub", "~1")
	if _, problem := one(t, r, ref); problem != nil {
		t.Fatal(problem)
	}
	w.server.Close()
	r.indexes = nil // another process
	found := r.Resolve(context.Background(), []Ref{ref, w.http("hub", "< 1.1")}, &Lock{}, Extend)
	if a := found.Charts[ref]; a.Version != "1.1.0" || len(found.Warnings) != 1 || len(found.Changes) != 0 {
		t.Errorf("got %q, %v, %v", a.Version, found.Warnings, found.Changes)
	}
	if p := found.Problems[w.http("hub", "< 1.1")]; p == nil || p.Attr != "repository" {
		t.Errorf("a version that was never fetched: %v", p)
	}
	if p := r.Resolve(context.Background(), []Ref{ref}, &Lock{}, Upgrade).Problems[ref]; p == nil {
		t.Error("an upgrade needs the repository")
	}
}

func TestDamagedCacheIsFetchedAgain(t *testing.T) {
	w := newWorld(t, "hub 1.0.0")
	r, ref := resolver(t), w.http("hub", "")
	first := r.Resolve(context.Background(), []Ref{ref}, &Lock{}, Extend)
	path := r.archivePath(first.Charts[ref].Digest)
	if err := os.WriteFile(path, []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	again := r.Resolve(context.Background(), []Ref{ref}, first.Lock, Frozen)
	if again.Charts[ref].Digest != first.Charts[ref].Digest {
		t.Errorf("got %v", again.Problems[ref])
	}
	if data, err := os.ReadFile(path); err != nil || digestOf(data) != first.Charts[ref].Digest {
		t.Errorf("the cache is not mended: %v", err)
	}
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	w := newWorld(t, "hub 1.0.0")
	r := resolver(t)
	r.Cache = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(r.Cache, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if a, problem := one(t, r, w.http("hub", "")); problem != nil || a.Version != "1.0.0" {
		t.Errorf("got %v", problem)
	}
}

func TestTriesAgain(t *testing.T) {
	w := newWorld(t, "hub 1.0.0")
	w.failures["/charts/index.yaml"] = attempts - 1
	w.failures["/charts/files/hub_1.0.0.tgz"] = attempts - 1
	if _, problem := one(t, resolver(t), w.http("hub", "")); problem != nil {
		t.Error(problem)
	}
	w.failures["/charts/index.yaml"] = attempts
	if _, problem := one(t, resolver(t), w.http("hub", "")); problem == nil || !strings.Contains(problem.Detail, "503") {
		t.Errorf("got %v", problem)
	}
}

func TestIndexIsAskedOnce(t *testing.T) {
	w := newWorld(t, "hub 1.0.0", "hub 1.1.0", "other 1.0.0")
	refs := []Ref{w.http("hub", ""), w.http("hub", "1.0.0"), w.http("other", "")}
	if found := resolver(t).Resolve(context.Background(), refs, &Lock{}, Extend); len(found.Charts) != 3 {
		t.Fatal(found.Problems)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(slices.DeleteFunc(w.asked, func(path string) bool { return path != "/charts/index.yaml" })); n != 1 {
		t.Errorf("the index was asked for %d times", n)
	}
}

func TestLogsIn(t *testing.T) {
	w := newWorld(t, "hub 1.0.0")
	w.password = "hunter2"
	r := resolver(t)
	r.Repositories = filepath.Join(t.TempDir(), "repositories.yaml")
	known := func(text string) {
		if err := os.WriteFile(r.Repositories, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r.indexes = nil
	}
	const entry = "repositories:\n- {name: a, url: %q, username: ada, password: hunter2}\n"
	tests := []struct {
		text, want, reason string
	}{
		{fmt.Sprintf(entry, w.server.URL+"/charts"), "", "below the address"},
		{fmt.Sprintf(entry, w.server.URL), "", "of the whole host"},
		{fmt.Sprintf(entry, w.server.URL+"/cha"), "401", "another address that begins alike"},
		{fmt.Sprintf(entry, "https://example.org/charts"), "401", "another host"},
		{"repositories: []", "401", "none"},
		{"repositories: {hunter2", "cannot be read", "a file that is broken"},
	}
	for _, test := range tests {
		known(test.text)
		r.Cache = t.TempDir()
		_, problem := one(t, r, w.http("hub", ""))
		if (problem == nil) != (test.want == "") || problem != nil && (!strings.Contains(problem.Detail, test.want) || strings.Contains(problem.Detail, "hunter2")) {
			t.Errorf("%s: %v", test.reason, problem)
		}
	}
}

func TestInterrupted(t *testing.T) {
	silent := make(chan struct{})
	asked := make(chan struct{}, 8)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-silent
	}))
	defer server.Close()
	defer close(silent)
	for _, scheme := range []string{"http", "oci"} {
		ref := Ref{Repository: strings.Replace(server.URL, "http", scheme, 1), Name: "hub"}
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-asked; cancel() }()
		found := resolver(t).Resolve(ctx, []Ref{ref}, &Lock{}, Extend)
		if p := found.Problems[ref]; p == nil || p.Summary != "Interrupted" {
			t.Errorf("%s: got %+v", scheme, p)
		}
		cancel()
	}
}

func TestLockFile(t *testing.T) {
	var lock Lock
	digest := "sha256:" + strings.Repeat("ab", 32)
	lock.put(Entry{Ref{"oci://ghcr.io/org", "jupyterhub", ""}, "4.2.0", digest})
	lock.put(Entry{Ref{"https://hub.jupyter.org/helm-chart", "jupyterhub", "~4.2"}, "4.2.0", digest})
	lock.put(Entry{Ref{"", "https://example.org/x.tgz", ""}, "1.0.0", digest})
	lock.put(Entry{Ref{"https://hub.jupyter.org/helm-chart", "jupyterhub", "~4.2"}, "4.2.1", digest})
	text := lock.Format()
	want := lockHeader + `
chart "https://example.org/x.tgz" {
  version = "1.0.0"
  digest  = "` + digest + `"
}

chart "jupyterhub" {
  repository = "https://hub.jupyter.org/helm-chart"
  constraint = "~4.2"
  version    = "4.2.1"
  digest     = "` + digest + `"
}

chart "jupyterhub" {
  repository = "oci://ghcr.io/org"
  version    = "4.2.0"
  digest     = "` + digest + `"
}
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	back, _, diags := ParseLock(text, LockFile)
	if diags.HasErrors() || !back.Equal(&lock) {
		t.Errorf("read back: %v, %v", back, diags)
	}
}

func TestBadLockFile(t *testing.T) {
	good := `chart "hub" {
  constraint = "~1"
  version    = "1.0.0"
  digest     = "sha256:` + strings.Repeat("ab", 32) + `"
}
`
	tests := []struct{ text, want, reason string }{
		{"<<<<<<< HEAD\n" + good, "", "a conflict of a merge"},
		{good + good, "locked twice", "two sides of a merge"},
		{strings.Replace(good, "~1", "~2", 1), `not within "~2"`, "edited by hand"},
		{strings.Replace(good, "sha256:ab", "sha256:", 1), "hexadecimal", "a digest cut short"},
		{strings.Replace(good, `"1.0.0"`, "var.version", 1), "without references", "an expression"},
		{strings.Replace(good, "version", "versoin", 1), "has no version", "a misspelt attribute"},
		{"x = 1\n", "only an origin and chart blocks", "an attribute"},
		{"hub \"a\" {}\n", "only blocks of the form", "another block"},
	}
	for _, test := range tests {
		_, file, diags := ParseLock([]byte(test.text), LockFile)
		if !diags.HasErrors() || diags[0].Subject == nil || file == nil {
			t.Errorf("%s: %v", test.reason, diags)
			continue
		}
		if !slices.ContainsFunc(diags, func(d *hcl.Diagnostic) bool { return strings.Contains(d.Detail, test.want) }) {
			t.Errorf("%s: %v does not say %q", test.reason, diags, test.want)
		}
	}
}

func FuzzParseLock(f *testing.F) {
	f.Add([]byte("chart \"a\" {\n  version = \"1\"\n  digest = \"sha256:00\"\n}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lock, _, diags := ParseLock(data, LockFile)
		if diags.HasErrors() {
			return
		}
		back, _, diags := ParseLock(lock.Format(), LockFile)
		if diags.HasErrors() || !back.Equal(lock) {
			t.Errorf("%q does not come back: %v", data, diags)
		}
	})
}
