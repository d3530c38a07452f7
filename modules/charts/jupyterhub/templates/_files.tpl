{{- /* extraFiles blocks: {mountPath, mode?, data | stringData | binaryData}. */ -}}

{{- /* Structured data in the format that the file's name says. */ -}}
{{- define "jupyterhub.fileData" -}}
{{- $extension := ext .mountPath -}}
{{- if eq $extension ".json" }}{{ toPrettyJson .data }}
{{- else if or (eq $extension ".yaml") (eq $extension ".yml") }}{{ toYaml .data }}
{{- else if eq $extension ".toml" }}{{ toToml .data }}
{{- else }}{{ fail (printf "extraFiles: %s: data needs a .json, .yaml, .yml or .toml file; use stringData" .mountPath) }}
{{- end }}
{{- end }}

{{- /* A file's bytes, whichever way they were given. */ -}}
{{- define "jupyterhub.fileBase64" -}}
{{- if .binaryData }}{{ .binaryData | nospace }}
{{- else if .stringData }}{{ .stringData | b64enc }}
{{- else }}{{ include "jupyterhub.fileData" . | b64enc }}
{{- end }}
{{- end }}

{{- /* The items of a Secret volume, for a map of extraFiles. */ -}}
{{- define "jupyterhub.fileItems" -}}
{{- range $key, $file := . }}
- key: {{ $key | quote }}
  path: {{ $key | quote }}
  {{- with $file.mode }}
  mode: {{ . | int }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "jupyterhub.fileMounts" -}}
{{- range $key, $file := . }}
- name: files
  mountPath: {{ $file.mountPath | quote }}
  subPath: {{ $key | quote }}
{{- end }}
{{- end }}
