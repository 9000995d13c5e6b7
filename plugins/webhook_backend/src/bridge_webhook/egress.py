"""Which addresses may be reached, decided on the address that is connected to.

A host's name says nothing: `0x7f.1`, a public name with a private address and a name whose
address changes between two look-ups all end here, at the numbers.

Rule: every address of a host must be allowed, and the one connected to is one that was checked.
"""

import contextlib
import math
import socket
import ssl
import time
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

import httpcore2

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Not public, whatever `ipaddress` of some Python version says (IANA special-purpose registries).
_NEVER: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001:2::/48",
        "2001:10::/28",
        "5f00::/16",
        "fec0::/10",
        "ff00::/8",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_TO_IPV4 = IPv6Network("2002::/16")


def is_public(address: Address) -> bool:
    """True when the address, and one that it carries inside, belongs to the public internet."""
    inner = _carried(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not any(
        address in network for network in _NEVER if network.version == address.version
    )


def _carried(address: Address) -> IPv4Address | None:
    """Return the IPv4 address inside a mapped, NAT64, 6to4 or Teredo address."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _TO_IPV4:
        return address.sixtofour
    return address.teredo[1] if address.teredo else None


class Egress(httpcore2.NetworkBackend):
    """Connects to checked addresses only, and ends every wait at a common deadline.

    `plain` says that the connection will not be encrypted: then public is not enough.
    """

    def __init__(self, networks: Iterable[str], *, plain: bool) -> None:
        self._networks = tuple(ip_network(text) for text in networks)
        self._plain = plain
        self._inner = httpcore2.SyncBackend()
        self._ends = math.inf

    def end_in(self, seconds: float) -> None:
        """Let everything that follows end `seconds` from now."""
        self._ends = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; when it is over, too few to achieve anything."""
        return max(self._ends - time.monotonic(), 0.001)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline counts
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Raises httpcore2.ConnectError or ConnectTimeout, also for an address that is refused."""
        problem: Exception | None = None
        for address in self._checked(host, port):
            try:
                stream = self._inner.connect_tcp(
                    address, port, self.remaining, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                problem = error
            else:
                return _Stream(stream, self)
        raise problem or httpcore2.ConnectError(f"{host} has no address")

    def _checked(self, host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} cannot be resolved") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            if refusal := self._refusal(ip_address(address)):
                raise httpcore2.ConnectError(f"{host} is {address}, {refusal}")
        return addresses

    def _refusal(self, address: Address) -> str:
        if any(address in network for network in self._networks):
            return ""
        if not is_public(address):
            return "which is not public; list its network in `allow_networks` if it is meant"
        return "which is reached with https only" if self._plain else ""


class _Stream(httpcore2.NetworkStream):
    """A stream whose every wait ends at the deadline of its Egress.

    What is written is kept until something is to be read: head and body of a request travel
    together, so that a receiver which answers after the head has had the body, too.
    """

    def __init__(self, inner: httpcore2.NetworkStream, egress: Egress) -> None:
        self._inner = inner
        self._egress = egress
        self._unsent = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        if self._unsent:
            unsent, self._unsent = self._unsent, b""
            with contextlib.suppress(httpcore2.WriteError):  # it may have answered before the end
                self._inner.write(unsent, self._egress.remaining)
        return self._inner.read(max_bytes, self._egress.remaining)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._unsent += buffer

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        secured = self._inner.start_tls(ssl_context, server_hostname, self._egress.remaining)
        return _Stream(secured, self._egress)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
