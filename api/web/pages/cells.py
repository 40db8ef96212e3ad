"""The cells of a list's rows by their columns' names: a page has a thousand of them, and a macro takes twice as long for each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from api.web.pages import formatting as shown
from api.web.pages.addresses import address
from api.web.pages.money import amount, made_markup, shown_money, unit_of

# So many digits that a caller keyed are shown; more unfold.
DIGITS_SHOWN = 16


class CellLook(NamedTuple):
    """What cells depend on besides their values: the unit of amounts, whether personal data is whole, and as of when the page is."""

    unit: str
    sees_pii: bool
    asof: str


Writer = Callable[[Any, str, CellLook], str]


@pass_context
def write_cells(context: Context, row: Any, columns: Sequence[tuple[str, str]]) -> Markup:
    """Return the cells of a row for some columns, each with its heading, which a phone shows beside the value."""
    who = context.get("who")
    look = CellLook(unit_of(context), who is not None and who.sees_pii, context.get("asof") or "")
    return made_markup("".join([_WRITERS.get(name, _text)(getattr(row, name), label, look) for name, label in columns]))


def _labelled(kind: str, label: str, value: object) -> str:
    return f'<td class="{kind}" data-of="{escape(label)}">{value}</td>\n'


def _time(value: Any, label: str, _look: CellLook) -> str:
    return _labelled("time", label, shown.time(value))


def _call(value: Any, _label: str, look: CellLook) -> str:
    if not value:
        return f"<td>{shown.text(value)}</td>\n"
    to = escape(address(f"/calls/{value}", at=look.asof))
    return f'<td><a class="call" href="{to}" title="{escape(value)}">{escape(value[:8])}</a></td>\n'


def _number(value: Any, _label: str, look: CellLook) -> str:
    return f"<td>{shown.clip(shown.shown_number(value, sees_pii=look.sees_pii))}</td>\n"


def _digits(value: Any, label: str, look: CellLook) -> str:
    if not value or len(value) <= DIGITS_SHOWN:
        return _private("digits")(value, label, look)
    plain = shown.shown_private(value, "digits", sees_pii=look.sees_pii).striptags()
    if len(plain) <= DIGITS_SHOWN:
        return f"<td>{shown.text(plain)}</td>\n"
    more = f'… <span class="more">{shown.count(len(plain))} digits</span>'
    first = shown.text(plain[:DIGITS_SHOWN])
    return f'<td><details class="digits"><summary>{first}{more}</summary>{shown.text(plain)}</details></td>\n'


def _private(column: str) -> Writer:
    return lambda value, _label, look: (
        f"<td>{shown.clip(shown.shown_private(value, column, sees_pii=look.sees_pii))}</td>\n"
    )


def _disposition(value: Any, _label: str, _look: CellLook) -> str:
    return f"<td>{shown.disposition(value)}</td>\n"


def _has_cdr(value: Any, label: str, _look: CellLook) -> str:
    said = "yes" if value else '<span class="soft">no</span>'
    return f'<td data-of="{escape(label)}">{said}</td>\n'


def _duration(value: Any, label: str, _look: CellLook) -> str:
    return _labelled("number", label, shown.duration(value))


def _credits(value: Any, label: str, _look: CellLook) -> str:
    return _labelled("number", label, amount(value))


def _money(value: Any, label: str, look: CellLook) -> str:
    return _labelled("number", label, shown_money(value, look.unit))


def _about(value: Any, _label: str, _look: CellLook) -> str:
    return f'<td class="text about">{shown.text(value)}</td>\n'


def _reason(value: Any, _label: str, look: CellLook) -> str:
    return f'<td class="text wide">{shown.shown_private(value, "reason", sees_pii=look.sees_pii)}</td>\n'


def _account(value: Any, label: str, look: CellLook) -> str:
    if not value:
        return f"<td>{shown.text(value)}</td>\n"
    to = escape(address(shown.account_path(value), asof=look.asof))
    return _labelled("text", label, f'<a href="{to}">{shown.clip(shown.text(value))}</a>')


def _labelled_code(value: Any, label: str, _look: CellLook) -> str:
    return _labelled("code", label, shown.text(value))


def _code(value: Any, _label: str, _look: CellLook) -> str:
    return f'<td class="code">{shown.text(value)}</td>\n'


def _statuses(value: Any, _label: str, look: CellLook) -> str:
    return f'<td class="code">{shown.shown_private(value, "statuses", sees_pii=look.sees_pii)}</td>\n'


def _operator(value: Any, label: str, _look: CellLook) -> str:
    return f'<td data-of="{escape(label)}">{shown.clip(shown.text(value))}</td>\n'


def _flags(value: Any, _label: str, _look: CellLook) -> str:
    return f"<td>{shown.flags(value)}</td>\n"


def _events(value: Any, label: str, _look: CellLook) -> str:
    return _labelled("number", label, escape(value))


def _position(value: Any, label: str, _look: CellLook) -> str:
    return _labelled("number", label, f'<a href="/search?q={value}">{value}</a>')


def _text(value: Any, _label: str, _look: CellLook) -> str:
    return f'<td class="text">{shown.clip(shown.text(value))}</td>\n'


_WRITERS: Mapping[str, Writer] = {
    **dict.fromkeys(("opened_at", "answered_at", "ended_at", "last_at", "cdr_at", "received_at", "recorded_at"), _time),
    "call_id": _call,
    "src": _number,
    "digits": _digits,
    "email": _private("email"),
    "voicemail": _private("voicemail"),
    "disposition": _disposition,
    "has_cdr": _has_cdr,
    **dict.fromkeys(("src_duration", "dest_duration", "billed_seconds"), _duration),
    **dict.fromkeys(("sip_credits", "src_sip_charge", "dest_sip_charge"), _credits),
    **dict.fromkeys(("src_charge", "dest_charge", "cost", "price", "margin", "moved"), _money),
    "about": _about,
    "reason": _reason,
    "account": _account,
    **dict.fromkeys(("tariff", "period", "original_period", "day"), _labelled_code),
    **dict.fromkeys(("status", "kind"), _code),
    "statuses": _statuses,
    **dict.fromkeys(("done_by", "posted_by"), _operator),
    "flags": _flags,
    "events": _events,
    "position": _position,
}
