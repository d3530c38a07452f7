package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine/gate"
)

// What BinderHub puts on its build pods.
const (
	buildPods = "component=binderhub-build"
	buildRepo = "binder-repo"
)

// Builds counts the build pods of a BinderHub's namespace. Those that are on
// their way out build nothing any more.
func (p *Provider) Builds(ctx context.Context, namespace string) (gate.Builds, error) {
	builds := gate.Builds{}
	err := retryRead(ctx, func() error {
		builds = gate.Builds{PerRepo: map[string]int{}}
		return p.eachPod(ctx, namespace, metav1.ListOptions{LabelSelector: buildPods}, func(pod *corev1.Pod) {
			switch {
			case pod.DeletionTimestamp != nil:
			case pod.Status.Phase == corev1.PodRunning:
				builds.Running++
				builds.PerRepo[pod.Annotations[buildRepo]]++
			case pod.Status.Phase == corev1.PodPending:
				builds.Pending++
			}
		})
	})
	if err != nil {
		return gate.Builds{}, p.Client.explain("list", "build pods", err)
	}
	return builds, nil
}

// eachPod lists pods, page by page.
func (p *Provider) eachPod(ctx context.Context, namespace string, o metav1.ListOptions, do func(*corev1.Pod)) error {
	for o.Limit = censusPage; ; {
		page, err := p.Client.Typed.CoreV1().Pods(namespace).List(ctx, o)
		if err != nil {
			return err
		}
		for i := range page.Items {
			do(&page.Items[i])
		}
		if o.Continue = page.Continue; o.Continue == "" {
			return nil
		}
	}
}
