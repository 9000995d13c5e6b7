"""The socket under a connection: every exchange ends in time, and a dead peer is noticed.

Rule: time-outs count for a whole exchange, not for one packet, however slowly the bytes drip.
"""

import math
import socket
import ssl
import time

from bridge_ldap.settings import Settings


class TimedSocket:
    """The part of a socket that ldap3 uses, with a deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._until = math.inf

    def start(self, seconds: float) -> None:
        """Begin an exchange that may last so long."""
        self._until = time.monotonic() + seconds

    def is_alive(self) -> bool:
        """Tell whether the peer still keeps the connection; ask between exchanges only."""
        self._socket.settimeout(0)
        try:
            # Whatever comes unasked is a goodbye: end of file or a notice of disconnection.
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def recv(self, size: int) -> bytes:
        """Return what came; raises TimeoutError, or ConnectionResetError at the end of file."""
        self._set_timeout()
        received = self._socket.recv(size)
        if not received:
            raise ConnectionResetError("the server closed the connection")
        return received

    def sendall(self, sent: bytes) -> None:
        """Send all of it; raises TimeoutError."""
        self._set_timeout()
        self._socket.sendall(sent)

    def shutdown(self, how: int) -> None:
        """End the conversation."""
        self._socket.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _set_timeout(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(left)


def verified_tls(sock: socket.socket, host: str, settings: Settings) -> ssl.SSLSocket:
    """Return the socket with TLS; raises OSError unless chain, dates and host name fit."""
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.certificate_file:
        context.load_cert_chain(settings.certificate_file, settings.key_file)
    return context.wrap_socket(sock, server_hostname=host)
