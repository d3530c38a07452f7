package adopt

import (
	"regexp"
	"strconv"
	"strings"

	"hubcap/schema"
)

// providerNames are BinderHub's repository providers, and how the language calls
// them, in the order in which they are written.
var providerNames = []struct{ class, name string }{
	{"GitHubRepoProvider", "github"}, {"GistRepoProvider", "gist"}, {"GitRepoProvider", "git"}, {"GitLabRepoProvider", "gitlab"},
	{"ZenodoProvider", "zenodo"}, {"FigshareProvider", "figshare"}, {"HydroshareProvider", "hydroshare"},
	{"DataverseProvider", "dataverse"}, {"CKANProvider", "ckan"},
}

// A repository is one entry of a provider's list of limits or bans.
type repository struct {
	pattern  string
	sessions int64
}

// repoLimits takes the limits of single repositories. The order of such a list
// matters, so it is taken as a whole or not at all.
func (h *hub) repoLimits(t *taking) {
	for _, p := range providerNames {
		list, _ := t.at(h.root, "config", p.class, "spec_config").([]any)
		var found []repository
		for i, e := range list {
			entry, _ := e.(map[string]any)
			pattern, _ := entry["pattern"].(string)
			config, _ := entry["config"].(map[string]any)
			quota, isNumber := config["quota"].(int64)
			if len(entry) != 2 || len(config) != 1 || !isNumber || quota < 0 {
				h.say(h.root, "entry "+strconv.Itoa(i)+" says more than a pattern and a quota", "config", p.class, "spec_config")
				found = nil
				break
			}
			found = append(found, repository{pattern, quota})
		}
		if h.expressible(found, p.class, "spec_config") {
			t.done(h.root, "config", p.class, "spec_config")
			h.repositories("repo_limit", p.name, found)
		}
	}
}

// repoBans takes the bans.
func (h *hub) repoBans(t *taking) {
	for _, p := range providerNames {
		list, _ := t.at(h.root, "config", p.class, "banned_specs").([]any)
		var found []repository
		for _, e := range list {
			pattern, _ := e.(string) // what is none is told as an empty pattern
			found = append(found, repository{pattern: pattern})
		}
		if h.expressible(found, p.class, "banned_specs") {
			t.done(h.root, "config", p.class, "banned_specs")
			h.repositories("repo_ban", p.name, found)
		}
	}
}

// expressible reports whether blocks can stand for all of a list, and says why
// not.
func (h *hub) expressible(list []repository, class, trait string) bool {
	seen := map[string]int{}
	for i, r := range list {
		if problem := schema.PatternProblem(r.pattern); problem != "" {
			h.say(h.root, "pattern "+strconv.Itoa(i)+" "+firstSentence(problem), "config", class, trait)
			return false
		}
		if first, isTwice := seen[r.pattern]; isTwice {
			h.say(h.root, "pattern "+strconv.Itoa(i)+" is the same as pattern "+strconv.Itoa(first), "config", class, trait)
			return false
		}
		seen[r.pattern] = i
	}
	return len(list) > 0
}

// firstSentence returns what is wrong, without what to do about it.
func firstSentence(s string) string {
	first, _, _ := strings.Cut(s, ". ")
	return strings.TrimSuffix(first, ".")
}

// repositories adds a block for each.
func (h *hub) repositories(kind, provider string, list []repository) {
	for _, r := range list {
		repo, isOne := oneRepo(r.pattern)
		isOne = isOne && provider == "github"
		wish := repo
		if !isOne {
			wish = strings.Trim(wordsOf.ReplaceAllString(r.pattern, "-"), "-")
		}
		wish = short(wordsOf.ReplaceAllString(wish, "-"))
		name := h.w.names.free(kind, wish, wish+"-"+h.address.Name, h.address.Name+"-"+provider)
		h.beside = append(h.beside, func(t *text) {
			t.open(kind, name)
			t.attr("hub", "hub."+h.address.Name)
			if provider != "github" {
				t.attr("provider", quote(provider))
			}
			if isOne {
				t.attr("repo", quote(repo))
			} else {
				t.attr("pattern", quote(r.pattern))
			}
			if kind == "repo_limit" {
				t.attr("sessions", strconv.FormatInt(r.sessions, 10))
			}
			t.end()
		})
	}
}

var (
	wordsOf    = regexp.MustCompile(`[^A-Za-z0-9]+`)
	githubRepo = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)
)

// longestName is how long the name of a block may get when it is made from a
// pattern.
const longestName = 60

func short(s string) string {
	if len(s) > longestName {
		s = s[:longestName]
	}
	return s
}

// oneRepo returns the repository of GitHub that a pattern means, when it is just
// the one that the language makes of "user/repo".
func oneRepo(pattern string) (string, bool) {
	body, isAnchored := strings.CutPrefix(pattern, "^")
	body, isClosed := strings.CutSuffix(body, "/")
	repo := strings.ReplaceAll(body, `\`, "")
	if !isAnchored || !isClosed || !githubRepo.MatchString(repo) || regexp.QuoteMeta(repo) != body {
		return "", false
	}
	return repo, true
}
