package kube

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"hubcap/engine/plan"
	"hubcap/engine/run"
)

// sampleUsers counts, for a gate on user servers, those that wait for too long,
// those that should be gone and those that nobody culled. Only the pending ones are fetched whole; the others
// are as many as there are people, of which the metadata is enough.
func (p *Provider) sampleUsers(ctx context.Context, check plan.PodsCheck) (run.Sample, error) {
	now := p.now()
	count := podCount{of: "user servers"}
	err := retryRead(ctx, func() error {
		count.pending = 0
		o := metav1.ListOptions{LabelSelector: userServers, FieldSelector: "status.phase=" + string(corev1.PodPending)}
		return p.eachPod(ctx, check.Namespace, o, func(pod *corev1.Pod) {
			if pod.DeletionTimestamp == nil && isPendingFor(pod, check.PendingAfter, now) {
				count.pending++
			}
		})
	})
	if err == nil && (check.MaxTerminating != nil || check.MaxAge > 0) {
		err = retryRead(ctx, func() error {
			count.terminating, count.aged = 0, 0
			return p.eachUserServer(ctx, check.Namespace, func(m *metav1.ObjectMeta) {
				switch {
				case isStuck(m, check.TerminatingAfter, now):
					count.terminating++
				case m.DeletionTimestamp == nil && now.Sub(m.CreationTimestamp.Time) > check.MaxAge:
					count.aged++
				}
			})
		})
	}
	if err != nil {
		return run.Sample{}, err
	}
	return judgePods(check, count), nil
}

func (p *Provider) eachUserServer(ctx context.Context, namespace string, do func(*metav1.ObjectMeta)) error {
	pods := p.Client.Metadata.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(namespace)
	for o := (metav1.ListOptions{LabelSelector: userServers, Limit: censusPage}); ; {
		page, err := pods.List(ctx, o)
		if err != nil {
			return err
		}
		for i := range page.Items {
			do(&page.Items[i].ObjectMeta)
		}
		if o.Continue = page.Continue; o.Continue == "" {
			return nil
		}
	}
}

func isPendingFor(pod *corev1.Pod, least time.Duration, now time.Time) bool {
	return pod.Status.Phase == corev1.PodPending && now.Sub(pod.CreationTimestamp.Time) >= least
}

// isStuck reports whether a pod should have been gone for so long. Its deletion
// timestamp is when its grace ended.
func isStuck(m *metav1.ObjectMeta, least time.Duration, now time.Time) bool {
	return m.DeletionTimestamp != nil && now.Sub(m.DeletionTimestamp.Time) >= least
}

// A podCount is what a gate on pods counted.
type podCount struct {
	of                             string // "4 pods"
	restarts, pending, terminating int
	aged                           int    // user servers that nobody culled
	worst                          string // the pod that restarted most
}

// judgePods holds counts against a check's bounds. The number in the sample is the
// first that is too large.
func judgePods(check plan.PodsCheck, c podCount) run.Sample {
	type bound struct {
		n, most int
		what    string
	}
	bounds := []bound{
		{c.restarts, check.MaxRestarts, "restarts since the step began"},
		{c.pending, check.MaxPending, "pending"},
	}
	if check.Users {
		bounds = bounds[1:]
	}
	if check.PendingAfter > 0 {
		bounds[len(bounds)-1].what += " for " + check.PendingAfter.String()
	}
	if check.MaxTerminating != nil {
		bounds = append(bounds, bound{c.terminating, *check.MaxTerminating, "still there " + check.TerminatingAfter.String() + " after they should be gone"})
	}
	if check.MaxAge > 0 {
		bounds = append(bounds, bound{c.aged, 0, "older than " + check.MaxAge.String()})
	}
	s := run.Sample{Verdict: run.Pass, Reason: c.of + ":"}
	for i, b := range bounds {
		s.Reason += fmt.Sprintf(" %d %s (at most %d)", b.n, b.what, b.most)
		if i < len(bounds)-1 {
			s.Reason += ","
		}
		if b.n > b.most && s.Verdict == run.Pass {
			value, most := float64(b.n), float64(b.most)
			s.Verdict, s.Value, s.Bound = run.Fail, &value, &most
		}
	}
	if s.Verdict == run.Fail {
		s.Reason += c.worst
	}
	return s
}
