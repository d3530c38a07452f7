package chart

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"

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

// ended returns a document with the one line break at its end that Helm gives it,
// which counts where the last thing in it is a block of text: a template that
// trims what follows renders none.
func ended(text string) string {
	return strings.TrimRightFunc(text, unicode.IsSpace) + "\n"
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

// decoded is what one rendering has decoded, by template and what it rendered:
// most templates render the same text in every pass.
type decoded struct {
	mu    sync.Mutex
	known map[[2]string][]Object
}

// file returns the objects of one rendered template: the same ones for the same
// text.
func (d *decoded) file(source, text string) ([]Object, error) {
	key := [2]string{source, text}
	d.mu.Lock()
	known, isKnown := d.known[key]
	d.mu.Unlock()
	if isKnown {
		return known, nil
	}
	objects, err := decodeFile(source, text)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[[2]string][]Object{}
	}
	if known, isKnown := d.known[key]; isKnown { // another pass was faster
		return known, nil
	}
	d.known[key] = objects
	return objects, nil
}

// decodeFile returns the objects of one rendered template.
func decodeFile(source, text string) ([]Object, error) {
	var objects []Object
	for _, doc := range split(text) {
		tree, err := decode(ended(doc.text))
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
