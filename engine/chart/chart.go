// Package chart renders Helm charts in this process: from a chart and values to
// objects, with nothing but a function between it and the live cluster.
//
// Place in the pipeline: inside engine/expand, which decides what the values are
// and what becomes of the objects.
//
// The templates run in Helm's own engine. Loading, merging values, checking
// them, and everything after the templates is done here, because current Helm
// versions disagree about what a null means and charts checksum their values: a
// wrong null restarts a hub. The rules here are those of Helm up to 3.19.
package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// BuiltinPrefix stands before the name of a chart that ships with hubcap.
const BuiltinPrefix = "builtin:"

// maxChartSize bounds what is read of one chart, unpacked, in bytes.
const maxChartSize = 100 << 20

// A Library loads charts and keeps them, so that many hubs of one chart parse it
// once. It may be used by several goroutines.
type Library struct {
	builtin func(name string) (fs.FS, error)

	mu     sync.Mutex
	charts map[string]loaded
}

type loaded struct {
	chart *Chart
	err   error
}

// NewLibrary returns an empty library. builtin opens the charts that ship with
// hubcap; nil means that there are none.
func NewLibrary(builtin func(name string) (fs.FS, error)) *Library {
	return &Library{builtin: builtin, charts: map[string]loaded{}}
}

// A Source says where a chart lies.
type Source struct {
	Location string // "builtin:binderhub", a folder, or a .tgz
	Dir      string // relative locations start here
	Version  string // constraint on the chart's version; empty: any
	Nulls    Nulls  // what nulls in values mean; zero: [Classic]

	// Archive is a .tgz that was fetched from Location, and Digest what it is known
	// by. The library fetches nothing itself.
	Archive []byte
	Digest  string
}

// A Chart is a loaded chart. It is never changed, and may be rendered by several
// goroutines at once.
type Chart struct {
	root   *helmchart.Chart
	digest string
	nulls  Nulls

	// What renderings share: it depends on no values.
	definitions definitions
	schemas     schemas
	asking      sync.Once
	asks        bool // see AsksRevision
	defaulting  sync.Once
	defaults    map[string]any // see Defaults
}

// Name returns the chart's name.
func (c *Chart) Name() string { return c.root.Name() }

// Version returns the chart's version.
func (c *Chart) Version() string { return c.root.Metadata.Version }

// Load returns the chart at s.
func (l *Library) Load(s Source) (*Chart, error) {
	c, err := l.once(s)
	if err != nil {
		return nil, err
	}
	if s.Version != "" && !chartutil.IsCompatibleRange(s.Version, c.Version()) {
		return nil, fmt.Errorf("chart %s is version %s, which %q does not allow", c.Name(), c.Version(), s.Version)
	}
	return c, nil
}

func (l *Library) once(s Source) (*Chart, error) {
	at := s.Location
	switch {
	case s.Archive != nil:
		at = s.Digest
	case !strings.HasPrefix(at, BuiltinPrefix) && !strings.Contains(at, "://") && !filepath.IsAbs(at):
		at = filepath.Join(s.Dir, at)
	}
	key := at + " " + string(s.Nulls)
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, isKnown := l.charts[key]; isKnown {
		return known.chart, known.err
	}
	var root *helmchart.Chart
	var err error
	if s.Archive != nil {
		root, err = loader.LoadArchive(bytes.NewReader(s.Archive))
	} else {
		root, err = l.load(at)
	}
	var c *Chart
	if err == nil {
		c = &Chart{root: root, digest: s.Digest, nulls: s.Nulls}
		if s.Archive == nil {
			c.digest = digestFiles(root)
		}
	}
	l.charts[key] = loaded{chart: c, err: err}
	return c, err
}

func (l *Library) load(location string) (*helmchart.Chart, error) {
	if name, isBuiltin := strings.CutPrefix(location, BuiltinPrefix); isBuiltin {
		if l.builtin == nil {
			return nil, fmt.Errorf("there is no built-in chart %q", name)
		}
		files, err := l.builtin(name)
		if err != nil {
			return nil, err
		}
		return loadFS(files)
	}
	if strings.Contains(location, "://") {
		return nil, fmt.Errorf("the chart %s was not fetched", location)
	}
	info, err := os.Stat(location)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no chart at %s", location)
	case err != nil:
		return nil, err
	case !info.IsDir():
		root, err := loader.LoadFile(location)
		return root, located(location, err)
	}
	root, err := loader.LoadDir(location)
	if err != nil {
		return nil, located(location, err)
	}
	return root, addSiblings(root, location)
}

// located names the chart that an error of Helm is about, unless it does so itself.
func located(location string, err error) error {
	if err == nil || strings.Contains(err.Error(), location) {
		return err
	}
	return fmt.Errorf("chart at %s: %w", location, err)
}

// addSiblings loads the dependencies that a chart in a folder names by
// "file://../sibling" and that nobody has copied under charts/.
func addSiblings(root *helmchart.Chart, dir string) error {
	for _, need := range root.Metadata.Dependencies {
		relative, isFile := strings.CutPrefix(need.Repository, "file://")
		if !isFile || provided(root, need) {
			continue
		}
		at := relative
		if !filepath.IsAbs(at) {
			at = filepath.Join(dir, relative)
		}
		sibling, err := loader.LoadDir(at)
		if err != nil {
			return fmt.Errorf("load dependency %s of chart %s: %w", need.Name, root.Name(), located(at, err))
		}
		if err := addSiblings(sibling, at); err != nil {
			return err
		}
		root.AddDependency(sibling)
	}
	return nil
}

// loadFS loads a chart whose Chart.yaml lies at the top of files.
func loadFS(files fs.FS) (*helmchart.Chart, error) {
	var buffered []*archive.BufferedFile
	size := 0
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if size += len(data); size > maxChartSize {
			return fmt.Errorf("the chart is larger than %d bytes", maxChartSize)
		}
		data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
		buffered = append(buffered, &archive.BufferedFile{Name: path.Clean(name), Data: data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read chart: %w", err)
	}
	return loader.LoadFiles(buffered)
}

// LoadArchive loads a chart from a .tgz that is not in a file.
func LoadArchive(r io.Reader) (*Chart, error) {
	root, err := loader.LoadArchive(r)
	if err != nil {
		return nil, err
	}
	return &Chart{root: root}, nil
}

// clone returns a deep copy of c, apart from its files: rendering renames and
// removes dependencies and empties the values. Dependencies come sorted, since
// Helm loads them in the order of a Go map.
func clone(c *helmchart.Chart) *helmchart.Chart {
	out := *c
	meta := *c.Metadata
	meta.Dependencies = nil
	for _, d := range c.Metadata.Dependencies {
		if d != nil {
			need := *d
			meta.Dependencies = append(meta.Dependencies, &need)
		}
	}
	out.Metadata = &meta
	out.Values = copyTable(c.Values)
	children := slices.Clone(c.Dependencies())
	slices.SortStableFunc(children, func(a, b *helmchart.Chart) int {
		return strings.Compare(a.Name()+" "+a.Metadata.Version, b.Name()+" "+b.Metadata.Version)
	})
	out.SetDependencies()
	for _, child := range children {
		out.AddDependency(clone(child))
	}
	return &out
}
