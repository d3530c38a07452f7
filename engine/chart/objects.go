package chart

import (
	"maps"
	"slices"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// Objects returns the objects of YAML that a chart rendered elsewhere, such as
// the manifest that Helm records, in their order. The error shows nothing of a
// Secret.
func Objects(source, text string) ([]Object, error) { return decodeFile(source, text) }

// LoadMap loads a chart from its files, by their path below the chart's folder.
func LoadMap(files map[string][]byte) (*Chart, error) {
	var buffered []*archive.BufferedFile
	for _, name := range slices.Sorted(maps.Keys(files)) {
		buffered = append(buffered, &archive.BufferedFile{Name: name, Data: files[name]})
	}
	root, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, err
	}
	return &Chart{root: root}, nil
}
