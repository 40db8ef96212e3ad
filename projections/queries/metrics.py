"""Metrics of an account's month: attempts, answered calls, ASR, NER, ACD, the cost of a minute, and monthly charges.

docs/reference/metrics.md defines them. The database sums whole numbers, and ratios are computed in whole numbers, too: rounded
once, half to even.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Subquery, and_, case, func, literal, or_, select, tuple_

from domain.amounts import ONE, PLACES, plain
from projections.rows.entry import ANSWERED, FEE, MINIMUM
from projections.schema.tables import CALLS, CDRS, POSTINGS

SHORT_SECONDS_MAX = 6
RATIO_PLACES, SECONDS_PLACES, MONEY_PLACES = 4, 2, PLACES
REACHED = (ANSWERED, "BUSY", "NO ANSWER")
SECONDS_A_MINUTE = 60


class MetricSums(NamedTuple):
    """The counts and sums of an account's month: seconds, and millionths of a US cent."""

    account: str
    period: str
    attempts: int
    answered: int
    reached: int
    short_calls: int
    src_answered: int
    src_seconds: int
    dest_seconds: int
    src_cost: int
    dest_cost: int
    cost: int
    price: int
    fees: int
    minimums: int


class Metrics(NamedTuple):
    """The metrics of an account's month: ratios and amounts are plain decimals, None if their divisor is 0."""

    account: str
    period: str
    attempts: int
    answered: int
    asr: str | None
    ner: str | None
    acd: str | None
    short_calls: int
    cost_per_minute: str | None
    price_per_minute: str | None
    src_answered: int
    src_asr: str | None
    src_seconds: int
    src_acd: str | None
    src_cost_per_minute: str | None
    dest_asr: str | None
    dest_seconds: int
    dest_cost_per_minute: str | None
    fees: str
    minimums: str


def account_metrics(
    connection: Connection,
    *,
    account: str | None = None,
    period: str | None = None,
    behind: tuple[str, str] | None = None,
    limit: int | None = None,
) -> list[Metrics]:
    """Return the metrics of each account and month, in code-point order; of one account or month, if given.

    With ``behind`` (an account and a month) you get those that follow it, and at most ``limit`` of them.
    """
    wanted = [
        column == value for column, value in ((CALLS.c.account, account), (CALLS.c.period, period)) if value is not None
    ]
    if behind is not None:
        wanted.append(tuple_(CALLS.c.account, CALLS.c.period) > tuple_(*map(literal, behind)))
    charged = _charged(*((POSTINGS.c[name], value) for name, value in (("account", account), ("period", period))))
    same_month = and_(charged.c.account == CALLS.c.account, charged.c.period == CALLS.c.period)
    # One row of charges goes with each call of the month, so its greatest value is its value.
    charges = [func.coalesce(func.max(charged.c[name]), 0) for name in (FEE, MINIMUM)]
    query = (
        select(CALLS.c.account, CALLS.c.period, func.count(), *_summed(), *charges)
        .select_from(
            CALLS.outerjoin(CDRS, and_(CDRS.c.call_id == CALLS.c.call_id, CALLS.c.has_cdr == 1)).outerjoin(
                charged, same_month
            )
        )
        .where(*wanted)
        .group_by(CALLS.c.account, CALLS.c.period)
        .order_by(CALLS.c.account, CALLS.c.period)
        .limit(limit)
    )
    return [
        compute_metrics(MetricSums(account, period, *(int(value) for value in values)))
        for account, period, *values in connection.execute(query)
    ]


def _charged(*here: tuple[ColumnElement[Any], str | None]) -> Subquery:
    """Return what was posted of fees and minimums, by account and month."""
    c = POSTINGS.c
    sums = [func.sum(case((c.kind == kind, c.price), else_=0)).label(kind) for kind in (FEE, MINIMUM)]
    wanted = [column == value for column, value in here if value is not None]
    chosen = select(c.account, c.period, *sums).where(c.kind.in_((FEE, MINIMUM)), *wanted)
    return chosen.group_by(c.account, c.period).subquery()


def _summed() -> list[ColumnElement[Any]]:
    answered = CALLS.c.disposition == ANSWERED
    conditions = [
        answered,
        CALLS.c.disposition.in_(REACHED),
        and_(answered, CDRS.c.call_id.is_not(None), func.coalesce(CDRS.c.dest_duration, 0) <= SHORT_SECONDS_MAX),
        or_(CALLS.c.answered_at.is_not(None), CDRS.c.src_duration > 0),
    ]
    counts = [func.sum(case((condition, 1), else_=0)) for condition in conditions]
    names = ("src_duration", "dest_duration", "src_charge", "dest_charge", "cost", "price")
    return [*counts, *(func.coalesce(func.sum(CDRS.c[name]), 0) for name in names)]


def compute_metrics(sums: MetricSums) -> Metrics:
    """Return the metrics that follow from an account's sums."""
    per_minute = sums.dest_seconds
    return Metrics(
        account=sums.account,
        period=sums.period,
        attempts=sums.attempts,
        answered=sums.answered,
        asr=_ratio(sums.answered, sums.attempts),
        ner=_ratio(sums.reached, sums.attempts),
        acd=quotient(sums.dest_seconds, sums.answered, SECONDS_PLACES),
        short_calls=sums.short_calls,
        cost_per_minute=_per_minute(sums.cost, per_minute),
        price_per_minute=_per_minute(sums.price, per_minute),
        src_answered=sums.src_answered,
        src_asr=_ratio(sums.src_answered, sums.attempts),
        src_seconds=sums.src_seconds,
        src_acd=quotient(sums.src_seconds, sums.src_answered, SECONDS_PLACES),
        src_cost_per_minute=_per_minute(sums.src_cost, sums.src_seconds),
        dest_asr=_ratio(sums.answered, sums.src_answered),
        dest_seconds=sums.dest_seconds,
        dest_cost_per_minute=_per_minute(sums.dest_cost, sums.dest_seconds),
        fees=plain(sums.fees),
        minimums=plain(sums.minimums),
    )


def _ratio(part: int, whole: int) -> str | None:
    return quotient(part, whole, RATIO_PLACES)


def _per_minute(amount: int, seconds: int) -> str | None:
    return quotient(amount * SECONDS_A_MINUTE, seconds * ONE, MONEY_PLACES)


def quotient(dividend: int, divisor: int, places: int) -> str | None:
    """Return a quotient as a plain decimal of at most ``places``, half rounded to even; None for a divisor of 0."""
    if divisor == 0:
        return None
    scale = 10 ** (PLACES - places)
    whole, rest = divmod(dividend * 10**places, divisor)
    if 2 * rest > divisor or (2 * rest == divisor and whole % 2):
        whole += 1
    return plain(whole * scale)
