// Package modules is what ships inside hubcap: two small Helm charts and a few
// HCL modules. A config names them as "builtin:<name>".
//
// Place in the pipeline: before it. schema reads the HCL modules and the chart
// renderer reads the charts; nothing here computes anything.
package modules

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Prefix is what stands before the name of something built in, in the source
// of a module or a chart.
const Prefix = "builtin:"

// The all: keeps files whose name begins with an underscore, as Helm's helper
// templates do.
//
//go:embed all:charts all:hcl
var embedded embed.FS

// dependencies says which chart lies under which charts/ folder. Only here are
// the two put together: in the repository each chart exists once.
var dependencies = map[string]string{"binderhub": "jupyterhub"}

// Chart returns the files of a built-in chart, as they lie in a chart's folder
// (Chart.yaml at the top) and with its dependencies under charts/. The name may
// have [Prefix] before it.
func Chart(name string) (fs.FS, error) {
	name = strings.TrimPrefix(name, Prefix)
	chart, err := folder("charts", name)
	if err != nil {
		return nil, fmt.Errorf("find chart %q: %w", name, err)
	}
	needs, found := dependencies[name]
	if !found {
		return chart, nil
	}
	dependency, err := folder("charts", needs)
	if err != nil {
		return nil, fmt.Errorf("find chart %q: %w", needs, err)
	}
	return overlay{base: chart, at: path.Join("charts", needs), sub: dependency}, nil
}

// Module returns the files of a built-in HCL module. The name may have [Prefix]
// before it.
func Module(name string) (fs.FS, error) {
	name = strings.TrimPrefix(name, Prefix)
	module, err := folder("hcl", name)
	if err != nil {
		return nil, fmt.Errorf("find module %q: %w", name, err)
	}
	return module, nil
}

// Charts returns the names of the built-in charts, sorted.
func Charts() []string { return names("charts") }

// folder returns one folder directly under kind. The error says which there are.
func folder(kind, name string) (fs.FS, error) {
	if !slices.Contains(names(kind), name) {
		return nil, fmt.Errorf("%w among the built-in ones (%s)", fs.ErrNotExist, strings.Join(names(kind), ", "))
	}
	return fs.Sub(embedded, path.Join(kind, name))
}

// names returns the folders under kind, sorted.
func names(kind string) []string {
	entries, err := fs.ReadDir(embedded, kind)
	if err != nil {
		panic(fmt.Sprintf("modules: the embedded folder %s cannot be read: %v", kind, err))
	}
	var all []string
	for _, entry := range entries {
		if entry.IsDir() {
			all = append(all, entry.Name())
		}
	}
	return all
}
