package schema

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
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
	c.Values = b.chartValues()
	c.Adopt = b.flag("adopt")
	return c
}

// chart decodes chart, repository, chart_version and nulls.
func (b *body) chart() ChartSource {
	source := ChartSource{
		Repository: b.checked("repository", "Invalid chart repository", repositoryProblem),
		Version:    b.checked("chart_version", "Invalid version constraint", versionConstraint),
		Nulls:      b.word("nulls", "helm3", "helm4"),
		Dir:        b.scope.module.source.dir,
	}
	problem := chartProblem
	if b.has("repository") {
		problem = chartNameProblem
	}
	source.Source = b.checked("chart", "Invalid chart", problem)
	if b.has("repository") && source.Repository == "" {
		// It is wrong, and said so; without it the chart would be something else.
		source.Source = ""
	}
	return source
}

// chartName is a name in a repository; in a registry it may have several parts.
var chartName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)

func chartNameProblem(s string) string {
	if !chartName.MatchString(s) || strings.HasSuffix(s, ".tgz") {
		return `is no name of a chart in a repository. Write chart = "jupyterhub" beside repository, or leave repository out.`
	}
	return ""
}

func chartProblem(s string) string {
	switch {
	case strings.HasPrefix(s, "https://"), strings.HasPrefix(s, "http://"):
		if problem := addressProblem(s); problem != "" {
			return problem
		}
		if !strings.HasSuffix(s, ".tgz") {
			whole := strings.TrimSuffix(strings.TrimSuffix(s, "/index.yaml"), "/")
			dir, name := path.Split(whole)
			other := ""
			if strings.Count(whole, "/") > 2 {
				other = fmt.Sprintf(" If its last part is the chart's name, write chart = %q and repository = %q.", name, strings.TrimSuffix(dir, "/"))
			}
			return fmt.Sprintf("is no archive (.tgz), but the address of a repository of charts. Write repository = %q, and the name of the chart in it, as in chart = \"jupyterhub\".%s", whole, other)
		}
		return ""
	case strings.HasPrefix(s, "oci://"):
		if problem := addressProblem(s); problem != "" {
			return problem
		}
		rest := strings.TrimPrefix(s, "oci://")
		if i := strings.LastIndexByte(rest, '/'); i <= 0 || !chartName.MatchString(rest[i+1:]) {
			return `is no chart in a registry. Write it without tag or digest, as in "oci://ghcr.io/org/charts/jupyterhub", and the version as chart_version.`
		}
		return ""
	case strings.HasSuffix(s, ".tgz"):
		return ""
	}
	for _, prefix := range []string{"builtin:", "./", "../", "/"} {
		if rest, is := strings.CutPrefix(s, prefix); is && rest != "" {
			return ""
		}
	}
	return fmt.Sprintf(`is neither a built-in chart ("builtin:binderhub"), nor a directory ("./%s"), nor an archive ("%[1]s-1.2.3.tgz"). For a chart in a repository write repository = "https://…" beside it.`, filepath.Base(s))
}

func repositoryProblem(s string) string {
	for _, scheme := range []string{"https://", "http://", "oci://"} {
		if rest, is := strings.CutPrefix(s, scheme); is && rest != "" {
			return addressProblem(s)
		}
	}
	return `is no repository of charts. Write its address, as in "https://hub.jupyter.org/helm-chart" or "oci://ghcr.io/org/charts".`
}

// addressProblem says what is wrong with the address of something remote.
func addressProblem(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "":
		return "is not a URL."
	case u.User != nil:
		return "holds a user name or password, which would be shown. Leave it out; names and passwords are read from where helm registry login and helm repo add write them."
	case u.RawQuery != "" || u.Fragment != "":
		return `has a "?" or "#" in it, which the address of a chart has not.`
	}
	return ""
}

// valuesFiles reads and decodes the files of values, and runs the commands among
// them, in their order.
func (b *body) valuesFiles() []ValuesFile {
	const name = "values_files"
	res := b.evaluate(name)
	if res == nil || res.poisoned() {
		return nil
	}
	var files []ValuesFile
	if !hasObjects(res.Value) {
		for i, file := range b.texts(name) {
			files = b.valuesFile(files, file, b.elementAt(name, i))
		}
		return files
	}
	if res.ContainsMarked() {
		b.errorIn(name, "Sensitive value where it would be shown", "A command of %s.%s cannot be sensitive: other programs see it.", b.where, name)
		return nil
	}
	i := 0
	for it := res.ElementIterator(); it.Next(); i++ {
		_, v := it.Element()
		at := b.elementAt(name, i)
		if v.Type() == cty.String && !v.IsNull() {
			files = b.valuesFile(files, v.AsString(), at)
			continue
		}
		files = b.valuesCommand(files, v, at)
	}
	return files
}

// hasObjects reports whether a list has an element that is an object.
func hasObjects(v cty.Value) bool {
	v, _ = v.Unmark()
	t := v.Type()
	if t.IsListType() || t.IsSetType() {
		return t.ElementType().IsObjectType() || t.ElementType().IsMapType()
	}
	return t.IsTupleType() && slices.ContainsFunc(t.TupleElementTypes(), func(e cty.Type) bool { return e.IsObjectType() || e.IsMapType() })
}

// valuesFile appends one file, unless it is wrong.
func (b *body) valuesFile(files []ValuesFile, name string, at hcl.Range) []ValuesFile {
	src := b.scope.module.source
	data, err := src.read(name)
	if err != nil {
		b.errorAt(at, "Unreadable values file", "%s cannot be read: %s.", src.file(name), reason(err))
		return files
	}
	v, err := decodeYAML(data, lastWins)
	if err != nil {
		b.errorAt(at, "Invalid YAML", "%s is not YAML: %s.", src.file(name), valuesReason(data, err))
		return files
	}
	b.warnOfLosses(data, src.file(name), at)
	values, isMap := v.(map[string]any)
	if !isMap && v != nil {
		b.errorAt(at, "Values that are not a map", "%s must hold keys and values at the top.", src.file(name))
		return files
	}
	return append(files, ValuesFile{Path: src.file(name), Values: values})
}

// chartValues decodes values, and remembers where each key of it is written.
func (b *body) chartValues() map[string]any {
	values := b.treeMap("values")
	if attr := b.syntax.Attributes["values"]; attr != nil && values != nil {
		b.rememberKeys(attr.Expr, b.prefix+"values")
	}
	return values
}

// rememberKeys puts the ranges of the keys below an expression into the block's,
// as far as it is written out.
func (b *body) rememberKeys(expr hclsyntax.Expression, at string) {
	object, isObject := expr.(*hclsyntax.ObjectConsExpr)
	if !isObject {
		return
	}
	for _, item := range object.Items {
		key, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() || !key.IsWhollyKnown() || key.IsNull() || key.Type() != cty.String {
			continue
		}
		name := at + "." + key.AsString()
		b.ranges[name] = item.KeyExpr.Range()
		b.rememberKeys(item.ValueExpr, name)
	}
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
