package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podFrom reads what the model needs of a pod.
func podFrom(p *corev1.Pod) Pod {
	pod := Pod{
		Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Component: p.Labels["component"],
		Running: p.Status.Phase == corev1.PodRunning, Deleting: p.DeletionTimestamp != nil, Created: p.CreationTimestamp.Time,
	}
	for _, c := range p.Spec.Containers {
		pod.Tags = append(pod.Tags, tagOf(c.Image))
	}
	if len(p.Spec.Containers) > 0 {
		first := p.Spec.Containers[0]
		pod.Image = first.Image
		pod.MemoryLimit = first.Resources.Limits.Memory().Value()
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			pod.Ready = c.Status == corev1.ConditionTrue
		}
	}
	return pod
}

// carryOut does what a model wants. What is there already, or gone already, is fine.
func (s *Simulator) carryOut(ctx context.Context, namespace string, c Command) error {
	pods := s.opts.API.CoreV1().Pods(namespace)
	switch c := c.(type) {
	case CreateUser:
		s.mu.Lock()
		pod := userPod(c, s.settings(namespace))
		s.mu.Unlock()
		if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			s.failed(namespace, c.Pod, err)
			return fmt.Errorf("make pod %s: %w", c.Pod, err)
		}
	case CreateBuild:
		if _, err := pods.Create(ctx, buildPod(c), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("make pod %s: %w", c.Pod, err)
		}
	case Delete:
		now := int64(0)
		if err := pods.Delete(ctx, c.Pod, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete pod %s: %w", c.Pod, err)
		}
	case SetReady:
		return s.patchStatus(ctx, namespace, c.Pod, c.UID, func(p *corev1.PodStatus) { setReady(p, true) })
	case Restart:
		return s.patchStatus(ctx, namespace, c.Pod, c.UID, func(p *corev1.PodStatus) {
			setReady(p, false)
			for i := range p.ContainerStatuses {
				p.ContainerStatuses[i].RestartCount++
				p.ContainerStatuses[i].LastTerminationState = corev1.ContainerState{
					Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", FinishedAt: metav1.Now()},
				}
			}
		})
	}
	return nil
}

// failed tells the model that a user's pod was refused.
func (s *Simulator) failed(namespace, pod string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hubs[namespace]; h != nil && h.servers[pod] != nil {
		h.fail(h.servers[pod], err.Error())
	}
}

func setReady(status *corev1.PodStatus, ready bool) {
	value := corev1.ConditionFalse
	if ready {
		value = corev1.ConditionTrue
	}
	for i, c := range status.Conditions {
		if (c.Type == corev1.PodReady || c.Type == corev1.ContainersReady) && c.Status != value {
			status.Conditions[i].Status = value
			status.Conditions[i].Reason, status.Conditions[i].Message = "", ""
			status.Conditions[i].LastTransitionTime = metav1.Now()
		}
	}
	for i := range status.ContainerStatuses {
		status.ContainerStatuses[i].Ready = ready
		status.ContainerStatuses[i].Started = &ready
	}
}

// patchStatus changes a pod's status as the kubelet would, if it is still that pod.
func (s *Simulator) patchStatus(ctx context.Context, namespace, name, uid string, change func(*corev1.PodStatus)) error {
	p, err := s.opts.API.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && string(p.UID) != uid {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read pod %s: %w", name, err)
	}
	change(&p.Status)
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": uid},
		"status":   map[string]any{"conditions": p.Status.Conditions, "containerStatuses": p.Status.ContainerStatuses},
	})
	if err != nil {
		return err
	}
	_, err = s.opts.API.CoreV1().Pods(namespace).Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("set the status of pod %s: %w", name, err)
	}
	return nil
}

var tolerations = []corev1.Toleration{
	{Key: "hub.jupyter.org/dedicated", Operator: corev1.TolerationOpEqual, Value: "user", Effect: corev1.TaintEffectNoSchedule},
	{Key: "hub.jupyter.org_dedicated", Operator: corev1.TolerationOpEqual, Value: "user", Effect: corev1.TaintEffectNoSchedule},
}

func small() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("32Mi"),
	}}
}

// userPod is the pod that kubespawner would make.
func userPod(c CreateUser, settings Settings) *corev1.Pod {
	no, now := false, int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: c.Pod,
			Labels: map[string]string{
				"app": "jupyterhub", "component": userComponent, "heritage": "jupyterhub",
				"app.kubernetes.io/name": "jupyterhub", "app.kubernetes.io/component": userComponent, "app.kubernetes.io/managed-by": "kubespawner",
				"hub.jupyter.org/username": c.User, "hub.jupyter.org/servername": c.Server, "hub.jupyter.org/network-access-hub": "true",
			},
			Annotations: map[string]string{"hub.jupyter.org/username": c.User, "hub.jupyter.org/servername": c.Server},
		},
		Spec: corev1.PodSpec{
			NodeSelector: maps.Clone(settings.NodeSelector), Tolerations: tolerations,
			AutomountServiceAccountToken: &no, RestartPolicy: corev1.RestartPolicyOnFailure, TerminationGracePeriodSeconds: &now,
			Containers: []corev1.Container{{
				Name: "notebook", Image: c.Image, Resources: small(),
				Ports: []corev1.ContainerPort{{Name: "notebook-port", ContainerPort: 8888}},
			}},
		},
	}
}

// buildPod is the pod that BinderHub would make.
func buildPod(c CreateBuild) *corev1.Pod {
	no, now := false, int64(0)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:        c.Pod,
			Labels:      map[string]string{"name": c.Pod, "component": buildComponent},
			Annotations: map[string]string{"binder-repo": c.Repo},
		},
		Spec: corev1.PodSpec{
			Tolerations: tolerations, AutomountServiceAccountToken: &no,
			RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &now,
			Containers: []corev1.Container{{
				Name: "builder", Image: "quay.io/jupyterhub/repo2docker:2026.4.1", Resources: small(),
				Args: []string{"jupyter-repo2docker", "--ref", "main", "--image", c.Image, "--push", c.Repo},
			}},
		},
	}
}

// install keeps KWOK from saying that a hub is ready before it has started: this
// simulator says so. It is a policy of the cluster, so no object of the hub's
// author is changed.
func (s *Simulator) install(ctx context.Context) error {
	const name = "sandbox-hub-starts"
	meta := metav1.ObjectMeta{Name: name}
	policy := &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: meta,
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
				},
			}}},
			MatchConditions: []admissionv1.MatchCondition{{
				Name:       name,
				Expression: `object.metadata.?labels["component"].orValue("") == "hub" && !("sandbox.hubcap.dev/ready-after" in object.metadata.?annotations.orValue({}))`,
			}},
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeApplyConfiguration,
				ApplyConfiguration: &admissionv1.ApplyConfiguration{
					Expression: `Object{metadata: Object.metadata{annotations: {"sandbox.hubcap.dev/ready-after": "240h"}}}`,
				},
			}},
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
		},
	}
	binding := &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: meta, Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
	}
	admission := s.opts.API.AdmissionregistrationV1()
	if _, err := admission.MutatingAdmissionPolicies().Create(ctx, policy, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make policy %s: %w", name, err)
	}
	if _, err := admission.MutatingAdmissionPolicyBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("bind policy %s: %w", name, err)
	}
	return nil
}
