"""The configuration: one TOML file, overridden by the environment, structured into attrs values.

    configuration = load(Path("bridge.toml"), os.environ).configuration

Rule: nothing is guessed. A key nobody reads, a value of the wrong type and an unreadable secret
file are each one line that names the place, and nothing starts.
"""

from bridge.config.model import BackendTable, Configuration, Guard, Journal, Log, Scim, Server
from bridge.config.schema import json_schema
from bridge.config.sources import Loaded, Source, load
from bridge.config.structuring import structure

__all__ = [
    "BackendTable",
    "Configuration",
    "Guard",
    "Journal",
    "Loaded",
    "Log",
    "Scim",
    "Server",
    "Source",
    "json_schema",
    "load",
    "structure",
]
