package modules_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

type m = map[string]any

// scenarios are the renderings that several tests look at. mybinder has the
// values of mybinder.org's members (DOMAIN §2, §5, §8.1).
var scenarios = map[string]release{
	"jupyterhub":          {chart: "jupyterhub"},
	"jupyterhub, full":    {chart: "jupyterhub", values: fullValues},
	"binderhub":           {chart: "binderhub"},
	"binderhub, mybinder": {chart: "binderhub", values: mybinderValues},
	"binderhub, pink":     {chart: "binderhub", values: m{"imageBuilderType": "pink"}},
}

var podTolerations = []any{m{"key": "example.org/spot", "operator": "Exists"}}

// fullValues switches on everything the jupyterhub chart can render.
var fullValues = m{
	"imagePullSecret": m{"create": true, "registry": "registry.example", "username": "u", "password": "p", "email": "a@example.org"},
	"hub": m{
		"resources": m{"requests": m{"cpu": "250m", "memory": "1Gi"}, "limits": m{"cpu": "2", "memory": "1Gi"}},
		"pdb":       m{"enabled": true}, "revisionHistoryLimit": 3, "tolerations": podTolerations,
		"nodeSelector":   m{"pool": "core"},
		"extraPodSpec":   m{"priorityClassName": "binderhub-core"},
		"extraFiles":     m{"logo": m{"mountPath": "/srv/logo.svg", "stringData": "<svg/>"}},
		"extraEnv":       m{"LEVEL": 1000000, "FROM": m{"valueFrom": m{"fieldRef": m{"fieldPath": "metadata.name"}}}},
		"existingSecret": "own", "extraVolumes": []any{m{"name": "v", "emptyDir": m{}}},
		"extraVolumeMounts": []any{m{"name": "v", "mountPath": "/v"}},
		"services":          m{"hub-health": m{}, "given": m{"apiToken": "0123"}},
		"db":                m{"password": "dbsecret", "pvc": m{"storageClassName": "standard"}},
		"service":           m{"type": "NodePort", "ports": m{"nodePort": 30081}},
	},
	"proxy": m{
		"https": m{"enabled": true, "type": "manual", "manual": m{"key": "KEY", "cert": "CERT"}},
		"chp": m{
			"resources": m{"requests": m{"memory": "320Mi"}, "limits": m{"memory": "320Mi"}}, "pdb": m{"enabled": true},
			"extraCommandLineFlags": []any{"--metrics-port={{ 8002 }}"},
		},
		"service": m{"loadBalancerSourceRanges": []any{"10.0.0.0/8"}},
	},
	"singleuser": m{
		"cpu": m{"guarantee": 0.01, "limit": 1}, "memory": m{"guarantee": "450M", "limit": 2147483648},
		"nodeSelector": m{"pool": "user"}, "extraTolerations": podTolerations,
		"extraNodeAffinity": m{"preferred": []any{m{"weight": 1, "preference": m{"matchExpressions": []any{m{"key": "ssd", "operator": "Exists"}}}}}},
		"extraPodAffinity":  m{"required": []any{m{"topologyKey": "kubernetes.io/hostname", "labelSelector": m{"matchLabels": m{"a": "b"}}}}},
		"extraFiles": m{
			"server": m{"mountPath": "/etc/jupyter/jupyter_server_config.json", "data": m{"MappingKernelManager": m{"cull_idle_timeout": 600}}},
			"yaml":   m{"mountPath": "/etc/x.yaml", "data": m{"a": 1}, "mode": 420},
			"binary": m{"mountPath": "/etc/x.bin", "binaryData": "AAEC"},
		},
		"profileList": []any{m{
			"display_name": "GPU", "kubespawner_override": m{"image": "quay.io/example/gpu:1"},
			"profile_options": m{"image": m{"display_name": "Image", "choices": m{"r": m{"display_name": "R", "kubespawner_override": m{"image": "quay.io/example/r:2"}}}}},
		}},
	},
	"scheduling": m{
		"userScheduler": m{"enabled": true}, "podPriority": m{"enabled": true}, "userPlaceholder": m{"replicas": 10},
		"userPods": m{"nodeAffinity": m{"matchNodePurpose": "require"}}, "corePods": m{"nodeAffinity": m{"matchNodePurpose": "require"}},
	},
	"prePuller": m{"hook": m{"enabled": true}, "continuous": m{"enabled": true}, "extraImages": m{"x": m{"name": "quay.io/example/x", "tag": "3"}}},
	"ingress": m{
		"enabled": true, "hosts": []any{"hub.example.org"}, "ingressClassName": "nginx",
		"tls": []any{m{"secretName": "tls", "hosts": []any{"hub.example.org"}}},
	},
	"cull": m{"maxAge": 604800}, "debug": m{"enabled": true}, "custom": m{"anything": m{"goes": true}},
}

var mybinderValues = m{
	"replicas": 2, "service": m{"type": "ClusterIP"}, "cors": m{"allowOrigin": "*"}, "extraEnv": m{"GOOGLE": "x", "N": 1}, "imageBuilderType": "dind",
	"resources":    m{"requests": m{"cpu": "0.2", "memory": "1Gi"}, "limits": m{"cpu": "2", "memory": "1Gi"}},
	"extraPodSpec": m{"priorityClassName": "binderhub-core"},
	"nodeSelector": m{"mybinder.org/pool-type": "core"},
	"registry":     m{"url": "https://gcr.io", "password": "{\"private_key\": \"x\"}"},
	"dind": m{
		"hostLibDir": "/mnt/disks/ssd0/dind",
		"resources":  m{"requests": m{"cpu": "2", "memory": "1Gi"}, "limits": m{"cpu": "5", "memory": "12Gi"}},
	},
	"imageCleaner": m{"cordon": false, "imageGCThresholdType": "absolute", "imageGCThresholdHigh": 250e9, "imageGCThresholdLow": 100e9},
	"ingress":      m{"enabled": true, "https": m{"enabled": true}, "hosts": []any{"gke.mybinder.org"}},
	"extraConfig":  m{"01-eventlog": "c.EventLog.allowed_schemas = []"},
	"config": m{
		"BinderHub": m{
			"image_prefix": "gcr.io/binder-prod/r2d-g5b5b759-", "per_repo_quota": 100, "per_repo_quota_higher": 200,
			"hub_url": "https://hub.gke.mybinder.org/", "build_node_selector": m{"mybinder.org/pool-type": "users"},
		},
		"LaunchQuota":             m{"total_quota": 400},
		"KubernetesBuildExecutor": m{"build_image": "quay.io/jupyterhub/repo2docker:2026.4.1", "sticky_builds": true},
		"KubernetesCleaner":       m{"max_age": 3600},
		"GitHubRepoProvider": m{
			"banned_specs": []any{"^ines/spacy-binder.*"},
			"spec_config":  []any{m{"pattern": "^jupyterlab/jupyterlab-demo/.*", "config": m{"quota": 200}}},
		},
	},
	"jupyterhub": m{
		"cull": m{"every": 660, "timeout": 600, "maxAge": 21600},
		"hub": m{
			"resources":         m{"requests": m{"cpu": "0.25", "memory": "1Gi"}, "limits": m{"cpu": "2", "memory": "1Gi"}},
			"extraPodSpec":      m{"priorityClassName": "binderhub-core"},
			"activeServerLimit": 400,
			"config": m{
				"JupyterHub": m{"hub_routespec": "/hub/api/", "authenticate_prometheus": false},
				"Proxy":      m{"extra_routes": m{"/": "http://proxy-patches"}},
			},
			"db": m{"pvc": m{"storage": "1Gi"}},
		},
		"proxy": m{
			"service": m{"type": "ClusterIP"},
			"chp":     m{"errorTarget": "http://proxy-patches/hub/error", "resources": m{"requests": m{"memory": "320Mi"}, "limits": m{"memory": "320Mi"}}},
		},
		"singleuser": m{
			"memory": m{"guarantee": "450M", "limit": "2G"}, "cpu": m{"guarantee": 0.01, "limit": 1},
			"nodeSelector": m{"mybinder.org/pool-type": "users"},
		},
		"scheduling": m{"podPriority": m{"enabled": true}, "userPlaceholder": m{"replicas": 25}},
	},
}

// hubObjects is what every JupyterHub has.
var hubObjects = []string{
	"ConfigMap/hub", "Deployment/hub", "Deployment/proxy", "NetworkPolicy/hub", "NetworkPolicy/proxy", "NetworkPolicy/singleuser",
	"PersistentVolumeClaim/hub-db-dir", "Role/hub", "RoleBinding/hub", "Secret/hub", "Service/hub", "Service/proxy-api",
	"Service/proxy-public", "ServiceAccount/hub",
}

// binderObjects is what every BinderHub has besides.
var binderObjects = []string{
	"Deployment/binder", "PodDisruptionBudget/binderhub", "Role/binderhub", "RoleBinding/binderhub",
	"Secret/binder-build-docker-config", "Secret/binder-secret", "Service/binder", "ServiceAccount/binderhub",
}

var cleanerObjects = []string{
	"ClusterRole/prod-image-cleaner", "ClusterRoleBinding/prod-image-cleaner", "DaemonSet/prod-image-cleaner", "ServiceAccount/prod-image-cleaner",
}

func TestInventory(t *testing.T) {
	full := []string{
		"ClusterRole/prod-user-scheduler", "ClusterRoleBinding/prod-user-scheduler", "ClusterRoleBinding/prod-user-scheduler-base",
		"ClusterRoleBinding/prod-user-scheduler-volumes", "ConfigMap/user-scheduler", "DaemonSet/continuous-image-puller",
		"DaemonSet/hook-image-puller", "Deployment/user-scheduler", "Ingress/jupyterhub", "Job/hook-image-awaiter",
		"PodDisruptionBudget/hub", "PodDisruptionBudget/proxy", "PodDisruptionBudget/user-placeholder",
		"PodDisruptionBudget/user-scheduler", "PriorityClass/prod-default-priority", "PriorityClass/prod-image-puller-priority",
		"PriorityClass/prod-user-placeholder-priority", "Role/hook-image-awaiter", "RoleBinding/hook-image-awaiter",
		"Secret/image-pull-secret", "Secret/proxy-public-manual-tls", "Secret/singleuser", "ServiceAccount/hook-image-awaiter",
		"ServiceAccount/user-scheduler", "StatefulSet/user-placeholder",
	}
	priority := []string{
		"PodDisruptionBudget/user-placeholder", "PriorityClass/prod-default-priority", "PriorityClass/prod-user-placeholder-priority",
		"StatefulSet/user-placeholder",
	}
	want := map[string][]string{
		"jupyterhub":          hubObjects,
		"jupyterhub, full":    slices.Concat(hubObjects, full),
		"binderhub":           slices.Concat(hubObjects, binderObjects, cleanerObjects),
		"binderhub, mybinder": slices.Concat(hubObjects, binderObjects, cleanerObjects, priority, []string{"DaemonSet/prod-dind", "Ingress/binderhub"}),
		"binderhub, pink":     slices.Concat(hubObjects, binderObjects, []string{"DaemonSet/prod-pink"}),
	}
	for name := range scenarios {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, o := range scenario(t, name) {
				got = append(got, o.key())
			}
			slices.Sort(got)
			expected := slices.Clone(want[name])
			slices.Sort(expected)
			if diff := cmp.Diff(expected, got); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

// TestObjectsAreStrictlyTyped decodes every object into its Go type: a field
// that Kubernetes does not know, or of another type, fails.
func TestObjectsAreStrictlyTyped(t *testing.T) {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for name := range scenarios {
		for _, o := range scenario(t, name) {
			data, err := json.Marshal(o.Object)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := decoder.Decode(data, nil, nil); err != nil {
				t.Errorf("%s: %s: %v", name, o.key(), err)
			}
			if len(o.GetAnnotations()) > 0 {
				for key := range o.GetAnnotations() {
					if strings.HasPrefix(key, "checksum/") {
						t.Errorf("%s: %s: %s belongs on the pods", name, o.key(), key)
					}
				}
			}
		}
	}
}

// TestSelectors holds the selectors, which cannot be changed once applied, and
// what selects what (DOMAIN §1.1 to §1.3).
func TestSelectors(t *testing.T) {
	z2jh := func(component string) map[string]string {
		return map[string]string{"component": component, "app": "jupyterhub", "release": "prod"}
	}
	binder := map[string]string{"app": "binder", "name": "binder", "component": "binder", "release": "prod"}
	want := map[string]map[string]string{
		"Deployment/hub": z2jh("hub"), "Deployment/proxy": z2jh("proxy"), "Deployment/user-scheduler": z2jh("user-scheduler"),
		"StatefulSet/user-placeholder": z2jh("user-placeholder"), "DaemonSet/continuous-image-puller": z2jh("continuous-image-puller"),
		"DaemonSet/hook-image-puller": z2jh("hook-image-puller"), "Service/hub": z2jh("hub"), "Service/proxy-api": z2jh("proxy"),
		"Service/proxy-public": z2jh("proxy"), "NetworkPolicy/hub": z2jh("hub"), "NetworkPolicy/proxy": z2jh("proxy"),
		"NetworkPolicy/singleuser": z2jh("singleuser-server"), "PodDisruptionBudget/hub": z2jh("hub"),
		"PodDisruptionBudget/proxy": z2jh("proxy"), "PodDisruptionBudget/user-scheduler": z2jh("user-scheduler"),
		"PodDisruptionBudget/user-placeholder": z2jh("user-placeholder"),
		"Deployment/binder":                    binder, "Service/binder": binder, "PodDisruptionBudget/binderhub": binder,
		"DaemonSet/prod-dind": {"name": "prod-dind"}, "DaemonSet/prod-pink": {"name": "prod-pink"},
		"DaemonSet/prod-image-cleaner": {"name": "prod-image-cleaner"},
	}
	paths := map[string][]string{
		"Service": {"spec", "selector"}, "NetworkPolicy": {"spec", "podSelector", "matchLabels"},
	}
	seen := map[string]bool{}
	for name := range scenarios {
		objects := scenario(t, name)
		for _, o := range objects {
			path := paths[o.GetKind()]
			if path == nil && slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "PodDisruptionBudget"}, o.GetKind()) {
				path = []string{"spec", "selector", "matchLabels"}
			}
			if path == nil {
				continue
			}
			selector := texts(at[m](t, o, path...))
			if diff := cmp.Diff(want[o.key()], selector); diff != "" {
				t.Errorf("%s: %s selects (-want +got):\n%s", name, o.key(), diff)
			}
			seen[o.key()] = true
			if o.key() != "NetworkPolicy/singleuser" && !anyPodMatches(t, objects, selector) {
				t.Errorf("%s: %s selects no pod of the chart", name, o.key())
			}
		}
	}
	for key := range want {
		if !seen[key] {
			t.Errorf("%s was not rendered by any scenario", key)
		}
	}
}

// anyPodMatches tells whether a workload's pods have all of the labels.
func anyPodMatches(t *testing.T, objects []object, selector map[string]string) bool {
	t.Helper()
	for _, o := range objects {
		if !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, o.GetKind()) {
			continue
		}
		labels := texts(at[m](t, o, "spec", "template", "metadata", "labels"))
		matches := true
		for key, value := range selector {
			matches = matches && labels[key] == value
		}
		if matches {
			return true
		}
	}
	return false
}

func texts(tree m) map[string]string {
	out := map[string]string{}
	for key, value := range tree {
		out[key], _ = value.(string)
	}
	return out
}

func TestLabels(t *testing.T) {
	objects := scenario(t, "jupyterhub, full")
	hub := find(t, objects, "Deployment/hub")
	want := map[string]string{
		"component": "hub", "app": "jupyterhub", "release": "prod", "chart": "jupyterhub-0.1.0", "heritage": "Helm",
		"app.kubernetes.io/name": "jupyterhub", "app.kubernetes.io/instance": "prod", "app.kubernetes.io/component": "hub",
		"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "jupyterhub-0.1.0",
	}
	if diff := cmp.Diff(want, hub.GetLabels()); diff != "" {
		t.Errorf("labels of the hub (-want +got):\n%s", diff)
	}
	pod := texts(at[m](t, hub, "spec", "template", "metadata", "labels"))
	wantPod := map[string]string{
		"component": "hub", "app": "jupyterhub", "release": "prod", "app.kubernetes.io/name": "jupyterhub",
		"app.kubernetes.io/instance": "prod", "app.kubernetes.io/component": "hub",
		"hub.jupyter.org/network-access-proxy-api": "true", "hub.jupyter.org/network-access-proxy-http": "true",
		"hub.jupyter.org/network-access-singleuser": "true",
	}
	if diff := cmp.Diff(wantPod, pod); diff != "" {
		t.Errorf("labels of the hub's pod (-want +got):\n%s", diff)
	}
	components := map[string]string{
		"Service/proxy-api": "proxy-api", "Service/proxy-public": "proxy-public", "Job/hook-image-awaiter": "image-puller",
		"PriorityClass/prod-default-priority": "default-priority", "PriorityClass/prod-image-puller-priority": "image-puller",
		"PersistentVolumeClaim/hub-db-dir": "hub", "Ingress/jupyterhub": "ingress",
	}
	for key, component := range components {
		if got := find(t, objects, key).GetLabels()["component"]; got != component {
			t.Errorf("%s has component %q, want %q", key, got, component)
		}
	}
	for _, o := range objects {
		if o.hook != nil && o.GetLabels()["hub.jupyter.org/deletable"] != "true" {
			t.Errorf("hook %s is not marked deletable", o.key())
		}
	}
}
