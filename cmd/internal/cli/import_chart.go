package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hubcap/engine/adopt"
	"hubcap/engine/chart"
	"hubcap/engine/resource"
	"hubcap/modules"
	"hubcap/providers/charts"
	"hubcap/providers/kube"
	"hubcap/schema"
)

// upstream is where the charts of JupyterHub and BinderHub are published.
const upstream = "https://hub.jupyter.org/helm-chart"

// A chosen is what import does with the chart of one release.
type chosen struct {
	source schema.ChartSource // as it is to be written; empty: the release cannot be
	local  string             // directory that relative sources start at, of a chart that was given
	files  map[string][]byte  // below the directory of the config, of a chart from the record
	hub    schema.HubType
	root   string
	notes  []string

	complete resource.Object // the values on record, completed by the chart
}

// choose finds the chart of every release: the one that was given, the one that
// is built in, the published one, or what Helm recorded.
func (i *importing) choose(ctx context.Context) error {
	i.uses = map[adopt.Key]*chosen{}
	given := map[string]string{}
	for _, c := range i.charts {
		release, source, _ := strings.Cut(c, "=")
		given[release] = source
	}
	resolver := &charts.Resolver{Cache: i.s.cacheDir("charts"), UserAgent: "hubcap/" + version, Repositories: i.s.helmRepositories()}
	folders, met := map[string]map[string][]byte{}, map[string]bool{}
	for n := range i.found.releases {
		r := &i.found.releases[n]
		key := adopt.Key{Namespace: r.Namespace, Name: r.Name}
		source, isGiven := given[key.String()]
		met[key.String()], met[r.Name] = true, true
		if !isGiven {
			source, isGiven = given[r.Name]
		}
		var u *chosen
		var err error
		if isGiven {
			u = i.givenChart(source, r.Chart.Name)
		} else {
			u, err = i.chartOf(ctx, resolver, r, folders)
		}
		if err == nil {
			err = i.examine(ctx, resolver, u, r)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			i.found.unread("the chart of Helm release "+key.String(), err.Error()+"; the release is left out. Give its chart: --chart "+r.Name+"=DIRECTORY")
			continue
		}
		i.uses[key] = u
	}
	for _, release := range slices.Sorted(maps.Keys(given)) {
		// What could not be read may be the release.
		if !met[release] && len(i.found.unreadable) == 0 {
			return usage("--chart %s=%s: no such release was read", release, given[release])
		}
	}
	return nil
}

// givenChart is a chart of the command line, for a release of the chart of that name:
// the address of a repository does not say which chart in it.
func (i *importing) givenChart(source, name string) *chosen {
	u := &chosen{}
	switch {
	case strings.HasPrefix(source, chart.BuiltinPrefix), strings.HasPrefix(source, "oci://"), strings.Contains(source, "://") && strings.HasSuffix(source, ".tgz"):
		u.source.Source = source
	case strings.Contains(source, "://"):
		whole := strings.TrimSuffix(strings.TrimSuffix(source, "/index.yaml"), "/")
		u.source.Repository, u.source.Source = strings.TrimSuffix(whole, "/"+name), name
	default:
		u.source.Source, u.local = i.fromBase(source), i.base()
	}
	return u
}

// released is a version that a chart is published with, and not the mark that a
// chart has in its repository of sources.
var released = regexp.MustCompile(`^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// chartOf finds the chart of a release.
func (i *importing) chartOf(ctx context.Context, resolver *charts.Resolver, r *kube.Release, folders map[string]map[string][]byte) (*chosen, error) {
	recorded := r.Chart.Files()
	isHub := r.Chart.Name == "jupyterhub" || r.Chart.Name == "binderhub"
	if isHub && i.chartsDir == "" {
		if isBuiltin(r.Chart.Name, recorded) {
			return &chosen{source: schema.ChartSource{Source: chart.BuiltinPrefix + r.Chart.Name}}, nil
		}
		if released.MatchString(r.Chart.Version) && !strings.Contains(r.Chart.Version, "set.by.chartpress") {
			u := &chosen{source: schema.ChartSource{Source: r.Chart.Name, Repository: upstream, Version: r.Chart.Version}}
			problem := i.fetchChart(ctx, resolver, u)
			if problem == nil {
				return u, nil
			}
			if !r.Chart.Whole() {
				return nil, problem
			}
			i.found.skipped = append(i.found.skipped, fmt.Sprintf("The chart of release %s is written from Helm's record: %s", r.Name, problem))
		}
	}
	return i.recordedChart(ctx, resolver, r, folders)
}

// isBuiltin reports whether a recorded chart is the one that ships with hubcap.
func isBuiltin(name string, recorded map[string][]byte) bool {
	own, err := modules.Chart(name)
	if err != nil {
		return false
	}
	same := 0
	err = fs.WalkDir(own, ".", func(at string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && at == "charts":
			return fs.SkipDir
		case d.IsDir(), isMeta(at):
			return nil
		}
		data, err := fs.ReadFile(own, at)
		if err == nil && !bytes.Equal(data, recorded[at]) {
			err = fs.ErrInvalid
		}
		same++
		return err
	})
	for at := range recorded {
		if !isMeta(at) {
			same--
		}
	}
	return err == nil && same == 0
}

// isMeta reports whether Helm records a file of a chart as what it says.
func isMeta(at string) bool {
	return at == "Chart.yaml" || at == "values.yaml" || at == "values.schema.json" || at == "Chart.lock"
}

// recordedChart writes a chart from the record, and fetches what it depends on,
// which the record lacks.
func (i *importing) recordedChart(ctx context.Context, resolver *charts.Resolver, r *kube.Release, folders map[string]map[string][]byte) (*chosen, error) {
	files := r.Chart.Files()
	for _, need := range r.Chart.Dependencies {
		u := &chosen{source: schema.ChartSource{Source: need.Name, Repository: need.Repository, Version: need.Version}}
		if need.Repository == "" || !strings.Contains(need.Repository, "://") || strings.HasPrefix(need.Repository, "file://") {
			return nil, fmt.Errorf("chart %s %s is not published, and Helm records no dependency (%s %s)", r.Chart.Name, r.Chart.Version, need.Name, need.Version)
		}
		if err := i.fetchChart(ctx, resolver, u); err != nil {
			return nil, fmt.Errorf("fetch %s, on which chart %s depends and which Helm does not record: %w", need.Name, r.Chart.Name, err)
		}
		files["charts/"+safeName(need.Name)+".tgz"] = u.source.Fetched.Archive
	}
	folder := i.folder()
	name := folder + "/" + safeName(r.Chart.Name+"-"+r.Chart.Version)
	if other, isTaken := folders[name]; isTaken && !maps.EqualFunc(other, files, bytes.Equal) {
		name += "-" + safeName(r.Namespace+"-"+r.Name)
	}
	folders[name] = files
	u := &chosen{source: schema.ChartSource{Source: name}, files: map[string][]byte{}}
	for at, data := range files {
		u.files[path.Join(name, at)] = data
	}
	u.notes = []string{"The chart is as Helm recorded it; where it was published is not on record."}
	return u, nil
}

// folder is where charts from the record are, as the config names it.
func (i *importing) folder() string {
	if i.chartsDir == "" {
		return "./charts"
	}
	return i.fromBase(i.chartsDir)
}

var unsafe = regexp.MustCompile(`[^A-Za-z0-9._+-]+`)

func safeName(s string) string {
	return strings.TrimLeft(unsafe.ReplaceAllString(s, "-"), ".")
}

// fetchChart fetches a remote chart into a use.
func (i *importing) fetchChart(ctx context.Context, resolver *charts.Resolver, u *chosen) error {
	repository, name, isRemote := u.source.Remote()
	if !isRemote || u.source.Fetched != nil {
		return nil
	}
	ref := charts.Ref{Repository: repository, Name: name, Constraint: u.source.Version}
	found := resolver.Resolve(ctx, []charts.Ref{ref}, &charts.Lock{}, charts.Extend)
	if problem := found.Problems[ref]; problem != nil {
		return errors.New(strings.TrimSuffix(problem.Detail, "."))
	}
	archive := found.Charts[ref]
	u.source.Fetched = &schema.FetchedChart{Digest: archive.Digest, Archive: archive.Data}
	return nil
}

// examine loads the chart of a use, and finds out what is in it.
func (i *importing) examine(ctx context.Context, resolver *charts.Resolver, u *chosen, r *kube.Release) error {
	if err := i.fetchChart(ctx, resolver, u); err != nil {
		return err
	}
	c, err := i.loadChart(u)
	if err != nil {
		return err
	}
	if c.Name() != r.Chart.Name {
		return fmt.Errorf("the chart at %s is %s, and Helm installed %s", u.source.Source, c.Name(), r.Chart.Name)
	}
	if c.Version() != r.Chart.Version {
		u.notes = append(u.notes, fmt.Sprintf("The chart there is version %s, and Helm installed %s.", c.Version(), r.Chart.Version))
	}
	if complete, err := c.Values(r.Values); err == nil {
		u.complete = complete // else rendering says what is wrong with them
	}
	needs := make([]string, len(r.Chart.Dependencies))
	for n, need := range r.Chart.Dependencies {
		needs[n] = need.Name
	}
	for _, kind := range []schema.HubType{schema.BinderHub, schema.JupyterHub} {
		name := string(kind)
		switch keys, isInside := c.Find(name); {
		case c.Name() == name:
			u.hub = kind
			return nil
		case isInside && slices.Contains(needs, keys[0]):
			u.hub, u.root = kind, strings.Join(keys, ".")
			return nil
		}
	}
	return nil
}

// loadChart loads the chart of a use, before any of its files are written.
func (i *importing) loadChart(u *chosen) (*chart.Chart, error) {
	if u.files != nil {
		files := make(map[string][]byte, len(u.files))
		for at, data := range u.files {
			files[strings.TrimPrefix(strings.TrimPrefix(at, path.Clean(u.source.Source)), "/")] = data
		}
		return chart.LoadMap(files)
	}
	from := chart.Source{Location: u.source.Source, Dir: u.local}
	if u.source.Fetched != nil {
		from.Archive, from.Digest = u.source.Fetched.Archive, u.source.Fetched.Digest
	}
	return chart.NewLibrary(modules.Chart).Load(from)
}

// below returns where a file of a config is.
func below(dir, name string) string {
	if filepath.IsAbs(name) {
		return filepath.FromSlash(name)
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}
