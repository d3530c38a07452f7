package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// A comparison holds one desired object beside its live one.
type comparison struct {
	p       *Provider
	kind    *kind
	desired resource.Desired           // prepared
	live    *unstructured.Unstructured // nil when there is none
	makes   bool                       // its namespace is missing and about to be made

	plain  map[string]any // desired with secrets revealed
	wants  *fieldpath.Set // the fields that applying would make ours
	owns   *fieldpath.Set // the fields that are ours now
	fields *fieldpath.Set // owns and wants together
}

// observe decides locally whether anything differs, and asks the server for a dry
// run only then.
func (c *comparison) observe(ctx context.Context) (*resource.Observation, error) {
	o := &resource.Observation{Desired: c.desired}
	if c.live == nil {
		return o, c.observeNew(ctx, o)
	}
	o.Live = c.p.live(c.live, c.desired.Object)
	if c.desired.Presence == resource.Ensured {
		o.Same = true
		return o, nil
	}
	if claim := c.p.claim(c.live); !claim.ours {
		o.Refused = claim.reason
		return o, nil
	}
	if at := c.live.GetDeletionTimestamp(); at != nil {
		o.Notes = append(o.Notes, "is being deleted since "+at.UTC().Format("2006-01-02T15:04:05Z"))
	}
	typed := c.measure()
	if typed && c.same() {
		o.Same = true
		return o, nil
	}
	if !typed { // only the server can tell what applying would make ours
		c.fields = c.owns.Union(fieldpath.SetFromValue(valueOf(c.plain)).Difference(unowned))
	}
	o.Before = c.part(c.live)
	o.Foreign = c.foreign(o.Live.Applied)
	return o, c.preview(ctx, o)
}

// measure works out the sets of fields. It reports false when the desired object
// has no known type, or does not fit it.
func (c *comparison) measure() bool {
	c.plain = resource.Reveal(c.desired.Object).(map[string]any)
	c.owns, _ = ownedBy(c.live, c.p.manager())
	wants, err := c.p.Client.types.fieldSet(c.plain)
	if err != nil {
		return false
	}
	c.wants = wants
	c.fields = c.owns.Union(wants)
	return true
}

// same is the local decision that writing would change nothing: what is ours is
// exactly what applying would make ours, and all of it has the wanted value.
func (c *comparison) same() bool {
	if !c.wants.Equals(c.owns) || c.live.GetLabels()[LabelConfig] != c.p.Owner {
		return false
	}
	return covers(restrict(c.live, c.owns), canonical(c.plain))
}

// part returns the part of u that is ours or about to be, without our record.
func (c *comparison) part(u *unstructured.Unstructured) resource.Object {
	part := restrict(u, c.fields.Difference(appliedPath))
	c.fillHoles(part)
	return c.p.veilTree(part, isSecret(u), c.desired.Object)
}

func isSecret(u *unstructured.Unstructured) bool {
	return u.GetKind() == "Secret" && u.GroupVersionKind().Group == ""
}

// A claim says whether an object that exists is ours to write.
type claim struct {
	ours   bool
	reason string // why it is not
}

// claim decides by our label; without it, by the record and the fields that only
// we can have left there. Taking over an object of somebody else's would be
// decided here as well: nothing is, so far.
func (p *Provider) claim(u *unstructured.Unstructured) claim {
	switch owner := u.GetLabels()[LabelConfig]; owner {
	case p.Owner:
		return claim{ours: true}
	case "":
	default:
		return claim{reason: fmt.Sprintf("it belongs to config %q", owner)}
	}
	if _, wrote := ownedBy(u, p.manager()); wrote && applied(u) != nil { // somebody took our label off
		return claim{ours: true}
	}
	if release := helmRelease(u); release != "" {
		return claim{reason: "it exists already and belongs to " + release + "; hubcap takes over nothing unasked"}
	}
	return claim{reason: "it exists already and is not hubcap's" + writtenBy(u) + "; hubcap takes over nothing unasked"}
}

// helmRelease names the Helm release that made u, or returns "".
func helmRelease(u *unstructured.Unstructured) string {
	annotations := u.GetAnnotations()
	if name := annotations["meta.helm.sh/release-name"]; name != "" {
		return "Helm release " + annotations["meta.helm.sh/release-namespace"] + "/" + name
	}
	for _, entry := range u.GetManagedFields() {
		if entry.Manager == "helm" {
			return "Helm"
		}
	}
	return ""
}

// writtenBy names who made u, as far as its managed fields tell.
func writtenBy(u *unstructured.Unstructured) string {
	for _, entry := range u.GetManagedFields() {
		if entry.Subresource == "" {
			return " (" + entry.Manager + " made it)"
		}
	}
	return ""
}
