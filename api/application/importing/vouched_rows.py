"""Rows without a signature: a person vouches for them, and an id or number distinguishes equal rows.

Numbers count within one file in the order of its rows, so a second import of the file gives the same keys.
"""

import hashlib

import msgspec

from api.application.importing.key_counter import KeyCounter
from api.application.importing.rows import ImportedRow
from domain import times
from domain.errors import InvalidValue
from domain.events.notice_events import Voucher
from domain.notices.notification import ROW_ID, Notification, delivery_key
from domain.recording import Delivery, vouched_delivery

TIME_BYTES = 8
DIGEST_BYTES = 16


class RowVoucher(msgspec.Struct, frozen=True):
    """The person who vouches for the rows of a table, and the reason."""

    by: str
    reason: str


def vouched_row_delivery(row: ImportedRow, source: str, vouch: RowVoucher, equals: KeyCounter) -> Delivery:
    """Return a row's delivery, counting it among its equals in the file.

    Raises InvalidValue for a row that breaks SPEC 1, and for an id that another row of the file has: otherwise the second
    row would count as a duplicate.
    """
    return vouched_delivery(row.notification, source, Voucher(vouch.by, vouch.reason, _row_identity(row, equals)))


def _row_identity(row: ImportedRow, equals: KeyCounter) -> str:
    if row.id is not None:
        if equals.count(row.id.encode()) > 1:
            msg = f"id={row.id!r}: expected an id that no other row of the file has"
            raise InvalidValue(msg)
        return f"{ROW_ID}{row.id}"
    number = equals.count(_equality(row.notification))
    return f"at={times.iso(row.notification.received_at)} n={number}"


def _equality(notification: Notification) -> bytes:
    """Return the key of equal rows, with the time first, so that rows in order of time are close on disk."""
    at = notification.received_at.to_bytes(TIME_BYTES, "big")
    return at + hashlib.blake2b(delivery_key(notification.pairs), digest_size=DIGEST_BYTES).digest()
