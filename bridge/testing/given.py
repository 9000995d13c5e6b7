"""A backend that is named on pytest's command line, with or without a harness of its author's.

    pytest --bridge-backend=bridge_acme.plugin:acme --bridge-settings=acme.toml
    pytest --bridge-backend=acme.py:acme --bridge-settings=acme.toml
    pytest --bridge-backend=tests.harness:AcmeHarness

The part before the colon is a module or a file; the part after it is the name of a backend type
that is registered there, or of a harness class that is made with an empty folder.

Rule: a backend without a harness is its own witness, if it looks at its target; laws that need
another one are skipped, and say so.
"""

import importlib
import tomllib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

from bridge.config import structure
from bridge.loading import Plugin, backend_type, load_file
from bridge.plugin import Backend, BackendType, Link, OperatorError, Secret
from bridge.testing.harness import BackendHarness, Carrier

FOLDER = "{folder}"
"""In a text of the settings file it stands for an empty folder, another one in every test."""


class GivenHarness(BackendHarness):
    """A backend type and its settings; organizations of its own keep the tests apart."""

    def __init__(self, kind: BackendType, settings: Any) -> None:
        super().__init__()
        self.type = kind
        self.settings = settings
        self.secrets = tuple(_secrets(settings))
        self.organizations = (f"test-{uuid.uuid4().hex[:12]}", f"test-{uuid.uuid4().hex[:12]}")

    def open(self) -> Backend:
        return self.type.open(self.settings)

    def held(self, organization: str) -> Mapping[str, Any]:
        pytest.skip(f"without a harness, nobody else tells what {organization} holds")

    def judge(self, carrier: Carrier) -> None:
        if not carrier.observes:
            pytest.skip("a backend that does not look needs a harness to be judged")
        for snapshot in carrier.world.snapshots():
            assert carrier.look(snapshot.entity.id).steps == ()

    def stand_ins(self, resource_ids: Sequence[str]) -> Mapping[str, Link]:
        pytest.skip(f"{len(resource_ids)} members need a harness with stand_ins")


def given(backend: str, settings: str | None, folder: Path) -> BackendHarness:
    """Return the harness for the value of `--bridge-backend`; raises pytest.UsageError."""
    place, _, name = backend.rpartition(":")
    try:
        module = _module(place)
        offered = getattr(module, name, None)
        if isinstance(offered, type) and issubclass(offered, BackendHarness):
            made: BackendHarness = offered(folder)  # type: ignore[call-arg]
            return made
        kind = backend_type(Plugin(name, "", "", place, lambda: module))
        table = kind.completed(_settings(settings, folder))
        return GivenHarness(kind, structure(table, kind.settings, "settings", folder))
    except ExceptionGroup as several:
        told = "; ".join(str(error) for error in several.exceptions)
        raise pytest.UsageError(told) from None
    except OperatorError as error:
        raise pytest.UsageError(str(error)) from None


def _module(place: str) -> ModuleType:
    if place.endswith(".py"):
        if not Path(place).is_file():
            raise pytest.UsageError(f"--bridge-backend: there is no file {place}")
        return load_file(Path(place))
    try:
        return importlib.import_module(place)
    except (ImportError, ValueError) as error:
        raise pytest.UsageError(f"--bridge-backend=MODULE:NAME: {error}") from None


def _settings(file: str | None, folder: Path) -> Mapping[str, Any]:
    if file is None:
        return {}
    try:
        table = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"--bridge-settings={file}: {error}") from None
    return {key: _placed(value, folder) for key, value in table.items()}


def _placed(value: Any, folder: Path) -> Any:
    match value:
        case str():
            return value.replace(FOLDER, str(folder))
        case list():
            return [_placed(one, folder) for one in value]
        case dict():
            return {key: _placed(one, folder) for key, one in value.items()}
    return value


def _secrets(settings: Any) -> Iterator[str]:
    match settings:
        case Secret():
            yield settings.reveal()
        case tuple():
            for one in settings:
                yield from _secrets(one)
        case _ if attrs.has(type(settings)):
            for field in attrs.fields(type(settings)):
                yield from _secrets(getattr(settings, field.name))
