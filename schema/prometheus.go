package schema

import (
	"crypto/x509"
	"regexp"

	"hubcap/engine/resource"
)

var serviceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z]([a-z0-9-]*[a-z0-9])?:[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// prometheusServer decodes where a cluster's Prometheus is: an attribute that is
// its URL, or a block that also says how to get in. nil: there is none.
func (b *body) prometheusServer() *Prometheus {
	url := b.address("prometheus")
	p := b.block("prometheus")
	if p == nil {
		if url == "" {
			return nil
		}
		return &Prometheus{URL: url}
	}
	if b.has("prometheus") {
		b.errorAt(p.header, "Prometheus given twice", "There is an attribute prometheus already, in line %d. Move its URL into the block.", b.at("prometheus").Start.Line)
	}
	server := &Prometheus{
		URL:         p.address("url"),
		Service:     p.checked("service", "Invalid service", matches(serviceName, `is not a service: write "namespace/name:port", as in "support/prometheus-server:80".`)),
		BearerToken: p.secret("bearer_token"),
		Username:    p.nonEmpty("username"),
		Password:    p.secret("password"),
		CA:          p.checked("ca", "Invalid certificates", certificates),
	}
	switch hasURL, hasService := p.has("url"), p.has("service"); {
	case hasURL && hasService:
		p.errorIn("service", "Prometheus in two places", "Write url or service, not both.")
	case !hasURL && !hasService:
		p.errorAt(p.header, "Missing attribute", `A prometheus block needs url, or service = "namespace/name:port" to ask through the API server.`)
	}
	for _, name := range []string{"bearer_token", "username", "password", "ca"} {
		if p.has("service") && p.has(name) {
			p.errorIn(name, "Attribute without effect", "A service is asked through the API server with the kubeconfig's rights: leave %s out.", name)
		}
	}
	if p.has("bearer_token") && (p.has("username") || p.has("password")) {
		p.errorIn("bearer_token", "Two ways to authenticate", "Write a bearer_token, or username and password.")
	}
	if p.has("username") != p.has("password") {
		p.errorAt(p.header, "Missing attribute", "username and password belong together.")
	}
	p.done()
	return server
}

func certificates(pem string) string {
	if x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) {
		return ""
	}
	return `holds no certificate in PEM. Read one with file("ca.pem").`
}

// secret returns a text that is never shown, marked as sensitive or not.
func (b *body) secret(name string) resource.Sensitive {
	b.veilIn(name)
	switch v := b.tree(name).(type) {
	case nil:
	case resource.Sensitive:
		return v
	case string:
		if v == "" {
			b.errorIn(name, "Empty text", "%s.%s is empty. Leave the attribute out if nothing is meant.", b.where, name)
		}
		b.l.rememberText(v)
		return resource.Secret(v)
	default:
		if !*b.bad {
			b.errorIn(name, "Wrong type of value", "%s.%s must be a text.", b.where, name)
		}
	}
	return resource.Sensitive{}
}
