package kube

import (
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// pathText writes a path as plans do: spec.template.spec.containers[hub].image,
// data["jupyterhub_config.py"], spec.ports[8000].name.
func pathText(path fieldpath.Path) string {
	var b strings.Builder
	for _, element := range path {
		switch {
		case element.FieldName != nil:
			writeField(&b, *element.FieldName)
		case element.Key != nil:
			b.WriteString("[" + keyText(*element.Key) + "]")
		case element.Value != nil:
			b.WriteString("[" + scalarText(*element.Value) + "]")
		case element.Index != nil:
			b.WriteString("[" + strconv.Itoa(*element.Index) + "]")
		}
	}
	return b.String()
}

func writeField(b *strings.Builder, name string) {
	if !isPlain(name) {
		b.WriteString("[" + strconv.Quote(name) + "]")
		return
	}
	if b.Len() > 0 {
		b.WriteByte('.')
	}
	b.WriteString(name)
}

func isPlain(name string) bool {
	for _, r := range name {
		letter := r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter {
			return false
		}
	}
	return name != ""
}

// keyText names an item of a list by its keys. The protocol of a port is left out
// when it is the usual one.
func keyText(key value.FieldList) string {
	var parts []string
	for _, field := range key {
		text := scalarText(field.Value)
		if field.Name == "protocol" && text == "TCP" && len(key) > 1 {
			continue
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "/")
}

func scalarText(v value.Value) string {
	if v.IsString() {
		return v.AsString()
	}
	return fmt.Sprint(v.Unstructured())
}
