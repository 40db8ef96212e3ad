"""What is odd about a bill run: told before anything is numbered, since numbers are permanent (SPEC 9.13)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from api.application.invoices.document import PartyVersion
from api.application.invoices.dollars import dollars, whole_cents
from domain.months import Month
from domain.operators.statement_numbering import KnownNumbers
from projections.queries.customer_lines import CustomerMonth

NO_PARTY, FIRST_BILL, UNUSUAL, NEGATIVE = "no-party-data", "first-bill", "unusual", "negative-due"
USUAL_MONTHS = 3
UNUSUAL_TIMES = 3


class Oddity(NamedTuple):
    """What is odd about an account's statement: one of the kinds, and what was found."""

    kind: str
    account: str
    text: str


def months_before(period: str) -> list[str]:
    """Return the months whose mean is what an account usually owes."""
    found: list[str] = []
    day = Month(period).first_day
    for _ in range(USUAL_MONTHS):
        day = day.fromordinal(day.toordinal() - 1).replace(day=1)
        found.append(f"{day:%Y-%m}")
    return found


def find_oddities(
    months: Iterable[CustomerMonth], used: PartyVersion, known: KnownNumbers, usual: Mapping[str, Sequence[int]]
) -> Iterator[Oddity]:
    """Yield what is odd about each account's month; ``usual`` has what it owed in the months before."""
    billed = {account for account, _ in known.statements}
    for month in months:
        account, due = month.account, f"{dollars(whole_cents(month.exact))} dollars"
        if lacks_party(used, account):
            yield Oddity(NO_PARTY, account, "no [[customers]] of the latest party file has it")
        if account not in billed:
            yield Oddity(FIRST_BILL, account, f"its first statement, of {due}")
        before = usual.get(account, ())
        if before and month.exact * len(before) > UNUSUAL_TIMES * sum(before) > 0:
            mean = dollars(whole_cents(sum(before) // len(before)))
            yield Oddity(UNUSUAL, account, f"{due}, over {UNUSUAL_TIMES} times its usual {mean}")
        if month.exact < 0:
            yield Oddity(NEGATIVE, account, f"{due} due")


def lacks_party(used: PartyVersion, account: str) -> bool:
    """Whether the party file names no customer for an account."""
    return used.party is None or account not in used.party.customers
