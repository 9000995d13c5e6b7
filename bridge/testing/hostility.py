"""Laws of hostile text: names that somebody will have, or will try.

Rule: text arrives as it is or is refused with a reason; it never becomes something else.
"""

import unicodedata

import pytest

from bridge.plugin import ChangeRecord, Park, RetryLater
from bridge.testing.harness import Carrier
from bridge.testing.world import World

HOSTILE: dict[str, str] = {
    "quotes": 'O\'Brien "the" `x`',
    "sql": "'; DROP TABLE users; --",
    "sql-comment": "x/*",
    "percent": "100%s %(x)s %d :name ? {0}",
    "backslashes": "\\\\a\\, b\\2c",
    "dn": "x,ou=admins+cn=y;dc=z",
    "ldap-filter": "*)(uid=*",
    "leading-hash": "#616263",
    "spaces-around": " x ",
    "one-space": " ",
    "newline": "line\r\nlocation: /evil",
    "escape": "\x1b[31mred",
    "non-ascii": "Åsa Öberg 株式会社",
    "astral": "\U0001d4b3 👩‍👩‍👧",
    "right-to-left": "\u202eevil\u202c",
    "combining": "e\u0301 versus \u00e9",
    "long": "x" * 2_000,
    "template": "{{7*7}} ${jndi:ldap://x} <script>",
    "path": "../../etc/passwd",
    "option": "--output=/tmp/x",
}
"""By name; the name is the test's id."""

ALIKE = (
    "resume@example.com",
    "r\u00e9sum\u00e9@example.com",
    "re\u0301sume\u0301@example.com",
    "resume @example.com",
    "resume\u200b@example.com",
    "\uff52esume@example.com",
)
"""User names that look alike, and are six to SCIM."""

each_text = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


class HostilityLaws:
    """Text from outside."""

    @each_text
    def test_hostile_text_arrives_as_it_is_or_is_refused(
        self, carrier: Carrier, world: World, text: str
    ) -> None:
        carrier.carry(world.user("bob"))
        for handle, change in {
            "ann": world.user("ann", name={"givenName": text, "familyName": text}),
            "eve": world.user("eve", userName=text),
            "sales": world.group("sales", "bob", name=text),
        }.items():
            try:
                carrier.carry(change)
            except (Park, RetryLater) as refusal:
                assert refusal.reason
                world.forget(handle)
        carrier.expect()

    @each_text
    def test_hostile_text_can_be_taken_back_and_deleted(
        self, carrier: Carrier, world: World, text: str
    ) -> None:
        for change in (world.user("ann"), world.user("bob"), world.group("sales", "ann")):
            carrier.carry(change)
        hostile = world.update("ann", userName=text, displayName=text)
        refused: tuple[ChangeRecord, ...] = ()
        try:
            carrier.carry(hostile)
            carrier.expect()
        except (Park, RetryLater) as refusal:
            assert refusal.reason
            refused = (hostile,) if carrier.harness.type.coalesces else ()
        back = world.update("ann", userName="ann@example.com", displayName="Ann")
        carrier.carry(*refused, back)
        carrier.expect()
        for change in world.delete("ann"):
            carrier.carry(change)
        carrier.expect()

    @each_text
    def test_shown_text_moves_no_terminal(self, carrier: Carrier, world: World, text: str) -> None:
        try:
            shown = str(carrier.plan(world.user("ann", displayName=text, title=text)))
        except (Park, RetryLater) as refusal:
            shown = str(refusal)
        moving = {c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs"}} - {"\n", "\t"}
        assert not moving - set("\u200d"), "control characters are shown as they are"

    def test_names_that_look_alike_stay_apart(self, carrier: Carrier, world: World) -> None:
        for number, name in enumerate(ALIKE):
            change = world.user(f"user-{number}", userName=name)
            try:
                carrier.carry(change)
            except (Park, RetryLater) as refusal:
                assert refusal.reason
                world.forget(f"user-{number}")
        carrier.expect()
        assert len(world.expected()) > 1
