{{- define "metrics.labels" -}}
app: metrics
release: {{ .Release.Name }}
{{- end }}
