"""A password that the identity provider sends opens the account and is nowhere else.

A running bridge at log level debug, with an LDAP directory that takes passwords (and refuses short
ones), a SQL database and a webhook that do not. Unique passwords go through every flow; afterwards
they are looked for in all that the bridge wrote, logged, printed, sent and answered.
"""

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from plugins.ldap_backend.tests.desk import make_units
from plugins.webhook_backend.tests.receiver import SECRET, Receiver
from tests.containers import Launch
from tests.integration.running import Bridge, quickstart
from tests.openldap import OpenLDAP

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
POLICY = "cn=policy,dc=example,dc=org"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def directory(start_openldap: Launch) -> OpenLDAP:
    """An OpenLDAP that wants twelve characters."""
    started = start_openldap(
        extra=f'moduleload ppolicy\noverlay ppolicy\nppolicy_default "{POLICY}"\n'
    )
    make_units(started)
    started.load(
        f"dn: {POLICY}\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\ncn: policy\n"
        "pwdAttribute: userPassword\npwdCheckQuality: 2\npwdMinLength: 12\n"
    )
    return started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


@attrs.define
class Okta:
    """Sends passwords, and keeps every answer and every password it sent."""

    bridge: Bridge
    http: httpx.Client
    canaries: list[str] = attrs.field(factory=list)
    answers: list[str] = attrs.field(factory=list)

    def canary(self, length: int = 24) -> str:
        """Return a password that was not sent before and that stands out anywhere."""
        text = (f"Kq{len(self.canaries)}!" + "x7Zp" * 9)[:length]
        assert not any(text in other or other in text for other in self.canaries)
        self.canaries.append(text)
        return text

    def send(self, method: str, path: str, body: Any, *, status: int) -> Any:
        answer = self.http.request(method, path, json=body)
        self.answers.append(f"{answer.headers} {answer.text}")
        assert answer.status_code == status, answer.text
        return answer.json()

    def patch(self, id_: str, *operations: dict[str, Any]) -> None:
        body = {"schemas": [PATCH_OP], "Operations": operations}
        self.send("PATCH", f"/Users/{id_}", body, status=200)

    def send_what_is_refused(self) -> None:
        """Send passwords where or how none can be."""
        for wrong in ([self.canary()], {"value": self.canary()}):
            self.send("POST", "/Users", person("eve", password=wrong), status=400)
        body = f'{{"userName": "eve", "password": "{self.canary()}'.encode()
        question = {"filter": f'password eq "{self.canary()}"'}
        asked = self.http.get("/Users", params=question)
        broken = self.http.post("/Users", content=body)
        assert (asked.status_code, broken.status_code) == (400, 400)
        self.answers.append(broken.text)


@pytest.fixture
def okta(
    tmp_path: Path,
    directory: OpenLDAP,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Okta]:
    backends = f"""
[[backends]]
type = "ldap"
name = "corp"
uris = ["{directory.uri}"]
insecure = true
bind_dn = "{directory.bind_dn}"
bind_password = "{directory.bind_password}"
users.base_dn = "ou=people,{directory.base_dn}"
users.passwords = "extended"
groups.base_dn = "ou=groups,{directory.base_dn}"

[[backends]]
type = "webhook"
name = "hook"
url = "{receiver.url}"
secret = "{SECRET}"
allow_networks = ["127.0.0.0/8"]
"""
    monkeypatch.setenv("BRIDGE_LOG__LEVEL", "debug")
    with quickstart(tmp_path / "bridge", more=backends) as bridge:
        headers = {"Authorization": f"Bearer {bridge.token}"}
        with httpx.Client(base_url=bridge.scim_url, headers=headers, timeout=60) as http:
            yield Okta(bridge, http)


def may_log_in(directory: OpenLDAP, name: str, password: str) -> bool:
    dn = f"uid={name},ou=people,{directory.base_dn}"
    bind = ("-x", "-H", directory.tools_uri, "-D", dn, "-w", password)
    return directory.server.run("ldapwhoami", *bind).returncode == 0


def person(name: str, **more: Any) -> dict[str, Any]:
    names = {"givenName": name.title(), "familyName": "Example"}
    return {"schemas": [USER], "userName": name, "name": names, **more}


Texts = dict[str, bytes]


def files(folder: Path) -> Texts:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def encoded(kind: str, texts: Iterable[str]) -> Texts:
    return {f"{kind} {n}": text.encode() for n, text in enumerate(texts)}


def sync_passwords(okta: Okta, directory: OpenLDAP) -> str:
    """Set Ann's password in every way there is; each opens the account, and only the last."""
    bridge = okta.bridge
    first = okta.canary()
    ann = okta.send("POST", "/Users", person("ann", password=first), status=201)["id"]
    bridge.wait_until_delivered()
    assert may_log_in(directory, "ann", first)

    put = okta.canary()
    okta.send("PUT", f"/Users/{ann}", person("ann", title="in-the-open", password=put), status=200)
    bridge.wait_until_delivered()
    assert may_log_in(directory, "ann", put)

    for said in (
        lambda text: {"op": "replace", "value": {"password": text, "title": "in-the-open"}},
        lambda text: {"op": "add", "path": "password", "value": text},
        lambda text: {"op": "replace", "path": f"{USER}:password", "value": text},
    ):
        before, now = okta.canaries[-1], okta.canary()
        okta.patch(ann, said(now))
        bridge.wait_until_delivered()
        assert may_log_in(directory, "ann", now)
        assert not may_log_in(directory, "ann", before)
    return str(ann)


def let_one_wait(okta: Okta, directory: OpenLDAP, ann: str, folder: Path) -> Texts:
    """Have a password wait, and return all that is written and shown of it meanwhile."""
    bridge = okta.bridge
    bridge.command("backend", "pause", "corp")
    waiting = okta.canary()
    okta.patch(ann, {"op": "replace", "value": {"password": waiting}})
    planned = bridge.command("plan", "corp")
    assert "password modify (RFC 3062) of uid=ann" in planned
    shown = [planned, bridge.command("deliveries", "show", ann)]
    written = {f"{path} while waiting": text for path, text in files(folder).items()}
    bridge.command("backend", "resume", "corp")
    bridge.wait_until_delivered()
    assert may_log_in(directory, "ann", waiting)
    return written | encoded("shown while waiting", shown)


def have_one_refused(okta: Okta) -> Texts:
    """Send a password that the directory refuses, and return what people are shown of it."""
    bridge = okta.bridge
    bob = okta.send("POST", "/Users", person("bob", password=okta.canary(8)), status=201)["id"]
    while not bridge.figure("bridge_parked"):
        time.sleep(0.1)
    told = bridge.command("deliveries", "show", bob)
    assert "constraintViolation (19)" in told
    listed = bridge.command("deliveries", "list", "--json")
    skipped = bridge.command("deliveries", "skip", bob, "--backend", "corp", "--yes")
    return encoded("shown when refused", [told, listed, skipped])


def test_canary_passwords_open_the_account_and_are_found_nowhere(
    okta: Okta, directory: OpenLDAP, receiver: Receiver, tmp_path: Path
) -> None:
    bridge = okta.bridge
    ann = sync_passwords(okta, directory)
    everywhere = let_one_wait(okta, directory, ann, tmp_path) | have_one_refused(okta)

    # Deleted, perhaps before it was delivered.
    carl = okta.send("POST", "/Users", person("carl", password=okta.canary()), status=201)["id"]
    okta.http.delete(f"/Users/{carl}")

    okta.send_what_is_refused()
    okta.answers += [okta.http.get("/Users").text, okta.http.get(f"/Users/{ann}").text]
    shown = [
        httpx.get(f"{bridge.url}/metrics").text,
        bridge.command("config", "show"),
    ]
    okta.http.delete(f"/Users/{ann}")
    bridge.wait_until_delivered()
    assert bridge.stop() == 0

    events = [json.dumps([one.path, dict(one.headers), one.event]) for one in receiver.received]
    everywhere |= files(tmp_path) | encoded("shown", shown)
    everywhere |= encoded("answer", okta.answers) | encoded("event", events)
    assert str(tmp_path / "bridge.log") in everywhere
    assert len(okta.canaries) == 12
    found = [
        (where, c)
        for where, text in everywhere.items()
        for c in okta.canaries
        if c.encode() in text
    ]
    assert found == []
    # The same search finds what is no secret: in the journal, in SQL, in events and in answers.
    in_the_open = {where for where, text in everywhere.items() if b"in-the-open" in text}
    for place in ("while waiting", "people.db", "event", "answer"):
        assert any(place in where for where in in_the_open), place
