//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// hookedConfig is a chart block whose chart has hooks of every event, weight and
// delete policy.
const hookedConfig = `
hubcap {
  name              = "%[1]s"
  journal_namespace = "%[1]s"
}

variable "version" { default = "1" }
variable "migrate" { default = "ok" }
variable "notice" { default = "ok" }
variable "pull" { default = "1s" }
variable "gone" {
  type    = bool
  default = false
}

cluster "c" {
  project  = "hubcap-demo"
  location = "us-central1-a"
  name     = "binder"
  endpoint = "%[2]s"
}

manifest "beside" {
  namespace = "%[1]s"
  object    = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "beside" } }
}

chart "web" {
  for_each  = var.gone ? [] : ["a"]
  cluster   = cluster.c
  namespace = "%[1]s-app"
  release   = "web"
  chart     = "./chart"
  values    = { version = var.version, migrate = var.migrate, notice = var.notice, pull = var.pull }
}
`

const hookedTemplates = `
{{- define "job" }}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {sandbox.hubcap.dev/complete-after: {{ .wait | default "0.2s" | quote }}}}
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: {{ .image | quote }}, resources: {requests: {cpu: 1m}}}]
{{- end }}
apiVersion: v1
kind: Secret
metadata:
  name: pull
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-20", helm.sh/hook-delete-policy: before-hook-creation}
data: {a: Yg==}
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: puller
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-10", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec:
  selector: {matchLabels: {app: puller}}
  template:
    metadata: {labels: {app: puller}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: pause, image: "example.org/image:badimage", resources: {requests: {cpu: 1m}}}]
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: awaiter
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: awaiter
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "10", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
{{- include "job" (dict "image" "example.org/awaiter:ok" "wait" .Values.pull) }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: pre-upgrade}
{{- include "job" (dict "image" (printf "example.org/migrate:%s" .Values.migrate)) }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: notice
  annotations: {helm.sh/hook: "post-install,post-upgrade", helm.sh/hook-weight: "5", helm.sh/hook-delete-policy: "hook-succeeded,hook-failed"}
{{- include "job" (dict "image" (printf "example.org/notice:%s" .Values.notice)) }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: dump
  annotations: {helm.sh/hook: "pre-delete"}
{{- include "job" (dict "image" "example.org/dump:1") }}
---
apiVersion: v1
kind: Pod
metadata: {name: try, annotations: {helm.sh/hook: test}}
spec: {containers: [{name: try, image: "example.org/try:1"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {version: {{ .Values.version | quote }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {checksum/settings: {{ .Values.version | sha256sum }}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: "example.org/web:1", envFrom: [{configMapRef: {name: settings}}], resources: {requests: {cpu: 1m}}}]
`

func newHooked(t *testing.T, name string) *world {
	t.Helper()
	setUp(t)
	w := newWorld(t, name, name, map[string]string{"main.hcl": fmt.Sprintf(hookedConfig, name, site.sandbox.GKEEndpoint)})
	if err := os.MkdirAll(filepath.Join(w.dir, "chart", "templates"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write("chart/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: \"7\"\n")
	w.write("chart/templates/all.yaml", hookedTemplates)
	return w
}

// hookObjects returns the kinds and names of the hooks' objects that live, and the
// version that the settings have.
func (w *world) hookObjects() (objects []string, version string) {
	w.t.Helper()
	ctx, ns := contextOf(w.t), w.name+"-app"
	for _, kind := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "secrets"}, {Version: "v1", Resource: "serviceaccounts"},
		{Group: "apps", Version: "v1", Resource: "daemonsets"}, {Group: "batch", Version: "v1", Resource: "jobs"},
	} {
		list, err := site.objects.Resource(kind).Namespace(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, o := range list.Items {
			if o.GetName() != "default" {
				objects = append(objects, kind.Resource+"/"+o.GetName())
			}
		}
	}
	slices.Sort(objects)
	settings, err := site.admin.CoreV1().ConfigMaps(ns).Get(ctx, "settings", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		w.t.Fatal(err)
	}
	return objects, settings.Data["version"]
}

// are fails the test unless these hooks' objects live, and the settings are of a
// version.
func (w *world) are(version string, want ...string) {
	w.t.Helper()
	got, is := w.hookObjects()
	if !slices.Equal(got, want) || is != version {
		w.t.Errorf("of hooks there are %v, settings of version %q; want %v and %q", got, is, want, version)
	}
}

// rests fails the test unless nothing is to be done and nothing has drifted.
func (w *world) rests(args ...string) {
	w.t.Helper()
	w.hubcap(reader, 0, append([]string{"plan", "--detailed-exitcode"}, args...)...)
	w.hubcap(reader, 0, append([]string{"drift"}, args...)...)
}

// TestHooks takes a chart with hooks through its life.
func TestHooks(t *testing.T) {
	w := newHooked(t, "hooked")
	apply := func(want int, args ...string) result {
		return w.hubcap(applier, want, append([]string{"apply", "--auto-approve"}, args...)...)
	}
	w.run("installation", func(t *testing.T) {
		r := w.hubcap(reader, 0, "plan")
		r.has(t, "hook pre-install: Job/awaiter (weight 10), deleted when it succeeds", "hook post-install: Job/notice (weight 5)")
		if strings.Contains(r.out, "migrate") || strings.Contains(r.out, "Pod/try") {
			t.Errorf("a hook of another event is in the plan: %s", r)
		}
		apply(0)
		w.are("1", "secrets/hubcap-hooks-web", "secrets/pull")
		w.rests()
	})
	w.run("upgrade", func(t *testing.T) {
		w.hubcap(reader, 0, "plan", "--var=version=2").has(t, "hook pre-upgrade: Job/migrate (weight 0), stays until it runs again")
		apply(0, "--var=version=2")
		w.are("2", "jobs/migrate", "secrets/hubcap-hooks-web", "secrets/pull")
		w.rests("--var=version=2")
		w.rests("--var=version=2", "--var=migrate=2") // a hook alone is no change
	})
	w.run("a hook before fails", func(t *testing.T) {
		apply(4, "--var=version=3", "--var=migrate=fail").has(t, "Job/migrate", "exited with 1")
		w.are("2", "jobs/migrate", "secrets/hubcap-hooks-web", "secrets/pull")
		w.hubcap(reader, 0, "history").has(t, "rolled back")
		w.rests("--var=version=2")
		apply(0, "--var=version=3")
		w.are("3", "jobs/migrate", "secrets/hubcap-hooks-web", "secrets/pull")
		w.rests("--var=version=3")
	})
	w.run("a hook after fails", func(t *testing.T) {
		apply(4, "--var=version=4", "--var=notice=fail").has(t, "Job/notice")
		w.are("4", "jobs/migrate", "secrets/hubcap-hooks-web", "secrets/pull")
		r := w.hubcap(reader, 2, "plan", "--detailed-exitcode", "--var=version=4")
		r.has(t, "hook post-upgrade: Job/notice")
		if strings.Contains(r.out, "pre-upgrade") {
			t.Errorf("hooks before run again though nothing else changes: %s", r)
		}
		apply(0, "--var=version=4")
		w.rests("--var=version=4")
	})
	w.run("undone", func(t *testing.T) {
		apply(0, "--var=version=5")
		w.hubcap(applier, 0, "rollback", "--auto-approve")
		w.are("4", "secrets/hubcap-hooks-web", "secrets/pull")
		w.rests("--var=version=4")
	})
	w.run("removed", func(t *testing.T) {
		w.hubcap(reader, 0, "plan", "--var=gone=true").has(t, "hook pre-delete: Job/dump")
		// What is in a Secret of a chart may be nowhere else: it goes by name.
		apply(0, "--var=gone=true").has(t, "Secret/pull", "secrets of a chart are deleted only by name")
		w.are("", "secrets/pull")
		w.rests("--var=gone=true")
		apply(0, "--var=gone=true", "--dangerous-delete", `chart.web["a"]/Secret/pull`)
		w.are("")
		w.rests("--var=gone=true")
	})
}

// TestHooksKilled kills an apply while a hook runs.
func TestHooksKilled(t *testing.T) {
	w := newHooked(t, "hookcut")
	w.hubcap(applier, 0, "apply", "--auto-approve")
	awaiter := func() string {
		job, err := site.admin.BatchV1().Jobs("hookcut-app").Get(contextOf(w.t), "awaiter", metav1.GetOptions{})
		if err != nil {
			return ""
		}
		return string(job.UID)
	}
	cut := func(version string) string {
		p := w.begin(applier, "apply", "--auto-approve", "--var=version="+version, "--var=pull=4s")
		await(w.t, time.Minute, "the hook's job", func() string {
			if awaiter() == "" {
				return "it is not there"
			}
			return ""
		})
		p.kill()
		return awaiter()
	}
	w.run("resumed", func(t *testing.T) {
		uid := cut("2")
		again := false
		p := w.begin(applier, "resume", "--var=version=2", "--var=pull=4s")
		await(t, time.Minute, "the end of resume", func() string {
			now := awaiter()
			again = again || now != "" && now != uid
			select {
			case <-p.done:
				return ""
			default:
				return "it runs"
			}
		})
		if r := p.wait(); r.code != 0 || again {
			t.Fatalf("resume made the running job anew (%v): %s", again, r)
		}
		w.are("2", "jobs/migrate", "secrets/hubcap-hooks-web", "secrets/pull")
		w.rests("--var=version=2", "--var=pull=4s")
	})
	w.run("applied anew", func(t *testing.T) {
		cut("3")
		w.hubcap(applier, 0, "apply", "--auto-approve", "--var=version=3")
		w.are("3", "jobs/migrate", "secrets/hubcap-hooks-web", "secrets/pull")
		w.rests("--var=version=3")
	})
	w.run("rolled back", func(t *testing.T) {
		cut("4")
		w.hubcap(applier, 0, "rollback", "--auto-approve")
		w.are("3", "secrets/hubcap-hooks-web", "secrets/pull")
		w.rests("--var=version=3")
	})
}
