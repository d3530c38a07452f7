package schema

import (
	"regexp"
	"strings"
	"time"

	"hubcap/engine/resource"
)

// LaunchCheck starts a server on the hub that was changed, as a person would, and
// stops it again.
type LaunchCheck struct {
	Via         string // "jupyterhub" or "binderhub"; empty: by the hub's type
	URL         string // empty: the hub's
	Spec        string // "gh/USER/REPO/REF", of a binder
	User        string // of a hub: the gate's own
	Token       resource.Sensitive
	TokenSecret *SecretKey // where the token lies in the hub's namespace; nil: Token, or none
	Timeout     time.Duration
}

// A SecretKey is a key of a Secret in the namespace of a hub.
type SecretKey struct{ Secret, Key string }

// Defaults of a launch.
const (
	launchTimeout = 2 * time.Minute
	launchUser    = "hubcap-gate"
)

// specProviders are the short names with which a spec of BinderHub's begins.
var specProviders = []string{"gh", "gist", "git", "gl", "zenodo", "figshare", "hydroshare", "dataverse", "ckan"}

var hubUser = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$`)

func (b *body) launchCheck() *LaunchCheck {
	l := b.block("launch")
	if l == nil {
		return nil
	}
	check := &LaunchCheck{
		Via:     l.word("via", "jupyterhub", "binderhub"),
		URL:     l.address("url"),
		Spec:    l.checked("spec", "Invalid spec", invalidSpec),
		User:    l.checked("user", "Invalid user", invalidUser),
		Token:   l.secretText("token"),
		Timeout: l.positive("timeout"),
	}
	check.TokenSecret = l.secretKey("token_secret")
	if l.has("token") && l.has("token_secret") {
		l.errorIn("token_secret", "Token from two places", "launch has a token already. Write one of token and token_secret.")
	}
	if l.has("spec") && check.Via == "jupyterhub" {
		l.errorIn("spec", "Attribute without effect", "A launch through JupyterHub builds nothing. Leave spec out, or write via = \"binderhub\".")
	}
	if l.has("user") && check.Via == "binderhub" {
		l.errorIn("user", "Attribute without effect", "A launch through BinderHub has a user of its own making. Leave user out, or write via = \"jupyterhub\".")
	}
	if check.User == "" {
		check.User = launchUser
	}
	if check.Timeout == 0 {
		check.Timeout = launchTimeout
	}
	l.done()
	return check
}

func invalidSpec(s string) string {
	provider, rest, _ := strings.Cut(s, "/")
	for _, p := range specProviders {
		if p == provider && rest != "" && !strings.ContainsAny(s, "?#") {
			return ""
		}
	}
	return "is not a spec of BinderHub's. Write it as in the address of a launch: \"gh/binderhub-ci-repos/requirements/HEAD\"."
}

func invalidUser(s string) string {
	if hubUser.MatchString(s) {
		return ""
	}
	return "is not a name for a user that a gate makes and removes: lower-case letters, digits, \".\", \"_\" and \"-\"."
}

// secretKey returns "SECRET/KEY", taken apart.
func (b *body) secretKey(name string) *SecretKey {
	text := b.checked(name, "Invalid key of a Secret", func(s string) string {
		if secret, key, found := strings.Cut(s, "/"); found && secret != "" && key != "" {
			return ""
		}
		return "is not a Secret and a key in it, as in \"hub/hub.services.hubcap.apiToken\"."
	})
	if text == "" {
		return nil
	}
	secret, key, _ := strings.Cut(text, "/")
	return &SecretKey{Secret: secret, Key: key}
}
