package kube

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine/resource"
)

const reviewsAtOnce = 16

// A Preflight finds out what the caller may not do. It satisfies engine.Checker.
type Preflight struct {
	Client        *Client
	Namespace     string // of the journal
	LockNamespace string
	LockName      string // of its Lease
}

// Denied returns one line for each permission that writing changes, or recording
// the run, needs and the caller lacks. Identical permissions are asked for once.
// Changes outside Kubernetes are not looked at: the GKE API has no such question.
func (p *Preflight) Denied(ctx context.Context, changes []resource.Change) ([]string, error) {
	needed := map[authorizationv1.ResourceAttributes]bool{}
	for _, need := range p.records() {
		needed[need] = true
	}
	for _, c := range changes {
		if c.ID.Group == resource.GroupGKE {
			continue
		}
		attributes, known, err := p.attributes(c)
		if err != nil {
			return nil, err
		}
		if !known {
			continue // its kind comes with this very plan
		}
		need := verbs(c.Action)
		if c.Hook != nil {
			need = append(need, "delete") // of what an earlier run left
		}
		for _, verb := range need {
			attributes.Verb = verb
			needed[attributes] = true
		}
	}
	return p.review(ctx, needed)
}

func verbs(a resource.Action) []string {
	switch a {
	case resource.Create, resource.Replace:
		return []string{"get", "create", "patch"} // a server-side apply that creates asks for both
	case resource.Update:
		return []string{"get", "patch"}
	case resource.Delete:
		return []string{"get", "delete"}
	default:
		panic(fmt.Sprintf("kube: action %d", a))
	}
}

// records are the permissions that a run needs for its journal and its lock.
func (p *Preflight) records() []authorizationv1.ResourceAttributes {
	var needs []authorizationv1.ResourceAttributes
	for _, need := range []struct {
		namespace, group, resource string
		name                       string
		verbs                      []string
	}{
		{p.Namespace, "", "configmaps", "", []string{"get", "list", "create", "patch", "delete", "deletecollection"}},
		{p.Namespace, "", "secrets", "", []string{"get", "list", "create", "deletecollection"}},
		{p.LockNamespace, "coordination.k8s.io", "leases", "", []string{"create"}},
		{p.LockNamespace, "coordination.k8s.io", "leases", p.LockName, []string{"get", "update"}},
	} {
		for _, verb := range need.verbs {
			needs = append(needs, authorizationv1.ResourceAttributes{Namespace: need.namespace, Verb: verb, Group: need.group, Resource: need.resource, Name: need.name})
		}
	}
	return needs
}

func (p *Preflight) attributes(c resource.Change) (authorizationv1.ResourceAttributes, bool, error) {
	object := c.After
	if object == nil {
		object = c.Before
	}
	gvk := gvkOf(object)
	mapping, err := p.Client.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		return authorizationv1.ResourceAttributes{}, false, nil
	}
	if err != nil {
		return authorizationv1.ResourceAttributes{}, false, p.Client.explain("find", "kind "+gvk.Kind, err)
	}
	return authorizationv1.ResourceAttributes{
		Namespace: c.ID.Namespace,
		Group:     mapping.Resource.Group,
		Resource:  mapping.Resource.Resource,
	}, true, nil
}

func (p *Preflight) review(ctx context.Context, needed map[authorizationv1.ResourceAttributes]bool) ([]string, error) {
	var mu sync.Mutex
	var denied []string
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(reviewsAtOnce)
	for attributes := range needed {
		g.Go(func() error {
			review := &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes},
			}
			var answer *authorizationv1.SelfSubjectAccessReview
			err := retryRead(ctx, func() (err error) { // it writes nothing
				answer, err = p.Client.Typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
				return err
			})
			if err != nil {
				return p.Client.explain("review", "permissions", err)
			}
			if !answer.Status.Allowed {
				mu.Lock()
				defer mu.Unlock()
				denied = append(denied, permission(attributes))
			}
			return nil
		})
	}
	err := g.Wait()
	slices.Sort(denied)
	return denied, err
}

// permission words attributes as an RBAC rule has them: "patch deployments.apps in
// namespace prod".
func permission(a authorizationv1.ResourceAttributes) string {
	name := a.Resource
	if a.Group != "" {
		name += "." + a.Group
	}
	if a.Namespace == "" {
		return fmt.Sprintf("%s %s", a.Verb, name)
	}
	return fmt.Sprintf("%s %s in namespace %s", a.Verb, name, a.Namespace)
}
