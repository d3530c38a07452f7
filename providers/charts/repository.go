package charts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"

	"hubcap/engine/resource"
)

// Limits on requests. A repository that accepts a connection and then says
// nothing must not hold a plan up for ever.
const (
	maxIndex    = 100 << 20 // of an index.yaml, in bytes
	dialTime    = 10 * time.Second
	answerTime  = 30 * time.Second // until the head of the answer
	requestTime = 3 * time.Minute  // until its end
	attempts    = 3
)

// An index is what a repository says it has.
type index struct {
	Entries map[string][]indexEntry `json:"entries"`
}

type indexEntry struct {
	Version string   `json:"version"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
}

// versions returns those of a chart, or says which charts there are instead.
func (ix *index) versions(ref Ref) ([]string, *Problem) {
	entries, exists := ix.Entries[ref.Name]
	if !exists {
		var names []string
		for name := range ix.Entries {
			names = append(names, name)
		}
		detail := "It has none."
		if len(names) > 0 {
			detail = "It has " + few(resource.Closest(ref.Name, names)) + "."
		}
		return nil, &Problem{Attr: "chart", Summary: "No such chart in the repository",
			Detail: fmt.Sprintf("%s has no chart %q. %s", ref.Repository, ref.Name, detail)}
	}
	var versions []string
	for _, e := range entries {
		versions = append(versions, e.Version)
	}
	return versions, nil
}

// index returns the index of a repository, which is asked for once.
func (r *Resolver) index(ctx context.Context, repository string) (*index, *Problem) {
	r.mu.Lock()
	if r.indexes == nil {
		r.indexes = map[string]func() (*index, *Problem){}
	}
	once, isKnown := r.indexes[repository]
	if !isKnown {
		once = sync.OnceValues(func() (*index, *Problem) { return r.fetchIndex(ctx, repository) })
		r.indexes[repository] = once
	}
	r.mu.Unlock()
	return once()
}

func (r *Resolver) fetchIndex(ctx context.Context, repository string) (*index, *Problem) {
	ref := Ref{Repository: repository, Name: "the index"}
	data, err := r.get(ctx, strings.TrimSuffix(repository, "/")+"/index.yaml", maxIndex)
	if status := (*statusError)(nil); errors.As(err, &status) && status.code == http.StatusNotFound {
		return nil, &Problem{Attr: "repository", Summary: "No chart repository",
			Detail: fmt.Sprintf("%s has no index.yaml, as every chart repository has.", repository)}
	}
	if err != nil {
		return nil, unreachable(ref, err)
	}
	var ix index
	if err := yaml.Unmarshal(data, &ix); err != nil || ix.Entries == nil {
		return nil, &Problem{Attr: "repository", Summary: "No chart repository",
			Detail: fmt.Sprintf("The index.yaml of %s is no index of a chart repository.", repository)}
	}
	return &ix, nil
}

// fromIndex downloads the archive of a version and checks it against the digest
// that the index gives.
func (r *Resolver) fromIndex(ctx context.Context, ref Ref, version string) ([]byte, *Problem) {
	ix, problem := r.index(ctx, ref.Repository)
	if problem != nil {
		return nil, problem
	}
	versions, problem := ix.versions(ref)
	if problem != nil {
		return nil, problem
	}
	i := slices.IndexFunc(versions, func(v string) bool { return sameVersion(v, version) })
	if i < 0 {
		return nil, noVersion(Ref{Repository: ref.Repository, Name: ref.Name, Constraint: version}, newestFirst(versions))
	}
	entry := ix.Entries[ref.Name][i]
	if len(entry.URLs) == 0 {
		return nil, &Problem{Attr: "chart", Summary: "No archive of the chart",
			Detail: fmt.Sprintf("The index of %s gives no address for %s %s.", ref.Repository, ref.Name, version)}
	}
	want := digestInIndex(entry.Digest)
	if data, isKept := r.read(want); isKept {
		return data, nil
	}
	address, err := relativeTo(ref.Repository, entry.URLs[0])
	if err != nil {
		return nil, &Problem{Attr: "chart", Summary: "No archive of the chart",
			Detail: fmt.Sprintf("The index of %s gives %q as the address of %s %s, which is none.", ref.Repository, entry.URLs[0], ref.Name, version)}
	}
	data, problem := r.download(ctx, ref, address)
	if problem == nil && want != "" && digestOf(data) != want {
		return nil, &Problem{Attr: "chart", Summary: "Archive with a wrong digest",
			Detail: fmt.Sprintf("%s %s has the digest %s, and the index of %s says %s.", ref.Name, version, digestOf(data), ref.Repository, want)}
	}
	return data, problem
}

// digestInIndex returns a digest in our form, or nothing when an index gives
// something else.
func digestInIndex(s string) string {
	s = "sha256:" + strings.TrimPrefix(strings.ToLower(s), "sha256:")
	if !digestForm.MatchString(s) {
		return ""
	}
	return s
}

// relativeTo resolves an address in an index, which may be relative to the
// repository.
func relativeTo(repository, address string) (string, error) {
	base, err := url.Parse(strings.TrimSuffix(repository, "/") + "/")
	if err != nil {
		return "", err
	}
	u, err := base.Parse(address)
	if err != nil {
		return "", err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%q is no address of the web", address)
	}
	if base.Scheme == "https" && u.Scheme == "http" {
		return "", fmt.Errorf("%q is not encrypted, and the repository is", address)
	}
	return u.String(), nil
}

// download fetches an archive.
func (r *Resolver) download(ctx context.Context, ref Ref, address string) ([]byte, *Problem) {
	data, err := r.get(ctx, address, maxArchive)
	if status := (*statusError)(nil); errors.As(err, &status) && status.code == http.StatusNotFound {
		return nil, &Problem{Attr: "chart", Summary: "No archive of the chart", Detail: fmt.Sprintf("There is nothing at %s.", address)}
	}
	if err != nil {
		return nil, unreachable(ref, err)
	}
	return data, nil
}

// A statusError is an answer that is a refusal.
type statusError struct {
	address string
	code    int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answers %d %s", e.address, e.code, http.StatusText(e.code))
}

func (e *statusError) passing() bool {
	return e.code == http.StatusTooManyRequests || e.code >= 500
}

// get fetches what lies at an address, and tries again when that may help.
func (r *Resolver) get(ctx context.Context, address string, most int64) ([]byte, error) {
	pause := r.Pause
	if pause == 0 {
		pause = 500 * time.Millisecond
	}
	for attempt := 1; ; attempt++ {
		data, err := r.once(ctx, address, most)
		status := (*statusError)(nil)
		again := errors.As(err, &status) && status.passing() || errors.Is(err, io.ErrUnexpectedEOF)
		if !again || attempt == attempts {
			return data, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		pause *= 4
	}
}

func (r *Resolver) once(ctx context.Context, address string, most int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if r.UserAgent != "" {
		request.Header.Set("User-Agent", r.UserAgent)
	}
	if err := r.logIn(request); err != nil {
		return nil, err
	}
	answer, err := r.client().Do(request)
	if err != nil {
		var shell *url.Error
		if errors.As(err, &shell) {
			err = shell.Err // the address is named by whoever asked
		}
		return nil, fmt.Errorf("%s does not answer: %w", request.URL.Host, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, &statusError{address: address, code: answer.StatusCode}
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s stops in the middle: %w", address, err)
	case int64(len(data)) > most:
		return nil, fmt.Errorf("%s is larger than %d bytes", address, most)
	}
	return data, nil
}

// web is the client of whoever brings none.
var web = sync.OnceValue(func() *http.Client {
	return &http.Client{
		Timeout: requestTime,
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: dialTime}).DialContext,
			TLSHandshakeTimeout:   dialTime,
			ResponseHeaderTimeout: answerTime,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			if len(via) >= 10 {
				return errors.New("it redirects ten times")
			}
			if via[0].URL.Scheme == "https" && to.URL.Scheme == "http" {
				return errors.New("it redirects to an address that is not encrypted")
			}
			return nil
		},
	}
})

func (r *Resolver) client() *http.Client {
	if r.Client != nil {
		return r.Client
	}
	return web()
}
