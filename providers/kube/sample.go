package kube

import (
	"context"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"hubcap/engine/plan"
	"hubcap/engine/resource"
	"hubcap/engine/run"
)

// A baseline is what the containers of a component had restarted before its step
// began.
type baseline struct {
	began    time.Time
	restarts map[types.UID]int32
}

// noteBegan remembers when the step of a component wrote first. A pause of more
// than a step's writes begins another step: the rollback of the same component.
func (p *Provider) noteBegan(c resource.Component) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began == nil {
		p.began = map[resource.Component]time.Time{}
	}
	for asked := range p.restart {
		if asksFor(asked, c) {
			delete(p.restart, asked)
			maps.DeleteFunc(p.began, func(b resource.Component, _ time.Time) bool { return asksFor(asked, b) })
		}
	}
	if _, begun := p.began[c]; !begun {
		p.began[c] = p.now()
	}
}

// asksFor reports whether a question about the component asked is about c too. A
// step of a whole block, as that of a batch, has a component without a name.
func asksFor(asked, c resource.Component) bool {
	return asked == c || asked.Name == "" && asked.Block == c.Block
}

// Sample counts, for a gate on pods, the restarts since the step began and the
// pods that are pending. Pods are those of hubcap's own workloads of the component
// or, if the gate says so, of a whole block. No pods, or no answer, is
// inconclusive.
func (p *Provider) Sample(ctx context.Context, q run.Question) (run.Sample, error) {
	gate := q.Gate
	if gate.Pods == nil {
		return run.Sample{}, fmt.Errorf("sample gate %s: it does not look at pods", gate.Name)
	}
	sample, err := p.samplePods(ctx, *gate.Pods, q)
	if err != nil {
		if ctx.Err() != nil {
			return run.Sample{}, ctx.Err()
		}
		return run.Sample{Verdict: run.Inconclusive, Reason: p.scrub(p.Client.explain("list", "pods", err).Error())}, nil
	}
	return sample, nil
}

func (p *Provider) samplePods(ctx context.Context, check plan.PodsCheck, q run.Question) (run.Sample, error) {
	if check.Users {
		return p.sampleUsers(ctx, check)
	}
	pods, err := p.sampledPods(ctx, check.Block, q.Component)
	if err != nil {
		return run.Sample{}, err
	}
	count, now := podCount{}, p.now()
	var alive []corev1.Pod
	for _, pod := range pods {
		switch {
		case pod.DeletionTimestamp == nil:
			alive = append(alive, pod)
			if isPendingFor(&pod, check.PendingAfter, now) {
				count.pending++
			}
		case isStuck(&pod.ObjectMeta, check.TerminatingAfter, now):
			count.terminating++
		}
	}
	if len(alive) == 0 {
		return run.Sample{Verdict: run.Inconclusive, Reason: "no pods were found"}, nil
	}
	count.of = podsText(len(alive))
	count.restarts, count.worst = p.restartsSince(q, alive)
	return judgePods(check, count), nil
}

// sampledPods returns the pods of the workloads, each once, those on their way out
// included.
func (p *Provider) sampledPods(ctx context.Context, block string, component resource.Component) ([]corev1.Pod, error) {
	workloads, err := p.ownWorkloads(ctx)
	if err != nil {
		return nil, err
	}
	var pods []corev1.Pod
	seen := map[types.UID]bool{}
	for _, u := range workloads {
		c := parseComponent(u.GetAnnotations()[AnnotationComponent])
		if block == "" && !asksFor(component, c) || block != "" && c.Block.String() != block {
			continue
		}
		w, err := p.workload(u, nil)
		if err != nil {
			return nil, err
		}
		if w.isPlaceholder() {
			continue
		}
		own, err := w.pods(ctx)
		if err != nil {
			return nil, err
		}
		for _, pod := range own {
			if !seen[pod.UID] {
				seen[pod.UID] = true
				pods = append(pods, pod)
			}
		}
	}
	return pods, nil
}

// ownWorkloads lists the config's Deployments, StatefulSets and DaemonSets.
func (p *Provider) ownWorkloads(ctx context.Context) ([]*unstructured.Unstructured, error) {
	kinds := []schema.GroupKind{deploymentKind, statefulSetKind, daemonSetKind}
	found := make([][]*unstructured.Unstructured, len(kinds))
	group, ctx := errgroup.WithContext(ctx)
	for i, gk := range kinds {
		group.Go(func() error {
			gvk := gk.WithVersion("v1")
			m, err := p.Client.mapping(gvk)
			if err != nil {
				return err
			}
			r := p.resourceOf(&kind{gvk: gvk, mapping: m}, "")
			return retryRead(ctx, func() error {
				found[i] = nil
				return p.eachPage(ctx, r, LabelConfig+"="+p.Owner, func(u *unstructured.Unstructured) { found[i] = append(found[i], u) })
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, f := range found {
		all = append(all, f...)
	}
	return all, nil
}

// restartsSince counts the restarts since the component's step began: all those
// of pods made since, and of older pods what came on top of what the first sample
// found.
func (p *Provider) restartsSince(q run.Question, pods []corev1.Pod) (restarts int, worst string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	component := q.Component
	base, known := p.restart[component]
	if !known {
		base = p.newBaseline(q, pods)
		if p.restart == nil {
			p.restart = map[resource.Component]baseline{}
		}
		p.restart[component] = base
	}
	most := 0
	for _, pod := range pods {
		n := int(podRestarts(&pod) - base.restarts[pod.UID])
		restarts += n
		if n > most {
			most, worst = n, fmt.Sprintf("; pod %s restarted %d times", pod.Name, n)
		}
	}
	return restarts, worst
}

// newBaseline goes by when this process wrote first; where another one did, or nobody,
// by when the question says that the step began.
func (p *Provider) newBaseline(q run.Question, pods []corev1.Pod) baseline {
	base := baseline{began: p.now(), restarts: map[types.UID]int32{}}
	wrote := false
	for c, began := range p.began {
		if asksFor(q.Component, c) {
			wrote = true
			base.began = earlier(base.began, began)
		}
	}
	if !wrote && !q.Began.IsZero() {
		base.began = earlier(base.began, q.Began)
	}
	for _, pod := range pods {
		if pod.CreationTimestamp.Time.Before(base.began.Truncate(time.Second)) {
			base.restarts[pod.UID] = podRestarts(&pod) - restartedAfter(&pod, base.began)
		}
	}
	return base
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func podRestarts(pod *corev1.Pod) int32 {
	var n int32
	for _, c := range pod.Status.ContainerStatuses {
		n += c.RestartCount
	}
	return n
}

// restartedAfter returns how many containers certainly restarted after t: their
// last end is known, earlier ones are not.
func restartedAfter(pod *corev1.Pod, t time.Time) int32 {
	var n int32
	for _, c := range pod.Status.ContainerStatuses {
		if last := c.LastTerminationState.Terminated; last != nil && last.FinishedAt.After(t) {
			n++
		}
	}
	return n
}
