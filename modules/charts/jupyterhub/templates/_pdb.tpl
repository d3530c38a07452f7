{{- /*
A PodDisruptionBudget: (list $ "name" "component" block). With minAvailable 1
over one replica a node can never be drained, which is why the blocks of the
hub and the proxy are off by default.
*/ -}}
{{- define "jupyterhub.pdb" -}}
{{- $block := index . 3 -}}
{{- if $block.enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "jupyterhub.name" (list (index . 0) (index . 1)) }}
  labels:
    {{- include "jupyterhub.labels" (list (index . 0) (index . 2)) | nindent 4 }}
spec:
  {{- if kindIs "invalid" $block.maxUnavailable | not }}
  maxUnavailable: {{ $block.maxUnavailable }}
  {{- else if kindIs "invalid" $block.minAvailable | not }}
  minAvailable: {{ $block.minAvailable }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "jupyterhub.matchLabels" (list (index . 0) (index . 2)) | nindent 6 }}
{{- end }}
{{- end }}
