"""Sending: one request at a time, and what its answer means.

    2xx                       delivered; the body is not read further than a cap
    408, 425, 429, 5xx        try again, after `Retry-After` if the receiver says so
    401, 403, 3xx             the receiver does not want us, or is elsewhere: down
    410                       the receiver wants nothing more: disable
    other 4xx                 this event will not be taken: park
    no connection             down
    no answer in time         in doubt: it may have arrived

Rule: nothing that the receiver sends changes where the next request goes.
"""

import contextlib
import ssl
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

import attrs
import httpcore2

from bridge.plugin import (
    BackendDown,
    Disable,
    Finding,
    InDoubt,
    NotApplied,
    Park,
    Plan,
    Receipt,
    RetryLater,
)
from bridge_webhook import signing
from bridge_webhook.egress import Egress
from bridge_webhook.planning import Post
from bridge_webhook.settings import Settings
from bridge_webhook.tokens import key_set

ANSWER_BYTES = 65_536
"""How much of an answer's body is read; the rest is cut off with the connection."""

ANSWER_SHOWN_BYTES = 512
"""How much of an answer's body is told, for the log of attempts."""

DRAIN_SECONDS = 1.0
"""How long an answer's body may take once its status is known, in seconds."""

USER_AGENT = "directory-bridge"

_BROKEN = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)
_AGAIN = frozenset({408, 425, 429})
_UNWANTED = frozenset({401, 403, 407})


class Client:
    """One connection to the receiver, opened when first needed and kept between events."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._signers = settings.signers
        plain = settings.address.scheme == "http"
        self._egress = Egress(settings.allow_networks, plain=plain)
        self._url = httpcore2.URL(settings.url)
        self._connection: httpcore2.HTTP11Connection | None = None

    def execute(self, plan: Plan) -> Receipt:
        """Send the plan's events. Raises NotApplied errors."""
        answers = []
        for post in cast("tuple[Post, ...]", plan.steps):
            answer = self._sent(post)
            answers.append(str(answer))
            if (refusal := refusal_of(answer, datetime.now(UTC))) is not None:
                raise refusal
        return Receipt(answer="\n".join(answers))

    def check(self) -> list[Finding]:
        """Connect to the receiver (with TLS where it is https) and send nothing."""
        address = self._settings.address
        self._egress.end_in(self._settings.timeout_seconds)
        try:
            self._connected().close()
        except _BROKEN as error:
            raise BackendDown(f"{address.netloc}: {error}") from error
        found = [Finding(True, "BRG-WEBHOOK-CONNECTED", f"{address.netloc} takes connections.")]
        if (token := self._settings.token) is not None:
            keys = f"Receivers verify tokens with {key_set(token)}"
            found.append(Finding(True, "BRG-WEBHOOK-KEYS", keys))
        return found

    def close(self) -> None:
        """Give the connection up; never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _sent(self, post: Post) -> "Answer":
        self._egress.end_in(self._settings.timeout_seconds)
        body = post.message.body.encode()
        own = {
            "host": post.host,
            "content-type": post.message.content_type,
            "content-length": str(len(body)),
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": USER_AGENT,
        }
        signed = signing.headers(self._signers, post.message.id, int(time.time()), body)
        try:
            answer = self._usable().handle_request(
                httpcore2.Request(
                    "POST", self._url, headers=list({**own, **signed}.items()), content=body
                )
            )
            with contextlib.closing(answer):
                return Answer(
                    answer.status, _header(answer.headers, b"retry-after"), self._drained(answer)
                )
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            self.close()
            raise BackendDown(f"{post.host} cannot be reached: {error}") from error
        except httpcore2.TimeoutException as error:
            self.close()
            raise InDoubt(
                f"{post.host} did not answer in {self._settings.timeout_seconds:g} seconds"
            ) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            self.close()
            raise RetryLater(f"{post.host} broke the connection off: {error}") from error

    def _drained(self, answer: httpcore2.Response) -> bytes:
        """Read the body to its end, so that the connection can be used again, or give both up.

        Return its first bytes.
        """
        self._egress.end_in(DRAIN_SECONDS)
        length, first = 0, b""
        with contextlib.suppress(*_BROKEN):  # the status has been read: that is the answer
            for part in answer.iter_stream():
                length += len(part)
                first = (first + part)[:ANSWER_SHOWN_BYTES]
                if length > ANSWER_BYTES:
                    break
        return first

    def _usable(self) -> httpcore2.HTTP11Connection:
        """Return the connection of the event before, or a new one where that has ended."""
        if self._connection is not None and (
            self._connection.is_closed() or self._connection.has_expired()
        ):
            self.close()
        if self._connection is None:
            self._connection = httpcore2.HTTP11Connection(self._url.origin, self._connected())
        return self._connection

    def _connected(self) -> httpcore2.NetworkStream:
        address = self._settings.address
        port = address.port or (443 if address.scheme == "https" else 80)
        stream = self._egress.connect_tcp(address.hostname or "", port)
        if (trust := self._trust()) is None:
            return stream
        return stream.start_tls(trust, address.hostname)

    def _trust(self) -> ssl.SSLContext | None:
        if self._settings.address.scheme == "http":
            return None
        return ssl.create_default_context(cafile=self._settings.ca_file)


@attrs.frozen
class Answer:
    """What a receiver said: the status, how long to wait, and the first bytes of the body."""

    status: int
    retry_after: str | None = None
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.status} {self.body.decode('utf-8', 'replace')}".rstrip()


def refusal_of(answer: Answer, now: datetime) -> NotApplied | None:
    """Return what an answer means for the event, None where it was taken."""
    status, said = answer.status, str(answer)
    reason = f"the receiver answered {status}"
    match status:
        case _ if 200 <= status < 300:
            return None
        case _ if 300 <= status < 400:
            target = "redirects are not followed, set `url` to the target"
            return BackendDown(f"{reason}; {target}", answer=said)
        case _ if status in _UNWANTED:
            return BackendDown(reason, answer=said)
        case _ if status in _AGAIN or status >= 500:
            delay = seconds(answer.retry_after, now)
            return RetryLater(reason, delay_seconds=delay, answer=said)
        case 410:
            return Disable(f"{reason}: it wants no more events", answer=said)
    next_step = "Mend the receiver or `url`, then `bridge deliveries retry`."
    return Park(reason, next_step, answer=said)


def seconds(retry_after: str | None, now: datetime) -> float | None:
    """Return the delay that a Retry-After header asks for (RFC 9110 10.2.3); None if unreadable."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:10]), 10**9))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at.astimezone(UTC) - now).total_seconds())


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    found = (value for key, value in headers if key.lower() == name)
    value = next(found, None)
    return value.decode("latin-1") if value is not None else None
