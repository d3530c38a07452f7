// Package adopt writes the HCL for what is there already: node pools as GKE tells
// them, Helm releases as their records do.
//
// Place in the pipeline: beside it, and backwards. It is the inverse of
// engine/expand: what that makes of the blocks written here is what was found. It
// has no context and no client; whoever calls it brings the facts, and proves the
// result with [Compare].
//
// A text of a value that looks like a secret never gets into the HCL: a sensitive
// variable stands in its place.
package adopt

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"hubcap/engine/resource"
	"hubcap/schema"
)

// Facts is what was found on one cluster, and what the config says already.
type Facts struct {
	Config   string // name of the config that is begun; empty: there is one already
	Cluster  Cluster
	Pools    []resource.Live // as providers/gke reads them
	Zones    []string        // of the cluster: where a pool is unless it says otherwise
	Releases []Release

	// Taken are the addresses that the config has already; no block gets one of
	// them.
	Taken map[string]bool

	// Plain are groups of typed attributes not to be used, by release: what they
	// would say is left in values.
	Plain map[Key]map[Group]bool

	// Open are values whose keys sound secret and that are written as they are, by
	// release and dotted path: the chart renders them where nothing can be hidden.
	Open map[Key]map[string]bool
}

// A Cluster is the cluster block.
type Cluster struct {
	Name       string
	Known      Known  // whether the block is there already
	Project    string // empty: not on GKE
	Location   string
	GKEName    string
	Endpoint   string
	Kubeconfig string
	Context    string
	Identity   string
}

// Known says what the config has of a cluster.
type Known int

// What a config can have of a cluster.
const (
	NotKnown  Known = iota + 1 // the block is to be written
	OneOfOne                   // it is the only cluster, which blocks need not name
	OneOfMany                  // blocks have to name it
)

// A Key tells the releases of a cluster apart.
type Key struct{ Namespace, Name string }

// String returns the key as "namespace/name".
func (k Key) String() string { return k.Namespace + "/" + k.Name }

// A Release is one Helm release.
type Release struct {
	Key
	Revision int
	Status   string // "deployed"
	Chart    string // "jupyterhub 4.3.3"

	Hub    schema.HubType     // empty: any other chart
	Root   string             // dotted key of the hub's own chart in a wrapping one
	Source schema.ChartSource // where the chart is; Source, Repository and Version are written
	Values resource.Object    // the author's; every text is [resource.Sensitive]
	Notes  []string           // comments for people above the block

	Complete resource.Object // values completed by the chart; nil where that is not known
}

// A Draft is HCL for the facts.
type Draft struct {
	Files   []File
	Secrets []SecretSet
	Unsaid  []Unsaid
	Blocks  map[Key]resource.Address // of each release
	FileOf  map[Key]string           // in which its block is

	owners map[Key][]owner
}

// PoolFile is the file of the node pools.
const PoolFile = "node_pools.hcl"

// A File is one file of a draft, laid out as hubcap fmt does.
type File struct {
	Name string // "hub-prod.hcl"
	Text []byte
}

// A SecretSet is the values of one sensitive variable, a map of texts.
type SecretSet struct {
	Variable string
	Block    resource.Address              // whose values they are
	Values   map[string]resource.Sensitive // by dotted path of the chart's values
}

// Unsaid is one thing that the language cannot say, or that hubcap does not look
// into.
type Unsaid struct {
	Block string // "node_pool.user"
	Field string // "config.gvnic"; empty: the block as a whole
	Why   string
}

// A Group is typed attributes that are used together or not at all.
type Group string

// An owner says which group wrote the values below a path.
type owner struct {
	path  []string
	group Group
}

// Write returns the HCL for f. The same facts give the same text.
func Write(f Facts) (*Draft, error) {
	d := &Draft{Blocks: map[Key]resource.Address{}, FileOf: map[Key]string{}, owners: map[Key][]owner{}}
	n := &naming{taken: map[string]bool{}}
	for address := range f.Taken {
		n.taken[address] = true
	}
	w := &writing{facts: f, draft: d, names: n}
	w.cluster()
	w.pools()
	hubs := w.releaseNames()
	for i := range f.Releases {
		r := &f.Releases[i]
		if r.Hub == "" {
			w.chart(r, hubs[r.Key])
		} else {
			w.hub(r, hubs[r.Key])
		}
	}
	for i, file := range d.Files {
		text, diags := schema.Format(file.Text, file.Name)
		if diags.HasErrors() {
			return nil, fmt.Errorf("write %s: %w", file.Name, diags)
		}
		d.Files[i].Text = text
	}
	slices.SortFunc(d.Unsaid, func(a, b Unsaid) int { return strings.Compare(a.Block+" "+a.Field, b.Block+" "+b.Field) })
	return d, nil
}

// Blame returns the group that wrote the value at a path of a release's values,
// "" when it is one of values itself.
func (d *Draft) Blame(k Key, path []string) Group {
	for _, o := range d.owners[k] {
		n := min(len(o.path), len(path))
		if slices.Equal(o.path[:n], path[:n]) {
			return o.group
		}
	}
	return ""
}

// A writing is one draft under way.
type writing struct {
	facts Facts
	draft *Draft
	names *naming

	placed []placed // the node pools, as hubs choose them
}

func (w *writing) unsaid(block, field, why string) {
	w.draft.Unsaid = append(w.draft.Unsaid, Unsaid{Block: block, Field: field, Why: why})
}

// save keeps a file, unless nothing is in it. Of two files with one name the
// second gets a number. It returns the name.
func (w *writing) save(name string, t *text) string {
	if t.b.Len() == 0 {
		return ""
	}
	taken := func(n string) bool {
		return slices.ContainsFunc(w.draft.Files, func(f File) bool { return f.Name == n })
	}
	stem, full := strings.TrimSuffix(name, ".hcl"), name
	for i := 2; taken(full); i++ {
		full = fmt.Sprintf("%s-%d.hcl", stem, i)
	}
	w.draft.Files = append(w.draft.Files, File{Name: full, Text: []byte(t.b.String())})
	return full
}

// ClusterFile is the file that the cluster block is written to.
const ClusterFile = "cluster.hcl"

// cluster writes the cluster block, and before it the name of a config that is
// begun: two configs of one name on a cluster would remove each other's objects.
func (w *writing) cluster() {
	c := w.facts.Cluster
	w.names.taken["cluster."+c.Name] = true
	t := &text{}
	if w.facts.Config != "" {
		t.open("hubcap")
		t.comment("What lives under this name and is not in this config any more, apply removes: every other config of the cluster needs another name.")
		t.attr("name", quote(w.facts.Config))
		t.end()
	}
	if c.Known != NotKnown {
		w.save(ClusterFile, t)
		return
	}
	t.open("cluster", c.Name)
	for _, a := range []struct{ name, value string }{
		{"project", c.Project}, {"location", c.Location}, {"name", c.GKEName}, {"endpoint", c.Endpoint},
		{"kubeconfig", c.Kubeconfig}, {"context", c.Context},
	} {
		if a.value != "" {
			t.attr(a.name, quote(a.value))
		}
	}
	if c.Identity != "" {
		t.comment("The UID of the namespace kube-system: a wrong context is refused.")
		t.attr("identity", quote(c.Identity))
	}
	t.end()
	w.save(ClusterFile, t)
}

// inCluster writes which cluster a block is in, where that has to be said.
func (w *writing) inCluster(t *text) {
	if w.facts.Cluster.Known == OneOfMany {
		t.attr("cluster", "cluster."+w.facts.Cluster.Name)
	}
}

// A naming gives out names of blocks.
type naming struct{ taken map[string]bool }

var notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// Name returns s as the name of a block can be, "" when nothing is left of it.
func Name(s string) string {
	s = strings.Trim(notInName.ReplaceAllString(s, "-"), "-_")
	if s != "" && (s[0] >= '0' && s[0] <= '9') {
		s = "_" + s
	}
	return s
}

// free returns a name of its own for a block of a kind: the first of the wishes
// that is free, else the last with a number.
func (n *naming) free(kind string, wishes ...string) string {
	last := kind
	for _, wish := range wishes {
		if wish = Name(wish); wish == "" {
			continue
		}
		if last = wish; !n.taken[kind+"."+wish] {
			n.taken[kind+"."+wish] = true
			return wish
		}
	}
	for i := 2; ; i++ {
		name := fmt.Sprintf("%s-%d", last, i)
		if !n.taken[kind+"."+name] {
			n.taken[kind+"."+name] = true
			return name
		}
	}
}

// releaseNames gives every release a block: named as the release where that
// tells it from the others, else as its namespace.
func (w *writing) releaseNames() map[Key]resource.Address {
	count := map[string]int{}
	for _, r := range w.facts.Releases {
		count[kindOf(&r)+r.Name]++
	}
	for i := range w.facts.Releases {
		r := &w.facts.Releases[i]
		wishes := []string{r.Name, r.Namespace, r.Namespace + "-" + r.Name}
		if count[kindOf(r)+r.Name] > 1 {
			wishes = wishes[1:]
		}
		kind := kindOf(r)
		w.draft.Blocks[r.Key] = resource.Address{Kind: kind, Name: w.names.free(kind, wishes...)}
	}
	return w.draft.Blocks
}

func kindOf(r *Release) string {
	if r.Hub != "" {
		return "hub"
	}
	return "chart"
}

// String returns all files of a draft, one after the other.
func (d *Draft) String() string {
	var b strings.Builder
	for i, f := range d.Files {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "# %s\n\n%s", f.Name, f.Text)
	}
	return b.String()
}

// Paths returns the paths of the values in order.
func (s SecretSet) Paths() []string { return slices.Sorted(maps.Keys(s.Values)) }

// Literal returns the map as an HCL expression, in plain text: it is for the file
// of secrets, and for nothing else.
func (s SecretSet) Literal() string {
	tree := map[string]any{}
	for path, text := range s.Values {
		tree[path] = text.Reveal()
	}
	return expression(tree, 0)
}
