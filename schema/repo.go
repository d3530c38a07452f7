package schema

import (
	"fmt"
	"net/url"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"hubcap/engine/resource"
)

// providers are the repository providers of BinderHub.
var providers = []string{"github", "gist", "git", "gitlab", "zenodo", "figshare", "hydroshare", "dataverse", "ckan"}

var githubRepo = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)

// decodeRepoLimit decodes a repo_limit block.
func decodeRepoLimit(b *body, header Block) entry {
	b.require("sessions")
	r := &RepoLimit{
		Block:    header,
		Hubs:     b.hubs(),
		Match:    b.repoMatch(),
		Sessions: b.number("sessions", atLeast0, 0),
		Until:    b.until(),
		Reason:   b.text("reason"),
	}
	if b.has("sessions") && r.Sessions == 0 && !*b.bad {
		b.l.warnAt(b.at("sessions"), "Limit that is none", "BinderHub takes a limit of 0 as no limit. To refuse a repository, write a repo_ban block.")
	}
	return r
}

// decodeRepoBan decodes a repo_ban block.
func decodeRepoBan(b *body, header Block) entry {
	return &RepoBan{Block: header, Hubs: b.hubs(), Match: b.repoMatch(), Until: b.until(), Reason: b.text("reason")}
}

// hubs decodes hub or hubs.
func (b *body) hubs() []resource.Address {
	var found []*target
	one := b.ref("hub", "hub")
	many := b.refs("hubs", "hub")
	switch {
	case b.has("hub") && b.has("hubs"):
		b.errorIn("hub", "Contradictory attributes", "Write hub = hub.NAME for one hub, or hubs = [ … ] for several.")
	case !b.has("hub") && !b.has("hubs"):
		b.errorAt(b.header, "Missing attribute", "%s block needs hub = hub.NAME, or hubs = [ … ].", article(b.where))
	case one != nil:
		found = []*target{one}
	default:
		found = many
	}
	var addresses []resource.Address
	seen := map[resource.Address]bool{}
	for _, t := range found {
		if seen[t.address] {
			b.errorIn("hubs", "Duplicate hub", "%s is there twice.", t.address)
			continue
		}
		seen[t.address] = true
		addresses = append(addresses, t.address)
	}
	return addresses
}

// repoMatch decodes provider, and repo or pattern.
func (b *body) repoMatch() RepoMatch {
	m := RepoMatch{Provider: b.word("provider", providers...)}
	if m.Provider == "" {
		m.Provider = "github"
	}
	repo := b.checked("repo", "Invalid repository", func(s string) string { return repoProblem(m.Provider, s) })
	m.Pattern = b.checked("pattern", "Invalid pattern", patternProblem)
	switch {
	case b.has("repo") && b.has("pattern"):
		b.errorIn("pattern", "Contradictory attributes", "Write repo for one repository, or pattern for a regular expression.")
	case !b.has("repo") && !b.has("pattern"):
		b.errorAt(b.header, "Missing attribute", "%s block needs repo = \"user/repo\", or pattern = a regular expression.", article(b.where))
	case repo != "":
		m.Pattern = exactPattern(m.Provider, repo)
	}
	return m
}

// repoProblem says why a text does not name one repository of a provider.
func repoProblem(provider, s string) string {
	switch {
	case s == "":
		return "is empty."
	case provider == "github" && strings.Contains(s, "github.com"):
		return "is an address. Write only user/repo, without the host."
	case provider == "github" && !githubRepo.MatchString(s):
		return `is not a repository of GitHub: write "user/repo". To match several, use pattern.`
	case provider == "gist" && strings.Count(s, "/") != 1:
		return `is not a gist: write "user/id".`
	case provider == "git":
		if u, err := url.Parse(s); err != nil || u.Scheme == "" || u.Host == "" {
			return `is not the URL of a repository; one is "https://git.example.org/group/repo".`
		}
	case strings.ContainsAny(s, " \t\n"):
		return "has a space."
	}
	return ""
}

// exactPattern makes the expression that matches every ref of one repository
// and no other repository. Without the boundary at the end user/repo would match
// user/repo-other too.
func exactPattern(provider, repo string) string {
	repo = strings.TrimSuffix(repo, "/")
	switch provider {
	case "github":
		return "^" + regexp.QuoteMeta(repo) + "/"
	case "git", "gitlab", "ckan":
		return "^" + regexp.QuoteMeta(percentEncode(repo)) + "(/|$)" // BinderHub matches the spec before it is unquoted
	default:
		return "^" + regexp.QuoteMeta(repo) + "(/|$)" // these may have no ref
	}
}

// percentEncode quotes everything but what RFC 3986 calls unreserved, as
// browsers' encodeURIComponent and Python's quote(safe="") do.
func percentEncode(s string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// PatternProblem says why a text cannot be the pattern of a limit or a ban, ""
// when it can.
func PatternProblem(s string) string { return patternProblem(s) }

// patternProblem says why a regular expression cannot be used. BinderHub matches
// with Python's re, hubcap tells the effect beforehand with RE2: only what means
// the same in both is allowed.
func patternProblem(s string) string {
	if s == "" {
		return "is empty, and would match every repository."
	}
	if problem := pythonDifference(s); problem != "" {
		return problem
	}
	if _, err := syntax.Parse(s, syntax.Perl); err != nil {
		reason := err.Error()
		if syntaxErr, is := err.(*syntax.Error); is {
			reason = syntaxErr.Code.String()
			if syntaxErr.Expr != "" && syntaxErr.Expr != s {
				reason += " in " + syntaxErr.Expr
			}
		}
		return "is not a regular expression: " + reason + "."
	}
	return ""
}

func (r *RepoLimit) addTo(config *Config) { config.RepoLimits = append(config.RepoLimits, *r) }

func (r *RepoLimit) fields() map[string]cty.Value {
	return map[string]cty.Value{
		"provider": textValue(r.Match.Provider), "pattern": textValue(r.Match.Pattern), "sessions": cty.NumberIntVal(r.Sessions),
	}
}

func (r *RepoBan) addTo(config *Config) { config.RepoBans = append(config.RepoBans, *r) }

func (r *RepoBan) fields() map[string]cty.Value {
	return map[string]cty.Value{"provider": textValue(r.Match.Provider), "pattern": textValue(r.Match.Pattern)}
}
