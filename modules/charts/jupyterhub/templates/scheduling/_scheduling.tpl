{{- /* Where pods may go: core pods beside the hub, user pods on user nodes. */ -}}

{{- define "jupyterhub.purpose" -}}
matchExpressions:
  - key: hub.jupyter.org/node-purpose
    operator: In
    values: [{{ . }}]
{{- end }}

{{- /* Affinity of a pod of the core. */ -}}
{{- define "jupyterhub.coreAffinity" -}}
{{- $match := .Values.scheduling.corePods.nodeAffinity.matchNodePurpose -}}
{{- if eq $match "require" -}}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - {{ include "jupyterhub.purpose" "core" | nindent 10 | trim }}
{{- else if eq $match "prefer" -}}
affinity:
  nodeAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        preference:
          {{- include "jupyterhub.purpose" "core" | nindent 10 }}
{{- end }}
{{- end }}

{{- /* Tolerations of a pod of the core, then its own: (list $ own). */ -}}
{{- define "jupyterhub.coreTolerations" -}}
{{- with concat ((index . 0).Values.scheduling.corePods.tolerations | default list) (index . 1 | default list) -}}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "jupyterhub.userTolerations" -}}
{{- with concat (.Values.scheduling.userPods.tolerations | default list) (.Values.singleuser.extraTolerations | default list) -}}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Node selector terms that a user pod must meet, as a YAML list. */ -}}
{{- define "jupyterhub.userRequired" -}}
{{- if eq .Values.scheduling.userPods.nodeAffinity.matchNodePurpose "require" }}
- {{ include "jupyterhub.purpose" "user" | nindent 2 | trim }}
{{- end }}
{{- with .Values.singleuser.extraNodeAffinity.required }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "jupyterhub.userPreferred" -}}
{{- if eq .Values.scheduling.userPods.nodeAffinity.matchNodePurpose "prefer" }}
- weight: 100
  preference:
    {{- include "jupyterhub.purpose" "user" | nindent 4 }}
{{- end }}
{{- with .Values.singleuser.extraNodeAffinity.preferred }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Both kinds of a pod affinity block: (list block). */ -}}
{{- define "jupyterhub.podAffinity" -}}
{{- with .required }}
requiredDuringSchedulingIgnoredDuringExecution:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .preferred }}
preferredDuringSchedulingIgnoredDuringExecution:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Only what is required: an image puller follows user pods' hard rules. */ -}}
{{- define "jupyterhub.userRequiredAffinity" -}}
{{- with include "jupyterhub.userRequired" . | trim -}}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        {{- . | nindent 8 }}
{{- end }}
{{- end }}

{{- /* The affinity of a user pod. */ -}}
{{- define "jupyterhub.userAffinity" -}}
{{- $required := include "jupyterhub.userRequired" . | trim -}}
{{- $preferred := include "jupyterhub.userPreferred" . | trim -}}
{{- $with := include "jupyterhub.podAffinity" .Values.singleuser.extraPodAffinity | trim -}}
{{- $apart := include "jupyterhub.podAffinity" .Values.singleuser.extraPodAntiAffinity | trim -}}
{{- if or $required $preferred $with $apart -}}
affinity:
  {{- if or $required $preferred }}
  nodeAffinity:
    {{- if $required }}
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        {{- $required | nindent 8 }}
    {{- end }}
    {{- if $preferred }}
    preferredDuringSchedulingIgnoredDuringExecution:
      {{- $preferred | nindent 6 }}
    {{- end }}
  {{- end }}
  {{- if $with }}
  podAffinity:
    {{- $with | nindent 4 }}
  {{- end }}
  {{- if $apart }}
  podAntiAffinity:
    {{- $apart | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* The priority of an ordinary pod: (list $ extraPodSpec), which may say it. */ -}}
{{- define "jupyterhub.defaultPriority" -}}
{{- $priority := (index . 0).Values.scheduling.podPriority -}}
{{- if and $priority.enabled (not (hasKey (index . 1 | default dict) "priorityClassName")) -}}
priorityClassName: {{ include "jupyterhub.clustername" (list (index . 0) "default-priority") }}
{{- end }}
{{- end }}

{{- /*
A memory size of JupyterHub as Kubernetes writes the same: its G is 1024 times
its M, which Kubernetes calls Gi.
*/ -}}
{{- define "jupyterhub.bytes" -}}
{{- regexReplaceAll "([KMGT])$" (include "jupyterhub.text" .) "${1}i" }}
{{- end }}

{{- /* What one user pod asks for, written as Kubernetes writes it. */ -}}
{{- define "jupyterhub.userResources" -}}
{{- $cpu := .Values.singleuser.cpu | default dict -}}
{{- $memory := .Values.singleuser.memory | default dict -}}
{{- $extra := .Values.singleuser.extraResource | default dict -}}
{{- $requests := deepCopy ($extra.guarantees | default dict) -}}
{{- $limits := deepCopy ($extra.limits | default dict) -}}
{{- with $cpu.guarantee }}{{ $_ := set $requests "cpu" (include "jupyterhub.text" .) }}{{ end -}}
{{- with $memory.guarantee }}{{ $_ := set $requests "memory" (include "jupyterhub.bytes" .) }}{{ end -}}
{{- with $cpu.limit }}{{ $_ := set $limits "cpu" (include "jupyterhub.text" .) }}{{ end -}}
{{- with $memory.limit }}{{ $_ := set $limits "memory" (include "jupyterhub.bytes" .) }}{{ end -}}
{{- $out := dict -}}
{{- if $requests }}{{ $_ := set $out "requests" $requests }}{{ end -}}
{{- if $limits }}{{ $_ := set $out "limits" $limits }}{{ end -}}
{{- toYaml $out }}
{{- end }}
