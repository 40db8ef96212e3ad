"""How amounts look on a page: exact, in US cents, or in US dollars with separators between thousands for those who chose them.

SIP credits are another unit and are shown as they are. The ``value`` of an amount is the number that is shown, plain.
"""

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from domain import amounts
from projections.queries.month_comparison import percent_of

NOTHING = Markup('<span class="none"><span aria-hidden="true">\u2013</span><span class="said">none</span></span>')
MINUS = "\u2212"
CENTS, DOLLARS = "", "dollars"
UNIT_NAMES = {CENTS: "US cents", DOLLARS: "US dollars"}
# The places of a dollar that are whole cents.
_CENT_PLACES = 2


def made_markup(made: str) -> Markup:
    """Take a text as markup that was made of our own words, of numbers, and of what was escaped: a page has thousands of them."""
    return str.__new__(Markup, made)  # Markup itself would look for markup of its own in the text first.


def amount(millionths: int | None) -> Markup:
    """Show millionths as an exact decimal, aligned at the point; a dash for None."""
    return NOTHING if millionths is None else _shown(millionths, CENTS)


@pass_context
def money(context: Context, millionths: int | None) -> Markup:
    """Show millionths of a US cent in the unit that the user chose; a dash for None."""
    return shown_money(millionths, unit_of(context))


def shown_money(millionths: int | None, unit: str) -> Markup:
    """Show millionths of a US cent in a unit; a dash for None."""
    return NOTHING if millionths is None else _shown(millionths, unit)


@pass_context
def decimal_money(context: Context, decimal: str | None) -> Markup:
    """Show a decimal of US cents, of any number of places, in the unit that the user chose; a dash for None or nothing.

    A plus before it, as a difference has, stays.
    """
    if not decimal:
        return NOTHING
    return _shown_decimal(decimal.removeprefix("+"), unit_of(context), "+" if decimal.startswith("+") else "")


def change(now: int, before: int | None) -> Markup:
    """Show the difference to the amount of the period before, with its sign."""
    return _change(now, before, CENTS)


@pass_context
def money_change(context: Context, now: int, before: int | None) -> Markup:
    """Show the difference to the money of the period before in the unit that the user chose, with its sign."""
    return _change(now, before, unit_of(context))


@pass_context
def signed_money(context: Context, millionths: int) -> Markup:
    """Show a difference of money in the unit that the user chose, aligned at the point as the amounts that it is the difference of."""
    return _shown(millionths, unit_of(context), "+" if millionths > 0 else "")


def percent(more: int, before: int) -> Markup:
    """Show a difference as a share of what was before, to a tenth of a per cent; nothing for 0."""
    share = percent_of(more, before)
    if share is None:
        return Markup()
    sign = "" if share == "0.0" else MINUS if share.startswith("-") else "+"
    return made_markup(f' <span class="percent">{sign}{share.removeprefix("-")} %</span>')


def written(millionths: int, unit: str) -> tuple[str, str]:
    """Return an amount that is not negative as its whole part and its fraction, the point included; exact in either unit."""
    return _written(amounts.plain(millionths), unit)


def _written(decimal: str, unit: str) -> tuple[str, str]:
    whole, point, fraction = decimal.partition(".")
    if unit != DOLLARS:
        return whole, point + fraction
    whole = whole.rjust(_CENT_PLACES + 1, "0")
    places = (whole[-_CENT_PLACES:] + fraction).rstrip("0").ljust(_CENT_PLACES, "0")
    return f"${int(whole[:-_CENT_PLACES]):,}", f".{places}"


def plain(millionths: int, unit: str) -> str:
    """Return an amount as a plain decimal of a unit."""
    return _plain(amounts.plain(millionths), unit)


def _plain(decimal: str, unit: str) -> str:
    if unit != DOLLARS:
        return decimal
    whole, fraction = _written(decimal.removeprefix("-"), unit)
    return ("-" if decimal.startswith("-") else "") + whole.removeprefix("$").replace(",", "") + fraction


def unit_of(context: Context) -> str:
    """Return the unit of amounts that the user of a page chose."""
    shown = context.get("shown")
    unit: str = shown.unit if shown is not None else CENTS
    return unit


def _shown(millionths: int, unit: str, plus: str = "") -> Markup:
    return _shown_decimal(amounts.plain(millionths), unit, plus)


def _shown_decimal(decimal: str, unit: str, plus: str = "") -> Markup:
    is_minus = decimal.startswith("-")
    whole, fraction = _written(decimal.removeprefix("-"), unit)
    kind = " ".join(["amount", *([unit] if unit else []), *(["minus"] if is_minus else [])])
    sign = MINUS if is_minus else plus
    return made_markup(
        f'<data class="{kind}" value="{_plain(decimal, unit)}">{sign}{whole}<span class="fraction">{fraction}</span></data>'
    )


def _change(now: int, before: int | None, unit: str) -> Markup:
    if before is None:
        return NOTHING
    more = now - before
    kind = "up" if more > 0 else "down" if more < 0 else "same"
    sign = {"up": "+", "down": MINUS, "same": "±"}[kind]
    shown = "".join(written(abs(more), unit))
    return made_markup(
        f'<data class="change {kind}" value="{plain(more, unit)}">{sign}{shown}</data>{percent(more, before)}'
    )
