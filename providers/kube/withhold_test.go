package kube

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"hubcap/engine/resource"
)

// TestServerErrorsQuoteNoSecret: what an API server or a webhook has against an object
// is said with its field and reason, and without any spelling of a sensitive value.
func TestServerErrorsQuoteNoSecret(t *testing.T) {
	const secret = "s3cr3t-hunter2-value"
	d := withToken(t)
	containers, _ := d.Object.Value("spec", "template", "spec", "containers")
	container := containers.([]any)[0].(map[string]any)
	container["env"].([]any)[1].(map[string]any)["value"] = resource.SecretOf("https://u:"+secret+"@h", secret)
	d.Object.Set("Cluster", "spec", "type")
	env := field.NewPath("spec", "template", "spec", "containers").Index(0).Child("env").Index(1).Child("value")
	kind, resources := schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupResource{Group: "apps", Resource: "deployments"}
	denied := func(format string, args ...any) error {
		return apierrors.NewForbidden(resources, "web", fmt.Errorf(format, args...))
	}
	for _, test := range []struct {
		reason string
		err    error
		says   string
	}{
		{"the sensitive field", apierrors.NewInvalid(kind, "web", field.ErrorList{field.Invalid(env, secret, "must be a valid token, not "+secret)}), "spec.template.spec.containers[0].env[1].value: Invalid value: (sensitive): must be a valid token"},
		{"above it", apierrors.NewInvalid(kind, "web", field.ErrorList{field.Invalid(field.NewPath("spec", "template"), map[string]any{"a": secret}, "field is odd")}), "spec.template: Invalid value (the value is sensitive"},
		{"a longer list", apierrors.NewInvalid(kind, "web", field.ErrorList{field.TooLong(env, secret, 3)}), "env[1].value: Too long"},
		{"another field", apierrors.NewInvalid(kind, "web", field.ErrorList{field.Invalid(field.NewPath("spec", "replicas"), -1, "must be greater than or equal to 0")}), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"},
		{"a webhook", denied("admission webhook \"deny.example.org\" denied the request: %q is weak", secret), `webhook "deny.example.org" denied the request: (sensitive) is weak`},
		{"a webhook that cuts", denied("denied: %s… is a known password", secret[:12]), "denied: (sensitive)… is a known password"},
		{"a webhook that encodes", denied("denied: %s, %X", base64.StdEncoding.EncodeToString([]byte(secret)), secret), "denied: (sensitive), (sensitive)"},
		{"a quota", denied("exceeded quota: pods, requested: pods=1, used: pods=3, limited: pods=3"), "exceeded quota: pods, requested: pods=1"},
		{"not typed", apierrors.NewBadRequest(`failed to create typed patch object: .spec.x: expected string, got &value.valueUnstructured{Value:"` + secret + `"}`), ".spec.x: expected string"},
		{"a choice", apierrors.NewInvalid(kind, "web", field.ErrorList{field.NotSupported(env, secret, []string{"ClusterIP", "NodePort", "kubernetes.io/tls"})}), `env[1].value: Unsupported value: (sensitive): supported values: "ClusterIP", "NodePort", "kubernetes.io/tls"`},
		{"a choice elsewhere", apierrors.NewInvalid(kind, "web", field.ErrorList{field.NotSupported(field.NewPath("spec", "type"), "Cluster", []string{"ClusterIP", "NodePort"})}), `spec.type: Unsupported value: "Cluster": supported values: "ClusterIP", "NodePort"`},
		{"a pattern", apierrors.NewInvalid(kind, "web", field.ErrorList{field.Invalid(env, secret, strings.Join(validation.IsDNS1123Subdomain("_"), "; "))}), `(e.g. 'example.com', regex used for validation is '[a-z0-9]`},
		{"four times", apierrors.NewInvalid(kind, "web", slices.Repeat(field.ErrorList{field.NotSupported(env, secret, []string{"ClusterIP"})}, 4)), `is invalid: spec.template.spec.containers[0].env[1].value: Unsupported value: (sensitive): supported values: "ClusterIP" (the value is sensitive, and is not shown)`},
		{"of several fields", apierrors.NewInvalid(kind, "web", field.ErrorList{field.Required(field.NewPath("spec", "a"), "too odd"), field.Required(field.NewPath("spec", "b"), "too odd")}), "spec.a (and 1 more): Required value: too odd"},
		{"a webhook that reverses", denied("denied: %q, '%s', `%s`", reversed(secret), reversed(secret[:7]), strings.ToUpper(secret)), "denied: (sensitive), (sensitive), (sensitive)"},
		{"a webhook that encodes a part", denied("denied: %q and %q", base64.StdEncoding.EncodeToString([]byte(secret[7:13])), fmt.Sprintf("%x", secret[:5])), "denied: (sensitive) and (sensitive)"},
		{"a webhook that digests", denied("denied: %q", fmt.Sprintf("%x", sha256.Sum256([]byte(secret)))), "denied: (sensitive)"},
		{"a webhook that splits", denied("denied: '%s' '%s'", secret[:6], secret[7:14]), "denied: (sensitive) (sensitive)"},
		{"a webhook that explains", denied("denied: the policy \"no-plain-values\" of 'kyverno' wants a reference to a Secret, as in 'valueFrom'"), `the policy "no-plain-values" of 'kyverno' wants a reference to a Secret, as in 'valueFrom'`},
		{"no answer", errors.New("dial tcp 127.0.0.1:1: connection refused"), "connection refused"},
	} {
		p := offline()
		p.Client.where = "prod"
		for _, said := range []string{
			p.against(d.Object, test.err),
			p.Client.explain("update", "Deployment/web", p.scrubbed(test.err, d.Object)).Error(),
		} {
			if !strings.Contains(said, test.says) {
				t.Errorf("%s: says %q, want %q", test.reason, said, test.says)
			}
			for _, piece := range []string{"hunter2", "s3cr3t", base64.StdEncoding.EncodeToString([]byte(secret))[:12], fmt.Sprintf("%X", secret), "2retnuh", "retnuh", fmt.Sprintf("%x", secret[:5]), base64.StdEncoding.EncodeToString([]byte(secret[7:13]))} {
				if strings.Contains(said, piece) {
					t.Errorf("%s: quotes it: %s", test.reason, said)
				}
			}
		}
		if got := p.scrubbed(test.err, d.Object); !errors.Is(got, test.err) {
			t.Errorf("%s: the cause is gone", test.reason)
		}
	}
	if said := offline().against(d.Object, apierrors.NewInvalid(kind, "web", slices.Repeat(field.ErrorList{field.Invalid(env, secret, "odd")}, 4))); strings.Count(said, "odd") != 1 {
		t.Errorf("says it %d times: %s", strings.Count(said, "odd"), said)
	}
	plain := apierrors.NewInvalid(kind, "web", field.ErrorList{field.Invalid(field.NewPath("spec"), "as it is", "odd")})
	if got := offline().against(webDesired(t).Object, plain); got != plain.Error() {
		t.Errorf("an object without secrets: %s", got)
	}
}

func reversed(text string) string {
	r := []rune(text)
	slices.Reverse(r)
	return string(r)
}

// TestErrorsShowNoQuery: the selector of a request may hold a sensitive label, and the errors of
// requests name their URL.
func TestErrorsShowNoQuery(t *testing.T) {
	c := &Client{where: "prod"}
	for _, cause := range []error{context.Canceled, errors.New("http: server gave HTTP response to HTTPS client"), io.ErrUnexpectedEOF, context.DeadlineExceeded} {
		err := fmt.Errorf("list: %w", &url.Error{Op: "Get", URL: "https://prod/api/v1/namespaces/x/pods?labelSelector=app%3Dx%2Cpw%3Ds3cr3t-hunter2", Err: cause})
		said := c.explain("list", "pods", err)
		if strings.Contains(said.Error(), "hunter2") || strings.Contains(said.Error(), "labelSelector") || !errors.Is(said, cause) && !errors.Is(said, ErrUnreachable) {
			t.Errorf("%v: %v", cause, said)
		}
	}
}
