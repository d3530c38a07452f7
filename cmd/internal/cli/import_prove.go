package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"hubcap/engine/adopt"
	"hubcap/engine/chart"
	"hubcap/engine/expand"
	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/providers/kube"
	"hubcap/schema"
)

// A proof says what became of one release when what was written was loaded and
// rendered again.
type proof struct {
	Block       string   `json:"block"`
	Release     string   `json:"release"`
	Same        bool     `json:"same"`
	Values      int      `json:"values"`
	Objects     int      `json:"objects"`
	Differences []string `json:"differences,omitempty"`
	Refused     []string `json:"refused,omitempty"` // objects that exist and are not for apply to write, and why
	NoKind      []string `json:"no_kind,omitempty"` // objects of kinds that the server does not know, and what it has instead
	Problem     string   `json:"problem,omitempty"`
}

// attempts is how often a draft is written anew because typed attributes, or a
// chart, gave something else than Helm has.
const attempts = 7

// prove writes the draft, loads it and compares. Typed attributes that give other
// values are given up, and so is a chart of a repository that renders otherwise
// than the one on record.
func (i *importing) prove(ctx context.Context) ([]proof, error) {
	i.desired, i.nulls = map[adopt.Key][]resource.Desired{}, map[string]bool{}
	for n := 1; ; n++ {
		draft, err := adopt.Write(i.facts)
		if err != nil {
			return nil, err
		}
		i.draft = draft
		config, dropped, err := i.stage()
		if err != nil {
			return nil, err
		}
		if dropped {
			continue // every round drops something, so there is an end
		}
		proofs := make([]proof, 0, len(i.facts.Releases))
		again := false
		for r := range i.facts.Releases {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			p, givenUp := i.proofOf(config, &i.facts.Releases[r])
			proofs = append(proofs, p)
			again = again || givenUp
		}
		if again && n < attempts {
			continue
		}
		left, err := i.checkOwners(ctx, proofs)
		if err != nil || !left {
			return proofs, err
		}
	}
}

// stage loads the draft from a directory of its own. What does not load is
// dropped from the facts.
func (i *importing) stage() (*schema.Config, bool, error) {
	dir, err := os.MkdirTemp("", "hubcap-import-")
	if err != nil {
		return nil, false, fmt.Errorf("prove what was written: %w", err)
	}
	defer os.RemoveAll(dir)
	draft, err := adopt.Write(i.alone())
	if err != nil {
		return nil, false, err
	}
	files := draft.Files
	if i.facts.Config == "" { // the config beside has a name, which is not in the draft
		files = append(slices.Clone(files), adopt.File{Name: "name.hcl", Text: []byte("hubcap { name = \"default\" }\n")})
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Text, 0o600); err != nil {
			return nil, false, fmt.Errorf("prove what was written: %w", err)
		}
	}
	vars := map[string]string{}
	for _, s := range draft.Secrets {
		vars[s.Variable] = s.Literal()
	}
	config, diags := schema.Load(dir, schema.Options{
		Vars: vars, Version: version, Builtin: func(name string) (fs.FS, error) { return modules.Module(name) },
	})
	if diags.HasErrors() {
		return nil, true, i.drop(draft, config, diags)
	}
	err = i.supply(config, dir)
	return config, false, err
}

// alone is the facts as if there were no config: a cluster block of their own.
func (i *importing) alone() adopt.Facts {
	f := i.facts
	if f.Cluster.Known != adopt.NotKnown {
		f.Cluster = adopt.Cluster{Name: f.Cluster.Name, Known: adopt.NotKnown, Context: "c"}
		if len(f.Pools) > 0 {
			f.Cluster.Project, f.Cluster.Location, f.Cluster.GKEName = "project", "us-central1", "cluster"
		}
	}
	return f
}

// supply gives the hubs and charts of a staged config their charts.
func (i *importing) supply(config *schema.Config, dir string) error {
	give := func(k adopt.Key, source *schema.ChartSource) error {
		u := i.uses[k]
		source.Fetched = u.source.Fetched
		if u.local != "" {
			source.Dir = u.local
		}
		if u.files == nil {
			return nil
		}
		root, err := os.MkdirTemp("", "hubcap-import-chart-")
		if err != nil {
			return fmt.Errorf("prove what was written: %w", err)
		}
		i.temporary = append(i.temporary, root)
		source.Source = root
		for at, data := range u.files {
			inside, err := filepath.Rel(filepath.FromSlash(filepath.Clean(u.source.Source)), filepath.FromSlash(at))
			if err == nil {
				err = writeBelow(root, inside, data)
			}
			if err != nil {
				return fmt.Errorf("prove what was written: %w", err)
			}
		}
		return nil
	}
	for n := range config.Hubs {
		h := &config.Hubs[n]
		if err := give(adopt.Key{Namespace: h.Namespace, Name: h.Release}, &h.Chart); err != nil {
			return err
		}
	}
	for n := range config.Charts {
		c := &config.Charts[n]
		if err := give(adopt.Key{Namespace: c.Namespace, Name: c.Release}, &c.Chart); err != nil {
			return err
		}
	}
	return nil
}

// writeBelow writes a file below a directory, and makes the directories between.
func writeBelow(dir, name string, data []byte) error {
	at := below(dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.WriteFile(at, data, 0o644)
}

// drop takes out of the facts what does not load: first the typed attributes of
// a release, then the release; and a node pool.
func (i *importing) drop(draft *adopt.Draft, config *schema.Config, diags hcl.Diagnostics) error {
	dropped := false
	for _, d := range diags.Errs() {
		diag, isDiag := d.(*hcl.Diagnostic)
		if !isDiag || diag.Subject == nil {
			return fmt.Errorf("write the config: %w", d)
		}
		file := filepath.Base(diag.Subject.Filename)
		if file == adopt.PoolFile {
			dropped = i.dropPool(config, diag) || dropped
			continue
		}
		for key, address := range draft.Blocks {
			if draft.FileOf[key] == file {
				dropped = i.dropRelease(key, address, config.Files[diag.Subject.Filename], diag) || dropped
			}
		}
	}
	if !dropped {
		return fmt.Errorf("write the config: %w", diags)
	}
	return nil
}

func (i *importing) dropPool(config *schema.Config, diag *hcl.Diagnostic) bool {
	name := ""
	line := 0
	for _, b := range blocksOf(config.Files[diag.Subject.Filename]) {
		if b.line <= diag.Subject.Start.Line && b.line > line {
			line, name = b.line, b.name
		}
	}
	before := len(i.facts.Pools)
	i.facts.Pools = slices.DeleteFunc(slices.Clone(i.facts.Pools), func(l resource.Live) bool { return adopt.Name(l.ID.Name) == name })
	i.found.unread("node pool "+name, "the language cannot describe it: "+diag.Summary+": "+diag.Detail)
	return len(i.facts.Pools) < before
}

func (i *importing) dropRelease(key adopt.Key, address resource.Address, file *hcl.File, diag *hcl.Diagnostic) bool {
	plain := i.facts.Plain[key]
	if plain == nil {
		plain = map[adopt.Group]bool{}
		i.facts.Plain[key] = plain
	}
	if g := groupAt(file, diag.Subject.Start.Line); g != "" && !plain[g] {
		plain[g] = true
		return true
	}
	if groups := adopt.Groups(); len(plain) < len(groups) {
		for _, g := range groups {
			plain[g] = true
		}
		return true
	}
	before := len(i.facts.Releases)
	i.facts.Releases = slices.DeleteFunc(slices.Clone(i.facts.Releases), func(r adopt.Release) bool { return r.Key == key })
	i.found.unread("Helm release "+key.String(), "the language cannot describe it as "+address.String()+": "+diag.Summary+": "+diag.Detail)
	return len(i.facts.Releases) < before
}

// groupAt returns the group of typed attributes that a line of a file belongs to,
// "" when it belongs to none.
func groupAt(file *hcl.File, line int) adopt.Group {
	within := func(r hcl.Range) bool { return r.Start.Line <= line && line <= r.End.Line }
	known := func(name string) adopt.Group {
		if slices.Contains(adopt.Groups(), adopt.Group(name)) {
			return adopt.Group(name)
		}
		return ""
	}
	if file == nil {
		return ""
	}
	body, isBody := file.Body.(*hclsyntax.Body)
	if !isBody {
		return ""
	}
	for _, b := range body.Blocks {
		switch {
		case !within(b.Range()):
		case b.Type == "qos_class":
			return known("qos")
		case b.Type != "hub":
			return known(b.Type)
		default:
			for _, inner := range b.Body.Blocks {
				if within(inner.Range()) {
					return known(inner.Type)
				}
			}
			for _, a := range b.Body.Attributes {
				if within(a.SrcRange) {
					return known(a.Name)
				}
			}
		}
	}
	return ""
}

// proofOf compares one release with what its block renders. It reports whether
// something was given up, so that another attempt is worth it.
func (i *importing) proofOf(config *schema.Config, r *adopt.Release) (proof, bool) {
	address := i.draft.Blocks[r.Key]
	p := proof{Block: address.String(), Release: r.Key.String()}
	only := oneBlock(config, r.Key)
	record := i.recordOf(r.Key)
	staged := addressOf(only)
	got, diags := expand.Complete(only, staged, nil)
	if diags.HasErrors() {
		p.Problem = describe(diags)
		return p, false
	}
	want, diags := expand.Complete(only, staged, resource.Reveal(record.Values).(map[string]any))
	if diags.HasErrors() {
		p.Problem = describe(diags)
		return p, false
	}
	p.Values = leaves(resource.Reveal(record.Values))
	differ := adopt.Values(got, want)
	for _, d := range differ {
		p.Differences = append(p.Differences, "values "+d.String())
	}
	if i.giveUp(r.Key, differ) {
		return p, true
	}
	found, objects, err := i.rendered(only, record)
	if err != nil {
		p.Problem = err.Error()
		return p, i.openUp(r.Key, err) || i.otherNulls(r) || i.fallBack(r)
	}
	p.Objects = objects
	for _, d := range found {
		p.Differences = append(p.Differences, d.String())
	}
	p.Same = len(p.Differences) == 0
	return p, !p.Same && (i.otherNulls(r) || i.fallBack(r))
}

// An unrendered is a block that was written and does not render.
type unrendered struct{ diags hcl.Diagnostics }

func (e *unrendered) Error() string { return "render it: " + describe(e.diags) }

// openUp has the values written as they are that were taken for secrets and that the
// chart puts where nothing can be hidden, such as the name of a key.
func (i *importing) openUp(key adopt.Key, err error) bool {
	var failed *unrendered
	if !errors.As(err, &failed) {
		return false
	}
	isNew := false
	for _, d := range failed.diags {
		exposed, isExposed := d.Extra.(expand.Exposed)
		if !isExposed {
			continue
		}
		for _, set := range i.draft.Secrets {
			if set.Block != i.draft.Blocks[key] {
				continue
			}
			for path, text := range set.Values {
				if strings.Contains(text.Reveal(), exposed.Text.Reveal()) && !i.facts.Open[key][path] {
					if i.facts.Open[key] == nil {
						i.facts.Open[key] = map[string]bool{}
					}
					i.facts.Open[key][path], isNew = true, true
				}
			}
		}
	}
	return isNew
}

// otherNulls has nulls count as they do to Helm 4, which may have rendered what is
// on record, and takes that back when it did not help.
func (i *importing) otherNulls(r *adopt.Release) bool {
	tried := r.Key.String() + " " + r.Source.Source
	switch {
	case r.Source.Nulls != "":
		r.Source.Nulls = ""
	case i.nulls[tried]:
		return false
	default:
		r.Source.Nulls, i.nulls[tried] = string(chart.Modern), true
	}
	return true
}

// giveUp marks the groups that gave other values.
func (i *importing) giveUp(key adopt.Key, differ []adopt.Difference) bool {
	isNew := false
	for _, d := range differ {
		g := i.draft.Blame(key, d.Path)
		if g == "" || i.facts.Plain[key][g] {
			continue
		}
		if i.facts.Plain[key] == nil {
			i.facts.Plain[key] = map[adopt.Group]bool{}
		}
		i.facts.Plain[key][g] = true
		isNew = true
	}
	return isNew
}

// rendered compares the objects: a field differs when it does without anything
// live, as at a first installation, and with what is live as well.
func (i *importing) rendered(config *schema.Config, record *kube.Release) ([]adopt.Difference, int, error) {
	cluster := config.Clusters[0].Address.Name
	offline := expand.Facts{KubeVersion: i.found.facts.KubeVersion, APIVersions: i.found.facts.APIVersions}
	var renderings [][]resource.Desired
	for _, facts := range []expand.Facts{offline, i.found.facts} {
		desired, diags := expand.Config(config, map[string]expand.Facts{cluster: facts})
		if diags.HasErrors() {
			if len(renderings) > 0 {
				break // something live may not be read, or does not fit
			}
			return nil, 0, &unrendered{diags}
		}
		desired = slices.DeleteFunc(desired, func(d resource.Desired) bool {
			return d.ID.Group == resource.GroupGKE || d.Presence == resource.Ensured // the namespace is no chart's
		})
		renderings = append(renderings, desired)
	}
	i.desired[adopt.Key{Namespace: record.Namespace, Name: record.Name}] = renderings[len(renderings)-1]
	found, err := adopt.Rendered(renderings, adopt.Manifest{Namespace: record.Namespace, Objects: record.Manifest, Hooks: record.Hooks})
	return found, len(renderings[0]), err
}

// fallBack changes to the chart on record, where the one of a repository does not
// render what Helm has.
func (i *importing) fallBack(r *adopt.Release) bool {
	u, record := i.uses[r.Key], i.recordOf(r.Key)
	if u.source.Repository != upstream || !record.Chart.Whole() {
		return false
	}
	own, err := i.recordedChart(context.Background(), nil, record, map[string]map[string][]byte{})
	if err != nil {
		return false
	}
	own.hub, own.root, own.complete = u.hub, u.root, u.complete
	own.notes = append(own.notes, "The chart that is published under this version renders something else.")
	i.uses[r.Key] = own
	r.Source, r.Notes = own.source, own.notes
	return true
}

func (i *importing) recordOf(key adopt.Key) *kube.Release {
	n := slices.IndexFunc(i.found.releases, func(r kube.Release) bool { return r.Namespace == key.Namespace && r.Name == key.Name })
	return &i.found.releases[n]
}

// oneBlock returns config with the one hub or chart of a release.
func oneBlock(config *schema.Config, key adopt.Key) *schema.Config {
	one := *config
	one.Hubs = slices.DeleteFunc(slices.Clone(config.Hubs), func(h schema.Hub) bool { return h.Namespace != key.Namespace || h.Release != key.Name })
	one.Charts = slices.DeleteFunc(slices.Clone(config.Charts), func(c schema.Chart) bool { return c.Namespace != key.Namespace || c.Release != key.Name })
	one.Manifests = nil
	return &one
}

func addressOf(one *schema.Config) resource.Address {
	if len(one.Hubs) > 0 {
		return one.Hubs[0].Address
	}
	return one.Charts[0].Address
}

// describe puts the errors of diagnostics on one line.
func describe(diags hcl.Diagnostics) string {
	var parts []string
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			parts = append(parts, d.Summary+": "+d.Detail)
		}
	}
	return strings.Join(parts, " ")
}

// leaves counts what a tree of values says.
func leaves(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n += leaves(e)
		}
		return n
	case []any:
		for _, e := range v {
			n += leaves(e)
		}
		return n
	}
	return 1
}
