# The binder's configuration, made from the chart's values when it starts.
#
# Three layers, the later wins: what the chart's own keys say, then
# config.<Class>.<trait> as it stands, then every piece of extraConfig in the
# order of its key. Outside a pod BINDERHUB_CHART_CONFIG_DIR names the folder
# that holds what the chart's Secret holds.

import os
import sys

import yaml

c = get_config()  # noqa: F821

config_dir = os.environ.get("BINDERHUB_CHART_CONFIG_DIR", "/etc/binderhub/config")


def read(name):
    """A mounted YAML file as a map. A binder without it must not start."""
    with open(os.path.join(config_dir, name), encoding="utf-8") as file:
        return yaml.safe_load(file) or {}


values = read("values.yaml")
chart = read("chart.yaml")

# The hub, from inside the cluster. hub_url is what users' browsers see.
hub_base_url = "/" + chart["hubBaseUrl"].strip("/")
c.BinderHub.hub_url_local = f"http://{chart['hub']}:8081{hub_base_url.rstrip('/')}/"
c.BinderHub.hub_api_token = os.environ.get("JUPYTERHUB_API_TOKEN", "")

c.KubernetesBuildExecutor.namespace = os.environ.get(
    "BUILD_NAMESPACE", chart["namespace"]
)
c.BuildExecutor.push_secret = (
    "binder-build-docker-config" if chart["dockerConfig"] else ""
)

origin = (values.get("cors") or {}).get("allowOrigin")
if origin:
    c.BinderHub.cors_allow_origin = origin

builder = values.get("imageBuilderType", "host")
if builder in ("dind", "pink"):
    daemon = values[builder]
    c.KubernetesBuildExecutor.docker_host = "unix://" + "/".join(
        (daemon["hostSocketDir"].rstrip("/"), daemon["hostSocketName"])
    )

for name, traits in sorted((values.get("config") or {}).items()):
    if not name[:1].isupper():
        sys.exit(f"config.{name}: a class name begins with a capital letter")
    if not isinstance(traits, dict):
        sys.exit(f"config.{name}: the traits of a class are a map")
    c[name].update({trait: v for trait, v in traits.items() if v is not None})

for key, source in sorted((values.get("extraConfig") or {}).items()):
    print(f"Loading extra config: {key}", flush=True)
    exec(compile(source, f"extraConfig.{key}", "exec"))
