"""Prints, as JSON, the configuration that a traitlets file makes.

Usage: load_config.py FILE. A class or a function prints as its name.
"""

import json
import os
import sys

from traitlets.config.loader import LazyConfigValue, PyFileConfigLoader


def plain(value):
    if isinstance(value, LazyConfigValue):
        return plain(value.get_value([]))
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return getattr(value, "__name__", type(value).__name__)


folder, name = os.path.split(os.path.abspath(sys.argv[1]))
config = PyFileConfigLoader(name, path=folder).load_config()
print(json.dumps(plain(config)))
