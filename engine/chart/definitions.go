package chart

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strings"
	"sync"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// definitions is what lies in the crds folders of a chart, by text. No value
// changes it, so all renderings of a chart share it.
type definitions struct {
	mu    sync.Mutex
	known map[string][]Object
}

// of returns the definitions in the crds folders of c and its dependencies, in a
// fixed order. Whatever else lies there is no object (a kustomization.yaml).
func (d *definitions) of(c *helmchart.Chart) ([]Object, error) {
	files := c.CRDObjects()
	found, err := each(len(files), func(i int) ([]Object, error) {
		return d.decode(files[i].Filename, string(files[i].File.Data))
	})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(found...)
	slices.SortStableFunc(all, func(a, b Object) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), cmp.Compare(a.Index, b.Index))
	})
	return all, nil
}

// decode returns copies of the definitions in one file.
func (d *definitions) decode(source, text string) ([]Object, error) {
	d.mu.Lock()
	known, isKnown := d.known[text]
	d.mu.Unlock()
	if !isKnown {
		found, err := decodeFile(source, text)
		var broken *TemplateError
		if errors.As(err, &broken) && path.Base(source) == "kustomization.yaml" {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		known = slices.DeleteFunc(found, func(o Object) bool { return o.Object.Text("kind") != "CustomResourceDefinition" })
		d.mu.Lock()
		if d.known == nil {
			d.known = map[string][]Object{}
		}
		d.known[text] = known
		d.mu.Unlock()
	}
	return copies(known, source), nil
}

// copies returns deep copies of objects, as if they came from source.
func copies(objects []Object, source string) []Object {
	out := slices.Clone(objects)
	for i := range out {
		out[i].Object = out[i].Object.Copy()
		out[i].Source = source
	}
	return out
}
