"""The configuration file: what it may say, who overrides what, and how mistakes are reported."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from bridge.config import Configuration, Loaded, Source, json_schema, load, structure
from bridge.core.errors import OperatorError
from bridge.core.schema import STANDARD
from bridge.core.secret import Secret

KEY = "k" * 48
MINIMAL = f'[server]\nkey = "{KEY}"\n'


def loaded(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> Loaded:
    file = tmp_path / "bridge.toml"
    file.write_text(text)
    return load(file, environ or {})


def mistakes(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ExceptionGroup) as caught:
        loaded(tmp_path, text, environ)
    errors = caught.value.exceptions
    assert all(isinstance(e, OperatorError) and e.code == "BRG-CONFIG-INVALID" for e in errors)
    assert all("\n" not in str(error) for error in errors)
    return [error.problem for error in errors if isinstance(error, OperatorError)]


def test_everything_but_the_key_has_a_default(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, MINIMAL).configuration
    assert configuration == Configuration(attrs.evolve(configuration.server, key=Secret(KEY)))
    assert configuration.server.url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ('host = "::1"\nport = 81', "http://[::1]:81"),
        ('host = "0.0.0.0"', "http://localhost:8080"),
        ('public_url = "https://scim.example.com/"', "https://scim.example.com"),
    ],
)
def test_the_address_that_clients_use(tmp_path: Path, server: str, url: str) -> None:
    assert loaded(tmp_path, f"{MINIMAL}{server}\n").configuration.server.url == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "server: is required and missing."),
        ("[server]\n", "server.key: is required and missing."),
        ('[server]\nkey = "short"\n', "server: key must have 32 characters or more."),
        (f"{MINIMAL}prot = 1\n", "server.prot: unknown key; did you mean port?"),
        (f"{MINIMAL}[sever]\n", "sever: unknown key; did you mean server?"),
        (f'{MINIMAL}port = "80"\n', "server.port: must be a whole number, not '80'."),
        (f"{MINIMAL}port = true\n", "server.port: must be a whole number, not True."),
        (f"{MINIMAL}port = 70000\n", "server: port must be between 0 and 65535, not 70000."),
        (f"{MINIMAL}host = 1\n", "server.host: must be a text in quotes, not 1."),
        (
            f'{MINIMAL}public_url = "scim.example.com"\n',
            "server: public_url must be an http(s):// address without query and fragment.",
        ),
        (
            f'{MINIMAL}[log]\nlevel = "loud"\n',
            "log.level: must be one of debug, info, warning, error, not 'loud'.",
        ),
        (f"backends = 3\n{MINIMAL}", "backends: must be a list, not 3."),
        (f"schemas = [3]\n{MINIMAL}", "schemas.0: must be a table, not 3."),
        (f'{MINIMAL}[[backends]]\ntype = "sql"\n', "backends.0.name: is required and missing."),
        (
            f'{MINIMAL}[[backends]]\ntype = "sql"\nname = "A b"\n',
            "backends.0: name 'A b' is not made of small letters, digits and hyphens.",
        ),
        (
            MINIMAL + '[[backends]]\ntype = "sql"\nname = "a"\n' * 2,
            "two backends have the name a.",
        ),
        ('[server]\nkey = "x"\nkey_file = "x"\n', "server: both key and key_file are set."),
    ],
)
def test_a_mistake_is_one_line_with_its_path(tmp_path: Path, text: str, problem: str) -> None:
    assert mistakes(tmp_path, text) == [problem]


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    found = mistakes(tmp_path, f'{MINIMAL}port = "80"\nprot = 1\n[log]\nlevel = 1\n')
    assert [line.partition(":")[0] for line in found] == ["server.port", "server.prot", "log.level"]


def test_a_file_that_cannot_be_read_or_is_not_toml(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"BRG-CONFIG-UNREADABLE.*bridge init"):
        load(tmp_path / "none.toml", {})
    with pytest.raises(OperatorError, match=r"BRG-CONFIG-SYNTAX.*line 1"):
        loaded(tmp_path, "port =\n[server]")


def test_a_secret_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    configuration = loaded(tmp_path, '[server]\nkey_file = "key"\n').configuration
    assert configuration.server.key.reveal() == KEY
    assert KEY not in repr(configuration)


def test_a_secret_file_that_cannot_be_read(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, '[server]\nkey_file = "gone"\n')
    assert found.startswith(f"server: key_file: cannot read {tmp_path / 'gone'}: No such file")


BACKEND = '[[backends]]\ntype = "sql"\nname = "main-db"\nurl = "sqlite:///a"\n'


def test_the_environment_overrides_the_file_and_sources_tell(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        f"{MINIMAL}port = 1\n{BACKEND}",
        {
            "BRIDGE_SERVER__PORT": "9000",
            "BRIDGE_LOG__LEVEL": "debug",
            "BRIDGE_BACKENDS__MAIN_DB__SLOTS": "3",
            "BRIDGE_BACKENDS__MAIN_DB__URL": "sqlite:///b",
            "BRIDGE_CONFIG": "not a key",
            "HOME": "/",
        },
    )
    (backend,) = found.configuration.backends
    assert (found.configuration.server.port, found.configuration.log.level) == (9000, "debug")
    assert (backend.slots, dict(backend.settings)) == (3, {"url": "sqlite:///b"})
    assert found.sources["server.port"] is Source.ENVIRONMENT
    assert found.sources["server.key"] is Source.FILE
    assert found.sources["backends.main-db.slots"] is Source.ENVIRONMENT
    assert found.sources["backends.main-db.type"] is Source.FILE
    assert "server.host" not in found.sources


def test_a_secret_in_the_environment_beats_a_file_that_is_named(tmp_path: Path) -> None:
    text = '[server]\nkey_file = "gone"\n'
    found = loaded(tmp_path, text, {"BRIDGE_SERVER__KEY": "1" * 40})
    assert found.configuration.server.key.reveal() == "1" * 40
    (tmp_path / "other").write_text("2" * 40)
    found = loaded(tmp_path, MINIMAL, {"BRIDGE_SERVER__KEY_FILE": "other"})
    assert found.configuration.server.key.reveal() == "2" * 40


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("BRIDGE_SERVER__PROT", "1", "server.prot: unknown key; did you mean port?"),
        (
            "BRIDGE_SERVER__PORT",
            "many",
            "server.port: the environment variable does not hold a TOML value.",
        ),
    ],
)
def test_a_mistake_in_the_environment(
    tmp_path: Path, variable: str, value: str, problem: str
) -> None:
    assert mistakes(tmp_path, MINIMAL, {variable: value}) == [problem]


def test_a_variable_for_a_backend_that_the_file_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="BRG-CONFIG-ENVIRONMENT"):
        loaded(tmp_path, MINIMAL, {"BRIDGE_BACKENDS__CORP__URL": "x"})


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("sqlite:///bridge.db", "sqlite:///{}/bridge.db"),
        ("sqlite:////var/bridge.db", "sqlite:////var/bridge.db"),
        ("postgresql+psycopg://host/db", "postgresql+psycopg://host/db"),
    ],
)
def test_a_relative_journal_is_relative_to_the_file(
    tmp_path: Path, url: str, absolute: str
) -> None:
    found = loaded(tmp_path, f'{MINIMAL}[journal]\nurl = "{url}"\n')
    assert found.journal_url == absolute.format(tmp_path)


@attrs.frozen
class Inner:
    names: tuple[str, ...] = ()


@attrs.frozen
class Settings:
    """A plugin's settings with every type that is allowed."""

    host: str
    secret: Secret | None = None
    file: Path | None = None
    ratio: float = 1.0
    flag: bool = False
    mode: Literal["a", "b"] = "a"
    rules: Mapping[str, str] = attrs.field(factory=dict)
    inner: Inner = attrs.field(factory=Inner)


def settings_of(text: str, directory: Path) -> Settings:
    return structure(tomllib.loads(text), Settings, "backends.x", directory)


def test_the_types_that_settings_may_have(tmp_path: Path) -> None:
    text = """
        host = "h"
        secret = "s"
        file = "f"
        ratio = 2
        flag = true
        mode = "b"
        rules = { cn = "displayName" }
        inner.names = ["a", "b"]
    """
    assert settings_of(text, tmp_path) == Settings(
        host="h",
        secret=Secret("s"),
        file=tmp_path / "f",
        ratio=2.0,
        flag=True,
        mode="b",
        rules={"cn": "displayName"},
        inner=Inner(("a", "b")),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('inner.names = "a"', "backends.x.inner.names: must be a list, not 'a'."),
        ("inner.names = [1]", "backends.x.inner.names.0: must be a text in quotes, not 1."),
        ("rules = 1", "backends.x.rules: must be a table, not 1."),
        ("rules.cn = 1", "backends.x.rules.cn: must be a text in quotes, not 1."),
        ("inner = 1", "backends.x.inner: must be a table, not 1."),
        ('flag = "no"', "backends.x.flag: must be true or false, not 'no'."),
        ("ratio = true", "backends.x.ratio: must be a number, not True."),
        ("secret = 1", "backends.x.secret: must be a text in quotes, not 1."),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        settings_of(f'host = "h"\n{text}', tmp_path)
    assert [e.problem for e in caught.value.exceptions if isinstance(e, OperatorError)] == [problem]


def test_the_json_schema_tells_the_same_as_the_classes() -> None:
    schema: dict[str, Any] = json_schema({"x": Settings})
    server = schema["properties"]["server"]
    assert server["properties"]["port"]["default"] == 8080
    assert "key_file" in server["properties"]
    assert "required" not in server  # either key or key_file does
    (backend,) = schema["properties"]["backends"]["items"]["oneOf"]
    assert backend["properties"]["type"] == {"const": "x"}
    assert backend["required"] == ["type", "name", "host"]
    assert backend["properties"]["mode"] == {"enum": ["a", "b"], "default": "a"}
    assert backend["properties"]["secret"] == {"type": "string", "writeOnly": True}
    assert backend["properties"]["inner"]["properties"]["names"]["type"] == "array"
    assert schema["additionalProperties"] is backend["additionalProperties"] is False


SCHEMA = '[[schemas]]\nid = "urn:x:Badge"\nattributes = [{ name = "color", required = true }]\n'
BADGE = '[[resource_types]]\nname = "Badge"\nendpoint = "/Badges"\nschema = "urn:x:Badge"\n'


def test_schemas_and_resource_types_of_the_file_are_served(tmp_path: Path) -> None:
    (tmp_path / "more.json").write_text('{"id": "urn:x:More", "attributes": [{"name": "size"}]}')
    (tmp_path / "list.json").write_text('[{"id": "urn:x:Org", "attributes": [{"name": "unit"}]}]')
    text = f"""
        schema_files = ["more.json", "list.json"]
        {MINIMAL}
        {SCHEMA}
        {BADGE}
        schemaExtensions = [{{ schema = "urn:x:More", required = true }}]
        [[resource_types]]
        name = "User"
        schemaExtensions = [{{ schema = "urn:x:Org" }}]
        """
    registry = loaded(tmp_path, text).registry
    assert [rtype.name for rtype in registry.resource_types] == ["User", "Group", "Badge"]
    badge, user = registry.by_endpoint("/Badges"), registry.by_name("User")
    assert badge is not None
    assert user is not None
    assert list(map(str, badge.required)) == ["color"]
    assert badge.requires("urn:X:more")
    assert str(user.target("urn:x:Org:UNIT")) == "urn:x:Org:unit"
    assert user.extension("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")
    assert loaded(tmp_path, MINIMAL).registry is STANDARD


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SCHEMA * 2, "schemas.1: urn:x:Badge is defined already."),
        (
            SCHEMA.replace("required = true", 'type = "text"'),
            "schemas.0: urn:x:Badge, attribute color: type must be one of string, boolean",
        ),
        ('[[schemas]]\nid = "no urn"\n', "schemas.0: schema: 'no urn' cannot be the id of one."),
        (BADGE, "resource_types.0: Badge: there is no schema urn:x:Badge."),
        (SCHEMA + BADGE * 2, "resource_types.1: Badge is defined already."),
        (
            SCHEMA + BADGE.replace("/Badges", "/Bulk"),
            "resource_types.0: Badge: /Bulk is an endpoint of the protocol itself.",
        ),
        (
            SCHEMA + BADGE.replace("/Badges", "/Users"),
            "resource_types: Two resource types share a name or an endpoint.",
        ),
        (
            '[[resource_types]]\nname = "User"\nendpoint = "/People"\n',
            "resource_types.0: User takes schemaExtensions only, not endpoint.",
        ),
        (
            '[[resource_types]]\nname = "Group"\nschemaExtensions = [{ schema = "urn:x:No" }]\n',
            "resource_types.0: Group: there is no schema urn:x:No.",
        ),
        ('schema_files = ["missing.json"]\n', "it cannot be read: No such file or directory."),
        ('schema_files = ["bridge.toml"]\n', "it is not JSON: Expecting value"),
    ],
)
def test_a_faulty_schema_is_named_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    text = text + MINIMAL if text.startswith("schema_files") else MINIMAL + text
    (found,) = mistakes(tmp_path, text)
    assert problem in found
