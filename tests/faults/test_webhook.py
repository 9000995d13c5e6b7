"""Webhooks while things go wrong around them."""

import base64
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from plugins.webhook_backend.tests.receiver import SECRET
from tests.integration.running import quickstart
from tests.webhooks import MARK, client, eventually, provision, receivers, table, told

pytestmark = pytest.mark.faults

OLD = SECRET
NEW = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize("ended", ["asked to stop", "killed"])
def test_F25_no_event_is_unverifiable_while_the_secret_changes(tmp_path: Path, ended: str) -> None:
    with receivers(1) as (receiver,):
        people: list[str] = []
        with quickstart(tmp_path / "bridge"):
            path = tmp_path / "bridge" / "bridge.toml"

        def run(*lines: str, secret: str, hurried: bool = True) -> None:
            before = path.read_text().partition(f"\n{MARK}\n")[0]
            path.write_text(before + table("crm", receiver.url, *lines, secret=secret))
            with quickstart(tmp_path / "bridge") as bridge, client(bridge) as scim:
                had = len(receiver.received) + len(receiver.refused)
                people.extend(provision(scim, f"user{len(people)}") for _ in range(20))
                eventually(lambda: len(receiver.received) + len(receiver.refused) > had)
                if not hurried:
                    eventually(lambda: set(people) <= {id_ for _, id_ in told(receiver)})
                if ended == "killed":
                    bridge.process.kill()
                    bridge.process.wait()
                else:
                    assert bridge.stop() == 0

        run(secret=OLD)
        run(f'old_secrets = ["{OLD}"]', secret=NEW)
        receiver.verifier = Webhook(NEW)
        run(f'old_secrets = ["{OLD}"]', secret=NEW)
        run(secret=NEW, hurried=False)
        assert receiver.refused == []
        assert set(people) <= {id_ for _, id_ in told(receiver)}
