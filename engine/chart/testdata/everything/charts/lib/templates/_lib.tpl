{{- define "lib.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
data:
  domain: {{ .root.Values.global.domain }}
  lib: {{ toJson .root.Values.lib | quote }}
{{- end -}}
