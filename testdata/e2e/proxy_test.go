//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd/api"
)

// A proxy stands between hubcap and the API server. It notes every request, and
// can hold one up.
type proxy struct {
	server *httptest.Server
	mu     sync.Mutex
	seen   []string // "GET /api/v1/namespaces?limit=500"
	after  func(*http.Response)
	fate   func(*http.Request) fate
}

// A fate is what becomes of a request.
type fate int

const (
	passed    fate = iota + 1
	refused        // 503, and nothing is done
	throttled      // 429, and nothing is done
	cut            // the connection is cut, and nothing is done
	lost           // it is done, and the connection is cut before the answer
)

// newProxy starts a proxy that ends with the test. It passes on who is calling.
func newProxy(t *testing.T) *proxy {
	t.Helper()
	setUp(t)
	target, err := url.Parse(site.config.Host)
	if err != nil {
		t.Fatal(err)
	}
	anonymous := rest.AnonymousClientConfig(site.config)
	tlsConfig, err := rest.TLSConfigFor(anonymous)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	quiet := log.New(io.Discard, "", 0) // cut connections are what it is for
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     &http.Transport{TLSClientConfig: tlsConfig, MaxIdleConnsPerHost: 64},
		FlushInterval: -1,
		ErrorLog:      quiet,
		ModifyResponse: func(r *http.Response) error {
			p.mu.Lock()
			after := p.after
			p.mu.Unlock()
			if after != nil {
				after(r)
			}
			return nil
		},
	}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// An answer that comes before the whole request was passed on (a denied write) can hang between two HTTP/2
		// connections: take the request whole, and pass it on over HTTP/1.1.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.mu.Lock()
		p.seen = append(p.seen, r.Method+" "+r.URL.RequestURI())
		becomes := passed
		if p.fate != nil {
			becomes = p.fate(r)
		}
		p.mu.Unlock()
		switch becomes {
		case refused, throttled:
			refuse(w, becomes)
		case cut:
			panic(http.ErrAbortHandler)
		case lost:
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			forward.ServeHTTP(w, r)
		}
	}))
	p.server.EnableHTTP2 = true
	p.server.Config.ErrorLog = quiet
	p.server.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	p.server.StartTLS()
	t.Cleanup(p.server.Close)
	return p
}

// refuse answers as an API server does that has no time.
func refuse(w http.ResponseWriter, f fate) {
	code, reason := http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable
	if f == throttled {
		code, reason = http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Reason: reason, Code: int32(code), Message: "the API server is busy",
	})
}

// spoil decides the fate of every request from now on; nil lets all pass.
func (p *proxy) spoil(f func(*http.Request) fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fate = f
}

// ca returns the certificate that the proxy's clients have to trust.
func (p *proxy) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
}

// hook calls after with every answer before it is passed on; nil ends that.
func (p *proxy) hook(after func(*http.Response)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after = after
}

// take returns the requests since the last call.
func (p *proxy) take() requests {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen
	p.seen = nil
	return seen
}

// requests are those of one command.
type requests []string

func (r requests) with(part string) (found []string) {
	for _, one := range r {
		if strings.Contains(one, part) {
			found = append(found, one)
		}
	}
	return found
}

var token = regexp.MustCompile(`(continue|resourceVersion)=[^&]*`)

// String lists the requests by how often they were made.
func (r requests) String() string {
	count := map[string]int{}
	for _, one := range r {
		count[token.ReplaceAllString(one, "$1=…")]++
	}
	var lines []string
	for one, n := range count {
		lines = append(lines, fmt.Sprintf("%3d × %s", n, one))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func kubeconfigFor(server string, ca []byte, bearer string) api.Config {
	c := *api.NewConfig()
	c.Clusters["c"] = &api.Cluster{Server: server, CertificateAuthorityData: ca}
	c.AuthInfos["u"] = &api.AuthInfo{Token: bearer}
	c.Contexts["x"] = &api.Context{Cluster: "c", AuthInfo: "u"}
	c.CurrentContext = "x"
	return c
}

// emulator sends a request to the GKE emulator, which must take it.
func emulator(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, site.sandbox.GKEEndpoint+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer := drain(response.Body)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return []byte(answer)
}

// selfSigned returns a certificate that no API server has, in PEM.
func selfSigned(t *testing.T) []byte {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	if _, err := x509.ParseCertificate(s.Certificate().Raw); err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// soon bounds a wait for something that takes a moment.
const soon = 30 * time.Second
