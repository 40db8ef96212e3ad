"""URLs of other services: checked, public or not, and with a query."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlencode, urlsplit, urlunsplit

from domain.notices import notification

MASK = "***"
NOT_PUBLIC_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".test", ".invalid")


def check_url(text: str) -> str:
    """Return the URL of a web service unchanged; raises ValueError, saying what was expected, for anything else."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # A port that is not a number, or half an IPv6 address.
        usable = False
    if not usable or "#" in text or not text.isprintable() or " " in text:
        raise ValueError("http:// or https:// with a host, and no fragment, such as https://calls.example.com/notify")
    return text


def is_encrypted(url: str) -> bool:
    """Whether requests to it are encrypted by TLS."""
    return urlsplit(url).scheme == "https"


def is_public(url: str) -> bool:
    """Whether a host on the internet could have this URL, as far as can be told without a lookup."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(NOT_PUBLIC_SUFFIXES)


def redacted(url: str, secret: Collection[str] | None = None) -> str:
    """Return a URL as it may be shown and logged: without user and password, and without its parameters' values.

    Where ``secret`` names parameters, only their values are left out.
    """
    split = urlsplit(url)
    host = split.netloc.rpartition("@")[2]
    query = MASK if split.query else ""
    if secret is not None:
        shown = [
            (name, MASK if name in secret else value) for name, value in notification.parse_pairs(split.query.encode())
        ]
        query = urlencode(shown, safe="*", errors="surrogateescape")
    return urlunsplit(split._replace(netloc=f"{MASK}@{host}" if host != split.netloc else host, query=query))


def plain_path(path: str) -> str:
    """Return a path without repeated slashes and without one at its end."""
    return "/" + "/".join(part for part in path.split("/") if part)


def with_query(url: str, pairs: list[tuple[str, str]]) -> str:
    """Return the URL with these parameters added after those that it has."""
    return f"{url}{'&' if '?' in url else '?'}{notification.encode_query(pairs).decode()}"
