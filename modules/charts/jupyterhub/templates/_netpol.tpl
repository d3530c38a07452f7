{{- /* The rules of a networkPolicy block that all four policies share. */ -}}

{{- define "jupyterhub.privateIPs" -}}
- 10.0.0.0/8
- 172.16.0.0/12
- 192.168.0.0/16
{{- end }}

{{- define "jupyterhub.dnsPorts" -}}
ports:
  - {protocol: UDP, port: 53}
  - {protocol: TCP, port: 53}
{{- end }}

{{- /* Who may come in by an access label: (list block "hub"). */ -}}
{{- define "jupyterhub.accessFrom" -}}
from:
  - podSelector:
      matchLabels:
        hub.jupyter.org/network-access-{{ index . 1 }}: "true"
{{- if eq (index . 0).interNamespaceAccessLabels "accept" }}
    namespaceSelector: {}
{{- end }}
{{- end }}

{{- /* Egress by egressAllowRules, then the author's own: (list $ block). */ -}}
{{- define "jupyterhub.egress" -}}
{{- $root := index . 0 -}}
{{- $block := index . 1 -}}
{{- $allow := $block.egressAllowRules -}}
{{- $metadata := $root.Values.singleuser.cloudMetadata.ip -}}
{{- $private := include "jupyterhub.privateIPs" $root | fromYamlArray -}}
{{- if $allow.dnsPortsPrivateIPs }}
- {{ include "jupyterhub.dnsPorts" $root | nindent 2 | trim }}
  to:
  {{- range $private }}
    - ipBlock: {cidr: {{ . }}}
  {{- end }}
{{- end }}
{{- if $allow.dnsPortsKubeSystemNamespace }}
- {{ include "jupyterhub.dnsPorts" $root | nindent 2 | trim }}
  to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
{{- end }}
{{- if $allow.dnsPortsCloudMetadataServer }}
- {{ include "jupyterhub.dnsPorts" $root | nindent 2 | trim }}
  to:
    - ipBlock: {cidr: {{ $metadata }}/32}
{{- end }}
{{- if $allow.nonPrivateIPs }}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
        {{- range $private }}
          - {{ . }}
        {{- end }}
          - {{ $metadata }}/32
{{- end }}
{{- if $allow.privateIPs }}
- to:
  {{- range $private }}
    - ipBlock: {cidr: {{ . }}}
  {{- end }}
{{- end }}
{{- if $allow.cloudMetadataServer }}
- to:
    - ipBlock: {cidr: {{ $metadata }}/32}
{{- end }}
{{- with $block.egress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Egress to a labelled pod's port: (list $ "proxy" 8001). */ -}}
{{- define "jupyterhub.egressTo" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "jupyterhub.matchLabels" (list (index . 0) (index . 1)) | nindent 10 }}
  ports:
    - {protocol: TCP, port: {{ index . 2 }}}
{{- end }}
