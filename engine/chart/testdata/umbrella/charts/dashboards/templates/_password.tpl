{{- define "dashboards.password" -}}
{{- $live := lookup "v1" "Secret" .Release.Namespace "dashboards" -}}
{{- if and $live (hasKey ($live.data | default dict) "password") -}}
{{- index $live.data "password" -}}
{{- else -}}
{{- randAlphaNum 40 | b64enc -}}
{{- end -}}
{{- end }}
