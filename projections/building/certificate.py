"""The certificate of a rebuild: the events it was made of, the program that made it, and the result.

The latest one is kept among the ledger's own facts, written in the transaction that activates the rebuilt read models: read
models are disposable, their certificate is not.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from domain import amounts, times
from domain.ledger import Ledger
from projections.proofs.checked_tree import CheckedTree
from projections.schema.tables import SCHEMA

if TYPE_CHECKING:
    from projections.building.digests import TableDigest  # `status` reads certificates, and makes none.

FACT = "certificate"
MONEY = ("cost", "sip_credits", "price", "margin")


class TableSummary(msgspec.Struct, frozen=True):
    """One read model: how many rows it has, and the SHA-256 of them (see digests.py)."""

    rows: int
    digest: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a rebuild.

    ``first`` and ``last`` are positions of the log; ``events`` is the number of events between them; ``version`` is
    tringledger's, ``schema`` that of the read models; ``made_at`` is ISO 8601, UTC; ``seconds`` is the duration, and
    ``jobs`` the number of workers; ``money`` sums the CDRs: ``cost``, ``price`` and ``margin`` in US cents, ``sip_credits``
    in SIP credits, all exact decimals. ``tree`` is the proof tree against which the log was checked, if there is one.
    """

    ledger: str
    first: int
    last: int
    events: int
    version: str
    schema: int
    made_at: str
    seconds: str
    jobs: int
    read_models: dict[str, TableSummary]
    money: dict[str, str]
    tree: CheckedTree | None = None


def certify(
    ledger: Ledger,
    seals: "dict[str, TableDigest]",
    *,
    last: int,
    events: int,
    microseconds: int,
    jobs: int,
) -> Certificate:
    """Return the certificate of read models that were built up to a position, given their digests."""
    sums = seals["cdrs"].sums
    return Certificate(
        ledger=ledger.id,
        first=min(1, last),
        last=last,
        events=events,
        version=version("tringledger"),
        schema=SCHEMA,
        made_at=times.iso(times.now()),
        seconds=amounts.plain(microseconds),  # microseconds are millionths of a second
        jobs=jobs,
        read_models={name: TableSummary(seal.rows, seal.digest) for name, seal in seals.items()},
        money={name: amounts.plain(sums[name]) for name in MONEY},
    )


def encode_certificate(certificate: Certificate) -> str:
    """Return a certificate as the ledger keeps it."""
    return msgspec.json.encode(certificate).decode()


def decode_certificate(text: str | bytes) -> Certificate:
    """Read a certificate; raises msgspec.DecodeError if the text is not one."""
    return msgspec.json.decode(text, type=Certificate)


def load_certificate(ledger: Ledger) -> Certificate | None:
    """Return the certificate of a ledger's last rebuild, or None if there was none."""
    kept = ledger.store.facts().get(FACT)
    return decode_certificate(kept) if kept else None


def certificate_differences(one: Certificate, other: Certificate) -> list[tuple[str, Any, Any]]:
    """Return the differences of two certificates: a name, and the value that each of them has.

    When, how, and with which version they were made does not matter: the same events must give the same read models.
    """
    said = [
        {"ledger": each.ledger, "last": each.last, "events": each.events, "schema": each.schema}
        | {f"{name} rows": sealed.rows for name, sealed in each.read_models.items()}
        | {f"{name} digest": sealed.digest for name, sealed in each.read_models.items()}
        | each.money
        for each in (one, other)
    ]
    names = dict.fromkeys(name for each in said for name in each)
    return [(name, said[0].get(name), said[1].get(name)) for name in names if said[0].get(name) != said[1].get(name)]
