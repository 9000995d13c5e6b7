"""A receiver of webhooks: keeps a directory of people and groups in memory.

    python receiver.py --port 9000 --secret whsec_...

Rule: verify first, answer quickly, do nothing twice, and let nothing older win.
"""

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

LARGEST_BYTES = 1_000_000


class Directory:
    """What is known from the events: documents and members by resource id."""

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Any]] = {}
        self.members: dict[str, set[str]] = {}
        self._seen: set[str] = set()  # a real one keeps them for some days
        self._versions: dict[str, int] = {}
        self._gate = Lock()

    def take(self, event_id: str, event: dict[str, Any]) -> bool:
        """Apply one event; False where it had been applied, or a newer one."""
        data = event["data"]
        key = data["id"]
        with self._gate:
            if event_id in self._seen or data["version"] < self._versions.get(key, 0):
                return False
            self._seen.add(event_id)
            self._versions[key] = data["version"]
            if event["type"].endswith(".deleted"):
                self.resources.pop(key, None)
                self.members.pop(key, None)
            elif "attributes" in data:
                self.resources[key] = {"type": data["resource"], **data["attributes"]}
            change = data.get("members", {"added": [], "removed": []})
            members = self.members.setdefault(key, set())
            members -= {one["id"] for one in change["removed"]}
            members |= {one["id"] for one in change["added"]}
            return True


def server(port: int, secret: str, directory: Directory) -> ThreadingHTTPServer:
    """Return an HTTP server that takes events at any path."""
    webhook = Webhook(secret)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            if length > LARGEST_BYTES:
                self.close_connection = True
                self._answer(413)
                return
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                event = webhook.verify(body, headers)
            except (WebhookVerificationError, json.JSONDecodeError):
                self._answer(401)  # the bridge stops sending and says so
                return
            directory.take(headers["webhook-id"], event)
            self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: bodies and headers are not for logs."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve until interrupted."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--port", type=int, default=9000)
    arguments.add_argument("--secret", required=True)
    given = arguments.parse_args()
    server(given.port, given.secret, Directory()).serve_forever()


if __name__ == "__main__":
    main()
