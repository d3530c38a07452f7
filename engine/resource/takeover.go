package resource

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Release names a Helm release.
type Release struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String returns "namespace/name".
func (r Release) String() string { return r.Namespace + "/" + r.Name }

// A Takeover says whose an object is until a change makes it hubcap's, and whose
// fields become hubcap's then.
type Takeover struct {
	From     string    `json:"from"`              // "Helm release prod/hub", "kubectl-client-side-apply"
	Release  *Release  `json:"release,omitempty"` // nil: the object is of no Helm release
	Managers []Manager `json:"managers"`          // whose fields become hubcap's, sorted

	// Again says that the object was hubcap's already, and that its former owner
	// wrote into it since.
	Again bool `json:"again,omitempty"`
}

// By words the tool that the fields come from: "Helm 3" writes on the client's
// side, "Helm 4" by server-side apply.
func (t Takeover) By() string {
	switch {
	case t.Release == nil:
		return ""
	case slices.ContainsFunc(t.Managers, func(m Manager) bool { return m.Operation == "Apply" }):
		return "Helm 4"
	}
	return "Helm 3"
}

// A Manager is a field manager, and how it writes.
type Manager struct {
	Name      string `json:"name"`      // "helm"
	Operation string `json:"operation"` // "Update" or "Apply"
}

// A FieldOwner owns some fields of an object. Fields are named as managed fields do.
type FieldOwner struct {
	Manager     Manager `json:"manager"`
	Subresource string  `json:"subresource,omitempty"` // by which it wrote them: "scale"
	Fields      string  `json:"fields,omitempty"`      // that hubcap did not own
	Shared      string  `json:"shared,omitempty"`      // that hubcap owned, too
}

// A HelmRelease is a release as Helm's own record in the cluster has it.
type HelmRelease struct {
	Cluster  string    `json:"cluster"`
	Release  Release   `json:"release"`
	Revision int       `json:"revision,omitempty"` // zero: no record was found
	Chart    string    `json:"chart,omitempty"`    // "jupyterhub-4.3.5"
	Status   string    `json:"status,omitempty"`   // "deployed", "pending-upgrade"
	Updated  time.Time `json:"updated,omitzero"`

	// Problem says why there is no record, or why it could not be read.
	Problem string `json:"problem,omitempty"`

	// Left are live objects of the release that nothing desires.
	Left []ID `json:"-"`
}

// ownMarks begins the names of the labels and annotations that are hubcap's own.
const ownMarks = "hubcap.dev/"

// Unmarked returns a copy of o without the marks that hubcap puts on an object.
func (o Object) Unmarked() Object {
	c := o.Copy()
	meta, _ := c["metadata"].(map[string]any)
	for _, field := range []string{"labels", "annotations"} {
		marks, isMap := meta[field].(map[string]any)
		if !isMap {
			continue
		}
		maps.DeleteFunc(marks, func(name string, _ any) bool { return strings.HasPrefix(name, ownMarks) })
		if len(marks) == 0 {
			delete(meta, field)
		}
	}
	return c
}
