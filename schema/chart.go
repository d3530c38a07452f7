package schema

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// decodeChart decodes a chart block.
func decodeChart(b *body, header Block) entry {
	c := &Chart{Block: header}
	if t := b.clusterRef(); t != nil {
		c.Cluster = t.address
	}
	b.require("chart")
	c.Chart = b.chart()
	c.Namespace, c.Release = b.release()
	c.ValuesFiles = b.valuesFiles()
	c.Values = b.treeMap("values")
	return c
}

// chart decodes chart and chart_version.
func (b *body) chart() ChartSource {
	src := b.scope.module.source
	return ChartSource{
		Source:  b.checked("chart", "Invalid chart", chartProblem),
		Version: b.checked("chart_version", "Invalid version constraint", versionConstraint),
		Dir:     src.dir,
	}
}

func chartProblem(s string) string {
	for _, prefix := range []string{"builtin:", "oci://", "https://", "http://", "./", "../", "/"} {
		if rest, is := strings.CutPrefix(s, prefix); is && rest != "" {
			return ""
		}
	}
	if strings.HasSuffix(s, ".tgz") {
		return ""
	}
	return fmt.Sprintf(`is neither a built-in chart ("builtin:binderhub"), nor a directory ("./%s"), nor an archive ("%[1]s-1.2.3.tgz").`, filepath.Base(s))
}

// valuesFiles reads and decodes the files of values.
func (b *body) valuesFiles() []ValuesFile {
	names := b.texts("values_files")
	src := b.scope.module.source
	var files []ValuesFile
	for i, name := range names {
		at := b.elementAt("values_files", i)
		data, err := src.read(name)
		if err != nil {
			b.errorAt(at, "Unreadable values file", "%s cannot be read: %s.", src.file(name), reason(err))
			continue
		}
		v, err := decodeYAML(data, lastWins)
		if err != nil {
			b.errorAt(at, "Invalid YAML", "%s is not YAML: %s.", src.file(name), yamlReason(err))
			continue
		}
		values, isMap := v.(map[string]any)
		if !isMap && v != nil {
			b.errorAt(at, "Values that are not a map", "%s must hold keys and values at the top.", src.file(name))
			continue
		}
		files = append(files, ValuesFile{Path: src.file(name), Values: values})
	}
	return files
}

// yamlReason is the reason of a YAML error without the decoder's own names.
func yamlReason(err error) string {
	s := err.Error()
	for _, prefix := range []string{"error converting YAML to JSON: ", "yaml: "} {
		s = strings.TrimPrefix(s, prefix)
	}
	return strings.TrimSuffix(strings.TrimSpace(s), ".")
}

func (c *Chart) addTo(config *Config) { config.Charts = append(config.Charts, *c) }

func (c *Chart) fields() map[string]cty.Value {
	return map[string]cty.Value{
		"namespace": textValue(c.Namespace), "release": textValue(c.Release), "cluster": textValue(addressText(c.Cluster)),
	}
}
