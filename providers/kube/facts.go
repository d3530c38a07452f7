package kube

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"

	"hubcap/engine/expand"
)

// Facts asks the cluster what charts may want to know of it: its version, the
// kinds it serves and, when they look something up, its objects. Lookups of the
// config's own objects share one LIST of their kind; every other object is got
// once.
func (p *Provider) Facts(ctx context.Context) (expand.Facts, error) {
	if err := p.Client.discover(ctx); err != nil {
		return expand.Facts{}, err
	}
	var v *version.Info
	err := retryRead(ctx, func() (err error) {
		v, err = p.Client.discovery.ServerVersion()
		return err
	})
	if err != nil {
		return expand.Facts{}, p.Client.explain("read", "version", err)
	}
	l := &lookups{p: p, ctx: ctx, objects: map[lookupKey]*lookup{}, ours: map[schema.GroupVersionKind]*ownList{}}
	return expand.Facts{KubeVersion: v.GitVersion, APIVersions: p.Client.apiVersions(), Lookup: l.lookup}, nil
}

// apiVersions returns "apps/v1" and "apps/v1/Deployment" for all that is served.
// Groups whose own server is down are left out.
func (c *Client) apiVersions() []string {
	_, lists, _ := c.discovery.ServerGroupsAndResources()
	var all []string
	for _, list := range lists {
		all = append(all, list.GroupVersion)
		for _, r := range list.APIResources {
			all = append(all, list.GroupVersion+"/"+r.Kind)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A lookups answers the lookups of one expansion. It holds the context of that
// expansion, because a chart's function has no place for one.
type lookups struct {
	p   *Provider
	ctx context.Context

	mu      sync.Mutex
	objects map[lookupKey]*lookup
	ours    map[schema.GroupVersionKind]*ownList
}

type lookupKey struct{ apiVersion, kind, namespace, name string }

type lookup struct {
	once   sync.Once
	object map[string]any
	err    error
}

// An ownList is the config's objects of one kind.
type ownList struct {
	once    sync.Once
	objects map[[2]string]map[string]any // by namespace and name
}

func (l *lookups) lookup(apiVersion, kindName, namespace, name string) (map[string]any, error) {
	key := lookupKey{apiVersion, kindName, namespace, name}
	l.mu.Lock()
	one := l.objects[key]
	if one == nil {
		one = &lookup{}
		l.objects[key] = one
	}
	l.mu.Unlock()
	one.once.Do(func() { one.object, one.err = l.ask(key) })
	if one.object == nil {
		return nil, one.err
	}
	return resourceCopy(one.object), one.err // templates may write into it
}

func (l *lookups) ask(key lookupKey) (map[string]any, error) {
	gvk := schema.FromAPIVersionAndKind(key.apiVersion, key.kind)
	m, err := l.p.Client.mapping(gvk)
	if isNoKind(err) {
		return nil, nil // of a kind that is not served there is no object
	}
	what := fmt.Sprintf("%s %s/%s", key.kind, key.namespace, key.name)
	if err != nil {
		return nil, l.p.Client.explain("look up", what, err)
	}
	k := &kind{gvk: gvk, mapping: m}
	if key.name == "" {
		return l.list(k, key.namespace)
	}
	if object := l.own(k)[[2]string{key.namespace, key.name}]; object != nil {
		return object, nil
	}
	var u *unstructured.Unstructured
	err = retryRead(l.ctx, func() (err error) {
		u, err = l.p.resourceOf(k, key.namespace).Get(l.ctx, key.name, metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) || l.p.isMissing(l.ctx, key.namespace, err) {
		return nil, nil
	}
	if err != nil {
		return nil, l.p.Client.explain("look up", what, err)
	}
	l.p.rememberSecret(u)
	return u.Object, nil
}

// own returns the config's objects of one kind. When they cannot be listed there
// are none, and each object is asked for by name.
func (l *lookups) own(k *kind) map[[2]string]map[string]any {
	l.mu.Lock()
	list := l.ours[k.gvk]
	if list == nil {
		list = &ownList{}
		l.ours[k.gvk] = list
	}
	l.mu.Unlock()
	list.once.Do(func() {
		list.objects = map[[2]string]map[string]any{}
		err := l.p.eachPage(l.ctx, l.p.resourceOf(k, ""), LabelConfig+"="+l.p.Owner, func(u *unstructured.Unstructured) {
			l.p.rememberSecret(u)
			list.objects[[2]string{u.GetNamespace(), u.GetName()}] = u.Object
		})
		if err != nil {
			list.objects = nil
		}
	})
	return list.objects
}

// list returns a List of all objects of a kind.
func (l *lookups) list(k *kind, namespace string) (map[string]any, error) {
	var list *unstructured.UnstructuredList
	err := retryRead(l.ctx, func() (err error) {
		list, err = l.p.resourceOf(k, namespace).List(l.ctx, metav1.ListOptions{})
		return err
	})
	if l.p.isMissing(l.ctx, namespace, err) {
		return (&unstructured.UnstructuredList{Object: map[string]any{"kind": "List", "apiVersion": "v1"}}).UnstructuredContent(), nil
	}
	if err != nil {
		return nil, l.p.Client.explain("look up", k.plural(), err)
	}
	for i := range list.Items {
		l.p.rememberSecret(&list.Items[i])
	}
	return list.UnstructuredContent(), nil
}

// rememberSecret remembers the values of a Secret, so that no message repeats
// them.
func (p *Provider) rememberSecret(u *unstructured.Unstructured) {
	if !isSecret(u) {
		return
	}
	data, _, _ := unstructured.NestedStringMap(u.Object, "data")
	for _, v := range data {
		p.secrets.Add(v)
	}
}
