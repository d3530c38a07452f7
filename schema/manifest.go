package schema

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	yamlstream "k8s.io/apimachinery/pkg/util/yaml"

	"hubcap/engine/resource"
)

// decodeManifest decodes a manifest block: objects written as HCL, as YAML, or
// in files.
func decodeManifest(b *body, header Block) entry {
	m := &Manifest{Block: header}
	if t := b.clusterRef(); t != nil {
		m.Cluster = t.address
	}
	m.Namespace = b.checked("namespace", "Invalid name", namespaceName)
	m.Adopt = b.flag("adopt")
	if object := b.treeMap("object"); object != nil {
		m.Objects = b.objects(object, b.at("object"), "object")
	}
	for i, v := range b.treeList("objects") {
		m.Objects = append(m.Objects, b.objects(v, b.elementAt("objects", i), "objects")...)
	}
	m.Objects = append(m.Objects, b.yamlAttribute()...)
	for i, pattern := range b.texts("files") {
		m.Objects = append(m.Objects, b.manifestFiles(pattern, b.elementAt("files", i))...)
	}
	if !b.has("object") && !b.has("objects") && !b.has("yaml") && !b.has("files") {
		b.errorAt(b.header, "Manifest without objects", "Write object = { … }, objects = [ … ], yaml = \"…\" or files = [\"*.yaml\"].")
	}
	return m
}

// yamlAttribute decodes the attribute yaml.
func (b *body) yamlAttribute() []resource.Object {
	res := b.evaluate("yaml")
	if res == nil || res.poisoned() {
		return nil
	}
	text, _ := res.UnmarkDeep()
	if text.IsNull() {
		return nil
	}
	if text.Type() != cty.String {
		b.errorIn("yaml", "Wrong type of value", "%s.yaml must be a text.", b.where)
		return nil
	}
	if res.ContainsMarked() {
		return b.sensitiveYAML(text.AsString())
	}
	return b.documents([]byte(text.AsString()), b.at("yaml"), "yaml")
}

// sensitiveYAML decodes YAML that a sensitive value went into. What that made of it is found
// with stand-ins: texts are sensitive then, and what cannot be hidden is refused.
func (b *body) sensitiveYAML(text string) []resource.Object {
	documents, at, err := decodeDocuments([]byte(text))
	if err != nil {
		b.errorIn("yaml", "Invalid YAML", "Of document %d of yaml, %s is not YAML. It is not shown, since a sensitive value went into it.", at, yamlPlace(nil, err))
		return nil
	}
	var twins []any
	if second, ok := b.l.evaluateSecond(b.scope, b.syntax.Attributes["yaml"].Expr); ok {
		if second, _ = second.UnmarkDeep(); second.Type() == cty.String {
			twins, _, err = decodeDocuments([]byte(second.AsString()))
		}
	}
	if err != nil || len(twins) != len(documents) {
		b.errorIn("yaml", "Sensitive value in YAML",
			"It cannot be told what of the YAML a sensitive value is, since with another value it is other YAML. Put quotes around the value there, as in ${jsonencode(…)}, or write the objects as object = { … }.")
		return nil
	}
	var objects []resource.Object
	for i, document := range documents {
		marked, problem := markDiffering(document, twins[i], "")
		if problem != "" {
			b.errorIn("yaml", "Sensitive value in YAML", "In document %d of yaml, %s", i+1, problem)
			return nil
		}
		b.l.rememberLeaves(marked)
		objects = append(objects, b.objects(marked, b.at("yaml"), "yaml")...)
	}
	return objects
}

// manifestFiles reads the files that a pattern names.
func (b *body) manifestFiles(pattern string, at hcl.Range) []resource.Object {
	src := b.scope.module.source
	names, err := src.glob(pattern)
	if err != nil {
		b.errorAt(at, "Invalid file pattern", "%q is not a pattern of file names.", pattern)
		return nil
	}
	if len(names) == 0 {
		b.errorAt(at, "No such file", "No file matches %s.", src.file(pattern))
		return nil
	}
	var objects []resource.Object
	for _, name := range names {
		data, err := src.read(name)
		if err != nil {
			b.errorAt(at, "Unreadable file", "%s cannot be read: %s.", src.file(name), reason(err))
			continue
		}
		objects = append(objects, b.documents(data, at, src.file(name))...)
	}
	return objects
}

// glob returns the files of a source that match a pattern, sorted and relative
// to it. A name without wildcards is returned whether it exists or not, so that
// reading it says why it cannot.
func (s *source) glob(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, `*?[\`) {
		return []string{pattern}, nil
	}
	if s.builtin != nil {
		return fs.Glob(s.builtin, path.Clean(pattern))
	}
	found, err := filepath.Glob(s.path(pattern))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range found {
		if base := filepath.Base(name); strings.HasPrefix(base, ".") || strings.HasPrefix(base, "~") {
			continue
		}
		if absolute, err := filepath.Abs(name); err == nil {
			names = append(names, absolute)
		}
	}
	slices.Sort(names)
	return names, nil
}

// documents decodes YAML of several documents. what names it in messages.
func (b *body) documents(data []byte, at hcl.Range, what string) []resource.Object {
	documents, i, err := decodeDocuments(data)
	var objects []resource.Object
	for _, v := range documents {
		objects = append(objects, b.objects(v, at, what)...)
	}
	if err != nil {
		b.errorAt(at, "Invalid YAML", "Document %d of %s is not YAML: %s.", i, what, strings.TrimSuffix(err.Error(), "."))
	}
	return objects
}

// decodeDocuments decodes what is not empty of several documents of YAML. With an error it
// returns those before it, and the number of the one that is wrong; it names the line of the whole.
func decodeDocuments(data []byte) (documents []any, at int, err error) {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	reader := yamlstream.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	read := 0
	for at = 1; ; at++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, at, nil
		}
		if err != nil {
			return documents, at, errors.New(yamlReason(err))
		}
		if i := bytes.Index(data[read:], document); i > 0 {
			read += i
		}
		v, err := decodeYAML(document, refused)
		if err != nil {
			return documents, at, errors.New(laterLines(valuesReason(document, err), bytes.Count(data[:read], []byte("\n"))))
		}
		read = min(read+len(document), len(data))
		if v != nil {
			documents = append(documents, v)
		}
	}
}

// objects checks that a value is an object of Kubernetes, and unpacks a List.
func (b *body) objects(v any, at hcl.Range, what string) []resource.Object {
	m, isMap := v.(map[string]any)
	if !isMap {
		b.errorAt(at, "Value that is not an object", "An object of Kubernetes in %s has apiVersion, kind and metadata.", what)
		return nil
	}
	o := resource.Object(m)
	kind := o.Text("kind")
	if items, isList := m["items"].([]any); isList && strings.HasSuffix(kind, "List") {
		var all []resource.Object
		for _, item := range items {
			all = append(all, b.objects(item, at, what)...)
		}
		return all
	}
	for _, missing := range [][]string{{"apiVersion"}, {"kind"}, {"metadata", "name"}} {
		if v, _ := o.Value(missing...); resource.HasSensitive(v) {
			b.errorAt(at, "Sensitive value in a name", "The %s of an object in %s (%s) is made of a sensitive value, and it is shown in plans.", strings.Join(missing, "."), what, nameOf(o))
			return nil
		}
		if o.Text(missing...) == "" {
			b.errorAt(at, "Incomplete object", "An object in %s (%s) has no %s, or one that is not a plain text.", what, nameOf(o), strings.Join(missing, "."))
			return nil
		}
	}
	if v, isSet := o.Value("metadata", "namespace"); isSet && v != nil {
		if resource.HasSensitive(v) {
			b.errorAt(at, "Sensitive value in a name", "The namespace of an object in %s (%s) is made of a sensitive value, and it is shown in plans.", what, nameOf(o))
			return nil
		}
		if _, isPlain := v.(string); !isPlain { // it would be taken for none, and the block's be used
			b.errorAt(at, "Incomplete object", "The namespace of an object in %s (%s) is not a plain text.", what, nameOf(o))
			return nil
		}
	}
	if where := roundedNumber(map[string]any(o), nil); where != nil {
		b.l.warnAt(at, "Number with too many digits", "%s of an object in %s (%s) is a whole number that no API server keeps: it has at most 9223372036854775807. Put quotes around it where a text may stand.",
			strings.Join(where, "."), what, nameOf(o))
	}
	return []resource.Object{o}
}

// roundedNumber returns the path of a whole number that has lost digits, nil when there is none.
func roundedNumber(v any, at []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if found := roundedNumber(v[key], append(slices.Clone(at), key)); found != nil {
				return found
			}
		}
	case []any:
		for i, e := range v {
			if found := roundedNumber(e, append(slices.Clone(at), strconv.Itoa(i))); found != nil {
				return found
			}
		}
	case float64:
		if v == math.Trunc(v) && math.Abs(v) >= 1<<63 {
			return at
		}
	}
	return nil
}

// nameOf tells an object apart in a message.
func nameOf(o resource.Object) string {
	name := strings.TrimSpace(shorten(o.Text("kind")) + " " + shorten(o.Text("metadata", "name")))
	if name == "" {
		return "without kind and name"
	}
	return name
}

func (m *Manifest) addTo(config *Config) { config.Manifests = append(config.Manifests, *m) }

func (m *Manifest) fields() map[string]cty.Value {
	return map[string]cty.Value{"namespace": textValue(m.Namespace), "cluster": textValue(addressText(m.Cluster))}
}
