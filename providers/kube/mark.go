package kube

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"hubcap/engine/resource"
)

// The marks that hubcap puts on every object it writes. The label selects; the
// annotations say what is too long, or has the wrong letters, for a label.
const (
	LabelConfig         = "hubcap.dev/config"        // name of the config that owns the object
	AnnotationAddress   = "hubcap.dev/address"       // "hub.prod/Deployment/hub"
	AnnotationComponent = "hubcap.dev/component"     // "hub.prod/binder"
	AnnotationApplied   = resource.AnnotationApplied // what was written last, see resource.Applied
	AnnotationProtected = "hubcap.dev/protected"     // "true": never deleted or replaced by a plan

	annotationKubectl = "kubectl.kubernetes.io/last-applied-configuration"
)

// prepare returns the object as it is written: without what only the server
// writes, with stringData turned into data (a key dropped from stringData would
// stay in data for ever), and with the marks.
func (p *Provider) prepare(d resource.Desired) resource.Object {
	o := clean(d.Object)
	if d.Presence == resource.Ensured || d.GivesBack != nil {
		return o
	}
	p.mark(o, d.Address, d.Component)
	if d.Protected {
		setAnnotation(o, AnnotationProtected, "true")
	}
	resource.RememberSensitive(o)
	return o
}

// clean is the part of prepare that adds no marks.
func clean(object resource.Object) resource.Object {
	o := object.Image()
	if o.Text("kind") == "Secret" {
		stringDataToData(o)
	}
	return o
}

func (p *Provider) mark(o resource.Object, address resource.Address, component resource.Component) {
	o.Set(p.Owner, "metadata", "labels", LabelConfig)
	if !address.IsZero() {
		setAnnotation(o, AnnotationAddress, address.String())
	}
	if !component.Block.IsZero() {
		setAnnotation(o, AnnotationComponent, component.String())
	}
}

func setAnnotation(o resource.Object, name, value string) {
	o.Set(value, "metadata", "annotations", name)
}

// stringDataToData does what the server does on reading, before it is sent.
func stringDataToData(o resource.Object) {
	texts, isMap := o["stringData"].(map[string]any)
	delete(o, "stringData")
	if !isMap || len(texts) == 0 {
		return
	}
	for key, text := range texts {
		var encoded any
		switch text := text.(type) {
		case resource.Sensitive:
			secret := resource.Secret(base64.StdEncoding.EncodeToString([]byte(text.Reveal())))
			secret.Generated = text.Generated
			encoded = secret
		case string:
			encoded = resource.Secret(base64.StdEncoding.EncodeToString([]byte(text)))
		default:
			encoded = text // not a string: the server says so
		}
		o.Set(encoded, "data", key)
	}
}

// record returns the text of the applied annotation for a prepared object that is
// written on behalf of run id.
func (p *Provider) record(prepared resource.Object, id string) string {
	p.mu.Lock()
	run, commit := p.run, p.commit
	p.mu.Unlock()
	if id != "" {
		run = id
	}
	_, remembered := resource.Remembered(prepared)
	text, err := json.Marshal(appliedMark{
		Digest: resource.Digest(prepared), Run: run, Commit: commit, Time: p.now().UTC().Truncate(time.Second), Sensitive: remembered,
		Manager: p.manager(), Sizes: sizesOf(prepared),
	})
	if err != nil {
		panic(fmt.Sprintf("kube: encode applied mark: %v", err))
	}
	return string(text)
}

type appliedMark struct {
	Digest string    `json:"digest"`
	Run    string    `json:"run"`
	Commit string    `json:"commit,omitempty"`
	Time   time.Time `json:"time"`

	Sensitive string `json:"sensitive,omitempty"` // see resource.Applied
	Manager   string `json:"manager,omitempty"`

	Sizes map[string]string `json:"sizes,omitempty"`
}

// applied reads the annotation that stamp wrote; nil when there is none, or none
// that can be read.
func applied(u *unstructured.Unstructured) *resource.Applied {
	text := u.GetAnnotations()[AnnotationApplied]
	var m appliedMark
	if text == "" || json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	return &resource.Applied{
		Digest: m.Digest, Run: m.Run, Commit: m.Commit, Time: m.Time, Sensitive: m.Sensitive, Manager: m.Manager, Sizes: m.Sizes,
	}
}

// live describes an object as it was read. What desired marks as sensitive is
// marked in it too; desired may be nil.
func (p *Provider) live(u *unstructured.Unstructured, desired resource.Object) *resource.Live {
	l := &resource.Live{
		ID:      p.id(u),
		Owner:   u.GetLabels()[LabelConfig],
		Object:  p.veiled(u, desired),
		Version: versionOf(u),
		Applied: applied(u),
		Seal:    resource.SealOf(u.Object),
	}
	annotations := u.GetAnnotations()
	if text := annotations[AnnotationAddress]; text != "" {
		l.Address = resource.ParseAddress(text)
	}
	if text := annotations[AnnotationComponent]; text != "" {
		l.Component = parseComponent(text)
	}
	l.Protected = annotations[AnnotationProtected] == "true"
	return l
}

// versionOf names one state of one object: a new object of the same name has
// another UID.
func versionOf(u *unstructured.Unstructured) string {
	return string(u.GetUID()) + "/" + u.GetResourceVersion()
}

// parseComponent parses what [resource.Component.String] returns.
func parseComponent(text string) resource.Component {
	a := resource.ParseAddress(text)
	return resource.Component{Block: a.Block(), Name: a.Object}
}

// id returns the identity of an object that was read.
func (p *Provider) id(u *unstructured.Unstructured) resource.ID {
	gvk := u.GroupVersionKind()
	return resource.ID{Cluster: p.Cluster, Group: gvk.Group, Kind: gvk.Kind, Namespace: u.GetNamespace(), Name: u.GetName()}
}

// gvkOf returns the kind of an object as its author wrote it.
func gvkOf(o resource.Object) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(o.Text("apiVersion"), o.Text("kind"))
}
