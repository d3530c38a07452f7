package kube

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// A Provider reads and writes the objects of one config in one cluster. It is
// safe for concurrent use. Its exported fields must not change once it is used.
type Provider struct {
	Client       *Client
	Cluster      string // name of the cluster block; part of every ID
	Owner        string // name of the config; the value of [LabelConfig]
	FieldManager string // for server-side apply; empty: "hubcap"

	Identity string // UID of kube-system; part of every seal
	Seals    Seals  // nil: nothing is sealed, so no orphan is ever taken for ours

	// Deletable permits the deletion of one object of a kind that is otherwise
	// never deleted, because people's work may be on it. nil permits none.
	Deletable func(resource.ID) bool

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	secrets resource.Redactor // of what must not appear in messages

	sealing   sync.Mutex // of what follows, and of reading the signing key
	signing   seal.Key
	published seal.Public

	mu      sync.Mutex
	run     string
	commit  string
	muted   map[schema.GroupVersionResource]bool // kinds that the caller may not even dry-run
	began   map[resource.Component]time.Time     // when the step of a component wrote first
	restart map[resource.Component]baseline
}

// Stamp sets what is noted beside every object that is written from now on. A run
// ID in the context of a write goes before this one.
func (p *Provider) Stamp(run, commit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run, p.commit = run, commit
}

func (p *Provider) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

func (p *Provider) manager() string {
	if p.FieldManager != "" {
		return p.FieldManager
	}
	return "hubcap"
}

// keptKinds are never deleted or made anew unasked: people's work hangs on them.
var keptKinds = map[schema.GroupKind]string{
	{Kind: "PersistentVolumeClaim"}: "persistent volume claims",
	{Kind: "PersistentVolume"}:      "persistent volumes",
	{Kind: "Namespace"}:             "namespaces",
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: "custom resource definitions",
}

func groupKind(id resource.ID) schema.GroupKind {
	return schema.GroupKind{Group: id.Group, Kind: id.Kind}
}
