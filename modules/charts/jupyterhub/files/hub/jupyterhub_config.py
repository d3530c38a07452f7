# The hub's configuration, made from the chart's values when the hub starts.
#
# Three layers, the later wins: what the chart's own keys say, then
# hub.config.<Class>.<trait> as it stands, then every piece of hub.extraConfig
# in the order of its key.

import json
import os
import re
import sys
from binascii import a2b_hex
from glob import glob
from urllib.parse import urlparse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from z2jh import (  # noqa: E402
    get_config as value,
    get_name,
    get_secret_value,
    set_config_if_not_none,
)

c = get_config()  # noqa: F821


def camel_to_snake(word):
    """imagePullPolicy as image_pull_policy."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m.group(1).lower(), word)


def image_ref(block):
    """name:tag of an image block."""
    return ":".join(str(block[key]) for key in ("name", "tag") if block.get(key))


def pull_secrets(*lists):
    """Names of pull secrets, each once, from lists of names or references."""
    names = []
    for entry in (entry for one in lists for entry in one or []):
        name = entry["name"] if isinstance(entry, dict) else entry
        if name not in names:
            names.append(name)
    return names


base_url = value("hub.baseUrl", "/")

# ---------------------------------------------------------------- the hub
c.JupyterHub.base_url = base_url
c.JupyterHub.hub_bind_url = "http://:8081"
c.JupyterHub.hub_connect_url = f"http://{get_name('hub')}:8081"

# Servers outlive their hub: a restart must not end anybody's session.
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.last_activity_interval = 60
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}

for trait, path in (
    ("concurrent_spawn_limit", "concurrentSpawnLimit"),
    ("active_server_limit", "activeServerLimit"),
    ("allow_named_servers", "allowNamedServers"),
    ("named_server_limit_per_user", "namedServerLimitPerUser"),
    ("redirect_to_server", "redirectToServer"),
    ("shutdown_on_logout", "shutdownOnLogout"),
    ("template_paths", "templatePaths"),
    ("template_vars", "templateVars"),
    ("authenticate_prometheus", "authenticatePrometheus"),
):
    set_config_if_not_none(c.JupyterHub, trait, "hub." + path)
set_config_if_not_none(
    c.Spawner, "consecutive_failure_limit", "hub.consecutiveFailureLimit"
)

database = value("hub.db.type")
if database == "sqlite-pvc":
    c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
elif database == "sqlite-memory":
    c.JupyterHub.db_url = "sqlite://"
else:
    set_config_if_not_none(c.JupyterHub, "db_url", "hub.db.url")
password = get_secret_value("hub.db.password")
if password is not None:
    if database == "mysql":
        os.environ["MYSQL_PWD"] = password
    elif database == "postgres":
        os.environ["PGPASSWORD"] = password

# Secrets. Those named like a trait are in the Secret even when the author
# left them out of the values.
cookie_secret = get_secret_value("hub.config.JupyterHub.cookie_secret")
if cookie_secret:
    c.JupyterHub.cookie_secret = a2b_hex(cookie_secret)
crypt_keys = get_secret_value("hub.config.CryptKeeper.keys")
if crypt_keys:
    c.CryptKeeper.keys = crypt_keys.split(";")

# -------------------------------------------------------------- the proxy
# It is a pod of its own, which the hub talks to and never starts.
c.ConfigurableHTTPProxy.api_url = f"http://{get_name('proxy-api')}:8001"
c.ConfigurableHTTPProxy.should_start = False
auth_token = get_secret_value("hub.config.ConfigurableHTTPProxy.auth_token")
if auth_token:
    c.ConfigurableHTTPProxy.auth_token = auth_token

# ------------------------------------------------------------- user pods
# Only sections of the configuration are filled here, so kubespawner is loaded
# only when it is really the spawner.
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"

set_config_if_not_none(c.Spawner, "default_url", "singleuser.defaultUrl")
set_config_if_not_none(c.Spawner, "start_timeout", "singleuser.startTimeout")
for trait, path in (
    ("cpu_limit", "cpu.limit"),
    ("cpu_guarantee", "cpu.guarantee"),
    ("mem_limit", "memory.limit"),
    ("mem_guarantee", "memory.guarantee"),
    ("cmd", "cmd"),
):
    set_config_if_not_none(c.Spawner, trait, "singleuser." + path)

for trait, path in (
    ("pod_name_template", "podNameTemplate"),
    ("events_enabled", "events"),
    ("extra_annotations", "extraAnnotations"),
    ("allow_privilege_escalation", "allowPrivilegeEscalation"),
    ("uid", "uid"),
    ("fs_gid", "fsGid"),
    ("service_account", "serviceAccountName"),
    ("node_selector", "nodeSelector"),
    ("extra_resource_limits", "extraResource.limits"),
    ("extra_resource_guarantees", "extraResource.guarantees"),
    ("lifecycle_hooks", "lifecycleHooks"),
    ("extra_containers", "extraContainers"),
    ("extra_pod_config", "extraPodConfig"),
    ("profile_list", "profileList"),
    ("image_pull_policy", "image.pullPolicy"),
):
    set_config_if_not_none(c.KubeSpawner, trait, "singleuser." + path)

app = value("nameOverride") or value("Chart.Name", "jupyterhub")
release = value("Release.Name", "")
c.KubeSpawner.namespace = os.environ.get("POD_NAMESPACE") or value(
    "Release.Namespace", "default"
)
c.KubeSpawner.common_labels = {
    "app": app,
    "release": release,
    "chart": f"{value('Chart.Name')}-{value('Chart.Version')}",
    "heritage": "jupyterhub",
    "app.kubernetes.io/name": app,
    "app.kubernetes.io/instance": release,
    "app.kubernetes.io/managed-by": "kubespawner",
}
c.KubeSpawner.extra_labels = dict(value("singleuser.extraLabels", {}))
c.KubeSpawner.image = image_ref(value("singleuser.image", {}))

secrets = pull_secrets(
    value("imagePullSecrets"), value("singleuser.image.pullSecrets")
)
if value("imagePullSecret.create") and value(
    "imagePullSecret.automaticReferenceInjection"
):
    secrets.insert(0, get_name("image-pull-secret"))
if secrets:
    c.KubeSpawner.image_pull_secrets = secrets

environment = {}
for key, entry in value("singleuser.extraEnv", {}).items():
    if isinstance(entry, dict):
        entry = {"name": entry.get("name", key), **entry}
    elif not isinstance(entry, str):
        entry = json.dumps(entry)
    environment[key] = entry
c.KubeSpawner.environment = environment

# Where user pods may go.
tolerations = value("scheduling.userPods.tolerations", []) + value(
    "singleuser.extraTolerations", []
)
if tolerations:
    c.KubeSpawner.tolerations = tolerations
if value("scheduling.podPriority.enabled"):
    c.KubeSpawner.priority_class_name = get_name("priority")
if value("scheduling.userScheduler.enabled"):
    c.KubeSpawner.scheduler_name = get_name("user-scheduler")

required = list(value("singleuser.extraNodeAffinity.required", []))
preferred = list(value("singleuser.extraNodeAffinity.preferred", []))
purpose = {
    "matchExpressions": [
        {"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}
    ]
}
match = value("scheduling.userPods.nodeAffinity.matchNodePurpose")
if match == "require":
    required.insert(0, purpose)
elif match == "prefer":
    preferred.insert(0, {"weight": 100, "preference": purpose})
if required:
    c.KubeSpawner.node_affinity_required = required
if preferred:
    c.KubeSpawner.node_affinity_preferred = preferred
for kind, path in (
    ("pod_affinity", "extraPodAffinity"),
    ("pod_anti_affinity", "extraPodAntiAffinity"),
):
    for strength in ("required", "preferred"):
        terms = value(f"singleuser.{path}.{strength}")
        if terms:
            setattr(c.KubeSpawner, f"{kind}_{strength}", terms)

# An init container that forbids the cloud's metadata server, first of all.
init_containers = list(value("singleuser.initContainers", []))
if value("singleuser.cloudMetadata.blockWithIptables"):
    tools = value("singleuser.networkTools", {})
    block = {
        "name": "block-cloud-metadata",
        "image": image_ref(tools.get("image", {})),
        "command": [
            "iptables", "--append", "OUTPUT",
            "--protocol", "tcp", "--destination", value("singleuser.cloudMetadata.ip"),
            "--destination-port", "80", "--jump", "DROP",
        ],
        "securityContext": {
            "privileged": True,
            "runAsUser": 0,
            "capabilities": {"add": ["NET_ADMIN"]},
        },
        "resources": tools.get("resources") or {},
    }
    if tools.get("image", {}).get("pullPolicy"):
        block["imagePullPolicy"] = tools["image"]["pullPolicy"]
    init_containers.insert(0, block)
if init_containers:
    c.KubeSpawner.init_containers = init_containers

# Volumes: the home directory, the author's own, the files of extraFiles.
volumes = list(value("singleuser.storage.extraVolumes", []))
mounts = list(value("singleuser.storage.extraVolumeMounts", []))
storage = value("singleuser.storage.type")
home = value("singleuser.storage.homeMountPath")
if storage == "dynamic":
    dynamic = value("singleuser.storage.dynamic", {})
    c.KubeSpawner.storage_pvc_ensure = True
    if dynamic.get("pvcNameTemplate"):
        c.KubeSpawner.pvc_name_template = dynamic["pvcNameTemplate"]
    c.KubeSpawner.storage_capacity = value("singleuser.storage.capacity")
    c.KubeSpawner.storage_access_modes = dynamic.get("storageAccessModes") or []
    c.KubeSpawner.storage_extra_labels = value("singleuser.storage.extraLabels", {})
    if dynamic.get("storageClass") is not None:
        c.KubeSpawner.storage_class = dynamic["storageClass"]
    volume = dynamic.get("volumeNameTemplate") or "volume-{user_server}"
    volumes.insert(
        0, {"name": volume, "persistentVolumeClaim": {"claimName": "{pvc_name}"}}
    )
    mount = {"name": volume, "mountPath": home}
    if dynamic.get("subPath"):
        mount["subPath"] = dynamic["subPath"]
    mounts.insert(0, mount)
elif storage == "static":
    volumes.insert(
        0,
        {
            "name": "home",
            "persistentVolumeClaim": {
                "claimName": value("singleuser.storage.static.pvcName")
            },
        },
    )
    mounts.insert(
        0,
        {
            "name": "home",
            "mountPath": home,
            "subPath": value("singleuser.storage.static.subPath"),
        },
    )

files = value("singleuser.extraFiles", {})
if files:
    items = []
    for key, file in files.items():
        item = {"key": key, "path": key}
        if file.get("mode") is not None:
            item["mode"] = int(file["mode"])
        items.append(item)
        mounts.append(
            {"name": "files", "mountPath": file["mountPath"], "subPath": key}
        )
    volumes.append(
        {
            "name": "files",
            "secret": {"secretName": get_name("singleuser"), "items": items},
        }
    )
if volumes:
    c.KubeSpawner.volumes = volumes
if mounts:
    c.KubeSpawner.volume_mounts = mounts

# ----------------------------------------------------- services and roles
c.JupyterHub.services = []
c.JupyterHub.load_roles = []

if value("cull.enabled"):
    culler = "jupyterhub-idle-culler"
    # It runs beside the hub, so it need not go through a Service and its
    # network policy. Booleans have their value written out: versions differ in
    # whether a bare flag is one.
    port = urlparse(value("hub.config.JupyterHub.hub_bind_url", "http://:8081")).port
    command = [
        sys.executable,
        "-m",
        "jupyterhub_idle_culler",
        f"--url=http://localhost:{port}{base_url.rstrip('/')}/hub/api",
        f"--timeout={value('cull.timeout')}",
        f"--cull-every={value('cull.every')}",
        f"--concurrency={value('cull.concurrency')}",
    ]
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    if value("cull.maxAge"):
        command.append(f"--max-age={value('cull.maxAge')}")
    if value("cull.users"):
        command.append("--cull-users=true")
        scopes.append("admin:users")
    if not value("cull.adminUsers"):
        command.append("--cull-admin-users=false")
    if value("cull.removeNamedServers"):
        command.append("--remove-named-servers=true")
    c.JupyterHub.services.append(
        {
            "name": culler,
            "command": command,
            "environment": {"JUPYTERHUB_REQUEST_TIMEOUT": "60"},
        }
    )
    c.JupyterHub.load_roles.append(
        {"name": culler, "scopes": scopes, "services": [culler]}
    )

for key, entry in sorted(value("hub.services", {}).items()):
    service = {camel_to_snake(k): v for k, v in (entry or {}).items()}
    service.setdefault("name", key)
    token = get_secret_value(f"hub.services.{key}.apiToken")
    if token:
        service["api_token"] = token
    c.JupyterHub.services.append(service)

for key, entry in sorted(value("hub.loadRoles", {}).items()):
    c.JupyterHub.load_roles.append({"name": key, **(entry or {})})

# ----------------------------------------------------- the author's word
for name, traits in sorted(value("hub.config", {}).items()):
    if not name[:1].isupper():
        sys.exit(f"hub.config.{name}: a class name begins with a capital letter")
    if not isinstance(traits, dict):
        sys.exit(f"hub.config.{name}: the traits of a class are a map")
    traits = {trait: v for trait, v in traits.items() if v is not None}
    # Secrets that the chart mounts in the form their trait wants.
    if name == "JupyterHub":
        traits.pop("cookie_secret", None)
    if name == "CryptKeeper":
        traits.pop("keys", None)
    c[name].update(traits)

if value("debug.enabled"):
    c.JupyterHub.log_level = "DEBUG"
    c.Spawner.debug = True

for path in sorted(glob("/usr/local/etc/jupyterhub/jupyterhub_config.d/*.py")):
    load_subconfig(path)  # noqa: F821

for key, source in sorted(value("hub.extraConfig", {}).items()):
    print(f"Loading extra config: {key}", flush=True)
    exec(compile(source, f"hub.extraConfig.{key}", "exec"))
