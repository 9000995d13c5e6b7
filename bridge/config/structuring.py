"""TOML tables into attrs values, strictly: no coercion, no unknown key, secrets also from files.

Types a settings class may use: str, int, float, bool, Secret, Path, Literal, Enum, other attrs
classes, `T | None`, tuple[T, ...], frozenset[T] and Mapping[str, T].

Rule: whatever is wrong is reported at once, one line per place, never only the first.
"""

import difflib
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs import cols
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError
from cattrs.gen import make_dict_structure_fn

from bridge.core.errors import OperatorError
from bridge.core.secret import Secret

T = TypeVar("T")

_FILE = "_file"


class EnvironmentText(str):
    """Text of an environment variable; a field that is not text reads it as a TOML value."""

    __slots__ = ()


def structure(table: Mapping[str, Any], into: type[T], path: str, directory: Path) -> T:
    """Return the attrs value `into` that `table`, found at `path` of the configuration, describes.

    Relative file names are relative to `directory`. Raises an ExceptionGroup of OperatorError,
    one for each place where something is wrong.
    """
    try:
        return _converter(directory).structure(table, into)
    except (cattrs.BaseValidationError, ValueError, TypeError) as error:
        raise ExceptionGroup(
            "configuration",
            [
                OperatorError(
                    "BRG-CONFIG-INVALID",
                    problem if problem.endswith("?") else f"{problem}.",
                    "Mend that line; `bridge config schema` lists every key.",
                )
                for problem in _problems(error, path)
            ],
        ) from None


def field_types(cls: type[Any]) -> dict[str, Any]:
    """Return the field types of an attrs class, annotations resolved."""
    attrs.resolve_types(cls)
    return {field.name: field.type for field in attrs.fields(cls)}


def alternatives(kind: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


def _converter(directory: Path) -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, lambda value, _: _text(value))
    converter.register_structure_hook(Secret, lambda value, _: Secret(_text(value)))
    converter.register_structure_hook(Path, lambda value, _: directory / _text(value))
    for scalar, accepted, word in (
        (bool, (bool,), "true or false"),
        (int, (int,), "a whole number"),
        (float, (int, float), "a number"),
    ):
        converter.register_structure_hook(scalar, partial(_scalar, scalar, accepted, word))
    converter.register_structure_hook_factory(_is_list, _list_hook)
    converter.register_structure_hook_factory(cols.is_mapping, _mapping_hook)
    converter.register_structure_hook_factory(
        _is_literal, lambda kind, _: partial(_one_of, typing.get_args(kind))
    )
    converter.register_structure_hook_factory(
        attrs.has, lambda cls, converter: _class_hook(directory, cls, converter)
    )
    return converter


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"must be a text in quotes, not {value!r}")
    return str(value)


def _as_toml(value: Any) -> Any:
    if not isinstance(value, EnvironmentText):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        raise ValueError("the environment variable does not hold a TOML value") from None


def _scalar(
    scalar: Callable[[Any], Any], accepted: tuple[type, ...], word: str, value: Any, _kind: Any
) -> Any:
    value = _as_toml(value)
    if not isinstance(value, accepted) or (isinstance(value, bool) and scalar is not bool):
        raise TypeError(f"must be {word}, not {value!r}")
    return scalar(value)


def _one_of(choices: tuple[Any, ...], value: Any, _kind: Any) -> Any:
    if value not in choices:
        raise ValueError(f"must be one of {', '.join(map(str, choices))}, not {value!r}")
    return choices[choices.index(value)]


def _is_literal(kind: Any) -> bool:
    return bool(typing.get_origin(kind) == typing.Literal)


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) in (tuple, frozenset)


def _list_hook(kind: Any, converter: cattrs.BaseConverter) -> Any:
    collection = typing.get_origin(kind)
    items_kind: Any = types.GenericAlias(list, typing.get_args(kind)[:1])
    items = cols.list_structure_factory(items_kind, converter)

    def hook(value: Any, _kind: Any) -> Any:
        value = _as_toml(value)
        if not isinstance(value, list):
            raise TypeError(f"must be a list, not {value!r}")
        return collection(items(value, items_kind))

    return hook


def _mapping_hook(kind: Any, converter: cattrs.BaseConverter) -> Any:
    entries = cols.mapping_structure_factory(kind, converter)

    def hook(value: Any, _kind: Any) -> Any:
        return entries(_table(_as_toml(value)), kind)

    return hook


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"must be a table, not {value!r}")
    return value


def _class_hook(directory: Path, cls: type[Any], converter: cattrs.BaseConverter) -> Any:
    secrets = [name for name, kind in field_types(cls).items() if Secret in alternatives(kind)]
    build = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True)

    def hook(value: Any, _kind: Any) -> Any:
        table = dict(_table(value))
        for name in secrets:
            if (file := table.pop(name + _FILE, None)) is not None:
                if name in table:
                    raise ValueError(f"both {name} and {name}{_FILE} are set")
                table[name] = _read_secret(directory / _text(file), name + _FILE)
        return build(table, cls)

    return hook


def _read_secret(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"{key}: cannot read {path}: {reason}") from None


def _problems(error: BaseException, path: str) -> Iterator[str]:
    match error:
        case ClassValidationError() | IterableValidationError():
            noted, others = error.group_exceptions()
            for inner, note in noted:
                step = note.name if hasattr(note, "name") else note.index
                yield from _problems(inner, f"{path}.{step}" if path else str(step))
            for inner in others:
                yield from _problems(inner, path)
        case ForbiddenExtraKeysError():
            known = [field.name for field in attrs.fields(error.cl)]
            for name in sorted(error.extra_fields):
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
                yield f"{f'{path}.' if path else ''}{name}: unknown key; {hint}"
        case KeyError():
            yield f"{path}: is required and missing"
        case _:
            yield f"{path}: {error}" if path else str(error)
