{{- /* A workload: list of root, kind, name, its values, its tolerations. */}}
{{- define "fixture.workload" }}
{{- $root := index . 0 }}{{ $v := index . 3 }}
apiVersion: {{ eq (index . 1) "Job" | ternary "batch/v1" "apps/v1" }}
kind: {{ index . 1 }}
metadata: {name: {{ index . 2 }}, labels: {component: {{ index . 2 }}}}
spec:
  template:
    spec:
      {{- with $v.nodeSelector }}
      nodeSelector: {{ toJson . }}
      {{- end }}
      tolerations: {{ toJson (index . 4) }}
      containers:
        - name: main
          {{- with $v.image }}
          image: {{ .name }}:{{ .tag }}
          {{- end }}
          resources: {{ toJson ($v.resources | default dict) }}
          {{- if eq (index . 2) "proxy" }}
          args: ["--default-target={{ $v.defaultTarget | default "http://hub" }}", "--error-target={{ $v.errorTarget | default "http://hub/hub/error" }}"]
          {{- end }}
      {{- with $v.extraPodSpec }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
---
{{ end }}
