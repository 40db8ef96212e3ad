"""The notify URL that a rehearsal calls; other machines are refused unless you allow them."""

import socket
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from api import urls as addresses
from domain.errors import WrongUsage

PORTS = {"http": 80, "https": 443}


class InvalidTarget(WrongUsage):
    """A URL cannot or must not be called; the message has the URL and what was expected."""


class TargetUrl(NamedTuple):
    """The target of requests: host, port, path, whether over TLS, and the Host header."""

    host: str
    port: int
    path: str
    tls: bool
    name: str


def read_target_url(url: str, *, anywhere: bool) -> TargetUrl:
    """Read a notify URL; raises InvalidTarget, also for other machines unless ``anywhere`` is set."""
    try:
        parts = urlsplit(addresses.check_url(url))
    except ValueError as error:
        msg = f"{url!r} cannot be called: expected {error}"
        raise InvalidTarget(msg) from None
    assert parts.hostname
    if parts.query or parts.username is not None or not url.isascii():
        msg = f"{url!r} cannot be called: expected an address in ASCII, without a query or a name before its host"
        raise InvalidTarget(msg)
    if not (anywhere or _is_local(parts.hostname)):
        msg = (
            f"{parts.hostname} is not this machine, and a rehearsal is made-up load: expected a loopback address, or"
            " --yes-not-local where the service there is yours to load"
        )
        raise InvalidTarget(msg)
    tls = parts.scheme == "https"
    return TargetUrl(parts.hostname, parts.port or PORTS[parts.scheme], parts.path or "/", tls, parts.netloc)


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        msg = f"cannot resolve {host}: {error.strerror}"
        raise InvalidTarget(msg) from None
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
