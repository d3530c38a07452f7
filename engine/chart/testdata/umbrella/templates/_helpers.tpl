{{- define "umbrella.labels" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name ((index . 0).Chart.Version | replace "+" "_") }}
component: {{ index . 1 }}
{{- with (index . 0).Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "umbrella.image" -}}
{{ (index . 0).Values.global.imageRegistry }}/{{ index . 1 }}:{{ (index . 0).Chart.AppVersion }}
{{- end }}

{{- define "umbrella.pdb" -}}
{{- if .root.Capabilities.APIVersions.Has "policy/v1/PodDisruptionBudget" }}
apiVersion: policy/v1
{{- else }}
apiVersion: policy/v1beta1
{{- end }}
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  labels:
    {{- include "umbrella.labels" (list .root .name) | nindent 4 }}
spec:
  maxUnavailable: 1
  selector: {matchLabels: {component: {{ .name }}}}
{{- end }}
