package kube

import (
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// Service returns where the service "namespace/name:port" is asked through the
// API server, and the transport that is let in there. It makes no request.
func (c *Client) Service(name string) (url string, transport http.RoundTripper, err error) {
	namespace, port, found := strings.Cut(name, "/")
	if !found || !strings.Contains(port, ":") {
		return "", nil, fmt.Errorf("find service %q: it is not of the form namespace/name:port", name)
	}
	base, _, err := rest.DefaultServerUrlFor(&rest.Config{
		Host: c.Config.Host, TLSClientConfig: c.Config.TLSClientConfig,
		ContentConfig: rest.ContentConfig{GroupVersion: &corev1.SchemeGroupVersion}, APIPath: "/api",
	})
	if err != nil {
		return "", nil, fmt.Errorf("find service %s: %w", name, err)
	}
	if transport, err = rest.TransportFor(c.Config); err != nil {
		return "", nil, fmt.Errorf("find service %s: %w", name, err)
	}
	return base.JoinPath("api/v1/namespaces", namespace, "services", port, "proxy").String(), transport, nil
}
