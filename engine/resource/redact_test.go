package resource

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	const secret = `hunter2 "is" no/password`
	var r Redactor
	r.AddAll(Object{"a": []any{Secret(secret), Secret("x"), SecretOf("c.token = 'tok-0815-tok'\n", "tok-0815-tok")}})
	for name, text := range map[string]string{
		"plain": secret, "upper": strings.ToUpper(secret), "base64": base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 of URLs": base64.RawURLEncoding.EncodeToString([]byte(secret)), "hex": hex.EncodeToString([]byte(secret)),
		"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "quoted": fmt.Sprintf("%q", secret), "a piece": "tok-0815-tok",
	} {
		if got := r.Redact("it said " + text + ", twice: " + text); strings.Contains(got, text) || strings.Count(got, Mask) != 2 || !strings.HasPrefix(got, "it said ") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := r.Redact("an axis of x"); got != "an axis of x" {
		t.Errorf("a short one is looked for: %s", got)
	}
	var none Redactor
	if got := none.Redact("as it is"); got != "as it is" {
		t.Errorf("knows something: %s", got)
	}
	var encoded Redactor
	encoded.Add(base64.StdEncoding.EncodeToString([]byte("a: b\ncookie: 0123456789abcdef0123\n")))
	if got := encoded.Redact("line 2: cookie: 0123456789abcdef0123 is no key"); got != "line 2: (sensitive) is no key" {
		t.Errorf("a line of what a Secret holds: %s", got)
	}
}

// TestWithhold: what a server quotes is withheld unless the object has it in the open.
func TestWithhold(t *testing.T) {
	o := Object{"metadata": map[string]any{"name": "web"}, "spec": map[string]any{"token": Secret("hunter2-is-no-password"), "port": int64(80), "url": Secret("the process of the gallery proxy is Blau1234")}}
	var r Redactor
	r.AddAll(o)
	for text, want := range map[string]string{
		`admission webhook "deny.example.org" denied the request: token "hunt" of "web" is weak`:         `admission webhook "deny.example.org" denied the request: token (sensitive) of "web" is weak`,
		`denied: hunter2-is begins badly, and so does HUNTER2`:                                           `denied: (sensitive) begins badly, and so does (sensitive)`,
		`spec.token: got 'p4ssw0rd'`:                                                                     `spec.token: got (sensitive)`,
		`spec.type: "Ingress" is none of "ClusterIP", "NodePort"; the proxy of the gallery is "apps/v1"`: `spec.type: "Ingress" is none of "ClusterIP", "NodePort"; the proxy of the gallery is "apps/v1"`,
		`the proxy "gallery" and 'ssecorp', and https://user`:                                            `the proxy (sensitive) and (sensitive), and https://user`,
		`exceeded quota: pods, requested 1, limited 0`:                                                   `exceeded quota: pods, requested 1, limited 0`,
	} {
		if got := r.Withhold(text, o); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
