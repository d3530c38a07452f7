package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"hubcap/engine/resource"
)

const (
	userServers  = "component=singleuser-server" // as the charts label them
	carriers     = "component in (hub,proxy,autohttps,binder)"
	labelPool    = "cloud.google.com/gke-nodepool"
	censusPage   = 500
	censusAtOnce = 8
	tableFormat  = "application/json;as=Table;v=v1;g=meta.k8s.io"
)

// A Census counts the people on a cluster. It satisfies engine.Census.
type Census struct{ Client *Client }

// Count returns how many user servers run in each of the namespaces and on each
// node pool. It asks for tables, which cost a tenth of the objects: a row has no
// namespace, so each namespace is a request, and the pools are one more. A pool's
// count includes servers of hubs that this config does not know. Who may not list
// pods cluster-wide does not know who is on the pools.
func (c *Census) Count(ctx context.Context, at resource.Places) (resource.Census, error) {
	census := resource.Census{PerNamespace: map[string]int{}, PerPool: map[string]int{}}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(censusAtOnce)
	if at.Carriers {
		g.Go(func() error {
			carriers, err := c.carriers(ctx)
			mu.Lock()
			defer mu.Unlock()
			census.Carriers = carriers
			return err
		})
	}
	if at.Pools {
		g.Go(func() error {
			perPool, unknown, err := c.perPool(ctx)
			mu.Lock()
			defer mu.Unlock()
			census.PerPool, census.PoolsUnknown = perPool, unknown
			return err
		})
	}
	for _, namespace := range at.Namespaces {
		g.Go(func() error {
			n := 0
			err := c.sessions(ctx, namespace, func(string) { n++ })
			mu.Lock()
			defer mu.Unlock()
			census.PerNamespace[namespace] = n
			census.Sessions += n
			return err
		})
	}
	return census, g.Wait()
}

// perPool counts the user servers on the nodes of each GKE node pool, or says why
// they must not be seen.
func (c *Census) perPool(ctx context.Context) (perPool map[string]int, unknown string, err error) {
	pools, err := c.pools(ctx)
	switch {
	case apierrors.IsForbidden(err):
		return nil, "nodes may not be listed", nil
	case err != nil, len(pools) == 0:
		return nil, "", err
	}
	perPool = map[string]int{}
	err = c.sessions(ctx, metav1.NamespaceAll, func(node string) {
		if pool, isPooled := pools[node]; isPooled {
			perPool[pool]++
		}
	})
	if apierrors.IsForbidden(err) {
		return nil, "pods may not be listed cluster-wide", nil
	}
	return perPool, "", err
}

// carriers returns what hubs cannot do without on the nodes of each GKE node pool, nil
// when it must not be seen.
func (c *Census) carriers(ctx context.Context) (map[string][]resource.Carrier, error) {
	pools, err := c.pools(ctx)
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	on := map[string][]resource.Carrier{}
	o := metav1.ListOptions{LabelSelector: carriers, Limit: censusPage}
	for err == nil {
		var list *corev1.PodList
		err = retryRead(ctx, func() (err error) {
			list, err = c.Client.Typed.CoreV1().Pods(metav1.NamespaceAll).List(ctx, o)
			return err
		})
		if err != nil {
			break
		}
		for i := range list.Items {
			pod := &list.Items[i]
			if pool, isPooled := pools[pod.Spec.NodeName]; isPooled {
				on[pool] = append(on[pool], resource.Carrier{Namespace: pod.Namespace, Component: pod.Labels["component"]})
			}
		}
		if o.Continue = list.Continue; o.Continue == "" {
			return on, nil
		}
	}
	if apierrors.IsForbidden(err) {
		return nil, nil
	}
	return nil, c.Client.explain("list", "pods", err)
}

// pools returns the GKE node pool of each node that belongs to one.
func (c *Census) pools(ctx context.Context) (map[string]string, error) {
	pools := map[string]string{}
	o := metav1.ListOptions{LabelSelector: labelPool, Limit: censusPage}
	for {
		var list *corev1.NodeList
		err := retryRead(ctx, func() (err error) {
			list, err = c.Client.Typed.CoreV1().Nodes().List(ctx, o)
			return err
		})
		if apierrors.IsForbidden(err) {
			return nil, err
		}
		if err != nil {
			return nil, c.Client.explain("list", "nodes", err)
		}
		for i := range list.Items {
			pools[list.Items[i].Name] = list.Items[i].Labels[labelPool]
		}
		if o.Continue = list.Continue; o.Continue == "" {
			return pools, nil
		}
	}
}

// sessions calls each with the node of every user server in namespace, page by
// page. A server that has ended is not one.
func (c *Census) sessions(ctx context.Context, namespace string, each func(node string)) error {
	o := metav1.ListOptions{LabelSelector: userServers, Limit: censusPage}
	for {
		var text []byte
		err := retryRead(ctx, func() (err error) {
			text, err = c.Client.Typed.CoreV1().RESTClient().Get().Resource("pods").NamespaceIfScoped(namespace, namespace != "").
				SetHeader("Accept", tableFormat).VersionedParams(&o, scheme.ParameterCodec).Param("includeObject", string(metav1.IncludeNone)).
				Do(ctx).Raw()
			return err
		})
		if apierrors.IsForbidden(err) && namespace == "" {
			return err // the caller can do without
		}
		if err != nil {
			return c.Client.explain("count", "user servers", err)
		}
		var table metav1.Table
		if err := json.Unmarshal(text, &table); err != nil {
			return fmt.Errorf("count user servers: decode table: %w", err)
		}
		if err := rows(&table, each); err != nil {
			return fmt.Errorf("count user servers: %w", err)
		}
		if o.Continue = table.Continue; o.Continue == "" {
			return nil
		}
	}
}

func rows(table *metav1.Table, each func(node string)) error {
	column := func(name string) int {
		return slices.IndexFunc(table.ColumnDefinitions, func(d metav1.TableColumnDefinition) bool { return d.Name == name })
	}
	status, node := column("Status"), column("Node")
	if len(table.Rows) > 0 && (status < 0 || node < 0) {
		return fmt.Errorf("the server's table of pods has no column Status or Node")
	}
	for _, row := range table.Rows {
		if s, _ := row.Cells[status].(string); !ended(s) {
			name, _ := row.Cells[node].(string)
			each(name)
		}
	}
	return nil
}

// ended reports whether a pod with this status, as kubectl words it, runs no
// more.
func ended(status string) bool {
	return slices.Contains([]string{"Completed", "Error", "Evicted", "OOMKilled", "Succeeded", "Failed", "Terminating"}, status) ||
		strings.HasPrefix(status, "ExitCode:")
}
