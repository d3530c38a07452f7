package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hubcap/engine/resource"
)

// A change of an object is what its fields are. The rules below say what is known of
// the fields of each kind; what they do not name counts as a restart of the component
// that the object belongs to: unknown is never harmless. Node pools have rules of
// their own, see poolClass, and so have pod templates.

// inPlace are the fields, by kind, that take effect in place: nothing restarts, and
// nobody is cut off. A kind without a group is meant in every group.
var inPlace = map[string][]string{
	"ConfigMap":                      {"data", "binaryData", "immutable"},
	"Secret":                         {"data", "stringData", "immutable"},
	"ServiceAccount":                 {"secrets", "imagePullSecrets", "automountServiceAccountToken"},
	"Role":                           {"rules"},
	"ClusterRole":                    {"rules", "aggregationRule"},
	"RoleBinding":                    {"subjects", "roleRef"},
	"ClusterRoleBinding":             {"subjects", "roleRef"},
	"NetworkPolicy":                  {"spec"},
	"CiliumNetworkPolicy":            {"spec", "specs"},
	"PodDisruptionBudget":            {"spec"},
	"HorizontalPodAutoscaler":        {"spec"},
	"ScaledObject":                   {"spec"},
	"PersistentVolumeClaim":          {"spec.resources", "spec.volumeAttributesClassName"},
	"PersistentVolume":               {"spec.capacity", "spec.mountOptions"},
	"PriorityClass":                  {"value", "globalDefault", "preemptionPolicy", "description"},
	"StorageClass":                   {"parameters", "provisioner", "reclaimPolicy", "allowVolumeExpansion", "volumeBindingMode", "mountOptions", "allowedTopologies"},
	"CustomResourceDefinition":       {"spec"},
	"ValidatingWebhookConfiguration": {"webhooks"},
	"MutatingWebhookConfiguration":   {"webhooks"},
	"ValidatingAdmissionPolicy":      {"spec"},
	"Issuer":                         {"spec"},
	"ClusterIssuer":                  {"spec"},
	"Certificate":                    {"spec"},
	"ExternalSecret":                 {"spec"},
	"SecretStore":                    {"spec"},
	"ClusterSecretStore":             {"spec"},
	"SealedSecret":                   {"spec"},
	"ServiceMonitor":                 {"spec"},
	"PodMonitor":                     {"spec"},
	"PrometheusRule":                 {"spec"},
	"Probe":                          {"spec"},
	"PodMonitoring":                  {"spec"},
	"ClusterPodMonitoring":           {"spec"},
	"Rules":                          {"spec"},
	"CronJob":                        {"spec"}, // running jobs go on, the next one is new
	"Deployment":                     {"spec.replicas", "spec.strategy", "spec.minReadySeconds", "spec.revisionHistoryLimit", "spec.progressDeadlineSeconds", "spec.paused"},
	"StatefulSet":                    {"spec.replicas", "spec.updateStrategy", "spec.minReadySeconds", "spec.revisionHistoryLimit", "spec.persistentVolumeClaimRetentionPolicy", "spec.ordinals"},
	"DaemonSet":                      {"spec.updateStrategy", "spec.minReadySeconds", "spec.revisionHistoryLimit"},
	"ReplicaSet":                     {"spec.replicas", "spec.minReadySeconds"},
	"Pod":                            {"spec"}, // see touchesTemplate
	"Job":                            {"spec.backoffLimit", "spec.activeDeadlineSeconds", "spec.ttlSecondsAfterFinished", "spec.parallelism"},
	"Service": {"spec.sessionAffinity", "spec.sessionAffinityConfig", "spec.externalTrafficPolicy", "spec.internalTrafficPolicy", "spec.publishNotReadyAddresses",
		"spec.allocateLoadBalancerNodePorts", "spec.healthCheckNodePort", "spec.trafficDistribution", "spec.ipFamilyPolicy", "spec.ipFamilies"},
}

// forNewPods are the fields that only pods feel that are made later.
var forNewPods = map[string][]string{
	"ResourceQuota": {"spec"},
	"LimitRange":    {"spec"},
}

// podSecurity begins the labels of a namespace that say which pods it admits.
const podSecurity = "pod-security.kubernetes.io/"

// replaceable are the kinds that nobody's running pods depend on: made anew, they
// disturb nobody.
var replaceable = map[string]bool{
	"PriorityClass": true, "StorageClass": true, "RoleBinding": true, "ClusterRoleBinding": true,
	"Job": true, "CronJob": true, "CSIDriver": true,
}

// routes are the kinds that lead people to a hub.
var routes = map[string]bool{
	"Ingress": true, "HTTPRoute": true, "TLSRoute": true, "TCPRoute": true, "GRPCRoute": true, "Gateway": true,
	"IngressRoute": true, "VirtualService": true, "IngressClass": true, "GatewayClass": true,
}

// ours are annotations and labels that nothing acts on: hubcap's, Helm's, and those
// that only name things.
var ours = []string{
	"hubcap.dev/", "helm.sh/", "meta.helm.sh/", "app.kubernetes.io/", "kubectl.kubernetes.io/", "deployment.kubernetes.io/", "checksum/",
	"kubernetes.io/metadata.name", "kubernetes.io/description", "argocd.argoproj.io/", "prometheus.io/",
}

// idle are the components that hold or clear room and that nobody waits for: they may
// go away.
var idle = map[string]bool{
	"user-placeholder": true, "image-cleaner": true, "image-puller": true, "continuous-image-puller": true, "user-scheduler": true, "crds": true, "namespace": true,
}

// ruleless returns the fields of a change that no rule is about.
func ruleless(c *resource.Change) []string {
	var fields []string
	for _, f := range c.Fields {
		if !hasRule(c.ID.Kind, f.Path) {
			fields = append(fields, f.Path)
		}
	}
	return fields
}

func hasRule(kind, path string) bool {
	if inner, isMeta := strings.CutPrefix(path, "metadata."); isMeta {
		return metaRule(kind, inner)
	}
	if path == "apiVersion" || path == "kind" {
		return true
	}
	return under(path, inPlace[kind]) || under(path, forNewPods[kind]) || workloads[kind] && under(path, []string{"spec.template"})
}

// metaRule says whether labels and annotations are known to do nothing. Those of
// routes, Services and namespaces steer traffic and policies, and of a kind without
// rules nothing is known.
func metaRule(kind, path string) bool {
	field, key := path, ""
	if i := strings.IndexAny(path, ".["); i >= 0 {
		field, key = path[:i], strings.Trim(path[i:], `.[]"`)
	}
	switch field {
	case "labels", "annotations":
	case "finalizers", "ownerReferences", "name", "namespace", "generateName":
		return field == "finalizers"
	}
	if slices.ContainsFunc(ours, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
		return true
	}
	if kind == "ServiceAccount" && field == "annotations" {
		return false // what pods are in the cloud
	}
	if kind == "Namespace" {
		return strings.HasPrefix(key, podSecurity)
	}
	if routes[kind] || kind == "Service" || kind == "Gateway" {
		return field == "labels"
	}
	return workloads[kind] || len(inPlace[kind])+len(forNewPods[kind]) > 0
}

// known sorts out a change that is neither a workload's nor a node pool's: its class
// by the rules, or that of a restart.
func known(c *resource.Change) resource.Class {
	switch {
	case c.Action == resource.Replace && replaceable[c.ID.Kind]:
		return resource.ClassLive
	case c.Action == resource.Replace:
		c.Notes = append(c.Notes, "is away while it is made anew")
		return unknownClass(c.Component, c.ID.Kind)
	case routes[c.ID.Kind]:
		return routeClass(c)
	case c.ID.Kind == "Service":
		return serviceClass(c)
	}
	if fields := ruleless(c); len(fields) > 0 {
		return unknown(c, fields)
	}
	if slices.ContainsFunc(c.Fields, func(f resource.Field) bool {
		return under(f.Path, forNewPods[c.ID.Kind]) || c.ID.Kind == "Namespace" && strings.Contains(f.Path, podSecurity)
	}) {
		return resource.ClassNewSpawns
	}
	return resource.ClassLive
}

// unknown classes a change with fields that no rule is about, and says so.
func unknown(c *resource.Change, fields []string) resource.Class {
	shown := fields[:min(len(fields), 3)]
	more := ""
	if n := len(fields) - len(shown); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	c.Notes = append(c.Notes, fmt.Sprintf("no rule says what %s of a %s does%s: counted as a restart", strings.Join(shown, ", "), c.ID.Kind, more))
	c.Impact.Unknown = true
	return unknownClass(c.Component, c.ID.Kind)
}

// unknownClass is what an unknown change of a component counts as.
func unknownClass(component resource.Component, kind string) resource.Class {
	if routes[kind] {
		return resource.ClassProxy
	}
	return restartClass(component)
}

// routeClass tells a route that only gains something from one that people lose.
func routeClass(c *resource.Change) resource.Class {
	if lost := lostEntries(entries(c.Before), entries(c.After)); len(lost) > 0 {
		c.Notes = append(c.Notes, "no longer leads to "+strings.Join(lost, ", "))
		return resource.ClassProxy
	}
	var fields []string
	for _, f := range ruleFields(c, "spec.rules", "spec.tls", "spec.defaultBackend", "spec.hostnames", "spec.parentRefs", "spec.listeners") {
		fields = append(fields, f.Path)
	}
	if len(fields) > 0 {
		return unknown(c, fields)
	}
	return resource.ClassLive
}

// ruleFields returns the fields of a change that are neither below one of paths nor
// have a rule.
func ruleFields(c *resource.Change, paths ...string) []resource.Field {
	var fields []resource.Field
	for _, f := range c.Fields {
		if !under(f.Path, paths) && !hasRule(c.ID.Kind, f.Path) {
			fields = append(fields, f)
		}
	}
	return fields
}

// entries returns what a route leads to: each host with each path and backend, each
// certificate, each listener and parent.
func entries(o resource.Object) []string {
	var all []string
	spec, _ := o.Value("spec")
	add := func(parts ...any) { all = append(all, fmt.Sprint(parts...)) }
	s := asMap(spec)
	for _, r := range elements(s["rules"]) {
		for _, p := range elements(asMap(r["http"])["paths"]) {
			add(text(r["host"]), text(p["path"]), " → ", backend(p["backend"]))
		}
		for _, backendRef := range elements(r["backendRefs"]) {
			add(fmt.Sprint(r["matches"]), " → ", text(backendRef["name"]))
		}
	}
	if d := s["defaultBackend"]; d != nil {
		add("default → ", backend(d))
	}
	for _, t := range elements(s["tls"]) {
		hosts, _ := t["hosts"].([]any)
		for _, h := range hosts {
			add("https://", text(h))
		}
	}
	hostnames, _ := s["hostnames"].([]any)
	for _, h := range hostnames {
		add(text(h))
	}
	for _, p := range elements(s["parentRefs"]) {
		add("gateway ", text(p["namespace"]), "/", text(p["name"]))
	}
	for _, l := range elements(s["listeners"]) {
		add("listener ", text(l["hostname"]), ":", fmt.Sprint(l["port"]))
	}
	return all
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func backend(v any) string {
	service := asMap(asMap(v)["service"])
	return text(service["name"]) + ":" + text(cmp.Or(text(asMap(service["port"])["name"]), text(asMap(service["port"])["number"])))
}

func lostEntries(before, after []string) []string {
	var lost []string
	for _, e := range before {
		if !slices.Contains(after, e) {
			lost = append(lost, e)
		}
	}
	return sortedSet(lost)
}

// serviceClass tells a Service that only gains ports from one that leads elsewhere.
func serviceClass(c *resource.Change) resource.Class {
	var fields []string
	for _, f := range ruleFields(c, "spec.ports", "spec.selector", "spec.type") {
		fields = append(fields, f.Path)
	}
	switch {
	case len(lostEntries(ports(c.Before), ports(c.After))) > 0:
		c.Notes = append(c.Notes, "no longer serves "+strings.Join(lostEntries(ports(c.Before), ports(c.After)), ", "))
	case !sameAt(c, "spec", "selector"):
		c.Notes = append(c.Notes, "leads to other pods")
	case !sameAt(c, "spec", "type"):
		c.Notes = append(c.Notes, "is reached in another way: "+c.Before.Text("spec", "type")+" → "+c.After.Text("spec", "type"))
	case len(fields) > 0:
		return unknown(c, fields)
	default:
		return resource.ClassLive
	}
	return restartClass(c.Component)
}

func ports(o resource.Object) []string {
	var all []string
	list, _ := o.Value("spec", "ports")
	for _, p := range elements(list) {
		all = append(all, fmt.Sprintf("port %v (%v)", p["port"], cmp.Or(text(p["targetPort"]), text(p["port"]))))
	}
	return all
}

func sameAt(c *resource.Change, path ...string) bool {
	was, _ := c.Before.Value(path...)
	is, _ := c.After.Value(path...)
	return is == nil || resource.Equal(resource.Reveal(was), resource.Reveal(is))
}
