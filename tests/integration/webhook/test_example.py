"""The receiver of the how-to keeps up with a running bridge."""

import importlib.util
import threading
from pathlib import Path
from typing import Any

import httpx

from plugins.webhook_backend.tests.receiver import SECRET
from tests.integration.running import quickstart
from tests.webhooks import GROUP, client, eventually, provision, table

EXAMPLE = Path(__file__).parents[3] / "examples" / "webhook_receiver" / "receiver.py"


def example() -> Any:
    spec = importlib.util.spec_from_file_location("receiver_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_keeps_up(tmp_path: Path) -> None:
    receiver = example()
    directory = receiver.Directory()
    with receiver.server(0, SECRET, directory) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        url = f"http://127.0.0.1:{server.server_port}/hooks"
        try:
            with (
                quickstart(tmp_path / "bridge", more=table("crm", url)) as bridge,
                client(bridge) as scim,
            ):
                ann, bob = provision(scim, "ann"), provision(scim, "bob")
                members = [{"value": ann}, {"value": bob}]
                body = {"schemas": [GROUP], "displayName": "Sales", "members": members}
                sales = str(scim.post("/Groups", json=body).json()["id"])
                assert scim.delete(f"/Users/{bob}").status_code == 204
                eventually(lambda: directory.members.get(sales) == {ann})
                eventually(lambda: bob not in directory.resources)
                assert directory.resources[ann]["userName"] == "ann@example.com"
                assert httpx.post(url, content=b"{}").status_code == 401
        finally:
            server.shutdown()
            serving.join()


def test_the_example_does_nothing_twice_and_lets_nothing_older_win() -> None:
    directory = example().Directory()

    def event(version: int, name: str) -> dict[str, Any]:
        data = {"id": "1", "resource": "User", "version": version, "attributes": {"userName": name}}
        return {"type": "user.updated", "data": data}

    assert directory.take("b", event(2, "new"))
    assert not directory.take("b", event(2, "new"))
    assert not directory.take("a", event(1, "old"))
    assert directory.resources["1"]["userName"] == "new"
