package kube

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"hubcap/engine/resource"
	"hubcap/engine/seal"
)

// pageSize bounds the memory of one answer, not the number of requests: clusters
// with more objects of one kind under one config are rare.
const pageSize = 5000

// A survey is one reading under way.
type survey struct {
	p       *Provider
	desired []resource.Desired
	byID    map[resource.ID]int
	unknown map[int]error // desired objects of kinds that the server does not know

	mu         sync.Mutex
	live       []*unstructured.Unstructured // by index of desired; nil when there is none
	hidden     []bool                       // by index of desired: could not be read
	strays     []*unstructured.Unstructured // that bear our label, and that nothing desires
	orphans    []resource.Live              // those of them that are ours
	unsealed   []resource.Unsealed          // and those that are not known to be
	unreadable []resource.Unreadable

	narrow []*kind // that may not be listed in the whole cluster

	key     seal.Public // of the cluster's seals; zero when there is none
	keyless bool        // it could not be read

	leads    map[int][]lead                // by index of desired: fields that were given up
	lineages map[resource.Release]*lineage // releases that objects are taken over from
}

// listAll lists our objects of every kind.
func (s *survey) listAll(ctx context.Context, kinds []*kind) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, k := range kinds {
		group.Go(func() error { return s.listKind(ctx, k) })
	}
	return group.Wait()
}

// listKind lists our objects of one kind in the whole cluster or, where that is
// forbidden, in every namespace of the config.
func (s *survey) listKind(ctx context.Context, k *kind) error {
	err := s.list(ctx, k, query{selector: s.ours()}, s.take)
	if err == nil || apierrors.IsNotFound(err) { // the kind went away since discovery
		return nil
	}
	if s.p.Client.hopeless(ctx, err) {
		return s.p.Client.explain("read", k.plural(), err)
	}
	if !apierrors.IsForbidden(err) || !k.namespaced() {
		s.cannotRead(k.plural(), err, k.wanted)
		return nil
	}
	s.mu.Lock()
	s.narrow = append(s.narrow, k)
	s.mu.Unlock()
	return s.listWithin(ctx, k, s.namespaces())
}

// listWithin lists our objects of one kind in each of the namespaces.
func (s *survey) listWithin(ctx context.Context, k *kind, namespaces []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsInFlight)
	for _, namespace := range namespaces {
		group.Go(func() error {
			err := s.list(ctx, k, query{namespace, s.ours()}, s.take)
			if s.p.Client.hopeless(ctx, err) {
				return s.p.Client.explain("read", k.plural(), err)
			}
			if err != nil && !s.p.isMissing(ctx, namespace, err) {
				s.cannotRead(k.plural()+" in namespace "+namespace, err, s.within(k, namespace))
			}
			return nil
		})
	}
	return group.Wait()
}

// isMissing reports whether err forbids to read in a namespace that is known not to
// exist. In one that a config is about to make nobody has been given any right yet, and
// there is nothing to read.
func (p *Provider) isMissing(ctx context.Context, namespace string, err error) bool {
	if namespace == "" || !apierrors.IsForbidden(err) {
		return false
	}
	_, err = p.Client.Typed.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	return apierrors.IsNotFound(err)
}

// listLeft lists the kinds that may not be listed in the whole cluster where blocks
// that are gone have left something: it would be missed.
func (s *survey) listLeft(ctx context.Context) error {
	if len(s.narrow) == 0 {
		return nil
	}
	known, left := s.namespaces(), map[string]bool{}
	for _, u := range s.strays {
		at := u.GetNamespace()
		if groupKind(s.p.id(u)) == namespaceKind {
			at = u.GetName()
		}
		if at != "" && !slices.Contains(known, at) && s.p.doubt(u, s.key) == "" {
			left[at] = true
		}
	}
	for _, k := range slices.Clone(s.narrow) {
		if err := s.listWithin(ctx, k, slices.Sorted(maps.Keys(left))); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) ours() string { return LabelConfig + "=" + s.p.Owner }

// A query says which objects of a kind to list; empty means all.
type query struct{ namespace, selector string }

// list hands the objects of one LIST to take, once all of it has come.
func (s *survey) list(ctx context.Context, k *kind, q query, take func(*unstructured.Unstructured)) error {
	var found []*unstructured.Unstructured
	err := retryRead(ctx, func() error {
		found = found[:0]
		return s.p.eachPage(ctx, s.p.resourceOf(k, q.namespace), q.selector, func(u *unstructured.Unstructured) {
			found = append(found, u)
		})
	})
	if err != nil {
		return s.unanswered(ctx, k, err)
	}
	for _, u := range found {
		take(u)
	}
	return nil
}

// takeWanted puts a live object beside its desired one, if it has one.
func (s *survey) takeWanted(u *unstructured.Unstructured) bool {
	i, wanted := s.byID[s.p.id(u)]
	if wanted {
		s.mu.Lock()
		s.live[i] = u
		s.mu.Unlock()
	}
	return wanted
}

// take notes a live object: beside its desired one, or as one that may be an orphan.
func (s *survey) take(u *unstructured.Unstructured) {
	if s.takeWanted(u) {
		return
	}
	id := s.p.id(u)
	ours := u.GetLabels()[LabelConfig] == s.p.Owner && len(u.GetOwnerReferences()) == 0 && !labelCopiers[groupKind(id)]
	if !ours {
		return
	}
	s.mu.Lock()
	s.strays = append(s.strays, u)
	s.mu.Unlock()
}

// findMissing looks for the desired objects that bear no mark of ours: first the
// namespaces, because in one that is about to be made there is nothing to find.
func (s *survey) findMissing(ctx context.Context, kinds []*kind) error {
	var rest []*kind
	for _, k := range kinds {
		if k.gvk.GroupKind() != namespaceKind {
			rest = append(rest, k)
			continue
		}
		if err := s.findMissingOf(ctx, []*kind{k}); err != nil {
			return err
		}
	}
	return s.findMissingOf(ctx, rest)
}

func (s *survey) findMissingOf(ctx context.Context, kinds []*kind) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsInFlight)
	for _, k := range kinds {
		missing := s.missing(k)
		for _, namespace := range slices.Sorted(maps.Keys(missing)) {
			indexes := missing[namespace]
			if len(indexes) > manyMissing {
				group.Go(func() error { return s.listMissing(ctx, k, namespace, indexes) })
				continue
			}
			for _, i := range indexes {
				group.Go(func() error { return s.get(ctx, k, i) })
			}
		}
	}
	return group.Wait()
}

// missing returns the desired objects of k that were not found yet, by namespace.
func (s *survey) missing(k *kind) map[string][]int {
	missing := map[string][]int{}
	for _, i := range k.wanted {
		namespace := s.desired[i].ID.Namespace
		if s.live[i] == nil && !s.hidden[i] && !s.makesNamespace(namespace) {
			missing[namespace] = append(missing[namespace], i)
		}
	}
	return missing
}

func (s *survey) listMissing(ctx context.Context, k *kind, namespace string, indexes []int) error {
	err := s.list(ctx, k, query{namespace: namespace}, func(u *unstructured.Unstructured) { s.takeWanted(u) })
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	if s.p.Client.hopeless(ctx, err) {
		return s.p.Client.explain("read", k.plural(), err)
	}
	what := k.plural()
	if namespace != "" {
		what += " in namespace " + namespace
	}
	s.cannotRead(what, err, indexes)
	return nil
}

func (s *survey) get(ctx context.Context, k *kind, i int) error {
	d := s.desired[i]
	var u *unstructured.Unstructured
	err := retryRead(ctx, func() (err error) {
		u, err = s.p.resourceOf(k, d.ID.Namespace).Get(ctx, d.ID.Name, metav1.GetOptions{})
		return err
	})
	switch {
	case err == nil:
		s.takeWanted(u)
	case apierrors.IsNotFound(err):
	case s.p.Client.hopeless(ctx, err):
		return s.p.Client.explain("read", objectText(d.ID), err)
	default:
		s.cannotRead(objectText(d.ID), err, []int{i})
	}
	return nil
}

// cannotRead notes what could not be read, and that nothing can be said about the
// desired objects it concerns.
func (s *survey) cannotRead(what string, err error, concerned []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unreadable = append(s.unreadable, resource.Unreadable{What: what, Reason: reasonText(err)})
	for _, i := range concerned {
		s.hidden[i] = true
	}
}

// within returns the desired objects of k in namespace.
func (s *survey) within(k *kind, namespace string) []int {
	var indexes []int
	for _, i := range k.wanted {
		if s.desired[i].ID.Namespace == namespace {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// namespaces returns the namespaces of the config, sorted.
func (s *survey) namespaces() []string {
	set := map[string]bool{}
	for _, d := range s.desired {
		if d.ID.Namespace != "" {
			set[d.ID.Namespace] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// resourceOf returns the way to the objects of k in namespace; in all namespaces
// when it is empty.
func (p *Provider) resourceOf(k *kind, namespace string) dynamic.ResourceInterface {
	r := p.Client.Dynamic.Resource(k.mapping.Resource)
	if k.namespaced() && namespace != "" {
		return r.Namespace(namespace)
	}
	return r
}

// eachPage lists by selector and hands every object to visit.
func (p *Provider) eachPage(ctx context.Context, r dynamic.ResourceInterface, selector string, visit func(*unstructured.Unstructured)) error {
	options := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	for {
		page, err := r.List(ctx, options)
		if err != nil {
			return err
		}
		for i := range page.Items {
			visit(&page.Items[i])
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}
