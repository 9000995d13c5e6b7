"""A real receiver on loopback: it verifies every signature and answers as it is told."""

import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@attrs.frozen
class Received:
    """One request as it came, after its signature was verified."""

    path: str
    headers: Mapping[str, str]
    event: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The event's id, the same at every attempt."""
        return self.headers["webhook-id"]


@attrs.define
class Answer:
    """What the receiver answers with; `act` may do it all by itself."""

    status: int = 204
    headers: Mapping[str, str] = {}
    act: Callable[[BaseHTTPRequestHandler], None] | None = None


class Receiver:
    """An HTTP server whose address is `url`. `answers` are used up, then `answer` is given.

    It reads a request to its end before it answers: closing a connection that holds unread bytes
    resets it, and the answer may be lost on its way.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.verifier = Webhook(SECRET)
        self.received: list[Received] = []
        self.refused: list[Exception] = []
        self.connections = 0
        self.answers: list[Answer] = []
        self.answer = Answer()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._scheme = "http"
        if tls is not None:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/hooks/bridge?token=in-the-query"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(receiver) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - two selves in one place
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                try:
                    event = receiver.verifier.verify(body, headers)
                except Exception as error:  # noqa: BLE001 - the test asserts that there is none
                    receiver.refused.append(error)
                else:
                    receiver.received.append(Received(self.path, headers, event))
                answer = receiver.answers.pop(0) if receiver.answers else receiver.answer
                if answer.act:
                    answer.act(self)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler
