"""How the text of a setting becomes its value. Each reader raises ValueError, with what was expected, for any other text."""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from api import urls as addresses
from domain import times
from domain.errors import UnknownStore
from domain.log import open as address
from domain.log import urls

DIGITS_MAX = 9


class ListenAddress(NamedTuple):
    """An address to listen on."""

    host: str
    port: int


def read_store(text: str) -> str:
    """Read the URL of a store."""
    try:
        address.check_url(text)
    except UnknownStore:
        raise ValueError(urls.EXPECTED) from None
    return text


def read_keys(text: str) -> tuple[str, ...]:
    """Read keys that are separated by commas or lines."""
    return tuple(key.strip() for key in text.replace("\n", ",").split(",") if key.strip())


def choice_reader(*choices: str) -> Callable[[str], str | None]:
    """Return a reader of one of these words; an empty text is None."""

    def read(text: str) -> str | None:
        if text and text not in choices:
            msg = f"one of {', '.join(choices)}"
            raise ValueError(msg)
        return text or None

    return read


def read_timezone(text: str) -> str | None:
    """Read the IANA name of a time zone; an empty text is None."""
    if text:
        try:
            times.zone(text)
        except ValueError:
            raise ValueError("an IANA time zone such as UTC or Europe/Berlin") from None
    return text or None


def whole_number_reader(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from ``least`` on."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX and int(text) >= least):
            msg = f"a whole number, at least {least} and at most {'9' * DIGITS_MAX}"
            raise ValueError(msg)
        return int(text)

    return read


def read_path(text: str) -> str:
    """Read the path of a URL, without what a route or a query would take for its own."""
    if not text.startswith("/") or text == "/health" or any(character in text for character in "?#{} "):
        raise ValueError("a path such as /notify")
    return text


def read_proxies(text: str) -> tuple[str, ...]:
    """Read addresses and networks that are separated by commas."""
    given = tuple(each.strip() for each in text.split(","))
    for each in given:
        try:
            ipaddress.ip_network(each)
        except ValueError:
            raise ValueError("addresses or networks, separated by commas, such as 10.0.0.5 or 10.0.0.0/24") from None
    return given


def read_api_url(text: str) -> str:
    """Read the URL of an API, whose query is ours."""
    if "?" in text or "@" in text:
        raise ValueError("an address without query, user and password")
    return addresses.check_url(text)


def read_forward_url(text: str) -> str | None:
    """Read the URL of a handler; an empty text is None."""
    return addresses.check_url(text) if text else None


def read_file_path(text: str) -> Path | None:
    """Read the path of a file; an empty text is None."""
    return Path(text).absolute() if text else None


def read_listen_address(text: str) -> ListenAddress | None:
    """Read ``HOST:PORT``; an empty text is None."""
    if not text:
        return None
    try:
        split = urlsplit(f"//{text}")
        host, port = split.hostname, split.port
    except ValueError:  # A port that is not a number, or half an IPv6 address.
        host = port = None
    if not host or port is None or split.netloc != text or "@" in text:
        raise ValueError("HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464")
    return ListenAddress(host, port)


def read_origin(text: str) -> str | None:
    """Read the name of a log; an empty text is None."""
    if any(character.isspace() or character == "+" or not character.isprintable() for character in text):
        raise ValueError("a URL without its scheme, such as ledger.example.com/calls, with no space and no '+'")
    return text or None


def read_witnesses(text: str) -> tuple[str, ...]:
    """Read witnesses that are separated by commas, each as ``URL VKEY``."""
    witnesses = tuple(each.strip() for each in text.split(",") if each.strip())
    for each in witnesses:
        url, _, key = each.partition(" ")
        addresses.check_url(url)
        _check_witness_key(key)
    return witnesses


def _check_witness_key(text: str) -> None:
    # Only here: keys need a library that is slow to load.
    from domain.proofs.keys import COSIGNATURE, VerifierKey  # noqa: PLC0415
    from domain.proofs.refusals import KeyRefused  # noqa: PLC0415

    try:
        VerifierKey.parse(text, COSIGNATURE)
    except KeyRefused as error:
        msg = f"URL VKEY for each witness: {error}"
        raise ValueError(msg) from None
