package cli

import (
	"cmp"
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
	"hubcap/engine/expand"
	"hubcap/engine/resource"
	"hubcap/providers/gke"
	"hubcap/providers/kube"
	"hubcap/schema"
)

// A known is what the config that is there describes already.
type known struct {
	config *schema.Config
	taken  map[string]bool
	isNew  bool // there is no config
}

// A found is what import read of one cluster.
type found struct {
	cluster    adopt.Cluster
	releases   []kube.Release
	pools      []resource.Live
	zones      []string
	facts      expand.Facts
	objects    *kube.Provider // reads what lives in the cluster, as this config would
	skipped    []string       // whole sentences
	unreadable []resource.Unreadable
}

func (f *found) unread(what, reason string) {
	f.unreadable = append(f.unreadable, resource.Unreadable{What: what, Reason: reason})
}

// known loads the config beside which the new files will be, if there is one.
func (i *importing) known() (*known, error) {
	empty := &known{config: &schema.Config{Settings: schema.Settings{Name: "default"}}, taken: map[string]bool{}, isNew: true}
	names, err := filepath.Glob(filepath.Join(i.base(), "*.hcl"))
	if err != nil {
		return nil, fmt.Errorf("look for a config: %w", err)
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		base := filepath.Base(n)
		return base == "hubcap.lock.hcl" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "~")
	})
	switch {
	case len(names) == 0, i.overwrite:
		return empty, nil
	case i.out != "" && !i.add:
		return nil, fmt.Errorf("%s has a config (%s); to add to it what it does not describe, say --add, to replace files of the same names --overwrite",
			i.out, filepath.Base(names[0]))
	}
	i.s.chdir = i.base()
	config, err := i.s.load()
	if err != nil {
		return nil, err
	}
	k := &known{config: config, taken: map[string]bool{}}
	for _, file := range config.Files {
		for _, b := range blocksOf(file) {
			k.taken[b.kind+"."+b.name] = true
		}
	}
	return k, nil
}

// A written is the header of a block in a file.
type written struct {
	kind, name string
	line       int
}

// blocksOf returns the labelled blocks of a file.
func blocksOf(file *hcl.File) []written {
	if file == nil {
		return nil
	}
	body, isBody := file.Body.(*hclsyntax.Body)
	if !isBody {
		return nil
	}
	var all []written
	for _, b := range body.Blocks {
		if len(b.Labels) > 0 {
			all = append(all, written{kind: b.Type, name: b.Labels[0], line: b.TypeRange.Start.Line})
		}
	}
	return all
}

// target returns the cluster block to read: one of the config, or a new one.
func (i *importing) target(k *known) (schema.Cluster, adopt.Known, error) {
	clusters := k.config.Clusters
	var c schema.Cluster
	at := slices.IndexFunc(clusters, func(c schema.Cluster) bool { return c.Address.Name == i.cluster })
	switch {
	case at >= 0:
		c = clusters[at]
	case i.cluster == "" && len(clusters) == 1:
		c = clusters[0]
	case i.cluster == "" && len(clusters) > 1:
		return c, 0, usage("the config has %d clusters: say with --cluster which one to read", len(clusters))
	default:
		c.Address = resource.Address{Kind: "cluster", Name: i.cluster}
	}
	isKnown := c.Range.Filename != ""
	if i.gke != "" {
		parts := strings.Split(i.gke, "/")
		given := schema.GKECluster{Project: parts[0], Location: parts[1], Name: parts[2], Endpoint: i.endpoint}
		if isKnown && (c.GKE == nil || c.GKE.Project != given.Project || c.GKE.Location != given.Location || c.GKE.Name != given.Name) {
			return c, 0, usage("--gke %s: %s is another cluster; name a new block with --cluster", i.gke, c.Address)
		}
		c.GKE = &given
	}
	switch {
	case !isKnown && len(clusters) > 0:
		return c, adopt.NotKnown, usage("--cluster %s: the config has other clusters, whose blocks then need cluster = … too; write the block of the new cluster first", i.cluster)
	case !isKnown:
		return c, adopt.NotKnown, nil
	case len(clusters) > 1:
		return c, adopt.OneOfMany, nil
	}
	return c, adopt.OneOfOne, nil
}

// read reads the cluster and GKE, and leaves out what the config describes.
func (i *importing) read(ctx context.Context, k *known) (*found, error) {
	block, isKnown, err := i.target(k)
	if err != nil {
		return nil, err
	}
	wanted := block
	wanted.Address.Name = cmp.Or(block.Address.Name, "new") // one that is to be written has no name yet
	r, err := i.s.reach(ctx, k.config, wanted)
	if err != nil {
		return nil, err
	}
	client, pools := r.client, r.pools
	f := &found{cluster: adopt.Cluster{Known: isKnown, Name: block.Address.Name, Identity: r.identity}}
	if r.unread != nil {
		f.skipped = append(f.skipped, "The cluster's identity is not pinned: the namespace kube-system may not be read.")
	}
	i.describe(f, block, r.options, client.Where())
	if err := i.readReleases(ctx, f, client, k); err != nil {
		return nil, err
	}
	if pools != nil {
		if err := f.readPools(ctx, pools, block, k); err != nil {
			return nil, err
		}
	}
	f.objects = &kube.Provider{Client: client, Cluster: f.cluster.Name, Owner: k.config.Settings.Name, FieldManager: k.config.Settings.FieldManager}
	f.facts, err = f.objects.Facts(ctx)
	return f, err
}

// describe fills in the cluster block that is to be written.
func (i *importing) describe(f *found, block schema.Cluster, options kube.Options, where string) {
	if f.cluster.Known != adopt.NotKnown {
		return
	}
	name := ""
	if g := block.GKE; g != nil {
		f.cluster.Project, f.cluster.Location, f.cluster.GKEName, f.cluster.Endpoint = g.Project, g.Location, g.Name, g.Endpoint
		name = g.Name
	}
	if options.Host == "" {
		f.cluster.Kubeconfig = i.fromBase(options.Kubeconfig)
		if !strings.Contains(where, "://") {
			f.cluster.Context = where
		}
		if name == "" {
			// gke_project_location_cluster, user@cluster
			name = where[strings.LastIndexAny(where, "_@/")+1:]
		}
	}
	if f.cluster.Name == "" {
		f.cluster.Name = adopt.Name(name)
	}
	if f.cluster.Name == "" || strings.Contains(where, "://") && options.Host == "" && block.GKE == nil {
		f.cluster.Name = "main"
	}
}

// fromBase returns a path that was given on the command line as a file of the
// config has to name it.
func (i *importing) fromBase(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	dir, err := filepath.Abs(i.base())
	if err != nil {
		return abs
	}
	relative, err := filepath.Rel(dir, abs)
	if err != nil {
		return abs
	}
	if relative = filepath.ToSlash(relative); !strings.HasPrefix(relative, "../") {
		relative = "./" + relative
	}
	return relative
}

// readReleases reads what Helm recorded, but for what the config describes.
func (i *importing) readReleases(ctx context.Context, f *found, client *kube.Client, k *known) error {
	all, err := client.Releases(ctx, i.namespaces, func(namespace, name string) bool {
		return len(i.releases) == 0 || slices.Contains(i.releases, name) || slices.Contains(i.releases, namespace+"/"+name)
	})
	if err != nil {
		return err
	}
	f.unreadable = append(f.unreadable, all.Unreadable...)
	described := map[adopt.Key]bool{}
	for _, h := range k.config.Hubs {
		if h.Cluster.Name == f.cluster.Name {
			described[adopt.Key{Namespace: h.Namespace, Name: h.Release}] = true
		}
	}
	for _, c := range k.config.Charts {
		if c.Cluster.Name == f.cluster.Name {
			described[adopt.Key{Namespace: c.Namespace, Name: c.Release}] = true
		}
	}
	met, inhabited := map[string]bool{}, map[string]bool{}
	for _, r := range all.Found {
		key := adopt.Key{Namespace: r.Namespace, Name: r.Name}
		met[r.Name], met[key.String()], inhabited[r.Namespace] = true, true, true
		if described[key] {
			f.skipped = append(f.skipped, fmt.Sprintf("Release %s is in the config already.", key))
			continue
		}
		f.releases = append(f.releases, r)
	}
	for _, r := range all.Leaving {
		key := adopt.Key{Namespace: r.Namespace, Name: r.Name}
		met[r.Name], met[key.String()], inhabited[r.Namespace] = true, true, true
		f.skipped = append(f.skipped, fmt.Sprintf("Helm release %s is left out: Helm began to uninstall it (revision %d).", key, r.Revision))
	}
	for _, name := range i.releases {
		if !met[name] && len(f.unreadable) == 0 {
			return fmt.Errorf("find release %s: Helm has no record of it%s", name, inNamespaces(i.namespaces))
		}
	}
	if len(i.releases) == 0 && len(f.unreadable) == 0 {
		f.skipped = append(f.skipped, withoutReleases(i.namespaces, inhabited)...)
	}
	return nil
}

// withoutReleases says which of the namespaces that were asked for have nothing to
// import: a name that is mistyped looks like that.
func withoutReleases(asked []string, inhabited map[string]bool) []string {
	var notes []string
	for _, name := range asked {
		if !inhabited[name] {
			notes = append(notes, fmt.Sprintf("Namespace %s has no release of Helm.", name))
		}
	}
	return notes
}

func inNamespaces(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " in namespace " + strings.Join(names, ", ")
}

// readPools reads the node pools, but for those that a config has.
func (f *found) readPools(ctx context.Context, pools *gke.Provider, block schema.Cluster, k *known) error {
	inventory, err := pools.Inventory(ctx)
	if err != nil {
		return err
	}
	f.zones = inventory.Locations
	for _, p := range inventory.Passing {
		f.skipped = append(f.skipped, fmt.Sprintf("Node pool %s is left out: %s.", p.Name, p.Reason))
	}
	for _, live := range inventory.Pools {
		named := slices.ContainsFunc(k.config.NodePools, func(p schema.NodePool) bool {
			return p.PoolName == live.ID.Name && p.Cluster == block.Address
		})
		switch {
		case named, live.Owner != "" && live.Owner == k.config.Settings.Name && !k.isNew:
			f.skipped = append(f.skipped, fmt.Sprintf("Node pool %s is in the config already.", live.ID.Name))
		case live.Owner != "":
			f.skipped = append(f.skipped, fmt.Sprintf("Node pool %s is left out: it belongs to the hubcap config %q (resource label %s).", live.ID.Name, live.Owner, gke.LabelConfig))
		default:
			f.pools = append(f.pools, live)
		}
	}
	return nil
}

// exists reports whether a file is there.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
