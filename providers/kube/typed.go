package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/openapi"
	"k8s.io/kube-openapi/pkg/spec3"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"hubcap/engine/resource"
)

// A typeIndex gives objects their types: from the schema that client-go carries
// for the built-in kinds, from the server's OpenAPI for the others, one download
// for each group and version that is asked for.
type typeIndex struct {
	server openapi.Client

	mu    sync.Mutex
	known map[schema.GroupVersion]*schemaOf
}

// A schemaOf is the server's schema of one group and version, or why there is
// none.
type schemaOf struct {
	mu        sync.Mutex
	asked     time.Time
	converter managedfields.TypeConverter
	err       error
}

// schemaPatience is how long a failure is believed: the schema of a kind that was
// just defined comes a moment after it.
const schemaPatience = 2 * time.Second

func newTypeIndex(server openapi.Client) *typeIndex {
	return &typeIndex{server: server, known: map[schema.GroupVersion]*schemaOf{}}
}

// builtin is parsed once for the whole process, and only when it is needed.
var builtin = sync.OnceValue(func() managedfields.TypeConverter {
	return applyconfigurations.NewTypeConverter(scheme.Scheme)
})

// forget drops the server's schemas: they change when a CRD is written.
func (x *typeIndex) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.known = map[schema.GroupVersion]*schemaOf{}
}

// typed returns the object with its schema. An error says that nobody knows the
// schema, or that the object does not fit it.
func (x *typeIndex) typed(object map[string]any, options ...typed.ValidationOptions) (*typed.TypedValue, error) {
	u := &unstructured.Unstructured{Object: object}
	value, err := builtin().ObjectToTyped(u, options...)
	if err == nil {
		return value, nil
	}
	converter, serverErr := x.forVersion(u.GroupVersionKind().GroupVersion())
	if serverErr != nil {
		return nil, err
	}
	return converter.ObjectToTyped(u, options...)
}

func (x *typeIndex) forVersion(gv schema.GroupVersion) (managedfields.TypeConverter, error) {
	x.mu.Lock()
	s := x.known[gv]
	if s == nil {
		s = &schemaOf{}
		x.known[gv] = s
	}
	x.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked.IsZero() || s.err != nil && time.Since(s.asked) > schemaPatience {
		s.converter, s.err = download(x.server, gv)
		s.asked = time.Now()
	}
	return s.converter, s.err
}

func download(server openapi.Client, gv schema.GroupVersion) (managedfields.TypeConverter, error) {
	if server == nil {
		return nil, fmt.Errorf("read schema of %s: no server", gv)
	}
	paths, err := server.Paths()
	if err != nil {
		return nil, fmt.Errorf("read schemas: %w", err)
	}
	path := "apis/" + gv.String()
	if gv.Group == "" {
		path = "api/" + gv.Version
	}
	document, exists := paths[path]
	if !exists {
		return nil, fmt.Errorf("read schema of %s: the server has none", gv)
	}
	text, err := document.Schema(runtime.ContentTypeJSON)
	if err != nil {
		return nil, fmt.Errorf("read schema of %s: %w", gv, err)
	}
	var parsed spec3.OpenAPI
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, fmt.Errorf("read schema of %s: %w", gv, err)
	}
	if parsed.Components == nil {
		return nil, fmt.Errorf("read schema of %s: it is empty", gv)
	}
	return managedfields.NewTypeConverter(parsed.Components.Schemas, false)
}

// unowned are the fields that never count as owned by anybody.
var unowned = fieldpath.NewSet(
	fieldpath.MakePathOrDie("apiVersion"),
	fieldpath.MakePathOrDie("kind"),
	fieldpath.MakePathOrDie("metadata"),
	fieldpath.MakePathOrDie("metadata", "name"),
	fieldpath.MakePathOrDie("metadata", "namespace"),
	fieldpath.MakePathOrDie("metadata", "creationTimestamp"),
	fieldpath.MakePathOrDie("metadata", "selfLink"),
	fieldpath.MakePathOrDie("metadata", "uid"),
	fieldpath.MakePathOrDie("metadata", "clusterName"),
	fieldpath.MakePathOrDie("metadata", "generation"),
	fieldpath.MakePathOrDie("metadata", "managedFields"),
	fieldpath.MakePathOrDie("metadata", "resourceVersion"),
)

// appliedPath is where our own record and seal lie; they are not part of what is
// wanted.
var appliedPath = fieldpath.NewSet(
	fieldpath.MakePathOrDie("metadata", "annotations", AnnotationApplied),
	fieldpath.MakePathOrDie("metadata", "annotations", resource.AnnotationSeal),
)

// fieldSet returns the fields that applying object would make ours. It takes the
// object as it is sent: values that are zero are owned all the same.
func (x *typeIndex) fieldSet(object map[string]any) (*fieldpath.Set, error) {
	value, err := x.typed(object)
	if err != nil {
		return nil, err
	}
	set, err := value.ToFieldSet()
	if err != nil {
		return nil, err
	}
	return set.Difference(unowned).Difference(appliedPath), nil
}

// ownedBy returns the fields that manager owns by applying, without our own
// record. The set is empty when there are none; known is false when manager never
// applied, or its entry cannot be read. It is asked of every object there is, and
// therefore takes the entry as it was decoded.
func ownedBy(u *unstructured.Unstructured, manager string) (set *fieldpath.Set, known bool) {
	metadata, _ := u.Object["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		_, subresource := entry["subresource"]
		if entry["manager"] != manager || entry["operation"] != string(metav1.ManagedFieldsOperationApply) || subresource {
			continue
		}
		fields, _ := entry["fieldsV1"].(map[string]any)
		set, err := treeSet(fields)
		if err != nil {
			return fieldpath.NewSet(), false
		}
		return set.Difference(appliedPath), true
	}
	return fieldpath.NewSet(), false
}

// treeSet reads a set from the decoded form of managed fields: a member is an
// empty object, or one with a dot in it.
func treeSet(fields map[string]any) (*fieldpath.Set, error) {
	set := fieldpath.NewSet()
	for key, v := range fields {
		if key == "." {
			continue
		}
		element, err := fieldpath.DeserializePathElement(key)
		if err != nil {
			return nil, fmt.Errorf("read managed field %s: %w", key, err)
		}
		below, _ := v.(map[string]any)
		if _, dot := below["."]; dot || len(below) == 0 {
			set.Members.Insert(element)
		}
		if len(below) == 0 {
			continue
		}
		inner, err := treeSet(below)
		if err != nil {
			return nil, err
		}
		if !inner.Empty() {
			*set.Children.Descend(element) = *inner
		}
	}
	return set, nil
}

func entrySet(entry metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := fieldpath.NewSet()
	if entry.FieldsV1 == nil {
		return set, nil
	}
	if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
		return nil, fmt.Errorf("read managed fields of %s: %w", entry.Manager, err)
	}
	return set, nil
}
