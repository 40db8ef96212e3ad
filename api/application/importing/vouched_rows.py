"""Rows without a signature: somebody vouches for them, and each is told from its equals by its id or its number.

Numbers count within one file and follow its rows, so that a second import of the file finds the same keys again.
"""

import hashlib

import msgspec

from api.application.importing.key_counter import KeyCounter
from api.application.importing.rows import ImportedRow
from domain import times
from domain.errors import InvalidValue
from domain.events.notice_events import Voucher
from domain.notices.notification import Notification, delivery_key
from domain.recording import Delivery, vouched_delivery

TIME_BYTES = 8
DIGEST_BYTES = 16


class RowVoucher(msgspec.Struct, frozen=True):
    """Who says that a table's rows are genuine, and why."""

    by: str
    reason: str


def vouched_row_delivery(row: ImportedRow, source: str, vouch: RowVoucher, equals: KeyCounter) -> Delivery:
    """Return a row's delivery, counting it among its equals in the file.

    Raises InvalidValue for a row that breaks SPEC 1, and for one whose id another row of the file has: of these two the
    second would else pass for a duplicate.
    """
    return vouched_delivery(row.notification, source, Voucher(vouch.by, vouch.reason, _row_identity(row, equals)))


def _row_identity(row: ImportedRow, equals: KeyCounter) -> str:
    if row.id is not None:
        if equals.count(row.id.encode()) > 1:
            msg = f"id={row.id!r}: expected an id that no other row of the file has"
            raise InvalidValue(msg)
        return f"id={row.id}"
    number = equals.count(_equality(row.notification))
    return f"at={times.iso(row.notification.received_at)} n={number}"


def _equality(notification: Notification) -> bytes:
    """Return what equal rows have in common, the time first: rows in order of time are then neighbours on disk."""
    at = notification.received_at.to_bytes(TIME_BYTES, "big")
    return at + hashlib.blake2b(delivery_key(notification.pairs), digest_size=DIGEST_BYTES).digest()
