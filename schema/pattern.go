package schema

import (
	"regexp"
	"strings"
)

// differing are constructs by their beginning, outside of a character class, and
// what is wrong with them in Python's re or in RE2.
var differing = []struct{ start, problem string }{
	{"(?=", "looks ahead, which RE2 cannot. Write two blocks with simpler patterns."},
	{"(?!", "looks ahead, which RE2 cannot. Write two blocks with simpler patterns."},
	{"(?<=", "looks behind, which RE2 cannot."},
	{"(?<!", "looks behind, which RE2 cannot."},
	{"(?P=", "refers back to a group, which RE2 cannot."},
	{"(?P>", "calls a group, which neither Python nor RE2 can."},
	{"(?(", "has a condition on a group, which RE2 cannot."},
	{"(?)", "has an empty group of flags, which Python does not know."},
	{"(?#", "has a comment, which RE2 cannot. Use the attribute reason."},
	{"(?>", "has an atomic group, which RE2 cannot."},
	{"(?<", "names a group in a way that Python cannot; it needs (?P<name>…)."},
	{`\z`, `uses \z, which Python may not know. Write $.`},
	{`\Z`, `uses \Z, which RE2 does not know. Write $.`},
	{`\A`, `uses \A. Leave it out: a pattern begins at the start anyway.`},
	{`\Q`, `uses \Q…\E, which Python does not know. Escape the characters one by one.`},
	{`\E`, `uses \Q…\E, which Python does not know. Escape the characters one by one.`},
	{`\C`, `uses \C, which Python does not know.`},
	{`\p`, `uses \p{…}, which Python does not know. Write the characters in brackets.`},
	{`\P`, `uses \P{…}, which Python does not know. Write the characters in brackets.`},
	{`\x{`, `uses \x{…}, which Python does not know. Write the character itself.`},
	{`\1`, "refers back to a group, which RE2 cannot."}, {`\2`, "refers back to a group, which RE2 cannot."},
	{`\3`, "refers back to a group, which RE2 cannot."}, {`\4`, "refers back to a group, which RE2 cannot."},
	{`\5`, "refers back to a group, which RE2 cannot."}, {`\6`, "refers back to a group, which RE2 cannot."},
	{`\7`, "refers back to a group, which RE2 cannot."}, {`\8`, "refers back to a group, which RE2 cannot."},
	{`\9`, "refers back to a group, which RE2 cannot."},
	{"{,", "repeats from zero with {,n}, which Python takes as a number and RE2 as text. Write {0,n}."},
}

var (
	flagGroup  = regexp.MustCompile(`^\(\?([a-zA-Z-]*)([:)])`)
	assertion  = regexp.MustCompile(`^(\^|\$|\\[bB])`)
	quantifier = regexp.MustCompile(`^(\{\d+(,\d*)?\}|[*+?])`)
)

// pythonDifference finds what Python's re and RE2 take differently.
func pythonDifference(pattern string) string {
	for i := 0; i < len(pattern); {
		rest := pattern[i:]
		for _, d := range differing {
			if strings.HasPrefix(rest, d.start) {
				return d.problem
			}
		}
		if problem := flagProblem(rest, i); problem != "" {
			return problem
		}
		if n := len(assertion.FindString(rest)); n > 0 && quantifier.MatchString(rest[n:]) {
			return "repeats " + rest[:n] + ", which Python cannot."
		}
		switch {
		case rest[0] == '\\':
			i += 2
		case rest[0] == '[':
			n, problem := class(rest)
			if problem != "" {
				return problem
			}
			i += n
		default:
			n := len(quantifier.FindString(rest))
			if n > 0 && strings.HasPrefix(rest[n:], "+") {
				return "has a possessive repetition, which RE2 cannot. Leave out the second \"+\"."
			}
			i += max(n, 1)
		}
	}
	return ""
}

// flagProblem checks a group with flags at the start of rest.
func flagProblem(rest string, offset int) string {
	m := flagGroup.FindStringSubmatch(rest)
	switch {
	case m == nil || m[1] == "":
		return ""
	case strings.ContainsAny(m[1], "U"):
		return "uses the flag U, which Python does not know. Write *? for a repetition that takes little."
	case strings.Trim(m[1], "ims-") != "":
		return "uses the flags " + m[1] + ", of which RE2 knows only i, m and s."
	case m[2] == ")" && (offset > 0 || strings.Contains(m[1], "-")):
		return "sets flags for the rest of the pattern, which Python allows only at its start. Write (?" + m[1] + ":…)."
	}
	return ""
}

// class returns the length of the character class at the start of s.
func class(s string) (int, string) {
	i := 1
	if strings.HasPrefix(s[i:], "^") {
		i++
	}
	if strings.HasPrefix(s[i:], "]") {
		i++
	}
	for i < len(s) && s[i] != ']' {
		switch {
		case s[i] == '\\':
			if i+1 < len(s) && strings.IndexByte("pPQEzZAC", s[i+1]) >= 0 {
				return 0, `uses ` + s[i:i+2] + ` inside brackets, which Python does not know.`
			}
			i++
		case s[i] == '[':
			return 0, `has "[" inside brackets, which RE2 may take as a class like [:alpha:] and Python does not. Write \[ for the bracket.`
		case strings.HasPrefix(s[i:], "&&"), strings.HasPrefix(s[i:], "||"), strings.HasPrefix(s[i:], "~~"), strings.HasPrefix(s[i:], "--"):
			return 0, `has "` + s[i:i+2] + `" inside brackets, which Python may take as a set operation. Escape it.`
		}
		i++
	}
	return i + 1, "" // an unclosed class is reported by the parser
}
