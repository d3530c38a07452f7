{{- define "binderhub.chart" -}}
{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Labels of an object: (list $ "component"). */ -}}
{{- define "binderhub.labels" -}}
{{- $root := index . 0 -}}
app: binder
component: {{ index . 1 }}
release: {{ $root.Release.Name }}
heritage: {{ $root.Release.Service }}
chart: {{ include "binderhub.chart" $root }}
app.kubernetes.io/name: binderhub
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ include "binderhub.chart" $root }}
{{- end }}

{{- /* Immutable on the binder's Deployment: never add a line here. */ -}}
{{- define "binderhub.matchLabels" -}}
app: binder
name: binder
component: binder
release: {{ .Release.Name }}
{{- end }}

{{- /* Immutable on the DaemonSets of the nodes that build. */ -}}
{{- define "binderhub.nodeMatchLabels" -}}
name: {{ (index . 0).Release.Name }}-{{ index . 1 }}
{{- end }}

{{- /* Environment from a list as it is, or from a map of names. */ -}}
{{- define "binderhub.extraEnv" -}}
{{- if kindIs "slice" . }}
{{- with . }}{{ toYaml . }}{{ end }}
{{- else }}
{{- range $name, $value := . }}
{{- if kindIs "map" $value }}
- {{ merge (dict "name" $name) $value | toJson }}
{{- else }}
- name: {{ $name | quote }}
  value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "binderhub.image" -}}
{{ .name }}{{ if .tag }}:{{ .tag }}{{ end }}
{{- end }}

{{- define "binderhub.imagePullSecrets" -}}
{{- with .pullSecrets -}}
imagePullSecrets:
{{- range . }}
  - name: {{ kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name") }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The name of a resource of the jupyterhub chart: (list $ "hub"). */ -}}
{{- define "binderhub.hubName" -}}
{{- $full := (index . 0).Values.jupyterhub.fullnameOverride | default "" -}}
{{ if $full }}{{ $full }}-{{ end }}{{ index . 1 }}
{{- end }}

{{- /* The path that the binder answers under, with both slashes. */ -}}
{{- define "binderhub.baseUrl" -}}
{{- $base := dig "BinderHub" "base_url" "/" (.Values.config | default dict) -}}
/{{ $base | trimAll "/" }}{{ if trimAll "/" $base }}/{{ end }}
{{- end }}

{{- /* Where builds run; the deprecated key is the one everybody sets. */ -}}
{{- define "binderhub.buildNodeSelector" -}}
{{- $config := .Values.config | default dict -}}
{{- $old := dig "BinderHub" "build_node_selector" dict $config -}}
{{- toYaml (dig "KubernetesBuildExecutor" "node_selector" dict $config | default $old) }}
{{- end }}

{{- define "binderhub.userTolerations" -}}
{{- $tolerations := dig "scheduling" "userPods" "tolerations" list .Values.jupyterhub -}}
tolerations:
  {{- toYaml $tolerations | nindent 2 }}
{{- end }}

{{- /* "true" when there is a registry to log in to. */ -}}
{{- define "binderhub.dockerConfig" -}}
{{- if or (dig "BinderHub" "use_registry" false .Values.config) .Values.buildDockerConfig }}true{{ end -}}
{{- end }}

{{- /* What the binder reads when it starts, and so what restarts it. */ -}}
{{- define "binderhub.settings" -}}
{{- pick .Values "config" "imageBuilderType" "cors" "dind" "pink" "extraConfig" | toYaml }}
{{- end }}

{{- define "binderhub.fileData" -}}
{{- if .binaryData }}{{ .binaryData | b64dec }}
{{- else if .stringData }}{{ .stringData }}
{{- else if eq (ext .mountPath) ".json" }}{{ toPrettyJson .data }}
{{- else if or (eq (ext .mountPath) ".yaml") (eq (ext .mountPath) ".yml") }}{{ toYaml .data }}
{{- else }}{{ fail (printf "extraFiles: %s: data needs a .json, .yaml or .yml file; use stringData" .mountPath) }}
{{- end }}
{{- end }}
