package plan

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// Versions is what a plan does to the versions that run, and what there is to
// say against those that are wanted.
type Versions struct {
	Moves  []Move           `json:"moves,omitempty"`
	Faults []resource.Fault `json:"faults,omitempty"`
}

// IsZero reports whether there is nothing to say about versions.
func (v Versions) IsZero() bool { return len(v.Moves) == 0 && len(v.Faults) == 0 }

// A Move is one version of a block that changes.
type Move struct {
	Block      resource.Address `json:"block"`
	Kind       MoveKind         `json:"kind"`
	Name       string           `json:"name"`                 // of the chart; the image without registry and tag
	Components []string         `json:"components,omitempty"` // whose pods run the image
	Was        string           `json:"was"`
	Is         string           `json:"is"`
}

// MoveKind says what a version is of.
type MoveKind string

// The kinds of moves, in the order in which they are told.
const (
	ChartMove MoveKind = "chart"
	AppMove   MoveKind = "app" // what the chart installs
	ImageMove MoveKind = "image"
)

var moveRanks = map[MoveKind]int{ChartMove: 1, AppMove: 2, ImageMove: 3}

// versions gathers the versions that the changes move.
func (b *builder) versions(changes []resource.Change) {
	m := moves{builder: b}
	for _, c := range changes {
		if c.Before != nil && c.After != nil {
			m.chart(c)
			m.images(c)
		}
	}
	m.found = slices.DeleteFunc(m.found, func(move Move) bool { return m.pinned(move, changes) })
	slices.SortStableFunc(m.found, func(x, y Move) int {
		return cmp.Or(
			cmp.Compare(x.Block.String(), y.Block.String()), cmp.Compare(moveRanks[x.Kind], moveRanks[y.Kind]),
			cmp.Compare(x.Name, y.Name), cmp.Compare(x.Was, y.Was), cmp.Compare(x.Is, y.Is),
		)
	})
	b.plan.Versions = Versions{Moves: m.found}
	for _, f := range b.Faults {
		if b.selectsBlock(f.Chart.Address) {
			b.plan.Versions.Faults = append(b.plan.Versions.Faults, f)
		}
	}
}

// pinned reports whether a move is of the JupyterHub of a chart that a hub does not
// run: its image stays the one that the author named.
func (m *moves) pinned(move Move, changes []resource.Change) bool {
	return move.Kind == AppMove && move.Name == appName(jupyterhubChart) && slices.ContainsFunc(changes, func(c resource.Change) bool {
		return c.Address.Block() == move.Block && image(c.After) != "" && image(c.Before) == image(c.After)
	})
}

// selectsBlock reports whether --only and --except let anything of a block
// through.
func (b *builder) selectsBlock(block resource.Address) bool {
	if slices.ContainsFunc(b.Except, block.NamedBy) {
		return false
	}
	return len(b.Only) == 0 || slices.ContainsFunc(b.Only, func(name string) bool {
		return block.NamedBy(resource.ParseAddress(name).Block().String())
	})
}

// moves gathers moves, each once.
type moves struct {
	*builder
	found []Move
}

func (m *moves) add(move Move, component string) {
	at := slices.IndexFunc(m.found, func(f Move) bool {
		return f.Block == move.Block && f.Kind == move.Kind && f.Name == move.Name && f.Was == move.Was && f.Is == move.Is
	})
	if at < 0 {
		at = len(m.found)
		m.found = append(m.found, move)
	}
	if list := &m.found[at].Components; component != "" && !slices.Contains(*list, component) {
		*list = append(*list, component)
		slices.Sort(*list)
	}
}

// chart adds what the labels of one object say about its chart.
func (m *moves) chart(c resource.Change) {
	block := c.Address.Block()
	was, is := chartOf(c.Before), chartOf(c.After)
	if was.name == "" || is.name == "" || was == is {
		return
	}
	move := Move{Block: block, Kind: ChartMove, Name: is.name, Was: was.version, Is: is.version}
	if was.name != is.name {
		move.Was = was.name + " " + was.version
	}
	m.add(move, "")
	if was.name != is.name {
		return
	}
	appWas, appIs := m.app(c.Before, was), m.app(c.After, is)
	if appIs == "" {
		for _, chart := range m.Charts {
			if chart.Address == block && chart.Chart == is.name && chart.Version == is.version {
				appIs = chart.AppVersion
			}
		}
	}
	if appWas != "" && appIs != "" && appWas != appIs {
		m.add(Move{Block: block, Kind: AppMove, Name: appName(is.name), Was: appWas, Is: appIs}, "")
	}
}

// app returns the version of what a chart installs: as the object's label has it,
// or for JupyterHub as its releases have it.
func (m *moves) app(o resource.Object, chart chartLabel) string {
	if version := o.Text("metadata", "labels", "app.kubernetes.io/version"); version != "" {
		return version
	}
	if chart.name == jupyterhubChart {
		return m.Releases[strings.TrimPrefix(chart.version, "v")]
	}
	return ""
}

const jupyterhubChart = "jupyterhub"

// appName is how people call what a chart installs.
func appName(chart string) string {
	if chart == jupyterhubChart {
		return "JupyterHub"
	}
	return chart
}

// A chartLabel is a chart as the labels of an object name it.
type chartLabel struct{ name, version string }

// chartVersion splits "jupyterhub-4.2.0", as Helm's charts label their objects.
var chartVersion = regexp.MustCompile(`^(.+?)-(v?\d+\.\d+.*)$`)

// chartOf returns the chart that an object says it comes from, if it does.
func chartOf(o resource.Object) chartLabel {
	for _, label := range []string{"helm.sh/chart", "chart"} {
		if m := chartVersion.FindStringSubmatch(o.Text("metadata", "labels", label)); m != nil {
			return chartLabel{m[1], strings.ReplaceAll(m[2], "_", "+")} // a label holds no plus
		}
	}
	return chartLabel{}
}

// images adds the images of one workload that change.
func (m *moves) images(c resource.Change) {
	before := make(map[string]string)
	for _, container := range containers(c.Before) {
		name, _ := container["name"].(string)
		before[name], _ = container["image"].(string)
	}
	for _, container := range containers(c.After) {
		name, _ := container["name"].(string)
		is, _ := container["image"].(string)
		was := before[name]
		if was == "" || is == "" || was == is {
			continue
		}
		from, to := splitImage(was), splitImage(is)
		move := Move{Block: c.Address.Block(), Kind: ImageMove, Name: to.short(), Was: from.tag, Is: to.tag}
		if from.repository != to.repository {
			move.Was, move.Is = was, is
		}
		m.add(move, c.Component.Name)
	}
}

// An imageName is a reference to an image, in two.
type imageName struct{ repository, tag string }

// splitImage splits "quay.io/x/y:1.2@sha256:…": the tag has the digest with it,
// shortened.
func splitImage(reference string) imageName {
	reference, digest, _ := strings.Cut(reference, "@")
	name, tag := reference, ""
	if i := strings.LastIndexByte(reference, ':'); i > strings.LastIndexByte(reference, '/') {
		name, tag = reference[:i], reference[i+1:]
	}
	if digest != "" {
		kind, hash, _ := strings.Cut(digest, ":")
		tag = strings.TrimPrefix(tag+"@"+kind+":"+hash[:min(len(hash), 12)], "@")
	}
	return imageName{name, cmp.Or(tag, "latest")}
}

// short returns the last part of the repository: "k8s-hub".
func (n imageName) short() string { return n.repository[strings.LastIndexByte(n.repository, '/')+1:] }
