package sim

import (
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// kubeMetrics is what kube-state-metrics, and cAdvisor for the simulated programs,
// say of the cluster.
func (s *Simulator) kubeMetrics(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pods, _ := s.factory.Core().V1().Pods().Lister().List(labels.Everything())
	nodes, _ := s.factory.Core().V1().Nodes().Lister().List(labels.Everything())
	e := exposition{w}
	e.podState(pods)
	e.containerState(pods)
	e.nodeState(nodes)
	s.cadvisor(e)
}

func (e exposition) podState(pods []*corev1.Pod) {
	phases := []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed, corev1.PodUnknown}
	phase, info, created, deleted, named, scheduled, ready := counters{}, counters{}, counters{}, counters{}, counters{}, counters{}, counters{}
	for _, p := range pods {
		name := []string{"namespace", p.Namespace, "pod", p.Name}
		of := func(more ...string) metricLabels { return labelled(append(slices.Clone(name), more...)...) }
		for _, f := range phases {
			phase[of("phase", string(f))] = flag(p.Status.Phase == f)
		}
		info[of("node", p.Spec.NodeName)] = 1
		created[of()] = float64(p.CreationTimestamp.Unix())
		if p.DeletionTimestamp != nil {
			deleted[of()] = float64(p.DeletionTimestamp.Unix())
		}
		named[of("label_app", p.Labels["app"], "label_component", p.Labels["component"],
			"label_hub_jupyter_org_username", p.Labels["hub.jupyter.org/username"])] = 1
		for _, c := range p.Status.Conditions {
			switch c.Type {
			case corev1.PodScheduled:
				scheduled[of("condition", conditionWord(c.Status))] = 1
			case corev1.PodReady:
				ready[of("condition", conditionWord(c.Status))] = 1
			}
		}
	}
	e.gauges("kube_pod_status_phase", "The pods current phase.", phase)
	e.gauges("kube_pod_info", "Information about pod.", info)
	e.gauges("kube_pod_created", "Unix creation timestamp", created)
	e.gauges("kube_pod_deletion_timestamp", "Unix deletion timestamp", deleted)
	e.gauges("kube_pod_labels", "Kubernetes labels converted to Prometheus labels.", named)
	e.gauges("kube_pod_status_scheduled", "Describes the status of the scheduling process for the pod.", scheduled)
	e.gauges("kube_pod_status_ready", "Describes whether the pod is ready to serve requests.", ready)
}

func conditionWord(s corev1.ConditionStatus) string {
	switch s {
	case corev1.ConditionTrue:
		return "true"
	case corev1.ConditionFalse:
		return "false"
	}
	return "unknown"
}

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (e exposition) containerState(pods []*corev1.Pod) {
	restarts, ready, waiting, requests, limits := counters{}, counters{}, counters{}, counters{}, counters{}
	for _, p := range pods {
		for _, c := range p.Status.ContainerStatuses {
			l := labelled("namespace", p.Namespace, "pod", p.Name, "container", c.Name)
			restarts[l] = float64(c.RestartCount)
			ready[l] = flag(c.Ready)
			if c.State.Waiting != nil {
				waiting[labelled("namespace", p.Namespace, "pod", p.Name, "container", c.Name, "reason", c.State.Waiting.Reason)] = 1
			}
		}
		for _, c := range p.Spec.Containers {
			of := func(resource, unit string) metricLabels {
				return labelled("namespace", p.Namespace, "pod", p.Name, "container", c.Name, "node", p.Spec.NodeName, "resource", resource, "unit", unit)
			}
			amounts(requests, of, c.Resources.Requests)
			amounts(limits, of, c.Resources.Limits)
		}
	}
	e.counters("kube_pod_container_status_restarts_total", "The number of container restarts per container.", restarts)
	e.gauges("kube_pod_container_status_ready", "Describes whether the containers readiness check succeeded.", ready)
	e.gauges("kube_pod_container_status_waiting_reason", "Describes the reason the container is currently in waiting state.", waiting)
	e.gauges("kube_pod_container_resource_requests", "The number of requested request resource by a container.", requests)
	e.gauges("kube_pod_container_resource_limits", "The number of requested limit resource by a container.", limits)
}

func amounts(into counters, of func(resource, unit string) metricLabels, list corev1.ResourceList) {
	if cpu, given := list[corev1.ResourceCPU]; given {
		into[of("cpu", "core")] = cpu.AsApproximateFloat64()
	}
	if memory, given := list[corev1.ResourceMemory]; given {
		into[of("memory", "byte")] = float64(memory.Value())
	}
}

func (e exposition) nodeState(nodes []*corev1.Node) {
	info, created, cordoned, pools, capacity, conditions := counters{}, counters{}, counters{}, counters{}, counters{}, counters{}
	for _, n := range nodes {
		of := func(more ...string) metricLabels { return labelled(append([]string{"node", n.Name}, more...)...) }
		info[of("kubelet_version", n.Status.NodeInfo.KubeletVersion)] = 1
		created[of()] = float64(n.CreationTimestamp.Unix())
		cordoned[of()] = flag(n.Spec.Unschedulable)
		pools[of("label_cloud_google_com_gke_nodepool", n.Labels["cloud.google.com/gke-nodepool"])] = 1
		amounts(capacity, func(resource, unit string) metricLabels { return of("resource", resource, "unit", unit) }, n.Status.Capacity)
		for _, c := range n.Status.Conditions {
			for _, status := range []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown} {
				conditions[of("condition", string(c.Type), "status", conditionWord(status))] = flag(c.Status == status)
			}
		}
	}
	e.gauges("kube_node_info", "Information about a cluster node.", info)
	e.gauges("kube_node_created", "Unix creation timestamp", created)
	e.gauges("kube_node_spec_unschedulable", "Whether a node can schedule new pods.", cordoned)
	e.gauges("kube_node_labels", "Kubernetes labels converted to Prometheus labels.", pools)
	e.gauges("kube_node_status_capacity", "The total amount of resources available for a node.", capacity)
	e.gauges("kube_node_status_condition", "The condition of a cluster node.", conditions)
}

// cadvisor tells of the containers hub and binder.
func (s *Simulator) cadvisor(e exposition) {
	memory, rss, cpu, threads := counters{}, counters{}, counters{}, counters{}
	for _, namespace := range s.namespaces() {
		h := s.hubs[namespace]
		if p := h.hub; p != nil {
			l := labelled("namespace", namespace, "pod", p.pod, "container", "hub", "image", p.image)
			rss[l] = p.memory(len(h.servers), h.users())
			memory[l] = rss[l] + 12*mib
			cpu[l] = p.cpu
			threads[l] = p.threads
		}
		for _, b := range h.binders {
			l := labelled("namespace", namespace, "pod", b.pod, "container", "binder", "image", b.image)
			rss[l], memory[l], cpu[l], threads[l] = b.memory, b.memory+8*mib, b.cpu, 20+b.connects
		}
	}
	e.gauges("container_memory_working_set_bytes", "Current working set of the container in bytes.", memory)
	e.gauges("container_memory_rss", "Size of RSS in bytes.", rss)
	e.counters("container_cpu_usage_seconds_total", "Cumulative cpu time consumed by the container in core-seconds", cpu)
	e.gauges("container_threads", "Number of threads running inside the container.", threads)
}
