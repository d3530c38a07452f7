package plan

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hubcap/engine/resource"
)

// A migration is a hub that comes to a JupyterHub with another schema of the
// database. JupyterHub upgrades a database and never goes back: an older one does
// not start with a database that a newer one has had.
type migration struct {
	from, to string // versions of JupyterHub, or tags of the image
	sure     bool   // the schemas differ; else only the releases do, and no more is known
	back     bool   // to an older one
}

// migrationOf returns what c does to the hub's database, as far as that can be
// told: from the releases of JupyterHub that the images and the chart stand for,
// else from the tags of the images.
func (b *builder) migrationOf(c *resource.Change) (m migration, migrates bool) {
	if c.Component.Name != hubComponent || c.ID.Kind != "Deployment" || c.Before == nil || c.After == nil {
		return migration{}, false
	}
	was, is := b.hubVersion(c, c.Before), b.hubVersion(c, c.After)
	switch {
	case was.app != "" && is.app != "":
		m = migration{from: was.app, to: is.app, sure: true, back: older(is.app, was.app)}
		return m, databaseOf(was.app) != databaseOf(is.app)
	case was.minor == "" || is.minor == "":
		return migration{}, false
	}
	return migration{from: was.tag, to: is.tag, back: older(is.minor, was.minor)}, was.minor != is.minor
}

// A hubVersion is what is known of the JupyterHub that a hub runs.
type hubVersion struct {
	app   string // "5.3.0"; empty: not known
	tag   string // of the image
	minor string // "4.2" of the tag; empty: it has none
}

var (
	released  = regexp.MustCompile(`^v?(\d+\.\d+)(\.\d+)?([-+.@].*)?$`)
	chartsHub = regexp.MustCompile(`(^|/)k8s-hub$`)
)

// hubVersion finds the version of JupyterHub in o. The chart's own image is named
// after the chart; any other is made for a chart that the labels name.
func (b *builder) hubVersion(c *resource.Change, o resource.Object) hubVersion {
	name := splitImage(image(o))
	v := hubVersion{tag: name.tag}
	if m := released.FindStringSubmatch(name.tag); m != nil {
		v.minor = m[1]
	}
	if chartsHub.MatchString(name.repository) {
		v.app = b.jupyterHub(name.tag)
	}
	chart := chartOf(o)
	if v.app != "" || chart.name != jupyterhubChart {
		return v
	}
	for _, known := range b.Charts {
		if known.Address == c.Address.Block() && known.Chart == chart.name && known.Version == chart.version && v.minor == "" {
			v.app = known.AppVersion
		}
	}
	if v.minor == "" { // an image that says nothing itself
		v.app = cmp.Or(v.app, b.jupyterHub(chart.version))
	}
	return v
}

// jupyterHub returns the version of JupyterHub in a version of its chart: that of
// the release itself, or of another with the same first two numbers.
func (b *builder) jupyterHub(chart string) string {
	chart = strings.TrimPrefix(chart, "v")
	if app := b.Releases[chart]; app != "" {
		return app
	}
	m := released.FindStringSubmatch(chart)
	if m == nil {
		return ""
	}
	best := ""
	for version, app := range b.Releases {
		if strings.HasPrefix(version, m[1]+".") && (best == "" || older(best, app)) {
			best = app
		}
	}
	return best
}

// databaseOf names the schema of a JupyterHub's database: it changes with every
// major release, and changed with minor ones before 1.0.
func databaseOf(app string) string {
	numbers := strings.SplitN(strings.TrimPrefix(app, "v"), ".", 3)
	if numbers[0] == "0" && len(numbers) > 1 {
		return "0." + numbers[1]
	}
	return numbers[0]
}

// older compares versions by their numbers.
func older(a, b string) bool { return slices.Compare(numbersOf(a), numbersOf(b)) < 0 }

var leadingNumbers = regexp.MustCompile(`^v?(\d+(?:\.\d+)*)`)

func numbersOf(version string) []int {
	m := leadingNumbers.FindStringSubmatch(version)
	if m == nil {
		return nil
	}
	var numbers []int
	for part := range strings.SplitSeq(m[1], ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break // too large for a number
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// words says what the migration is.
func (m migration) words() string {
	switch {
	case m.back:
		return fmt.Sprintf("the hub goes back from %s to %s, which does not start with a database that was upgraded since: restore its backup first", m.from, m.to)
	case m.sure:
		return fmt.Sprintf("the hub upgrades its database from JupyterHub %s to %s: there is no way back but a backup", m.from, m.to)
	}
	return fmt.Sprintf("the hub may upgrade its database, from %s to %s: there is no way back but a backup", m.from, m.to)
}
