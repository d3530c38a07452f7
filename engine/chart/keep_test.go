package chart

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"hubcap/engine/resource"
)

// A world is the objects of a rendering, as if they were applied.
type liveWorld map[string]map[string]any

func applied(r Rendered) liveWorld {
	w := liveWorld{}
	for _, o := range append(r.Objects, r.Hooks...) {
		object := resource.Reveal(map[string]any(o.Object)).(map[string]any)
		w[o.Object.Text("kind")+"/"+o.Object.Text("metadata", "name")] = object
	}
	return w
}

func (w liveWorld) request(values map[string]any) Request {
	return Request{Release: "rel", Namespace: "ns", Values: values, Lookup: func(_, kind, _, name string) (map[string]any, error) {
		return copyTable(w[kind+"/"+name]), nil
	}}
}

// moved returns the paths in which b is not as a, texts being revealed.
func movedLeaves(a, b liveWorld) []string {
	var all []string
	var walk func(x, y any, at string)
	walk = func(x, y any, at string) {
		if t, isTable := x.(map[string]any); isTable {
			u, _ := y.(map[string]any)
			for _, key := range sortedKeys(t) {
				walk(t[key], u[key], at+"."+key)
			}
			return
		}
		if !resource.Equal(x, y) {
			all = append(all, at)
		}
	}
	for _, name := range sortedKeys(b) {
		walk(map[string]any(b[name]), map[string]any(a[name]), name)
	}
	return all
}

func secretWith(lines string) string {
	return "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n" + lines
}

func deploymentWith(annotation string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  template:\n    metadata:\n      annotations:\n        sum: " + annotation + "\n"
}

// What a template draws anew at each rendering keeps its live value.
func TestDrawnValuesKeepTheirLiveValue(t *testing.T) {
	sum := `{{ include (print $.Template.BasePath "/secret.yaml") . | sha256sum }}`
	tests := []struct {
		name  string
		files source
	}{
		{"a password", source{"templates/secret.yaml": secretWith("  p: {{ randAlphaNum 24 | quote }}\n")}},
		{"a short one, cut and lowered", source{"templates/secret.yaml": secretWith("  p: {{ randAlphaNum 12 | lower | trunc 5 | quote }}\n")}},
		{"within a text", source{"templates/c.yaml": configMap("\"url: postgres://hub:{{ randAlphaNum 20 }}@db/hub\\nother: 1\"")}},
		{"an identifier", source{"templates/c.yaml": configMap("{{ uuidv4 | quote }}")}},
		{"a time", source{"templates/c.yaml": configMap("{{ now | quote }}")}},
		{"half of the day", source{"templates/c.yaml": configMap(`{{ now | date "Jan 2 2006 03:04 PM" | quote }}`)}},
		{"a number", source{"templates/s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{name: http, nodePort: {{ randInt 30000 32767 }}}]}\n"}},
		{"a hash", source{"templates/secret.yaml": secretWith("  auth: {{ htpasswd \"admin\" .Values.p | quote }}\n"), "values.yaml": "p: x"}},
		{"an encrypted text", source{"templates/secret.yaml": secretWith("  e: {{ encryptAES \"key\" .Values.p | quote }}\n"), "values.yaml": "p: text"}},
		{"its digest elsewhere", source{
			"templates/secret.yaml": secretWith("  p: {{ include \"once\" . }}\n"),
			"templates/_once.tpl":   `{{ define "once" }}{{ if not (hasKey .Values "drawn") }}{{ $_ := set .Values "drawn" (randAlphaNum 24) }}{{ end }}{{ .Values.drawn }}{{ end }}`,
			"templates/z.yaml":      deploymentWith(`{{ include "once" . | sha256sum }}`),
		}},
		{"a digest of a file that is drawn again", source{"templates/secret.yaml": secretWith("  p: {{ randAlphaNum 24 }}\n"), "templates/z.yaml": deploymentWith(sum)}},
		{"certificates", source{"templates/w.yaml": `{{ $ca := genCA "ca" 365 }}{{ $cert := genSignedCert "hook" nil (list "hook.ns.svc") 365 $ca }}` +
			secretWith("  tls.crt: {{ $cert.Cert | quote }}\n  tls.key: {{ $cert.Key | quote }}\n") +
			"---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: w}\nwebhooks: [{name: a, clientConfig: {caBundle: {{ $ca.Cert | b64enc }}}}]\n"}},
		{"a certificate of a key that is drawn by itself", source{"templates/secret.yaml": `{{ $c := genSelfSignedCertWithKey "web" nil nil 365 (genPrivateKey "ecdsa") }}` +
			secretWith("  tls.crt: {{ $c.Cert | b64enc }}\n  tls.key: {{ $c.Key | trim | quote }}\n")}},
		{"a list of drawn length", source{"templates/c.yaml": "apiVersion: x/v1\nkind: X\nmetadata: {name: c}\nspec:\n  list: [{{ range until (randInt 1 900) }}a,{{ end }}]\n"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			first := test.files.render(t, Request{Release: "rel", Namespace: "ns"})
			w := applied(first)
			again := test.files.render(t, w.request(nil))
			if moved := movedLeaves(w, applied(again)); len(moved) > 0 {
				t.Errorf("the next plan has other values: %v", moved)
			}
			if len(again.Warnings) > 0 {
				t.Errorf("warnings: %v", again.Warnings)
			}
		})
	}
}

// What the config changes beside a drawn value is still seen, with what depends on it.
func TestChangesBesideDrawnValuesAreSeen(t *testing.T) {
	once := `{{ define "once" }}{{ if not (hasKey .Values "drawn") }}{{ $_ := set .Values "drawn" (randAlphaNum 24) }}{{ end }}{{ .Values.drawn }}{{ end }}`
	tests := []struct {
		name  string
		files source
		want  string // what moves
	}{
		{"the rest of a text", source{"templates/c.yaml": configMap("\"url: postgres://hub:{{ randAlphaNum 20 }}@db/hub\\nother: {{ .Values.x }}\"")}, "ConfigMap/c.data.out"},
		{"a digest of what was traced", source{
			"templates/_once.tpl": once, "templates/a.yaml": secretWith("  p: {{ include \"once\" . }}\n"),
			"templates/z.yaml": deploymentWith(`{{ print (include "once" .) .Values.x | sha256sum }}`),
		}, "Deployment/d.spec.template.metadata.annotations.sum"},
		{"a digest of what was not", source{
			"templates/secret.yaml": secretWith("  p: {{ randAlphaNum 24 | lower }}\n  x: {{ .Values.x }}\n"),
			"templates/z.yaml":      deploymentWith(`{{ include (print $.Template.BasePath "/secret.yaml") . | sha256sum }}`),
		}, "Secret/s.data.x Deployment/d.spec.template.metadata.annotations.sum"},
		{"the password of a hash", source{"templates/secret.yaml": secretWith("  auth: {{ htpasswd \"admin\" .Values.x | quote }}\n")}, "Secret/s.data.auth"},
		{"the names of a certificate", source{"templates/secret.yaml": `{{ $c := genSelfSignedCert .Values.x nil (list .Values.x) 365 }}` +
			secretWith("  tls.crt: {{ $c.Cert | quote }}\n  tls.key: {{ $c.Key | quote }}\n")}, "Secret/s.data.tls.crt Secret/s.data.tls.key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := applied(test.files.render(t, Request{Release: "rel", Namespace: "ns", Values: map[string]any{"x": "one"}}))
			next := applied(test.files.render(t, w.request(map[string]any{"x": "two"})))
			moved := movedLeaves(w, next)
			for _, want := range strings.Fields(test.want) {
				if !strings.Contains(strings.Join(moved, " ")+" ", want+" ") {
					t.Errorf("%s does not move: %v", want, moved)
				}
			}
			if len(moved) != len(strings.Fields(test.want)) {
				t.Errorf("moved: %v", moved)
			}
			if left := movedLeaves(next, applied(test.files.render(t, next.request(map[string]any{"x": "two"})))); len(left) > 0 {
				t.Errorf("the plan after it has other values: %v", left)
			}
		})
	}
}

// A text keeps what was drawn when the rest of it is another.
func TestDrawnPartOfAChangedText(t *testing.T) {
	files := source{"templates/c.yaml": configMap("\"token: {{ randAlphaNum 20 }}\\nother: {{ .Values.x }}\"")}
	text := func(w liveWorld) string { return fmt.Sprint(w["ConfigMap/c"]["data"].(map[string]any)["out"]) }
	w := applied(files.render(t, Request{Release: "rel", Namespace: "ns", Values: map[string]any{"x": "one"}}))
	next := applied(files.render(t, w.request(map[string]any{"x": "two"})))
	if want := strings.Replace(text(w), "one", "two", 1); text(next) != want {
		t.Errorf("got %q, want %q", text(next), want)
	}
}

// A certificate is not kept without what was signed with it.
func TestCertificatesAreDrawnTogether(t *testing.T) {
	files := source{"templates/w.yaml": `{{ $ca := genCA "ca" 365 }}{{ $cert := genSignedCert "hook" nil (list "hook.ns.svc") 365 $ca }}` +
		secretWith("  tls.crt: {{ $cert.Cert | quote }}\n  tls.key: {{ $cert.Key | quote }}\n") +
		"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ca}\ndata: {ca: {{ $ca.Cert | quote }}}\n"}
	w := applied(files.render(t, Request{Release: "rel", Namespace: "ns"}))
	delete(w, "Secret/s")
	if moved := movedLeaves(w, applied(files.render(t, w.request(nil)))); !strings.Contains(strings.Join(moved, " "), "ConfigMap/ca.data.ca") {
		t.Errorf("the authority stays, and its key is lost: %v", moved)
	}
}

// A hash that is kept is that of the password.
func TestKeptHashIsOfThePassword(t *testing.T) {
	files := source{"templates/secret.yaml": secretWith("  auth: {{ bcrypt .Values.x | quote }}\n")}
	w := applied(files.render(t, Request{Release: "rel", Namespace: "ns", Values: map[string]any{"x": "one"}}))
	next := applied(files.render(t, w.request(map[string]any{"x": "two"})))
	hash, err := base64.StdEncoding.DecodeString(fmt.Sprint(next["Secret/s"]["data"].(map[string]any)["auth"]))
	if err != nil || bcrypt.CompareHashAndPassword(hash, []byte("two")) != nil {
		t.Errorf("the hash is not of the new password: %v", err)
	}
}
