"""Rows without a signature: somebody vouches for them, and each is told from its equals by its id or its number.

Numbers count within one file and follow its rows, so that a second import of the file finds the same keys again.
"""

import hashlib

import msgspec

from api.application.importing.key_counter import Tally
from api.application.importing.rows import Row
from domain import times
from domain.errors import BrokenValue
from domain.events.notice_events import Voucher
from domain.notices.notification import Notification, delivery_key
from domain.recording import Delivery, vouched

TIME_BYTES = 8
DIGEST_BYTES = 16


class Vouch(msgspec.Struct, frozen=True):
    """Who says that a table's rows are genuine, and why."""

    by: str
    reason: str


def delivery_of(row: Row, source: str, vouch: Vouch, equals: Tally) -> Delivery:
    """Return a row's delivery, counting it among its equals in the file.

    Raises BrokenValue for a row that breaks SPEC 1, and for one whose id another row of the file has: of these two the
    second would else pass for a duplicate.
    """
    return vouched(row.notification, source, Voucher(vouch.by, vouch.reason, _which(row, equals)))


def _which(row: Row, equals: Tally) -> str:
    if row.id is not None:
        if equals.count(row.id.encode()) > 1:
            msg = f"id={row.id!r}: expected an id that no other row of the file has"
            raise BrokenValue(msg)
        return f"id={row.id}"
    number = equals.count(_equality(row.notification))
    return f"at={times.iso(row.notification.received_at)} n={number}"


def _equality(notification: Notification) -> bytes:
    """Return what equal rows have in common, the time first: rows in order of time are then neighbours on disk."""
    at = notification.received_at.to_bytes(TIME_BYTES, "big")
    return at + hashlib.blake2b(delivery_key(notification.pairs), digest_size=DIGEST_BYTES).digest()
