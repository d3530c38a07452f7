{{- /*
What the pullers pull: an init container per distinct image. The network
tools come first, then the default user image, the images of the profiles, the
images of extra containers, and prePuller.extraImages.
*/ -}}
{{- define "jupyterhub.imagePuller.images" -}}
{{- $single := .Values.singleuser -}}
{{- $images := list -}}
{{- if $single.cloudMetadata.blockWithIptables }}{{ $images = append $images (include "jupyterhub.image" $single.networkTools.image) }}{{ end -}}
{{- $images = append $images (include "jupyterhub.image" $single.image) -}}
{{- if .Values.prePuller.pullProfileListImages -}}
{{- range $profile := $single.profileList -}}
{{- with dig "kubespawner_override" "image" "" $profile }}{{ $images = append $images . }}{{ end -}}
{{- range $option := $profile.profile_options | default dict -}}
{{- range $choice := $option.choices | default dict -}}
{{- with dig "kubespawner_override" "image" "" $choice }}{{ $images = append $images . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range concat ($single.initContainers | default list) ($single.extraContainers | default list) -}}
{{- with .image }}{{ $images = append $images . }}{{ end -}}
{{- end -}}
{{- range .Values.prePuller.extraImages }}{{ $images = append $images (include "jupyterhub.image" .) }}{{ end -}}
{{- uniq $images | toJson -}}
{{- end }}

{{- /* (list $ "component") */ -}}
{{- define "jupyterhub.imagePuller.daemonset" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $pull := $root.Values.prePuller -}}
{{- with $root }}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ include "jupyterhub.name" (list . $component) }}
  labels:
    {{- include "jupyterhub.labels" (list . $component) | nindent 4 }}
    {{- if eq $component "hook-image-puller" }}
    hub.jupyter.org/deletable: "true"
    {{- end }}
  {{- if eq $component "hook-image-puller" }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
    helm.sh/hook-weight: "-10"
  {{- end }}
spec:
  {{- if kindIs "invalid" $pull.revisionHistoryLimit | not }}
  revisionHistoryLimit: {{ $pull.revisionHistoryLimit | int }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "jupyterhub.matchLabels" (list . $component) | nindent 6 }}
  updateStrategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 100%
  template:
    metadata:
      labels:
        {{- include "jupyterhub.podLabels" (list . $component) | nindent 8 }}
        {{- with $pull.labels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $pull.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- if .Values.scheduling.podPriority.enabled }}
      priorityClassName: {{ include "jupyterhub.clustername" (list . "image-puller-priority") }}
      {{- end }}
      {{- with .Values.singleuser.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with concat (.Values.scheduling.userPods.tolerations | default list) (.Values.singleuser.extraTolerations | default list) ($pull.extraTolerations | default list) }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with include "jupyterhub.userRequiredAffinity" . }}
      {{- . | nindent 6 }}
      {{- end }}
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      {{- with include "jupyterhub.imagePullSecrets" (list . .Values.singleuser.image) }}
      {{- . | nindent 6 }}
      {{- end }}
      initContainers:
        {{- range $index, $image := include "jupyterhub.imagePuller.images" . | fromJsonArray }}
        - name: image-pull-{{ $index }}
          image: {{ $image | quote }}
          command: [/bin/sh, -c, "echo pulled"]
          {{- with $pull.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with $pull.containerSecurityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
        {{- end }}
      containers:
        - name: pause
          image: {{ include "jupyterhub.image" $pull.pause.image }}
          {{- with $pull.pause.image.pullPolicy }}
          imagePullPolicy: {{ . }}
          {{- end }}
          {{- with $pull.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with $pull.containerSecurityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
{{- end }}
{{- end }}

{{- /* What the hook puller would pull and where, as one digest. */ -}}
{{- define "jupyterhub.imagePuller.checksum" -}}
{{- include "jupyterhub.imagePuller.daemonset" (list . "hook-image-puller") | sha256sum -}}
{{- end }}

{{- /* "true" when the hook has something to do. */ -}}
{{- define "jupyterhub.imagePuller.hookWanted" -}}
{{- if .Values.prePuller.hook.enabled -}}
{{- if .Values.prePuller.hook.pullOnlyOnChanges -}}
{{- $live := lookup "v1" "ConfigMap" .Release.Namespace (include "jupyterhub.name" (list . "hub")) | default dict -}}
{{- $before := index ($live.data | default dict) "checksum_hook-image-puller" | default "" -}}
{{- if ne $before (include "jupyterhub.imagePuller.checksum" .) }}true{{ end -}}
{{- else }}true{{ end -}}
{{- end -}}
{{- end }}

{{- /* Labels and hook annotations of the awaiter's objects: (list $ "weight" more). */ -}}
{{- define "jupyterhub.awaiter.metadata" -}}
labels:
  {{- include "jupyterhub.labels" (list (index . 0) "image-puller") | nindent 2 }}
  hub.jupyter.org/deletable: "true"
annotations:
  helm.sh/hook: pre-install,pre-upgrade
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  helm.sh/hook-weight: {{ index . 1 | quote }}
  {{- with index . 2 }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
