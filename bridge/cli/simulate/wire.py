"""Okta's HTTP client, as far as a server can see it: its headers, one connection per request.

Rule: whatever the answer is, it is returned; only a server that cannot be reached raises.
"""

import gzip
import http.client
import json
import time
import urllib.parse
from typing import Any

import attrs

from bridge.core.errors import OperatorError
from bridge.core.secret import Secret

TIMEOUT_SECONDS = 60
"""Okta closes the socket after this long."""


@attrs.frozen
class Answer:
    """Status, JSON document (None when there is none) and how long it took."""

    status: int
    document: Any
    milliseconds: float


class Wire:
    """Sends requests to paths below a base address."""

    def __init__(self, base_url: str, token: Secret) -> None:
        """`base_url` is http(s)://host[:port][/path], without query.

        Raises OperatorError BRG-SIMULATE-URL for anything else.
        """
        address = urllib.parse.urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname or address.query:
            raise OperatorError(
                "BRG-SIMULATE-URL",
                f"{base_url} is not an http(s) address.",
                "Give the SCIM URL that quickstart printed, ending in /scim/v2.",
            )
        self._base_url = base_url
        self._address = address
        self._headers = {
            "Accept": "application/scim+json",
            "Accept-Charset": "utf-8",
            "Accept-Encoding": "gzip,deflate",
            "User-Agent": "Okta SCIM Client 1.0.0",
            "Authorization": f"Bearer {token.reveal()}",
            "Connection": "close",
        }

    def ask(self, method: str, path: str, document: Any = None) -> Answer:
        """Send one request, `path` relative to the base; raises OperatorError BRG-REACH-BRIDGE."""
        headers = dict(self._headers)
        body = None
        if document is not None:
            body = json.dumps(document).encode()
            headers["Content-Type"] = "application/scim+json; charset=utf-8"
        began = time.perf_counter()
        connection = self._connection()
        try:
            connection.request(method, self._address.path.rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise OperatorError(
                "BRG-REACH-BRIDGE",
                f"No answer from {self._base_url}: {type(error).__name__}: {error}.",
                "Start the bridge (`bridge quickstart` or `bridge serve`) or correct --url.",
            ) from None
        finally:
            connection.close()
        if answer.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        return Answer(answer.status, _json(content), (time.perf_counter() - began) * 1000)

    def _connection(self) -> http.client.HTTPConnection:
        kind = (
            http.client.HTTPSConnection
            if self._address.scheme == "https"
            else http.client.HTTPConnection
        )
        return kind(self._address.hostname or "", self._address.port, timeout=TIMEOUT_SECONDS)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode("utf-8", "replace")
