package schema

import (
	"regexp"
	"testing"
)

// binderMatches says whether BinderHub applies a pattern to a spec: Python's
// re.match, anchored at the start, without regard to case.
func binderMatches(t *testing.T, pattern, spec string) bool {
	t.Helper()
	re, err := regexp.Compile(`(?i)\A(?:` + pattern + `)`)
	if err != nil {
		t.Fatal(err)
	}
	return re.MatchString(spec)
}

func TestExactPattern(t *testing.T) {
	for _, c := range []struct {
		reason, provider, repo, spec string
		want                         bool
	}{
		{"the repository at a branch", "github", "user/repo", "user/repo/main", true},
		{"a branch with slashes", "github", "user/repo", "user/repo/feature/x", true},
		{"another spelling, as GitHub takes it", "github", "user/repo", "User/Repo/main", true},
		{"a longer name", "github", "user/repo", "user/repo-other/main", false},
		{"a dot is a dot", "github", "user/re.po", "user/rexpo/main", false},
		{"another user whose name ends so", "github", "user/repo", "other-user/repo/main", false},
		{"a plus is a plus", "gist", "user/a+b", "user/aab/main", false},
		{"a gist without a ref", "gist", "user/0123", "user/0123", true},
		{"a gist with a ref", "gist", "user/0123", "user/0123/abc", true},
		{"a longer gist", "gist", "user/0123", "user/01234", false},
		{"a URL is quoted in the spec", "git", "https://git.example.org/g/r", "https%3A%2F%2Fgit.example.org%2Fg%2Fr/main", true},
		{"quoted in lower case", "git", "https://git.example.org/g/r", "https%3a%2f%2fgit.example.org%2fg%2fr/main", true},
		{"a longer URL", "git", "https://git.example.org/g/r", "https%3A%2F%2Fgit.example.org%2Fg%2Fr2/main", false},
		{"a namespace of GitLab is quoted", "gitlab", "group/sub/repo", "group%2Fsub%2Frepo/main", true},
		{"a DOI has no ref", "zenodo", "10.5281/zenodo.3242074", "10.5281/zenodo.3242074", true},
		{"a longer DOI", "zenodo", "10.5281/zenodo.3242074", "10.5281/zenodo.32420741", false},
	} {
		pattern := exactPattern(c.provider, c.repo)
		if problem := patternProblem(pattern); problem != "" {
			t.Errorf("%s: %s %s", c.reason, pattern, problem)
		}
		if got := binderMatches(t, pattern, c.spec); got != c.want {
			t.Errorf("%s: %s matches %s: %v, want %v", c.reason, pattern, c.spec, got, c.want)
		}
	}
}

func TestPatternProblem(t *testing.T) {
	for _, pattern := range []string{
		"^user/.*", "user/(a|b)-[0-9]+/", `^a\.b/c{2,3}/?$`, "(?i)user/", "(?i:user)/x", "(?P<name>a)/b", `[]a]/x`, `[^]a]/\[x\]`,
		`\d\w\s\b`, "a{2}b{2,}", "a/{x}", `[\w.-]+/`, `a+?/b*?`, `\\z/x`, `[a-z]{1,39}/.*`, "^https%3A%2F%2F", `a/b\$`,
	} {
		if problem := patternProblem(pattern); problem != "" {
			t.Errorf("%s is refused: it %s", pattern, problem)
		}
	}
	for _, pattern := range []string{
		"a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b", "(?P<x>a)(?P=x)", "(a)?(?(1)b|c)", "(?#note)a", "(?>a)b", "(?<x>a)", `a\z`, `a\Z`, `\Aa`,
		`\Qa.b\E`, `\C`, `\pL`, `\PL`, `\x{10FFFF}`, `(a)\1`, "a{,3}", "a/(?i)b", "(?U)a*", "(?-i)a", "(?x)a b", "a++", "a*+", "a?+", "a{2}+",
		"[[:alpha:]]", `[\pL]`, "[a[b]", "[a&&b]", "[a--b]", "a**", "^*a", `\b{2}`, "a$?", "(?)", "(a", "[a", `a\`, ")", "*a", "",
	} {
		if patternProblem(pattern) == "" {
			t.Errorf("%s is accepted", pattern)
		}
	}
}

func TestSSDProblem(t *testing.T) {
	for _, c := range []struct {
		machine string
		count   int64
		mode    SSDMode
		want    bool
	}{
		{"n1-standard-1", 1, SSDMounted, true}, {"n1-highmem-8", 8, SSDMounted, true}, {"n1-highmem-8", 16, SSDMounted, true},
		{"n1-highmem-8", 9, SSDMounted, false}, {"n1-highmem-8", 32, SSDMounted, false},
		{"n2-standard-2", 1, SSDMounted, true}, {"n2-standard-8", 3, SSDMounted, false}, {"n2-standard-16", 1, SSDMounted, false},
		{"n2-standard-16", 2, SSDBlock, true}, {"n2-highmem-128", 8, SSDMounted, false}, {"n2-highmem-128", 16, SSDMounted, true},
		{"n2-custom-6-32768", 1, SSDMounted, true}, {"n2-custom-48-196608", 4, SSDMounted, false},
		{"n2d-standard-32", 1, SSDMounted, false}, {"c2-standard-60", 8, SSDMounted, true}, {"c2-standard-60", 4, SSDMounted, false},
		{"e2-standard-4", 1, SSDMounted, false}, {"t2d-standard-4", 1, SSDEphemeral, false}, {"f1-micro", 1, SSDMounted, false},
		{"c3-standard-8", 2, SSDEphemeral, false}, {"c3-standard-8-lssd", 2, SSDEphemeral, true}, {"c3-standard-8-lssd", 1, SSDEphemeral, false},
		{"c3-standard-8-lssd", 2, SSDMounted, false}, {"c3-standard-8-lssd", 2, SSDBlock, true},
		{"z9-standard-8", 5, SSDMounted, true}, // unknown to us, so left to GKE
	} {
		if got := ssdProblem(c.machine, &LocalSSD{Count: c.count, Mode: c.mode}); (got == "") != c.want {
			t.Errorf("%s with %d SSDs, %s: %q, want it allowed %v", c.machine, c.count, c.mode, got, c.want)
		}
	}
}

func TestSuggestion(t *testing.T) {
	names := []string{"machine_type", "disk", "autoscaling", "size_gb", "min", "max", "labels"}
	for given, want := range map[string]string{
		"machine_typ": "machine_type", "machinetype": "machine_type", "machine-type": "machine_type", "MachineType": "machine_type",
		"dsik": "disk", "autoscale": "autoscaling", "size": "size_gb", "mni": "min", "label": "labels", "x": "", "weather": "", "mx": "max",
	} {
		if want != "" {
			want = ` Did you mean "` + want + `"?`
		}
		if got := suggestion(given, names); got != want {
			t.Errorf("%s: got %q, want %q", given, got, want)
		}
	}
}
