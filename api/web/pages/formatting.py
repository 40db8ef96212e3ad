"""How values look on a page: exact amounts, times in UTC that a script can show in local time, masked numbers.

Everything returned is markup with escaped texts; what came over the wire is isolated in ``<bdi>``, so a
right-to-left mark in a tag cannot turn the line around it.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from api.application.masking import masked_number, masked_value
from api.web.pages.money import (
    MINUS,
    NOTHING,
    amount,
    change,
    decimal_money,
    made_markup,
    money,
    money_change,
    percent,
    signed_money,
)
from domain import times
from domain.notices.line_number import hide_password

MINUTE = 60
# From so many days on a distance in time is shown in days and hours.
DAYS_MIN, DAY_HOURS = 2, 24
NARROW_GAP = "\u202f"


# So many characters fit any column: those of the longest phone number, and one more.
ROOMY = 16
_ISOLATED = "<bdi></bdi>"

# What nobody sees, or what turns the text around it: control characters and those of writing directions. Those that join letters
# are left alone: scripts and emoji need them.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def text(value: object) -> Markup:
    """Show a text of foreign origin, isolated from its surroundings; an empty one is marked as empty.

    Characters that cannot be seen are shown by their numbers, such as ``U+202E``.
    """
    return made_markup(f"<bdi>{show_unseen(str(value))}</bdi>") if value not in (None, "") else NOTHING


def clip(shown: Markup) -> Markup:
    """Let a column be narrower than this text in it: what it has no room for is cut off, and all of it is the title."""
    # Stripping tags takes as long as the rest of a cell: what is isolated, and no more, is short enough without looking.
    is_short = len(shown) <= ROOMY + (len(_ISOLATED) if shown.startswith("<bdi>") else 0)
    if is_short or len(whole := shown.striptags()) <= ROOMY:
        return shown
    return made_markup(f'<span class="clip" title="{escape(whole)}">{shown}</span>')


def show_unseen(value: str) -> Markup:
    """Return a text as markup in which characters that cannot be seen are labels with their numbers."""
    escaped = escape(value)
    if not _UNSEEN.search(escaped):
        return escaped
    label = '<span class="unseen" title="a character that cannot be seen">U+{:04X}</span>'
    return made_markup(_UNSEEN.sub(lambda found: label.format(ord(found[0])), str(escaped)))


def difference(number: int) -> Markup:
    """Show a difference of whole numbers with its sign."""
    sign = "+" if number > 0 else MINUS if number < 0 else ""
    return made_markup(f'<data value="{number}">{sign}{abs(number)}</data>')


def time(at: int | None, part: str = "full") -> Markup:
    """Show a moment (microseconds, UTC) to the second; ``part="clock"`` omits the day."""
    if at is None:
        return NOTHING
    iso = times.iso(at)
    shown = f"{iso[:10]} {iso[11:19]}" if part == "full" else iso[11:19]
    return made_markup(f'<time datetime="{iso}" title="{iso}" data-part="{escape(part)}">{shown}</time>')


def duration(seconds: int | None) -> Markup:
    """Show whole seconds as ``1:02:03`` or ``2:03``, with the seconds as data for programs."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(abs(seconds), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    shown = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    shown = f"{MINUS}{shown}" if seconds < 0 else shown
    return made_markup(f'<data class="duration" value="{seconds}">{shown}</data>')


def elapsed(micros: int) -> str:
    """Return how much later something was: ``1.250 s``, ``3:20``, or ``56 d 9 h`` from two days on; after a minus if earlier."""
    size, sign = abs(micros), MINUS if micros < 0 else "+"
    seconds, rest = divmod(size, times.SECOND)
    if seconds < MINUTE:
        return f"{sign}{seconds}.{rest // 1000:03d} s"
    hours = seconds // (MINUTE * MINUTE)
    if hours < DAYS_MIN * DAY_HOURS:
        return sign + duration(seconds).striptags()
    return f"{sign}{hours // DAY_HOURS} d {hours % DAY_HOURS} h"


def minutes(seconds: int | None) -> Markup:
    """Show seconds as minutes to a tenth, rounded down: for overviews; the exact seconds are what is billed."""
    if seconds is None:
        return NOTHING
    tenths = seconds // 6
    shown = f"{tenths // 10}.{tenths % 10}"
    return made_markup(f'<data class="duration" value="{seconds}" title="{seconds} s">{shown}</data>')


def minutes_change(seconds: int) -> Markup:
    """Show a difference of seconds as minutes to a tenth, rounded towards zero, with its sign."""
    sign = "+" if seconds > 0 else MINUS if seconds < 0 else ""
    return Markup("{}{}").format(sign, minutes(abs(seconds)))


def tenths(rate: int | None) -> Markup:
    """Show tenths of something per second."""
    return NOTHING if rate is None else made_markup(f"{rate // 10}.{rate % 10}")


def count(number: int | None) -> Markup:
    """Show a whole number with thin gaps between thousands; copying and screen readers get plain digits."""
    if number is None:
        return NOTHING
    return made_markup(f'<data class="count" value="{number:d}">{f"{number:,}".replace(",", NARROW_GAP)}</data>')


@pass_context
def number(context: Context, value: str | None) -> Markup:
    """Show a phone number, whole or masked by the user's role."""
    return shown_number(value, sees_pii=_sees_pii(context))


def shown_number(value: str | None, *, sees_pii: bool) -> Markup:
    """Show a phone number, whole or masked."""
    if not value:
        return NOTHING
    shown = hide_password(value) if sees_pii else masked_number(value)
    return made_markup(f'<bdi class="number">{show_unseen(shown)}</bdi>')


@pass_context
def private(context: Context, value: str | None, column: str) -> Markup:
    """Show personal data such as an e-mail address, whole or masked by its column and the user's role."""
    return shown_private(value, column, sees_pii=_sees_pii(context))


def shown_private(value: str | None, column: str, *, sees_pii: bool) -> Markup:
    """Show personal data, whole or masked by its column."""
    return text(value if sees_pii else masked_value(column, value))


def _sees_pii(context: Context) -> bool:
    who = context.get("who")
    return who is not None and bool(who.sees_pii)


def account_path(account: str) -> str:
    """Return the path of an account's page; the name may be any text, or empty."""
    return f"/accounts/{quote(account, safe='')}"


def rerated_path(version: int) -> str:
    """Return the path of the list of calls that a version of the tariff rerated."""
    return f"/events?kind=call-rerated&about={quote(f'by version {version}', safe='')}"


def statement_path(account: str, period: str) -> str:
    """Return the path of an account's statement for a month."""
    return f"/statements/{quote(account, safe='')}/{period}"


def flags(joined: str) -> Markup:
    """Show flags, joined with ``;``, as labels."""
    return made_markup(" ".join(f'<span class="flag">{escape(flag)}</span>' for flag in joined.split(";") if flag))


def disposition(name: str) -> Markup:
    """Show a disposition as a label whose colour repeats it."""
    if not name:
        return Markup('<span class="is is-live">in progress</span>')
    shown = escape(name.lower())
    return made_markup(f'<span class="is is-{shown.replace(" ", "-")}">{shown}</span>')


FILTERS: Mapping[str, Any] = {
    "text": text,
    "clip": clip,
    "amount": amount,
    "decimal_money": decimal_money,
    "elapsed": elapsed,
    "change": change,
    "difference": difference,
    "money": money,
    "money_change": money_change,
    "signed_money": signed_money,
    "time": time,
    "duration": duration,
    "minutes": minutes,
    "minutes_change": minutes_change,
    "percent": percent,
    "tenths": tenths,
    "count": count,
    "number": number,
    "private": private,
    "flags": flags,
    "disposition": disposition,
}
