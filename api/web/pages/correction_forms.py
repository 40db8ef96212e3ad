"""The forms of corrections: which command each of them means, and in which words.

A form is read twice, for its preview and when it is confirmed; what was typed goes along in hidden fields.
"""

import string
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from starlette.datastructures import FormData

from api.application.account_adjustment import adjustment_command, read_adjustment
from api.application.call_ids import DIGITS, find_call_id
from api.application.operator_commands import Command
from domain.amounts import plain
from domain.errors import WrongUsage
from domain.ledger import Ledger
from domain.months import Month
from domain.text import is_whole_number

ID_DIGITS_MIN = 4
SHOWN_ID_LENGTH = 8


class CorrectionForm(NamedTuple):
    """A correction that a form asks for: its title, the word on its button, its command, and its fields by name."""

    title: str
    verb: str
    command: Command
    fields: list[tuple[str, str]]


Reader = Callable[[Ledger, FormData], tuple[str, str, Command]]


def read_correction(ledger: Ledger, form: FormData) -> CorrectionForm:
    """Read a form; raises LedgerError, which says what was expected, for one that cannot be understood."""
    what = text_of(form, "what")
    if what not in READERS:
        msg = f"what={what[:20]!r}; expected one of {', '.join(READERS)}"
        raise WrongUsage(msg)
    title, verb, command = READERS[what](ledger, form)
    fields = [(name, str(value)) for name, value in form.multi_items() if name in FIELDS]
    return CorrectionForm(title, verb, command, fields)


FIELDS = ("what", "back", "call", "into", "position", "account", "amount", "period", "new_account")


def text_of(form: FormData, name: str) -> str:
    """Return a field's text without surrounding blanks; empty if it is missing."""
    return str(form.get(name, "")).strip()


def _void(ledger: Ledger, form: FormData) -> tuple[str, str, Command]:
    call = _call(ledger, text_of(form, "call"))
    return f"Void call {_short(call)}", "Void the call", lambda session: session.void_call(call)


def _split(ledger: Ledger, form: FormData) -> tuple[str, str, Command]:
    call = _call(ledger, text_of(form, "call"))
    positions = [_position(str(text)) for text in form.getlist("position")]
    listed = ", ".join(map(str, positions))
    title = f"Split call {_short(call)}: notices at {listed or 'no position'} become a call of their own"
    return title, "Split the call", lambda session: session.split_call(call, positions)


def _merge(ledger: Ledger, form: FormData) -> tuple[str, str, Command]:
    call, into = _call(ledger, text_of(form, "call")), _call(ledger, text_of(form, "into"))
    title = f"Merge call {_short(call)} into call {_short(into)}"
    return title, "Merge the calls", lambda session: session.merge_calls(call, into)


def _release(_ledger: Ledger, form: FormData) -> tuple[str, str, Command]:
    position = _position(text_of(form, "position"))
    title = f"Release the repeated CDR at position {position}"
    return title, "Release the CDR", lambda session: session.release_cdr(position)


def _undo(_ledger: Ledger, form: FormData) -> tuple[str, str, Command]:
    position = _position(text_of(form, "position"))
    return f"Undo the correction at position {position}", "Undo it", lambda session: session.undo(position)


def _adjust(ledger: Ledger, form: FormData) -> tuple[str, str, Command]:
    account = str(form.get("account", ""))
    try:
        amount = read_adjustment(text_of(form, "amount"))
        period = str(Month.parse(text_of(form, "period"))) if text_of(form, "period") else None
    except ValueError as error:
        msg = f"{text_of(form, 'amount')!r}: expected {error}"
        raise WrongUsage(msg) from None
    done = f"Charge {plain(amount)} US cents to" if amount > 0 else f"Credit {plain(-amount)} US cents to"
    command = adjustment_command(
        ledger, account, amount, period=period, new_account=text_of(form, "new_account") == "true"
    )
    return f"{done} account {account or '(none)'}", "Adjust the account", command


READERS: dict[str, Reader] = {
    "void": _void,
    "split": _split,
    "merge": _merge,
    "release": _release,
    "undo": _undo,
    "adjust": _adjust,
}


def _call(ledger: Ledger, text: str) -> UUID:
    digits = text.replace("-", "").lower()
    if not (ID_DIGITS_MIN <= len(digits) <= DIGITS and all(each in string.hexdigits for each in digits)):
        msg = f"{text[:50]!r} is not a call's id; expected it, or at least its first {ID_DIGITS_MIN} digits"
        raise WrongUsage(msg)
    return find_call_id(ledger, digits)


def _position(text: str) -> int:
    if not is_whole_number(text.strip()):
        msg = f"{text[:50]!r} is not a position; expected a whole number from 1 on"
        raise WrongUsage(msg)
    return int(text)


def _short(call: UUID) -> str:
    return str(call)[:SHOWN_ID_LENGTH]
