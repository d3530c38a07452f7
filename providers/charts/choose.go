package charts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// shown is how many versions or names a message lists.
const shown = 6

// exactly returns the version that a constraint names, if it is one version.
func exactly(constraint string) (string, bool) {
	v, err := semver.StrictNewVersion(strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(constraint, "=")), "v"))
	if err != nil {
		return "", false
	}
	return v.Original(), true
}

// meets reports whether a version is within a constraint. Without one every
// version is.
func meets(constraint, version string) bool {
	if constraint == "" {
		return true
	}
	c, err := semver.NewConstraint(constraint)
	if err != nil {
		return false
	}
	v, err := semver.NewVersion(version)
	return err == nil && c.Check(v)
}

// sameVersion compares two spellings of a version: "v1.2.3" is "1.2.3".
func sameVersion(a, b string) bool {
	one, err1 := semver.NewVersion(a)
	two, err2 := semver.NewVersion(b)
	return a == b || err1 == nil && err2 == nil && one.Equal(two) && one.Metadata() == two.Metadata()
}

// choose returns the newest of the versions within ref's constraint. A
// pre-release is chosen only when the constraint names one. What is no version
// is passed over.
func choose(ref Ref, versions []string) (string, *Problem) {
	parsed := newestFirst(versions)
	wanted := ref.Constraint
	if wanted == "" {
		wanted = "*"
	}
	constraint, err := semver.NewConstraint(wanted)
	if err != nil {
		return "", &Problem{Attr: "chart_version", Summary: "Invalid version constraint", Detail: fmt.Sprintf("%q is no version constraint.", ref.Constraint)}
	}
	exact, isExact := exactly(ref.Constraint)
	for _, v := range parsed {
		if constraint.Check(v) && (!isExact || sameVersion(exact, v.Original()) || !strings.Contains(exact, "+")) {
			return v.Original(), nil
		}
	}
	return "", noVersion(ref, parsed)
}

func newestFirst(versions []string) []*semver.Version {
	var parsed []*semver.Version
	for _, text := range versions {
		if v, err := semver.NewVersion(text); err == nil {
			parsed = append(parsed, v)
		}
	}
	slices.SortStableFunc(parsed, func(a, b *semver.Version) int { return b.Compare(a) })
	return parsed
}

// noVersion says which versions there are instead: those next to what was asked
// for, else the newest.
func noVersion(ref Ref, versions []*semver.Version) *Problem {
	var releases, all []string
	for _, v := range versions {
		if v.Prerelease() == "" {
			releases = append(releases, v.Original())
		}
		all = append(all, v.Original())
	}
	p := &Problem{Attr: "chart_version", Summary: "No such version of the chart"}
	switch {
	case len(all) == 0:
		p.Attr = "chart"
		p.Detail = fmt.Sprintf("%s has no version at all.", ref)
	case len(releases) == 0:
		p.Detail = fmt.Sprintf("%s has no release%s, only pre-releases: %s. Name one with chart_version to get it.", ref, within(ref), few(all))
	case ref.Constraint == "":
		p.Detail = fmt.Sprintf("%s has no usable version. There are %s.", ref, few(releases))
	default:
		near := releases
		if isPrerelease(ref.Constraint) {
			near = all
		}
		p.Detail = fmt.Sprintf("%s has no version%s. There are %s.", ref, within(ref), few(around(ref.Constraint, near)))
	}
	return p
}

func isPrerelease(constraint string) bool {
	exact, isExact := exactly(constraint)
	return isExact && strings.Contains(exact, "-")
}

// around puts the versions that begin like the one asked for first.
func around(constraint string, versions []string) []string {
	digits := strings.TrimLeft(constraint, "=~^<>v ")
	parts := strings.Split(digits, ".")
	for n := min(len(parts), 2); n > 0; n-- {
		prefix := strings.Join(parts[:n], ".") + "."
		var near []string
		for _, v := range versions {
			if strings.HasPrefix(v, prefix) {
				near = append(near, v)
			}
		}
		if len(near) > 0 {
			return near
		}
	}
	return versions
}

// few lists the first few.
func few(list []string) string {
	if len(list) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
	}
	return strings.Join(list, ", ")
}
