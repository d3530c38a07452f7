"""Reads what the chart left for the hub.

The chart mounts its ConfigMap and its Secret as two directories. The Secret
holds values.yaml, which is all of the chart's values, and one file for every
secret the chart made itself; such a file is named after the value it stands
for, and wins over values.yaml. An existing Secret of the author's, if there is
one, wins over both.

Outside a pod the directories are named by JUPYTERHUB_CHART_CONFIG_DIR,
JUPYTERHUB_CHART_SECRET_DIR and JUPYTERHUB_CHART_EXISTING_SECRET_DIR.
"""

import functools
import os

import yaml

_ROOT = "/usr/local/etc/jupyterhub"
CONFIG_DIR = os.environ.get("JUPYTERHUB_CHART_CONFIG_DIR", _ROOT + "/config")
SECRET_DIR = os.environ.get("JUPYTERHUB_CHART_SECRET_DIR", _ROOT + "/secret")
EXISTING_SECRET_DIR = os.environ.get(
    "JUPYTERHUB_CHART_EXISTING_SECRET_DIR", _ROOT + "/existing-secret"
)

_MISSING = object()


def _read(directory, name):
    """The text of a mounted key, or None when there is no such key."""
    try:
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _merge(base, over):
    """The map base with over laid on it; lists and scalars are replaced."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            value = _merge(merged[key], value)
        merged[key] = value
    return merged


@functools.lru_cache(maxsize=None)
def values():
    """All values. A hub without its values.yaml must not start."""
    text = _read(SECRET_DIR, "values.yaml")
    if text is None:
        raise RuntimeError(f"no values.yaml in {SECRET_DIR}")
    merged = yaml.safe_load(text) or {}
    own = _read(EXISTING_SECRET_DIR, "values.yaml")
    if own is not None:
        merged = _merge(merged, yaml.safe_load(own) or {})
    return merged


def get_secret_value(key, default=None):
    """The secret of that key: the author's existing Secret, then the chart's."""
    for directory in (EXISTING_SECRET_DIR, SECRET_DIR):
        text = _read(directory, key)
        if text is not None:
            return text
    return default


def get_config(path, default=None):
    """The value at a dotted path, or default when it is absent or null."""
    secret = get_secret_value(path)
    if secret is not None:
        return secret
    node = values()
    for part in path.split("."):
        if not isinstance(node, dict):
            return default
        node = node.get(part, _MISSING)
        if node is _MISSING:
            return default
    return default if node is None else node


def get_name(resource):
    """The name under which the chart rendered a resource."""
    name = _read(CONFIG_DIR, resource)
    if name is None:
        raise KeyError(f"the chart renders no {resource!r}")
    return name


def set_config_if_not_none(section, trait, path):
    """Sets section.trait to the value at path, if there is one."""
    value = get_config(path)
    if value is not None:
        setattr(section, trait, value)
