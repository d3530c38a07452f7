package kube

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	metafake "k8s.io/client-go/metadata/fake"
	"k8s.io/client-go/rest"

	"hubcap/engine/plan"
	"hubcap/engine/run"
)

var sampledAt = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func labelledPod(name, component string, phase corev1.PodPhase, age time.Duration, change func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "hub", Labels: map[string]string{"component": component},
			CreationTimestamp: metav1.NewTime(sampledAt.Add(-age)), Annotations: map[string]string{},
		},
		Status: corev1.PodStatus{Phase: phase},
	}
	if change != nil {
		change(pod)
	}
	return pod
}

// gone marks a pod that should have been gone for so long.
func gone(since time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		at := metav1.NewTime(sampledAt.Add(-since))
		p.DeletionTimestamp, p.Finalizers = &at, []string{"test/stays"}
	}
}

func ofRepo(url string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Annotations[buildRepo] = url }
}

func sampled(t *testing.T, pods ...*corev1.Pod) *Provider {
	t.Helper()
	var typed, meta []runtime.Object
	for _, p := range pods {
		typed = append(typed, p)
		meta = append(meta, &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: p.ObjectMeta})
	}
	scheme := metafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return &Provider{
		Client: &Client{Typed: fake.NewClientset(typed...), Metadata: metafake.NewSimpleMetadataClient(scheme, meta...)},
		Now:    func() time.Time { return sampledAt },
	}
}

// TestUserServers holds what counts as a server that is stuck: pending for too
// long, or there long after it should be gone.
func TestUserServers(t *testing.T) {
	p := sampled(t,
		labelledPod("jupyter-new", "singleuser-server", corev1.PodPending, time.Minute, nil),
		labelledPod("jupyter-stuck", "singleuser-server", corev1.PodPending, 5*time.Minute, nil),
		labelledPod("jupyter-leaving", "singleuser-server", corev1.PodRunning, time.Hour, gone(9*time.Minute)),
		labelledPod("jupyter-ghost", "singleuser-server", corev1.PodRunning, time.Hour, gone(10*time.Minute)),
		labelledPod("hub-0", "hub", corev1.PodPending, time.Hour, nil),
	)
	zero, one := 0, 1
	for _, test := range []struct {
		reason string
		check  plan.PodsCheck
		want   run.Verdict
		says   string
	}{
		{"one of each is allowed", plan.PodsCheck{MaxPending: 1, MaxTerminating: &one}, run.Pass, "1 pending for 5m0s (at most 1), 1 still there 10m0s after they should be gone (at most 1)"},
		{"none pending is", plan.PodsCheck{MaxTerminating: &one}, run.Fail, "1 pending for 5m0s (at most 0)"},
		{"none left over is", plan.PodsCheck{MaxPending: 1, MaxTerminating: &zero}, run.Fail, "(at most 0)"},
		{"the culler works", plan.PodsCheck{MaxPending: 1, MaxAge: time.Hour}, run.Pass, "0 older than 1h0m0s (at most 0)"},
		{"the culler does not", plan.PodsCheck{MaxPending: 1, MaxAge: 4 * time.Minute}, run.Fail, "1 older than 4m0s (at most 0)"},
		{"those left over may not matter", plan.PodsCheck{MaxPending: 1}, run.Pass, "1 pending"},
	} {
		test.check.Users, test.check.Namespace = true, "hub"
		test.check.PendingAfter, test.check.TerminatingAfter = 5*time.Minute, 10*time.Minute
		got, err := p.Sample(t.Context(), run.Question{Gate: plan.Gate{Name: "g", Pods: &test.check}})
		if err != nil || got.Verdict != test.want || !strings.Contains(got.Reason, test.says) {
			t.Errorf("%s: %+v, %v, want %s with %q", test.reason, got, err, test.want, test.says)
		}
	}
}

func TestBuildPods(t *testing.T) {
	p := sampled(t,
		labelledPod("build-a1", "binderhub-build", corev1.PodRunning, time.Minute, ofRepo("https://github.com/a/a")),
		labelledPod("build-a2", "binderhub-build", corev1.PodRunning, time.Minute, ofRepo("https://github.com/a/a")),
		labelledPod("build-b1", "binderhub-build", corev1.PodRunning, time.Minute, ofRepo("https://github.com/b/b")),
		labelledPod("build-c1", "binderhub-build", corev1.PodPending, time.Minute, ofRepo("https://github.com/c/c")),
		labelledPod("build-done", "binderhub-build", corev1.PodSucceeded, time.Hour, nil),
		labelledPod("build-leaving", "binderhub-build", corev1.PodRunning, time.Hour, gone(time.Second)),
		labelledPod("jupyter-x", "singleuser-server", corev1.PodRunning, time.Hour, nil),
	)
	got, err := p.Builds(t.Context(), "hub")
	if err != nil || got.Running != 3 || got.Pending != 1 || got.PerRepo["https://github.com/a/a"] != 2 || got.PerRepo["https://github.com/b/b"] != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestService holds where a service is asked through the API server, and that the
// kubeconfig's credentials go along.
func TestService(t *testing.T) {
	var asked, token string
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked, token = r.URL.Path, r.Header.Get("Authorization")
	}))
	defer api.Close()
	c := &Client{Config: &rest.Config{Host: api.URL + "/clusters/7", BearerToken: "of-the-kubeconfig"}}
	url, transport, err := c.Service("support/prometheus-server:80")
	if err != nil {
		t.Fatal(err)
	}
	r, err := (&http.Client{Transport: transport}).Get(url + "/api/v1/query")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if want := "/clusters/7/api/v1/namespaces/support/services/prometheus-server:80/proxy/api/v1/query"; asked != want || token != "Bearer of-the-kubeconfig" {
		t.Errorf("asked %s with %q, want %s", asked, token, want)
	}
	for _, bad := range []string{"prometheus", "a/b", ""} {
		if _, _, err := c.Service(bad); err == nil {
			t.Errorf("%q is taken for a service", bad)
		}
	}
}
