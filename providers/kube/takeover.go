package kube

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// What Helm marks the objects of a release with. Hooks and the definitions in a
// chart's crds folder bear none of these.
const (
	helmManager         = "helm"
	annotationRelease   = "meta.helm.sh/release-name"
	annotationReleaseNS = "meta.helm.sh/release-namespace"
	labelManagedBy      = "app.kubernetes.io/managed-by"
)

// leftMarks are the marks of a former owner. A take-over leaves them, and leaves
// them to that owner: they hurt nobody, "helm list" and the like go on to make
// sense, and what the owner writes later stands out against them.
var leftMarks = fieldpath.NewSet(
	fieldpath.MakePathOrDie("metadata", "annotations", annotationRelease),
	fieldpath.MakePathOrDie("metadata", "annotations", annotationReleaseNS),
	fieldpath.MakePathOrDie("metadata", "annotations", annotationKubectl),
	fieldpath.MakePathOrDie("metadata", "labels", labelManagedBy),
)

// markMaps are the maps around the marks: who owns one of these owns nothing yet.
var markMaps = fieldpath.NewSet(
	fieldpath.MakePathOrDie("metadata"),
	fieldpath.MakePathOrDie("metadata", "annotations"),
	fieldpath.MakePathOrDie("metadata", "labels"),
)

// byHand are the managers by which people make objects from files.
var byHand = []string{"kubectl-client-side-apply", "kubectl-create", "kubectl"}

// A claim says whether an object that exists is ours to write.
type claim struct {
	ours   bool
	from   *resource.Takeover // not nil: it is to be taken over first, or again
	reason string             // why it may not be written; set when neither of the above is
}

// claim decides by our label and our entry in the managed fields; without either, by
// a valid seal, which nobody else can have left there. An object of somebody else's may be taken over when it
// belongs to the Helm release that desired names, or when desired says so.
func (p *Provider) claim(u *unstructured.Unstructured, desired resource.Desired) claim {
	from := p.origin(u, desired)
	switch owner := u.GetLabels()[LabelConfig]; owner {
	case p.Owner:
		if as := p.wroteAs(u); as != "" {
			return claim{ours: true, from: p.renamed(as, p.again(u, from))}
		}
	case "": // somebody may have taken our label off
		if p.doubt(u, p.verifier()) == "" {
			return claim{ours: true, from: p.renamed(p.wroteAs(u), p.again(u, from))}
		}
	default:
		return claim{reason: fmt.Sprintf("it belongs to config %q", owner)}
	}
	if from != nil {
		return claim{from: from}
	}
	return claim{reason: foreignReason(u, desired)}
}

// again returns the take-over of an object that is ours already: nil, unless the
// Helm release that it came from wrote into it since.
func (p *Provider) again(u *unstructured.Unstructured, from *resource.Takeover) *resource.Takeover {
	if from == nil || from.Release == nil || remnant(u, p.manager(), from.Managers).Empty() {
		return nil
	}
	from.Again = true
	return from
}

// renamed adds the field manager under which we wrote an object before the config
// named another one: what it owns is ours, and what is wanted no more of it goes.
func (p *Provider) renamed(as string, from *resource.Takeover) *resource.Takeover {
	if as == p.manager() {
		return from
	}
	if from == nil {
		from = &resource.Takeover{From: "hubcap's former field manager " + as, Again: true}
	}
	from.Managers = append(from.Managers, applierOf(as))
	return from
}

// origin returns whose u is, if desired may take it over from them; else nil.
func (p *Provider) origin(u *unstructured.Unstructured, desired resource.Desired) *resource.Takeover {
	if !desired.Adopt && !hasHelmMark(u) { // most objects, always
		return nil
	}
	release, isOf := releaseOf(u)
	switch {
	case isOf && desired.Release != nil && release == *desired.Release, p.isHook(u, desired):
		return &resource.Takeover{
			From: "Helm release " + desired.Release.String(), Release: desired.Release, Managers: managersOf(u, p.writesForHelm),
		}
	case isOf, !desired.Adopt, metav1.GetControllerOfNoCopy(u) != nil:
		return nil
	}
	managers := managersOf(u, func(e entry) bool { return slices.Contains(byHand, e.Name) || e.Name == helmManager })
	maker := "whoever made it"
	if len(managers) > 0 {
		maker = managers[0].Name
	}
	return &resource.Takeover{From: maker, Managers: managers}
}

// hasHelmMark reports whether u can be Helm's at all, at the cost of two lookups.
func hasHelmMark(u *unstructured.Unstructured) bool {
	metadata, _ := u.Object["metadata"].(map[string]any)
	notes, _ := metadata["annotations"].(map[string]any)
	return notes[annotationRelease] != nil || notes[annotationHelmHook] != nil
}

// releaseOf returns the Helm release whose marks u bears.
func releaseOf(u *unstructured.Unstructured) (resource.Release, bool) {
	notes := u.GetAnnotations()
	r := resource.Release{Namespace: notes[annotationReleaseNS], Name: notes[annotationRelease]}
	return r, r.Name != "" && r.Namespace != "" && u.GetLabels()[labelManagedBy] == "Helm"
}

// isHook reports an object that Helm made as a hook of the release that desired
// names, as far as that can be told: it is where the release is, Helm made it,
// and both say that it is a hook. A take-over that died between its two writes
// left Helm's fields to us, and nothing else of ours.
func (p *Provider) isHook(u *unstructured.Unstructured, desired resource.Desired) bool {
	_, moved := ownedBy(u, p.manager())
	return desired.Release != nil && u.GetNamespace() == desired.Release.Namespace &&
		u.GetAnnotations()[annotationHelmHook] != "" && desired.Object.Text("metadata", "annotations", annotationHelmHook) != "" &&
		u.GetAnnotations()[annotationRelease] == "" && (moved || len(managersOf(u, p.writesForHelm)) > 0)
}

// writesForHelm reports an entry of Helm or of a program that has Helm inside
// (Terraform, Flux): who wrote the release's name wrote the rest. Ours has that
// name where a chart renders it itself.
func (p *Provider) writesForHelm(e entry) bool {
	if e.Name == helmManager || e.Manager == applierOf(p.manager()) {
		return e.Name == helmManager
	}
	meta, _ := e.fields["f:metadata"].(map[string]any)
	notes, _ := meta["f:annotations"].(map[string]any)
	_, has := notes["f:"+annotationRelease]
	return has
}

// foreignReason says whose u is and what to do about it.
func foreignReason(u *unstructured.Unstructured, desired resource.Desired) string {
	release, isOf := releaseOf(u)
	block := desired.Address.Block().String()
	switch {
	case isOf && desired.Release != nil:
		return fmt.Sprintf("it exists already and belongs to Helm release %s, and %s is release %s: name that release and its namespace in the block to take it over, or leave the object to Helm",
			release, block, desired.Release)
	case isOf:
		return fmt.Sprintf("it exists already and belongs to Helm release %s: only a hub or chart block of that release takes it over", release)
	}
	reason := "it exists already and is not hubcap's" + writtenBy(u)
	if u.GetLabels()[LabelConfig] != "" {
		reason += "; it bears hubcap's label, but neither its managed fields nor a seal say that hubcap wrote it"
	}
	owner := metav1.GetControllerOfNoCopy(u)
	if release.Name != "" {
		reason += fmt.Sprintf("; it names Helm release %s without the label %s=Helm, so that Helm would not touch it either", release, labelManagedBy)
	}
	switch {
	case owner != nil:
		return reason + fmt.Sprintf("; %s %s controls it", owner.Kind, owner.Name)
	case desired.Address.IsZero():
		return reason
	}
	return reason + fmt.Sprintf("; to take it over, write adopt = true in %s, or delete it first", block)
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
