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
from domain import amounts, times
from domain.notices.line_number import hide_password

NOTHING = Markup('<span class="none"><span aria-hidden="true">\u2013</span><span class="said">none</span></span>')
MINUTE = 60
MINUS, NARROW_GAP = "\u2212", "\u202f"


# What nobody sees, or what turns the text around it: control characters and those of writing directions. Those that join letters
# are left alone: scripts and emoji need them.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def text(value: object) -> Markup:
    """Show a text of foreign origin, isolated from its surroundings; an empty one is marked as empty.

    Characters that cannot be seen are shown by their numbers, such as ``U+202E``.
    """
    return Markup("<bdi>{}</bdi>").format(show_unseen(str(value))) if value not in (None, "") else NOTHING


def show_unseen(value: str) -> Markup:
    """Return a text as markup in which characters that cannot be seen are labels with their numbers."""
    label = '<span class="unseen" title="a character that cannot be seen">U+{:04X}</span>'
    return Markup(_UNSEEN.sub(lambda found: label.format(ord(found[0])), str(escape(value))))  # noqa: S704 - escaped before


def amount(millionths: int | None) -> Markup:
    """Show millionths as an exact decimal, aligned at the point; a dash for None."""
    if millionths is None:
        return NOTHING
    plain = amounts.plain(millionths)
    whole, point, fraction = plain.partition(".")
    kind = "amount minus" if millionths < 0 else "amount"
    return Markup('<data class="{}" value="{}">{}<span class="fraction">{}</span></data>').format(
        kind, plain, whole.replace("-", MINUS), point + fraction
    )


def change(now: int, before: int | None) -> Markup:
    """Show the difference to the amount of the period before, with its sign."""
    if before is None:
        return NOTHING
    more = now - before
    kind = "up" if more > 0 else "down" if more < 0 else "same"
    shown = amounts.plain(abs(more))
    sign = {"up": "+", "down": MINUS, "same": "±"}[kind]
    value = amounts.plain(more)
    change_shown = Markup('<data class="change {}" value="{}">{}{}</data>').format(kind, value, sign, shown)
    return change_shown + percent(more, before)


def percent(more: int, before: int) -> Markup:
    """Show a difference as a share of what was before, to a tenth of a per cent, rounded half away from zero; nothing for 0."""
    if not before:
        return Markup()
    tenths_of_percent = (abs(more) * 2000 + abs(before)) // (2 * abs(before))
    sign = "" if not tenths_of_percent else "+" if more > 0 else MINUS
    whole, tenth = divmod(tenths_of_percent, 10)
    return Markup(' <span class="percent">{}{}.{} %</span>').format(sign, whole, tenth)


def difference(number: int) -> Markup:
    """Show a difference of whole numbers with its sign."""
    sign = "+" if number > 0 else MINUS if number < 0 else ""
    return Markup('<data value="{}">{}{}</data>').format(number, sign, abs(number))


def time(at: int | None, part: str = "full") -> Markup:
    """Show a moment (microseconds, UTC) to the second; ``part="clock"`` omits the day."""
    if at is None:
        return NOTHING
    iso = times.iso(at)
    shown = f"{iso[:10]} {iso[11:19]}" if part == "full" else iso[11:19]
    return Markup('<time datetime="{}" title="{}" data-part="{}">{}</time>').format(iso, iso, part, shown)


def duration(seconds: int | None) -> Markup:
    """Show whole seconds as ``1:02:03`` or ``2:03``, with the seconds as data for programs."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(abs(seconds), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    shown = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    shown = f"{MINUS}{shown}" if seconds < 0 else shown
    return Markup('<data class="duration" value="{}">{}</data>').format(seconds, shown)


def minutes(seconds: int | None) -> Markup:
    """Show seconds as minutes to a tenth, rounded down: for overviews; the exact seconds are what is billed."""
    if seconds is None:
        return NOTHING
    tenths = seconds // 6
    return Markup('<data class="duration" value="{}" title="{} s">{}.{}</data>').format(
        seconds, seconds, tenths // 10, tenths % 10
    )


def tenths(rate: int | None) -> Markup:
    """Show tenths of something per second."""
    return NOTHING if rate is None else Markup("{}.{}").format(rate // 10, rate % 10)


def count(number: int | None) -> Markup:
    """Show a whole number with thin gaps between thousands; copying and screen readers get plain digits."""
    if number is None:
        return NOTHING
    return Markup('<data class="count" value="{}">{}</data>').format(number, f"{number:,}".replace(",", NARROW_GAP))


@pass_context
def number(context: Context, value: str | None) -> Markup:
    """Show a phone number, whole or masked by the user's role."""
    if not value:
        return NOTHING
    who = context.get("who")
    shown = hide_password(value) if who is not None and who.sees_pii else masked_number(value)
    return Markup('<bdi class="number">{}</bdi>').format(show_unseen(shown))


@pass_context
def private(context: Context, value: str | None, column: str) -> Markup:
    """Show personal data such as an e-mail address, whole or masked by its column and the user's role."""
    who = context.get("who")
    return text(value if who is not None and who.sees_pii else masked_value(column, value))


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
    labels = [Markup('<span class="flag">{}</span>').format(flag) for flag in joined.split(";") if flag]
    return Markup(" ").join(labels)


def disposition(name: str) -> Markup:
    """Show a disposition as a label whose colour repeats it."""
    if not name:
        return Markup('<span class="is is-live">in progress</span>')
    return Markup('<span class="is is-{}">{}</span>').format(name.lower().replace(" ", "-"), name.lower())


FILTERS: Mapping[str, Any] = {
    "text": text,
    "amount": amount,
    "change": change,
    "difference": difference,
    "time": time,
    "duration": duration,
    "minutes": minutes,
    "tenths": tenths,
    "count": count,
    "number": number,
    "private": private,
    "flags": flags,
    "disposition": disposition,
}
