package chart

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/yaml"

	"hubcap/engine/resource"
)

// An Object is one object that a chart rendered.
type Object struct {
	Object resource.Object
	Source string // template: "binderhub/charts/jupyterhub/templates/hub/deployment.yaml"
	Index  int    // which of the template's objects
	Hook   *Hook  // nil for ordinary objects
}

// A Hook is what Helm is told to do with an object at some event, instead of
// keeping it.
type Hook struct {
	Events         []string // "pre-install", "pre-upgrade", "test"
	Weight         int
	DeletePolicies []string // "before-hook-creation", "hook-succeeded"
}

// Annotations by which a chart speaks to Helm.
const (
	hookAnnotation       = "helm.sh/hook"
	hookWeightAnnotation = "helm.sh/hook-weight"
	hookDeleteAnnotation = "helm.sh/hook-delete-policy"
)

// A document is one YAML document of a file.
type document struct {
	text string
	line int // its first line, from 1
}

// split cuts a file at its document markers, which to Helm is every line that
// begins with "---": a template that trims too much renders "---kind: ConfigMap",
// and charts in use do.
func split(text string) []document {
	var docs []document
	start, line := 1, 0
	var current strings.Builder
	for l := range strings.Lines(text) {
		line++
		if rest, isMarker := strings.CutPrefix(l, "---"); isMarker {
			docs = append(docs, document{current.String(), start})
			current.Reset()
			start = line
			// What follows the marker on its line belongs to the new document.
			l = strings.TrimLeft(rest, " \t")
		}
		current.WriteString(l)
	}
	return append(docs, document{current.String(), start})
}

// firstLine returns the first line of a document that says something.
func firstLine(doc document) int {
	line := doc.line
	for l := range strings.Lines(doc.text) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			break
		}
		line++
	}
	return line
}

// decodeFile returns the objects of one rendered template.
func decodeFile(source, text string) ([]Object, error) {
	var objects []Object
	for _, doc := range split(text) {
		tree, err := decode(doc.text)
		if err != nil {
			return nil, yamlError(source, doc, err)
		}
		if tree == nil {
			continue
		}
		table, isTable := tree.(map[string]any)
		if !isTable {
			return nil, &TemplateError{File: source, Cause: fmt.Sprintf("renders a %T where an object should be", tree), outputLine: firstLine(doc)}
		}
		if len(table) == 0 {
			continue
		}
		unpacked, err := unpack(table)
		if err != nil {
			return nil, &TemplateError{File: source, Cause: err.Error(), outputLine: firstLine(doc)}
		}
		for _, o := range unpacked {
			objects = append(objects, Object{Object: o, Source: source, Index: len(objects), Hook: hookOf(o)})
		}
	}
	return objects, nil
}

// decode parses YAML as Kubernetes does, with whole numbers as int64.
func decode(text string) (any, error) {
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	return numbers(tree)
}

// numbers replaces every json.Number by int64 or float64.
func numbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if v[k], err = numbers(e); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, e := range v {
			if v[i], err = numbers(e); err != nil {
				return nil, err
			}
		}
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		return v.Float64()
	}
	return v, nil
}

// unpack returns the object, or those of a List, and checks what every object
// needs.
func unpack(table map[string]any) ([]resource.Object, error) {
	kind, _ := table["kind"].(string)
	apiVersion, _ := table["apiVersion"].(string)
	if kind == "" || apiVersion == "" {
		return nil, errors.New("renders an object without apiVersion or kind")
	}
	items, isList := table["items"].([]any)
	if isList && strings.HasSuffix(kind, "List") {
		var all []resource.Object
		for _, item := range items {
			inner, isTable := item.(map[string]any)
			if !isTable {
				return nil, fmt.Errorf("renders a %s with a %T in it", kind, item)
			}
			unpacked, err := unpack(inner)
			if err != nil {
				return nil, err
			}
			all = append(all, unpacked...)
		}
		return all, nil
	}
	object := resource.Object(table)
	if object.Text("metadata", "name") == "" {
		return nil, fmt.Errorf("renders a %s without metadata.name", kind)
	}
	FoldStringData(object)
	return []resource.Object{object}, nil
}

// FoldStringData moves a Secret's stringData into data, where it can be compared
// and removed again. Any other object is left alone.
func FoldStringData(o resource.Object) {
	if o.Text("apiVersion") != "v1" || o.Text("kind") != "Secret" {
		return
	}
	plain, isTable := o["stringData"].(map[string]any)
	if !isTable {
		delete(o, "stringData")
		return
	}
	for key, value := range plain {
		switch value := value.(type) {
		case string:
			o.Set(base64.StdEncoding.EncodeToString([]byte(value)), "data", key)
		case resource.Sensitive:
			secret := resource.Secret(base64.StdEncoding.EncodeToString([]byte(value.Reveal())))
			secret.Generated = value.Generated
			o.Set(secret, "data", key)
		default:
			// The API server refuses it, and says so better than we could.
			o.Set(value, "data", key)
		}
	}
	delete(o, "stringData")
}

func hookOf(o resource.Object) *Hook {
	annotations, _ := o.Value("metadata", "annotations")
	table, _ := annotations.(map[string]any)
	events, isHook := table[hookAnnotation].(string)
	if !isHook {
		return nil
	}
	weight, _ := table[hookWeightAnnotation].(string)
	policies, _ := table[hookDeleteAnnotation].(string)
	hook := &Hook{Events: words(events), DeletePolicies: words(policies)}
	hook.Weight, _ = strconv.Atoi(weight)
	return hook
}

// words splits a list as Helm writes them: "pre-install, pre-upgrade".
func words(list string) []string {
	var out []string
	for word := range strings.SplitSeq(list, ",") {
		if word = strings.ToLower(strings.TrimSpace(word)); word != "" {
			out = append(out, word)
		}
	}
	return out
}

// crds returns the definitions in the crds folders of c and its dependencies.
// Whatever else lies there is no object (a kustomization.yaml).
func crds(c *helmchart.Chart) ([]Object, error) {
	var all []Object
	for _, crd := range c.CRDObjects() {
		found, err := decodeFile(crd.Filename, string(crd.File.Data))
		var broken *TemplateError
		if errors.As(err, &broken) && path.Base(crd.Filename) == "kustomization.yaml" {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			if o.Object.Text("kind") == "CustomResourceDefinition" {
				all = append(all, o)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Object) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), cmp.Compare(a.Index, b.Index))
	})
	return all, nil
}

// yamlLine finds the line in a message of the YAML parser.
var yamlLine = regexp.MustCompile(`line (\d+)`)

// yamlError says where a template renders what is no YAML. The line counts in
// what was rendered. A Secret's text is not shown.
func yamlError(source string, doc document, err error) error {
	cause := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	cause = strings.TrimPrefix(cause, "yaml: ")
	e := &TemplateError{File: source, Cause: "renders invalid YAML: " + cause}
	found := yamlLine.FindStringSubmatch(cause)
	if found == nil {
		return e
	}
	n, _ := strconv.Atoi(found[1])
	lines := strings.Split(doc.text, "\n")
	at := doc.line + n - 1
	e.outputLine = at
	e.Cause = fmt.Sprintf("renders invalid YAML at line %d of its output: %s", at,
		strings.TrimPrefix(strings.TrimPrefix(cause, found[0]), ": "))
	if n >= 1 && n <= len(lines) && !strings.Contains(doc.text, "kind: Secret") {
		e.Cause += "\n  " + strconv.Itoa(at) + ": " + strings.TrimSpace(lines[n-1])
	}
	return e
}
