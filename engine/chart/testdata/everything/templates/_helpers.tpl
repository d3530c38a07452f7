{{- define "everything.name" -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 20 | trimSuffix "-" }}
{{- end -}}
{{- define "everything.labels" -}}
app: {{ include "everything.name" . }}
chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ toYaml .Values.labels }}
{{- end -}}
