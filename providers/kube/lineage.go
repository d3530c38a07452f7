package kube

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"

	"hubcap/engine/resource"
)

// A lineage is what is known of a Helm release that objects are taken over from.
type lineage struct {
	release *Release // nil when there is no record
	problem string   // why there is none
	written map[resource.ID]map[string]any
	left    []resource.ID // its live objects that nothing desires; of a first take-over only
}

// readLineages reads what Helm recorded of the releases that objects are taken
// over from. Where nothing is taken over, nothing is asked.
func (s *survey) readLineages(ctx context.Context) error {
	s.lineages = map[resource.Release]*lineage{}
	first := map[resource.Release]bool{}
	for i, d := range s.desired {
		if s.live[i] == nil || d.Release == nil {
			continue
		}
		if from := s.p.claim(s.live[i], d).from; from != nil && from.Release != nil {
			s.lineages[*from.Release] = nil
			first[*from.Release] = first[*from.Release] || !from.Again
		}
	}
	for release := range s.lineages {
		l, err := s.p.lineageOf(ctx, release)
		if err != nil {
			return err
		}
		s.lineages[release] = l
		if l.release == nil {
			continue
		}
		objects := s.manifest(l.release)
		if first[release] {
			if l.left, err = s.left(ctx, release, objects); err != nil {
				return err
			}
		}
		for _, text := range l.release.Hooks {
			objects = append(objects, s.decode(release.Namespace, text.Reveal())...)
		}
		l.written = make(map[resource.ID]map[string]any, len(objects))
		for _, o := range objects {
			l.written[s.p.id(o.object)] = o.object.Object
		}
	}
	return nil
}

// lineageOf reads the record of one release. Only an error about the whole cluster
// is returned: a take-over needs no record.
func (p *Provider) lineageOf(ctx context.Context, release resource.Release) (*lineage, error) {
	records, err := p.Client.releaseRecords(ctx, release.Namespace)
	if p.Client.hopeless(ctx, err) {
		return nil, p.Client.explain("list", "Helm releases", err)
	}
	if err != nil {
		return &lineage{problem: "Helm's record of it could not be read: " + plainText(err)}, nil
	}
	records = slices.DeleteFunc(records, func(r releaseRecord) bool { return r.name != release.Name })
	chosen := current(records)
	if len(chosen) == 0 {
		return &lineage{problem: "Helm has no record of it"}, nil
	}
	found, err := p.Client.release(ctx, chosen[0])
	if err != nil {
		return &lineage{problem: "Helm's record of it could not be read: " + plainText(err)}, ctx.Err()
	}
	return &lineage{release: found}, nil
}

// releases returns what a plan says of the releases, by name.
func (s *survey) releases() []resource.HelmRelease {
	var all []resource.HelmRelease
	for release, l := range s.lineages {
		h := resource.HelmRelease{Cluster: s.p.Cluster, Release: release, Problem: l.problem, Left: l.left}
		if r := l.release; r != nil {
			h.Revision, h.Status, h.Updated = r.Revision, r.Status, r.Last.UTC()
			h.Chart = r.Chart.Name + "-" + r.Chart.Version
		} else {
			h.Problem += ", so that what it set and the config does not is left as it is"
		}
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b resource.HelmRelease) int { return strings.Compare(a.Release.String(), b.Release.String()) })
	return all
}

// written returns the i-th desired object as its former owner wrote it; nil when
// that is not known.
func (s *survey) written(i int) map[string]any {
	d, live := s.desired[i], s.live[i]
	if live == nil {
		return nil
	}
	if d.Release != nil && s.lineages[*d.Release] != nil {
		return s.lineages[*d.Release].written[d.ID]
	}
	text := live.GetAnnotations()[annotationKubectl]
	if !d.Adopt || text == "" {
		return nil
	}
	o := map[string]any{}
	if json.Unmarshal([]byte(text), &o) != nil {
		return nil
	}
	return map[string]any(clean(o))
}

// blame names the release in the fields of an observation that Helm wrote.
func (s *survey) blame(o *resource.Observation) {
	if o.TakesOver == nil || o.TakesOver.Release == nil {
		return
	}
	l := s.lineages[*o.TakesOver.Release]
	if l == nil || l.release == nil {
		return
	}
	for i, f := range o.Foreign {
		if slices.ContainsFunc(o.TakesOver.Managers, func(m resource.Manager) bool { return m.Name == f.Manager }) {
			o.Foreign[i].Release = fmt.Sprintf("revision %d of Helm release %s", l.release.Revision, o.TakesOver.Release)
		}
	}
}

// A renderedObject is one of a release's manifest, with its kind as it is served.
type renderedObject struct {
	object *unstructured.Unstructured
	kind   *kind
}

// manifest returns the objects of a release that are of kinds which are served.
func (s *survey) manifest(r *Release) []renderedObject {
	return s.decode(r.Namespace, r.Manifest.Reveal())
}

// decode returns the objects of YAML documents; what is no object, or of a kind
// that is not served, is passed over. An object without a namespace gets this one, and
// one of a version that is served no more the one that is.
func (s *survey) decode(namespace, text string) []renderedObject {
	var all []renderedObject
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := reader.Read()
		if err != nil { // the end, or no YAML: Helm parsed it before
			return all
		}
		o := map[string]any{}
		if err := yaml.Unmarshal(document, &o); err != nil {
			continue
		}
		u := &unstructured.Unstructured{Object: clean(o)}
		if u.GetKind() == "" || u.GetName() == "" {
			continue
		}
		m, err := s.p.Client.mapping(schema.FromAPIVersionAndKind(u.GetAPIVersion(), u.GetKind()))
		if isNoKind(err) {
			if m, err = s.p.Client.served(u.GroupVersionKind().GroupKind()); err == nil {
				u.SetGroupVersionKind(m.GroupVersionKind)
			}
		}
		if err != nil {
			continue
		}
		k := &kind{gvk: u.GroupVersionKind(), mapping: m}
		if u.GetNamespace() == "" && k.namespaced() {
			u.SetNamespace(namespace)
		}
		u.Object = resource.Reveal(u.Object).(map[string]any)
		all = append(all, renderedObject{object: u, kind: k})
	}
}

// left returns those of a release's objects that live, are the release's, and that
// nothing desires.
func (s *survey) left(ctx context.Context, release resource.Release, objects []renderedObject) ([]resource.ID, error) {
	var all []resource.ID
	for _, o := range objects {
		id := s.p.id(o.object)
		if _, wanted := s.byID[id]; wanted {
			continue
		}
		live, err := s.p.get(ctx, o.kind, id)
		if s.p.Client.hopeless(ctx, err) {
			return nil, s.p.Client.explain("read", objectText(id), err)
		}
		if err != nil {
			s.cannotRead(objectText(id), err, nil)
			continue
		}
		if live == nil || live.GetLabels()[LabelConfig] != "" {
			continue
		}
		if owner, isOf := releaseOf(live); isOf && owner == release {
			all = append(all, id)
		}
	}
	return all, nil
}
