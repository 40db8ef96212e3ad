"""The books of two months as an auditor finds them: a closed month, a tariff's two versions, a rerating, repeats, a refusal.

All of it happens on days of its own: what was known on a date does not depend on when a test runs.
"""

from collections.abc import Iterator

from domain import times
from domain.events.streams import call_id
from domain.ledger import Ledger
from tests.support.ledgers import opened, record
from tests.support.notices import START, SentNotice, callstatus, priced_cdr
from tests.support.page_ledger import catch_up_with

SHOP, SALES = "shop-1", "dept-2"
NUMBER, OTHER_NUMBER = "18585550101", "18585550202"
WRITTEN, WRITTEN_OTHERWISE = "+1 (858) 555-0101", "858.555.0101"
CALLS = 12
MONTH, NEXT_MONTH, CLOSED_ON = "2026-10", "2026-11", "2026-11-10"
CALL = str(call_id((SHOP, NUMBER), 2))
TARIFF = """
[[rules]]
tag = "dept-*"
account = "sales"
per_minute = 9
increment = "30/6"

[[rules]]
tag_regex = "(?P<account>shop)-[0-9]+"
markup_percent = 20
"""
REFUSED_KEY = "a-key-that-nobody-knows"


class DayClock:
    """A clock that stands where the last event put it (microseconds, UTC)."""

    def __init__(self) -> None:
        self.at = START - times.DAY // 4

    def __call__(self) -> int:
        return self.at


def fill_desk(url: str) -> None:
    """Fill a new ledger, in the order of time, and have the read models show it."""
    clock = DayClock()
    with opened(url, clock=clock) as ledger:
        with ledger.operator_session("kim", "prices from October on") as session:
            session.publish_tariff(TARIFF)
        for number in range(2 * CALLS):
            for notice in _call(number):
                _record(ledger, clock, notice)
        clock.at = times.parse(f"{CLOSED_ON}T09:00:00Z")
        _correct(ledger)
        clock.at += times.DAY
        record(ledger, SentNotice(clock.at, priced_cdr(r="forged", tag=SHOP, src=NUMBER)), key=REFUSED_KEY)
        catch_up_with(ledger)


def _call(number: int) -> Iterator[SentNotice]:
    """Yield a call: one every third day, of two accounts in turn; the CDR of each fifth comes twice."""
    at = number * 3 * times.DAY // 2
    tag, src = (SHOP, NUMBER) if number % 2 == 0 else (SALES, OTHER_NUMBER)
    line = {"tag": tag, "src": src}
    yield callstatus("SRCANSWERED", at, r=f"a{number}", **line)
    yield callstatus("COMPLETED", at + 60 * times.SECOND, r=f"b{number}", **line)
    charges: dict[str, str | int] = {
        "srccharge": f"{number + 1}.123456",
        "destcharge": "0.5",
        "destduration": 40 + number,
    }
    for repeat in range(2 if number % 5 == 0 else 1):
        yield priced_cdr(at + (61 + repeat) * times.SECOND, r=f"c{number}-{repeat}", **line, **charges)


def _record(ledger: Ledger, clock: DayClock, notice: SentNotice) -> None:
    clock.at = notice.at
    record(ledger, notice)


def _correct(ledger: Ledger) -> None:
    """Close the first month, lower a price, and rerate the shop's calls of that month by it."""
    with ledger.operator_session("kim", "the month is over") as session:
        session.close_month(MONTH, ["3 exceptions repeated-cdr"])
        session.publish_tariff(TARIFF.replace("markup_percent = 20", "markup_percent = 15"))
    with ledger.operator_session("eve", "as agreed with the shop") as session:
        for ordinal in range(1, CALLS // 2 + 1):
            session.rerate_call(call_id((SHOP, NUMBER), ordinal), 2)
        session.adjust_account("sales", -1_500_000, NEXT_MONTH)
