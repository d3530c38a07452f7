{{- /*
The generated secrets. Each comes from the author's values, else from the
Secret that is live, else from chance. Every include of a value that comes
from chance draws again, so a render is stable only once it can look up a
Secret of its own; hubcap renders a second time for that.
*/ -}}

{{- /* A key of the live hub Secret, or "": (list $ "key"). */ -}}
{{- define "jupyterhub.liveSecret" -}}
{{- $root := index . 0 -}}
{{- $live := lookup "v1" "Secret" $root.Release.Namespace (include "jupyterhub.name" (list $root "hub")) -}}
{{- if and $live $live.data -}}
{{- with index $live.data (index . 1) }}{{ . | b64dec }}{{ end -}}
{{- end -}}
{{- end }}

{{- /* 32 bytes from chance, as 64 hexadecimal digits. */ -}}
{{- define "jupyterhub.randomHex" -}}
{{- randBytes 32 | b64dec | printf "%x" }}
{{- end }}

{{- define "jupyterhub.configured" -}}
{{- $class := dig (index . 1) dict ((index . 0).Values.hub.config | default dict) | default dict -}}
{{- with index $class (index . 2) }}
{{- if kindIs "slice" . }}{{ join ";" . }}{{ else }}{{ . }}{{ end }}
{{- end -}}
{{- end }}

{{- define "jupyterhub.authToken" -}}
{{- or
      (include "jupyterhub.configured" (list . "ConfigurableHTTPProxy" "auth_token"))
      (.Values.proxy.secretToken | default "")
      (include "jupyterhub.liveSecret" (list . "hub.config.ConfigurableHTTPProxy.auth_token"))
      (include "jupyterhub.randomHex" .) }}
{{- end }}

{{- define "jupyterhub.cookieSecret" -}}
{{- or
      (include "jupyterhub.configured" (list . "JupyterHub" "cookie_secret"))
      (.Values.hub.cookieSecret | default "")
      (include "jupyterhub.liveSecret" (list . "hub.config.JupyterHub.cookie_secret"))
      (include "jupyterhub.randomHex" .) }}
{{- end }}

{{- define "jupyterhub.cryptKeys" -}}
{{- or
      (include "jupyterhub.configured" (list . "CryptKeeper" "keys"))
      (include "jupyterhub.liveSecret" (list . "hub.config.CryptKeeper.keys"))
      (include "jupyterhub.randomHex" .) }}
{{- end }}

{{- /* The API token of one service: (list $ "name" block). */ -}}
{{- define "jupyterhub.serviceToken" -}}
{{- $block := index . 2 | default dict -}}
{{- or
      ($block.apiToken | default $block.api_token | default "")
      (include "jupyterhub.liveSecret" (list (index . 0) (printf "hub.services.%s.apiToken" (index . 1))))
      (include "jupyterhub.randomHex" (index . 0)) }}
{{- end }}
