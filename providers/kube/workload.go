package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"hubcap/engine/resource"
)

// A workload is an object that runs pods.
type workload struct {
	p        *Provider
	object   *unstructured.Unstructured
	kind     schema.GroupKind
	selector labels.Selector
	wanted   corev1.PodTemplateSpec // as the change wants it; as it is, without a change
	deadline bool                   // the author said how long a rollout may stand still
}

// workload reads what is needed of live. wanted may be nil.
func (p *Provider) workload(live *unstructured.Unstructured, wanted resource.Object) (*workload, error) {
	w := &workload{p: p, object: live, kind: live.GroupVersionKind().GroupKind()}
	selector, _, err := unstructured.NestedMap(live.Object, "spec", "selector")
	if err != nil {
		return nil, fmt.Errorf("read selector: %w", err)
	}
	var parsed metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(selector, &parsed); err != nil {
		return nil, fmt.Errorf("read selector: %w", err)
	}
	if w.selector, err = metav1.LabelSelectorAsSelector(&parsed); err != nil {
		return nil, fmt.Errorf("read selector: %w", err)
	}
	if w.selector.Empty() {
		w.selector = labels.Nothing()
	}
	_, w.deadline = wanted.Value("spec", "progressDeadlineSeconds")
	source := live.Object
	if _, has := wanted.Value("spec", "template"); has {
		source = resource.Reveal(wanted).(map[string]any)
	}
	template, _, err := unstructured.NestedMap(source, "spec", "template")
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(template, &w.wanted)
	}
	if err != nil {
		return nil, fmt.Errorf("read pod template: %w", err)
	}
	return w, nil
}

// pods returns the workload's own pods that have not ended, by name. It makes one
// LIST.
func (w *workload) pods(ctx context.Context) ([]corev1.Pod, error) {
	var list *corev1.PodList
	err := retryRead(ctx, func() (err error) {
		list, err = w.p.Client.Typed.CoreV1().Pods(w.object.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: w.selector.String()})
		return err
	})
	if err != nil {
		return nil, err
	}
	var own []corev1.Pod
	for _, pod := range list.Items {
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed && w.kind != jobKind
		if w.owns(&pod) && !ended {
			own = append(own, pod)
		}
	}
	slices.SortFunc(own, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return own, nil
}

// owns reports whether the workload made the pod; a Deployment does so through a
// ReplicaSet that bears its name.
func (w *workload) owns(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return false
	}
	if w.kind == deploymentKind {
		return owner.Kind == "ReplicaSet" && strings.HasPrefix(owner.Name, w.object.GetName()+"-")
	}
	return owner.UID == w.object.GetUID()
}

// untouched is the health of a workload whose pods do not count: its template is
// the wanted one, and its controller knows that.
func (w *workload) untouched() resource.Health {
	if by := w.templateMoved(); by != "" {
		return resource.Health{Reason: by}
	}
	if !w.observed() {
		return resource.Health{Reason: "its controller has not seen the change yet"}
	}
	return resource.Health{Ready: true}
}

// health looks at the pods first, because they tell why, and then at the
// workload's own status, because it tells what is still missing.
func (w *workload) health(ctx context.Context, result *status.Result) (resource.Health, error) {
	if h := w.untouched(); !h.Ready {
		return h, nil
	}
	pods, err := w.pods(ctx)
	if err != nil {
		return resource.Health{}, err
	}
	current, err := w.currentHash(ctx, pods)
	if err != nil {
		return resource.Health{}, err
	}
	var fresh, old []corev1.Pod
	for _, pod := range pods {
		if w.isFresh(&pod, current) {
			fresh = append(fresh, pod)
		} else {
			old = append(old, pod)
		}
	}
	if w.isPlaceholder() {
		return w.placeholderHealth(fresh, old), nil
	}
	if c := w.p.firstCause(ctx, fresh); c != nil && result.Status != status.CurrentStatus {
		return w.p.caused(ctx, *c), nil
	}
	return w.settled(ctx, result, fresh, old)
}

// settled is the health of a workload none of whose pods is in visible trouble.
func (w *workload) settled(ctx context.Context, result *status.Result, fresh, old []corev1.Pod) (resource.Health, error) {
	if result.Status == status.FailedStatus {
		h := resource.Health{Terminal: w.deadline || !w.late(), Reason: result.Message}
		if pod := firstUnready(fresh); pod != nil {
			h.Details = w.p.podDetails(ctx, pod, "")
		}
		return h, nil
	}
	if result.Status != status.CurrentStatus {
		h := resource.Health{Reason: result.Message}
		if pod := firstUnready(fresh); pod != nil {
			h.Details = []string{"pod " + pod.Name + ": " + waitingText(pod)}
		}
		w.p.refusedPods(ctx, w.object, &h)
		return h, nil
	}
	if w.keepsOld() {
		return resource.Health{Ready: true}, nil
	}
	if len(old) > 0 {
		return resource.Health{Reason: fmt.Sprintf("%d of %d pods are of the old template", len(old), len(old)+len(fresh))}, nil
	}
	if pod := firstUnready(fresh); pod != nil {
		return resource.Health{Reason: "pod " + pod.Name + ": " + waitingText(pod)}, nil
	}
	for i := range fresh {
		if wrong := w.wrongImage(&fresh[i]); wrong != "" {
			return resource.Health{Reason: "pod " + fresh[i].Name + ": " + wrong}, nil
		}
	}
	return resource.Health{Ready: true, Details: imageDetails(fresh)}, nil
}

// late reports a rollout that only took longer than Kubernetes thinks it should,
// which is ten minutes by default: a hub with many servers may need more. How long
// it may take is the step's to say, where the author did not write a deadline.
func (w *workload) late() bool {
	conditions, _, _ := unstructured.NestedSlice(w.object.Object, "status", "conditions")
	for _, c := range conditions {
		if m, _ := c.(map[string]any); m["type"] == "Progressing" && m["reason"] == "ProgressDeadlineExceeded" {
			return true
		}
	}
	return false
}

// observed reports whether the status is about the present spec. Before that, pods
// of the old template cannot be told from those of the new one.
func (w *workload) observed() bool {
	generation, _, _ := unstructured.NestedInt64(w.object.Object, "status", "observedGeneration")
	return generation >= w.object.GetGeneration()
}

// keepsOld reports a workload that keeps pods of its old template on purpose.
func (w *workload) keepsOld() bool {
	strategy, _, _ := unstructured.NestedString(w.object.Object, "spec", "updateStrategy", "type")
	partition, _, _ := unstructured.NestedInt64(w.object.Object, "spec", "updateStrategy", "rollingUpdate", "partition")
	return strategy == "OnDelete" || partition > 0
}

// templateMoved tells when the workload no longer wants what the change wants.
func (w *workload) templateMoved() string {
	var live corev1.PodTemplateSpec
	template, _, _ := unstructured.NestedMap(w.object.Object, "spec", "template")
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &live); err != nil {
		return "its pod template cannot be read"
	}
	images := containerImages(&live.Spec)
	for name, image := range containerImages(&w.wanted.Spec) {
		if images[name] != image {
			return fmt.Sprintf("somebody changed the image of container %s from %s to %s meanwhile", name, image, images[name])
		}
	}
	return ""
}

// isPlaceholder reports pods that only keep room: it is their purpose to be
// pushed out, so that waiting for them to run would be waiting for nobody to come.
func (w *workload) isPlaceholder() bool {
	var template corev1.PodTemplateSpec
	live, _, _ := unstructured.NestedMap(w.object.Object, "spec", "template")
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live, &template); err != nil {
		return false
	}
	component := template.Labels["component"]
	return component == "user-placeholder" || template.Labels["app.kubernetes.io/component"] == "user-placeholder"
}

func (w *workload) placeholderHealth(fresh, old []corev1.Pod) resource.Health {
	replicas, has, _ := unstructured.NestedInt64(w.object.Object, "spec", "replicas")
	if !has {
		replicas = 1
	}
	switch {
	case len(old) > 0:
		return resource.Health{Reason: fmt.Sprintf("%d placeholders are of the old template", len(old))}
	case int64(len(fresh)) != replicas:
		return resource.Health{Reason: fmt.Sprintf("%d of %d placeholders exist", len(fresh), replicas)}
	}
	return resource.Health{Ready: true}
}

// hashLabels are where controllers note the template a pod was made from.
var hashLabels = map[schema.GroupKind]string{
	deploymentKind:  appsv1.DefaultDeploymentUniqueLabelKey,
	statefulSetKind: appsv1.ControllerRevisionHashLabelKey,
	daemonSetKind:   appsv1.ControllerRevisionHashLabelKey,
}

// currentHash returns the hash of the workload's present template, or "" when it
// does not matter because all pods have the same and are ready: nothing is to be
// blamed on one of them.
func (w *workload) currentHash(ctx context.Context, pods []corev1.Pod) (string, error) {
	if w.kind == statefulSetKind {
		hash, _, _ := unstructured.NestedString(w.object.Object, "status", "updateRevision")
		return hash, nil
	}
	hashes := map[string]bool{}
	for _, pod := range pods {
		hashes[pod.Labels[hashLabels[w.kind]]] = true
	}
	isOther := func(pod corev1.Pod) bool { return w.otherImage(&pod) != "" }
	if len(hashes) < 2 && firstUnready(pods) == nil && !slices.ContainsFunc(pods, isOther) {
		return "", nil
	}
	if w.kind == deploymentKind {
		return w.replicaSetHash(ctx)
	}
	return w.revisionHash(ctx)
}

func (w *workload) replicaSetHash(ctx context.Context) (string, error) {
	const revision = "deployment.kubernetes.io/revision"
	list, err := w.p.Client.Typed.AppsV1().ReplicaSets(w.object.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: w.selector.String()})
	if err != nil {
		return "", err
	}
	for _, rs := range list.Items {
		if metav1.IsControlledBy(&rs, w.object) && rs.Annotations[revision] == w.object.GetAnnotations()[revision] {
			return rs.Labels[appsv1.DefaultDeploymentUniqueLabelKey], nil
		}
	}
	return "", nil
}

func (w *workload) revisionHash(ctx context.Context) (string, error) {
	list, err := w.p.Client.Typed.AppsV1().ControllerRevisions(w.object.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: w.selector.String()})
	if err != nil {
		return "", err
	}
	var latest appsv1.ControllerRevision
	for _, r := range list.Items {
		if metav1.IsControlledBy(&r, w.object) && r.Revision > latest.Revision {
			latest = r
		}
	}
	return latest.Labels[appsv1.ControllerRevisionHashLabelKey], nil
}

// isFresh reports whether pod was made from the wanted template.
func (w *workload) isFresh(pod *corev1.Pod, current string) bool {
	if current != "" {
		return pod.Labels[hashLabels[w.kind]] == current
	}
	if w.wrongImage(pod) != "" {
		return false
	}
	for name, value := range w.wanted.Annotations {
		if pod.Annotations[name] != value {
			return false
		}
	}
	return true
}

// wrongImage tells when a container of pod does not run the wanted image, unless the
// pod was made with the other one: an admission plugin changed it then, while its
// template is the wanted one.
func (w *workload) wrongImage(pod *corev1.Pod) string {
	name := w.otherImage(pod)
	if name == "" || madeWith(pod, "image") {
		return ""
	}
	return fmt.Sprintf("container %s runs %s, wanted is %s", name, containerImages(&pod.Spec)[name], containerImages(&w.wanted.Spec)[name])
}

// otherImage returns the first container of pod whose image is another than that of
// the wanted template, or "". An admission plugin may have added the digest to a tag.
func (w *workload) otherImage(pod *corev1.Pod) string {
	images := containerImages(&pod.Spec)
	for _, name := range slices.Sorted(maps.Keys(containerImages(&w.wanted.Spec))) {
		wanted := containerImages(&w.wanted.Spec)[name]
		if images[name] != wanted && !strings.HasPrefix(images[name], wanted+"@") {
			return name
		}
	}
	return ""
}

// madeWith reports whether a field of every container was written by who made the pod,
// as far as its managed fields tell, and so by nobody since.
func madeWith(pod *corev1.Pod, field string) bool {
	restarts := fieldpath.MakePathOrDie("spec", "restartPolicy") // written when a pod is made, and never again
	for _, entry := range pod.ManagedFields {
		set, err := entrySet(entry)
		if err != nil || entry.Subresource != "" || !set.Has(restarts) {
			continue
		}
		for list, containers := range map[string][]corev1.Container{"containers": pod.Spec.Containers, "initContainers": pod.Spec.InitContainers} {
			for _, c := range containers {
				if !set.Has(fieldpath.MakePathOrDie("spec", list, fieldpath.KeyByFields("name", c.Name), field)) {
					return false
				}
			}
		}
		return true
	}
	return false
}

func containerImages(spec *corev1.PodSpec) map[string]string {
	images := map[string]string{}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		images[c.Name] = c.Image
	}
	return images
}

// imageDetails lists the images by digest, where the nodes have reported it.
func imageDetails(pods []corev1.Pod) []string {
	seen := map[string]bool{}
	for _, pod := range pods {
		for _, c := range pod.Status.ContainerStatuses {
			if c.ImageID != "" {
				seen[c.Name+" runs "+c.ImageID] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
