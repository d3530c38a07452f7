{{- /* The Secret that holds the proxy's certificate, or "" for none. */ -}}
{{- define "jupyterhub.proxy.tlsSecret" -}}
{{- if .Values.proxy.https.enabled -}}
{{- if eq .Values.proxy.https.type "manual" }}{{ include "jupyterhub.name" (list . "proxy-public-manual-tls") }}
{{- else if eq .Values.proxy.https.type "secret" }}{{ required "proxy.https.secret.name must be set when proxy.https.type is secret" .Values.proxy.https.secret.name }}
{{- end }}
{{- end }}
{{- end }}
