package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"hubcap/engine/adopt"
	"hubcap/engine/resource"
)

// An importing is one import under way.
type importing struct {
	s *session

	gke        string // PROJECT/LOCATION/CLUSTER
	endpoint   string
	cluster    string // name of the cluster block
	namespaces []string
	releases   []string
	charts     []string // RELEASE=SOURCE
	chartsDir  string
	out        string
	add        bool
	overwrite  bool
	secrets    string

	found *found
	uses  map[adopt.Key]*chosen
	facts adopt.Facts
	draft *adopt.Draft

	desired   map[adopt.Key][]resource.Desired // objects of each release as its block renders them
	nulls     map[string]bool                  // releases and charts that were tried with the nulls of Helm 4
	temporary []string                         // directories that go away at the end
}

func (s *session) importCommand() *cobra.Command {
	i := &importing{s: s}
	c := &cobra.Command{
		Use: "import", GroupID: groupMain, Args: args(cobra.NoArgs),
		Short: "Write the config for what is there already",
		Long: `Reads a cluster, and GKE, and writes the HCL that plans to nothing: node pools
without what is GKE's default, hubs and charts from what Helm recorded of its
releases. Limits, bans, image prefixes, culling and the like become typed blocks,
the rest stays as values. Nothing is ever written to the cluster or to GKE.

The config goes to standard output, or with --out into files. In a directory that
has a config, only what it does not describe is written. Secrets among the values
are never in it: sensitive variables stand in their place, and --secrets-file
writes their values into a file for --var-file.

What was written is loaded and rendered again, and compared with Helm's record:
the last lines say of each release that it plans to nothing, or which fields
differ. What the language cannot express is listed. Exit 2 when a field differs,
3 when something could not be read.`,
		Example: `  hubcap import --context prod
  hubcap import --gke my-project/us-central1/binder --out . --secrets-file ../secrets.vars
  hubcap import --namespace prod --release prod --chart prod=./mybinder`,
	}
	s.clusterFlags(c)
	s.outputFlag(c, asText, asJSON)
	f := c.Flags()
	f.StringVar(&i.gke, "gke", "", "read the node pools of this GKE cluster too: `project/location/name`")
	f.StringVar(&i.endpoint, "gke-endpoint", "", "`URL` of the GKE API; default Google's")
	f.StringVar(&i.cluster, "cluster", "", "`name` of the cluster block; default the one that the config has")
	f.StringArrayVarP(&i.namespaces, "namespace", "n", nil, "only releases in this namespace (`name`); repeatable")
	f.StringArrayVar(&i.releases, "release", nil, "only this release: `name`, or namespace/name; repeatable")
	f.StringArrayVar(&i.charts, "chart", nil, "where the chart of a release is: `release=source`, a directory, an archive, or a URL; repeatable")
	f.StringVar(&i.chartsDir, "charts", "", "write the charts from Helm's record into this `directory`, rather than name a repository")
	f.StringVar(&i.out, "out", "", "write files into this `directory`")
	f.BoolVar(&i.add, "add", false, "with --out: add files to the config that is there")
	f.BoolVar(&i.overwrite, "overwrite", false, "with --out: replace files that are there")
	f.StringVar(&i.secrets, "secrets-file", "", "write the values of the sensitive variables into this `file`, for --var-file")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := s.interruptible(c.Context())
		defer stop()
		return i.run(ctx)
	}
	return c
}

func (i *importing) run(ctx context.Context) error {
	if err := i.check(); err != nil {
		return err
	}
	defer func() {
		for _, dir := range i.temporary {
			os.RemoveAll(dir)
		}
	}()
	known, err := i.known()
	if err != nil {
		return err
	}
	if i.found, err = i.read(ctx, known); err != nil {
		return err
	}
	if err := i.choose(ctx); err != nil {
		return err
	}
	i.facts = i.gather(known)
	proofs, err := i.prove(ctx)
	if err != nil {
		return err
	}
	if i.isEmpty() {
		return i.deliverNothing()
	}
	return i.deliver(proofs)
}

// check finds what of the flags does not go together.
func (i *importing) check() error {
	switch {
	case i.out == "" && (i.add || i.overwrite):
		return usage("--add and --overwrite need --out: without it nothing is written")
	case i.add && i.overwrite:
		return usage("--add and --overwrite: files cannot both stay and be replaced")
	case filepath.Ext(i.secrets) == ".hcl":
		return usage("--secrets-file %s: a file of variables must not be named *.hcl, or it would be taken for config", i.secrets)
	case i.gke != "" && strings.Count(i.gke, "/") != 2:
		return usage("--gke %s: it has to be project/location/name", i.gke)
	case i.endpoint != "" && i.gke == "":
		return usage("--gke-endpoint belongs to --gke")
	case i.cluster != "" && adopt.Name(i.cluster) != i.cluster:
		return usage("--cluster %s: the name of a block has letters, digits, - and _", i.cluster)
	}
	for _, c := range i.charts {
		if release, source, found := strings.Cut(c, "="); !found || release == "" || source == "" {
			return usage("--chart %s: it has to be release=source", c)
		}
	}
	return nil
}

// base is the directory in which the config is, or is going to be.
func (i *importing) base() string {
	if i.out != "" {
		return i.out
	}
	return i.s.chdir
}

// gather puts together what the writer of HCL has to know.
func (i *importing) gather(known *known) adopt.Facts {
	f := adopt.Facts{
		Config: i.begun(known), Cluster: i.found.cluster, Pools: i.found.pools, Zones: i.found.zones,
		Taken: known.taken, Plain: map[adopt.Key]map[adopt.Group]bool{}, Open: map[adopt.Key]map[string]bool{},
	}
	for _, r := range i.found.releases {
		key := adopt.Key{Namespace: r.Namespace, Name: r.Name}
		u := i.uses[key]
		if u == nil || u.source.Source == "" {
			continue // said already
		}
		notes := append([]string{}, u.notes...)
		switch {
		case r.Pending():
			notes = append(notes, "Helm began this revision and never said how it ended. What is live may in parts be the revision before.")
		case !r.Settled():
			caveat := fmt.Sprintf("Helm says that this revision is %s, and of none that it is deployed. What is live may be less than this, or other.", r.Status)
			notes = append(notes, caveat)
			i.found.skipped = append(i.found.skipped, fmt.Sprintf("Helm release %s, revision %d: %s", key, r.Revision, caveat))
		}
		for _, n := range r.Newer {
			notes = append(notes, fmt.Sprintf("Revision %d after it is %s, and is left out.", n.Revision, n.Status))
		}
		f.Releases = append(f.Releases, adopt.Release{
			Key: key, Revision: r.Revision, Status: r.Status, Chart: r.Chart.Name + " " + r.Chart.Version,
			Hub: u.hub, Root: u.root, Source: u.source, Values: resource.Object(r.Values).Copy(), Notes: notes,
			Complete: u.complete,
		})
	}
	return f
}

// settingsOf finds the hubcap block of a file, and the name in it.
var settingsOf = regexp.MustCompile(`(?m)^hubcap\s*\{(?:[^}]*?^\s*name\s*=\s*"([a-z0-9-]+)")?`)

// begun returns the name of the config that this import begins: that of its only
// release, else that of the cluster. It is empty where a config says its own, in
// a file that stays.
func (i *importing) begun(known *known) string {
	if !known.isNew {
		return ""
	}
	name := i.found.cluster.Name
	if len(i.found.releases) == 1 {
		name = i.found.releases[0].Name
	}
	there, _ := filepath.Glob(filepath.Join(i.base(), "*.hcl")) // the pattern is right
	for _, file := range there {
		text, err := os.ReadFile(file)
		settings := settingsOf.FindSubmatch(text)
		switch {
		case err != nil || settings == nil:
		case filepath.Base(file) != adopt.ClusterFile:
			return ""
		case len(settings[1]) > 0: // it is replaced, and what lives under its name stays
			name = string(settings[1])
		}
	}
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	return cmp.Or(strings.Trim(plain[:min(len(plain), 63)], "-"), "hubs")
}
