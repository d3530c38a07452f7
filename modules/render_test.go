package modules_test

import (
	"bytes"
	"io/fs"
	"sort"
	"strings"
	"testing"
	"text/template"

	"helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"hubcap/modules"
)

// An object is one rendered object with the template it came from.
type object struct {
	*unstructured.Unstructured
	template string
	text     []byte // its YAML
}

// key names an object in tables: "Deployment/hub".
func (o object) key() string { return o.GetKind() + "/" + o.GetName() }

// A release is what is rendered: a chart under a name with values.
type release struct {
	chart  string
	values map[string]any
	live   []object // what lookup finds
}

// load returns the built-in chart with dependencies, freshly loaded.
func load(t *testing.T, name string) *chart.Chart {
	t.Helper()
	files, err := modules.Chart(name)
	if err != nil {
		t.Fatal(err)
	}
	var all []*archive.BufferedFile
	err = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		all = append(all, &archive.BufferedFile{Name: path, Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := loader.LoadFiles(all)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// coalesce lays values over a chart's defaults as Helm's users expect: maps are
// merged, a null deletes, and a parent's values win over its dependency's.
func coalesce(ch *chart.Chart, values map[string]any) map[string]any {
	merged := overlayMap(ch.Values, values)
	for _, dependency := range ch.Dependencies() {
		under, _ := merged[dependency.Name()].(map[string]any)
		merged[dependency.Name()] = coalesce(dependency, under)
	}
	ch.Values = map[string]any{}
	return merged
}

func overlayMap(base, over map[string]any) map[string]any {
	merged := map[string]any{}
	for key, value := range base {
		merged[key] = value
	}
	for key, value := range over {
		below, isMap := value.(map[string]any)
		under, wasMap := merged[key].(map[string]any)
		if isMap && wasMap {
			merged[key] = overlayMap(under, below)
			continue
		}
		if isMap {
			value = overlayMap(nil, below)
		}
		merged[key] = value
	}
	// A null of the layer above has deleted; a chart's own null is no value.
	for key, value := range merged {
		if value == nil && base != nil {
			if _, set := over[key]; set {
				delete(merged, key)
			}
		}
	}
	return merged
}

// render renders once. Objects come sorted by template and order of appearance.
func (r release) render(t *testing.T) ([]object, error) {
	t.Helper()
	ch := load(t, r.chart)
	values := coalesce(ch, r.values)
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = common.KubeVersion{Version: "v1.35.2", Major: "1", Minor: "35"}
	prepared, err := chartutil.ToRenderValues(ch, values, common.ReleaseOptions{
		Name: "prod", Namespace: "binder", Revision: 1, IsInstall: true,
	}, capabilities)
	if err != nil {
		return nil, err
	}
	lookup := func(_, kind, namespace, name string) map[string]any {
		for _, live := range r.live {
			if live.GetKind() == kind && live.GetName() == name && namespace == "binder" {
				return live.Object
			}
		}
		return map[string]any{}
	}
	helm := engine.Engine{CustomTemplateFuncs: template.FuncMap{"lookup": lookup}}
	texts, err := helm.Render(ch, prepared)
	if err != nil {
		return nil, err
	}
	return split(t, texts), nil
}

// mustRender renders twice, as hubcap does: the second time with the first
// one's Secrets to look up, so that what depends on them holds still.
func (r release) mustRender(t *testing.T) []object {
	t.Helper()
	for range 2 {
		objects, err := r.render(t)
		if err != nil {
			t.Fatalf("render %s: %v", r.chart, err)
		}
		r.live = nil
		for _, o := range objects {
			if o.GetKind() == "Secret" {
				r.live = append(r.live, o)
			}
		}
		if len(r.live) == 0 {
			t.Fatal("rendered no Secret")
		}
	}
	objects, err := r.render(t)
	if err != nil {
		t.Fatalf("render %s again: %v", r.chart, err)
	}
	return objects
}

// split cuts rendered templates into objects.
func split(t *testing.T, texts map[string]string) []object {
	t.Helper()
	var paths []string
	for path := range texts {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	var objects []object
	for _, path := range paths {
		if strings.HasPrefix(path[strings.LastIndex(path, "/")+1:], "_") {
			continue
		}
		for _, text := range strings.Split("\n"+texts[path], "\n---") {
			if len(bytes.TrimSpace([]byte(text))) == 0 {
				continue
			}
			content := map[string]any{}
			if err := yaml.Unmarshal([]byte(text), &content); err != nil {
				t.Fatalf("%s: %v\n%s", path, err, text)
			}
			if len(content) == 0 {
				continue
			}
			objects = append(objects, object{&unstructured.Unstructured{Object: content}, path, []byte(text)})
		}
	}
	return objects
}
