{{- /*
Names and labels. Every definition that takes a component is called with
(list $ "component").
*/ -}}

{{- /* The chart's name as it stands in labels. */ -}}
{{- define "jupyterhub.appname" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /*
The prefix of every name. "" (the default) gives the bare names that
everybody's tools know; null gives the release's name, so that two releases
fit in one namespace.
*/ -}}
{{- define "jupyterhub.fullname" -}}
{{- if kindIs "string" .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else }}
{{- $app := include "jupyterhub.appname" . }}
{{- if contains $app .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ $app }}{{ end }}
{{- end }}
{{- end }}

{{- define "jupyterhub.fullname.dash" -}}
{{- $full := include "jupyterhub.fullname" . }}
{{- if $full }}{{ $full }}-{{ end }}
{{- end }}

{{- /* The name of a resource: (list $ "hub"). */ -}}
{{- define "jupyterhub.name" -}}
{{- $root := index . 0 -}}
{{ include "jupyterhub.fullname.dash" $root }}{{ index . 1 }}
{{- end }}

{{- /*
The name of a resource that lives outside namespaces, or that other
namespaces can see: always with the release in front.
*/ -}}
{{- define "jupyterhub.clustername" -}}
{{- $root := index . 0 -}}
{{- $full := include "jupyterhub.fullname" $root | default $root.Release.Name -}}
{{ $full }}-{{ index . 1 }}
{{- end }}

{{- define "jupyterhub.hub.serviceaccount" -}}
{{- include "jupyterhub.serviceaccount" (list . .Values.hub.serviceAccount "hub") }}
{{- end }}

{{- /* Immutable on Deployments: never add a line here. */ -}}
{{- define "jupyterhub.matchLabels" -}}
{{- $root := index . 0 -}}
component: {{ index . 1 }}
app: {{ include "jupyterhub.appname" $root }}
release: {{ $root.Release.Name }}
{{- end }}

{{- define "jupyterhub.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "jupyterhub.matchLabels" . }}
app.kubernetes.io/name: {{ include "jupyterhub.appname" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "jupyterhub.labels" -}}
{{- $root := index . 0 -}}
{{ include "jupyterhub.podLabels" . }}
chart: {{ include "jupyterhub.chart" $root }}
heritage: {{ $root.Release.Service }}
helm.sh/chart: {{ include "jupyterhub.chart" $root }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end }}

{{- define "jupyterhub.chart" -}}
{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* name:tag of an image block. */ -}}
{{- define "jupyterhub.image" -}}
{{ .name }}{{ if .tag }}:{{ .tag }}{{ end }}
{{- end }}

{{- /* imagePullSecrets of a pod: (list $ imageBlock). Nothing when empty. */ -}}
{{- define "jupyterhub.imagePullSecrets" -}}
{{- $root := index . 0 -}}
{{- $names := list -}}
{{- if and $root.Values.imagePullSecret.create $root.Values.imagePullSecret.automaticReferenceInjection -}}
{{- $names = append $names (include "jupyterhub.name" (list $root "image-pull-secret")) -}}
{{- end -}}
{{- range concat ($root.Values.imagePullSecrets | default list) ((index . 1).pullSecrets | default list) -}}
{{- if kindIs "string" . }}{{ $names = append $names . }}{{ else }}{{ $names = append $names .name }}{{ end -}}
{{- end -}}
{{- if $names -}}
imagePullSecrets:
{{- range uniq $names }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A scalar as text. Numbers are floats to Helm, which prints 1e+06. */ -}}
{{- define "jupyterhub.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}

{{- /*
Environment from a map: a string is a value, an object is an EnvVar without
its name. Sorted by key, so that a render is stable.
*/ -}}
{{- define "jupyterhub.extraEnv" -}}
{{- range $key, $value := . }}
{{- if kindIs "map" $value }}
- {{ merge (dict "name" ($value.name | default $key)) $value | toJson }}
{{- else }}
- name: {{ $key | quote }}
  value: {{ include "jupyterhub.text" $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A probe's timing: the block without its switch. */ -}}
{{- define "jupyterhub.probe" -}}
{{- toYaml (omit . "enabled") }}
{{- end }}

{{- /* Which IP families a Service has, when the values say so. */ -}}
{{- define "jupyterhub.ipFamilies" -}}
{{- with .ipFamilyPolicy -}}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- with .ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The name of a component's ServiceAccount: (list $ block "default name"). */ -}}
{{- define "jupyterhub.serviceaccount" -}}
{{- $block := index . 1 -}}
{{- if $block.create }}
{{- $block.name | default (include "jupyterhub.name" (list (index . 0) (index . 2))) }}
{{- else }}
{{- $block.name | default "default" }}
{{- end }}
{{- end }}

{{- define "jupyterhub.hub.url" -}}
http://{{ include "jupyterhub.name" (list . "hub") }}:8081
{{- end }}

{{- define "jupyterhub.baseUrl" -}}
{{- .Values.hub.baseUrl | trimSuffix "/" }}
{{- end }}
