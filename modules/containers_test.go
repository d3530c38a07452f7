package modules_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestContainers holds what runs in the core pods: commands, ports and probes
// (DOMAIN §1.2, §1.3).
func TestContainers(t *testing.T) {
	httpGet := func(path, port string) m { return m{"path": path, "port": port} }
	objects := scenario(t, "binderhub, mybinder")
	moved := release{chart: "binderhub", values: m{
		"config":     m{"BinderHub": m{"base_url": "/binder"}},
		"jupyterhub": m{"hub": m{"baseUrl": "/jupyter/", "db": m{"type": "postgres", "url": "postgres://db"}}},
	}}.mustRender(t)
	table := []struct {
		reason, workload string
		objects          []object
		want             m
	}{
		{"the hub upgrades the database it owns", "Deployment/hub", objects, m{
			"name": "hub", "args": []any{"jupyterhub", "--config", "/usr/local/etc/jupyterhub/jupyterhub_config.py", "--upgrade-db"},
			"ports":          []any{m{"name": "http", "containerPort": int64(8081)}},
			"livenessProbe":  m{"initialDelaySeconds": int64(300), "periodSeconds": int64(10), "failureThreshold": int64(30), "timeoutSeconds": int64(3), "httpGet": httpGet("/hub/health", "http")},
			"readinessProbe": m{"initialDelaySeconds": int64(0), "periodSeconds": int64(2), "failureThreshold": int64(1000), "timeoutSeconds": int64(1), "httpGet": httpGet("/hub/health", "http")},
		}},
		{"and no other database; it may live under a path", "Deployment/hub", moved, m{
			"name": "hub", "args": []any{"jupyterhub", "--config", "/usr/local/etc/jupyterhub/jupyterhub_config.py"},
			"ports":          []any{m{"name": "http", "containerPort": int64(8081)}},
			"livenessProbe":  m{"initialDelaySeconds": int64(300), "periodSeconds": int64(10), "failureThreshold": int64(30), "timeoutSeconds": int64(3), "httpGet": httpGet("/jupyter/hub/health", "http")},
			"readinessProbe": m{"initialDelaySeconds": int64(0), "periodSeconds": int64(2), "failureThreshold": int64(1000), "timeoutSeconds": int64(1), "httpGet": httpGet("/jupyter/hub/health", "http")},
		}},
		{"errors go where the values say", "Deployment/proxy", objects, m{
			"name": "chp", "command": []any{
				"configurable-http-proxy", "--ip=", "--api-ip=", "--api-port=8001", "--default-target=http://hub:8081",
				"--error-target=http://proxy-patches/hub/error", "--port=8000",
			},
			"ports":          []any{m{"name": "http", "containerPort": int64(8000)}, m{"name": "api", "containerPort": int64(8001)}},
			"livenessProbe":  m{"initialDelaySeconds": int64(60), "periodSeconds": int64(10), "failureThreshold": int64(30), "timeoutSeconds": int64(3), "httpGet": m{"path": "/_chp_healthz", "port": "http", "scheme": "HTTP"}},
			"readinessProbe": m{"initialDelaySeconds": int64(0), "periodSeconds": int64(2), "failureThreshold": int64(1000), "timeoutSeconds": int64(1), "httpGet": m{"path": "/_chp_healthz", "port": "http", "scheme": "HTTP"}},
		}},
		{"the binder answers under its path", "Deployment/binder", moved, m{
			"name": "binder", "args": []any{"--config", "/etc/binderhub/config/binderhub_config.py"},
			"ports":          []any{m{"name": "binder", "containerPort": int64(8585)}},
			"livenessProbe":  m{"initialDelaySeconds": int64(10), "periodSeconds": int64(5), "failureThreshold": int64(3), "timeoutSeconds": int64(10), "httpGet": httpGet("/binder/versions", "binder")},
			"readinessProbe": m{"initialDelaySeconds": int64(0), "periodSeconds": int64(5), "failureThreshold": int64(1000), "timeoutSeconds": int64(3), "httpGet": httpGet("/binder/versions", "binder")},
		}},
	}
	for _, row := range table {
		got := pick(firstContainer(t, find(t, row.objects, row.workload)), "name", "command", "args", "ports", "livenessProbe", "readinessProbe")
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", row.workload, row.reason, diff)
		}
	}
}

func TestWorkloadShapes(t *testing.T) {
	objects := scenario(t, "binderhub, mybinder")
	single := scenario(t, "binderhub")
	table := []struct {
		reason string
		from   []object
		key    string
		path   []string
		want   any
	}{
		{"a hub never runs twice", objects, "Deployment/hub", []string{"spec", "strategy"}, m{"type": "Recreate"}},
		{"a hub is alone", objects, "Deployment/hub", []string{"spec", "replicas"}, int64(1)},
		{"nor does a proxy", objects, "Deployment/proxy", []string{"spec", "strategy"}, m{"type": "Recreate"}},
		{"connections get a minute", objects, "Deployment/proxy", []string{"spec", "template", "spec", "terminationGracePeriodSeconds"}, int64(60)},
		{"one binder is replaced by one that is ready", single, "Deployment/binder", []string{"spec", "strategy", "rollingUpdate"}, m{"maxSurge": int64(1), "maxUnavailable": int64(0)}},
		{"two may lose one", objects, "Deployment/binder", []string{"spec", "strategy", "rollingUpdate"}, m{"maxSurge": int64(1), "maxUnavailable": int64(1)}},
		{"placeholders start together", objects, "StatefulSet/user-placeholder", []string{"spec", "podManagementPolicy"}, "Parallel"},
		{"and leave at once", objects, "StatefulSet/user-placeholder", []string{"spec", "template", "spec", "terminationGracePeriodSeconds"}, int64(0)},
		{"the autoscaler's cutoff is -10", objects, "PriorityClass/prod-user-placeholder-priority", []string{"value"}, int64(-10)},
		{"mybinder's proxy is behind an ingress", objects, "Service/proxy-public", []string{"spec", "type"}, "ClusterIP"},
		{"else it is a load balancer", single, "Service/proxy-public", []string{"spec", "type"}, "LoadBalancer"},
		{"Prometheus finds the hub", objects, "Service/hub", []string{"metadata", "annotations"}, m{"prometheus.io/scrape": "true", "prometheus.io/path": "/hub/metrics", "prometheus.io/port": "8081"}},
		{"the database has a disk of its own", objects, "PersistentVolumeClaim/hub-db-dir", []string{"spec"}, m{"accessModes": []any{"ReadWriteOnce"}, "resources": m{"requests": m{"storage": "1Gi"}}}},
	}
	for _, row := range table {
		if diff := cmp.Diff(row.want, at[any](t, find(t, row.from, row.key), row.path...)); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", row.key, row.reason, diff)
		}
	}
}
