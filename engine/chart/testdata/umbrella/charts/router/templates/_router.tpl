{{- define "router.name" -}}{{ .Chart.Name | trunc 63 }}{{- end }}
{{- define "router.labels" -}}
app.kubernetes.io/name: {{ include "router.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}
