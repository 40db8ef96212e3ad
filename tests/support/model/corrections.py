"""The model's books: what calls come to across closings, whatever operators correct, as slowly and plainly as can be.

Written from SPEC 7, 9.8 and 9.9 and docs/billing.md alone, by another hand than the ledger's own code, so that where the two
differ one of them is wrong. A log is a list of the facts below in the order of their positions. Every question walks the
whole log again. Money is in millionths, of a cent or of a SIP credit.

The rule, in one sentence: what a call comes to is kept by account and own month, the month of its own CDR in the account's
time zone; each event posts what that changes to the own month while it is open, else to the first open one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tests.support.model.call import Call, Event, Line
from tests.support.model.money import day_of
from tests.support.model.tariff import billed_seconds, price
from tests.support.model.wire import CHARGES, DURATIONS

MILLIONTHS = 1_000_000
Rule = Mapping[str, Any]
Key = tuple[str, str]  # An account, and a month.
Entry = tuple[str, str, str, str, str]  # Kind, call, account, month, original month.


# The facts of a log, each at its position


@dataclass(frozen=True)
class Recorded:
    """A notice, and the call that the rules of section 6 placed it in."""

    event: Event
    call: str
    line: Line

    @property
    def position(self) -> int:
        return self.event.position


@dataclass(frozen=True)
class Published:
    """The next version of a tariff; a rule's ``begins`` is the time in microseconds from which it is in effect."""

    position: int
    version: int
    rules: Sequence[Rule]
    zone: str = "UTC"
    zones: Mapping[str, str] = field(default_factory=dict)
    shape: int = 2


@dataclass(frozen=True)
class Closed:
    """A month, and with it those before."""

    position: int
    period: str


@dataclass(frozen=True)
class Rerated:
    """A version prices the call from now on."""

    position: int
    call: str
    version: int
    shape: int = 2


@dataclass(frozen=True)
class Voided:
    """The call is off its account's bill."""

    position: int
    call: str
    shape: int = 2


@dataclass(frozen=True)
class Moved:
    """Notices went from one call to another: by a split, a merge or a release."""

    position: int
    notices: frozenset[int]
    source: str
    target: str
    shape: int = 2


@dataclass(frozen=True)
class Adjusted:
    """An account is charged for a month, or credited."""

    position: int
    account: str
    amount: int
    period: str
    shape: int = 2


@dataclass(frozen=True)
class Undone:
    """The operator's event at another position counts no more."""

    position: int
    of: int
    shape: int = 2


Fact = Recorded | Published | Closed | Rerated | Voided | Moved | Adjusted | Undone


# What is posted


class Amounts(NamedTuple):
    """The sums of billing (section 7), and what rounding per call has added."""

    calls: int = 0
    answered: int = 0
    src_seconds: int = 0
    dest_seconds: int = 0
    cost: int = 0
    sip_credits: int = 0
    billed_seconds: int = 0
    price: int = 0
    margin: int = 0
    rounding: int = 0

    def plus(self, other: "Amounts") -> "Amounts":
        return Amounts(*(one + another for one, another in zip(self, other, strict=True)))

    def minus(self, other: "Amounts") -> "Amounts":
        return Amounts(*(one - another for one, another in zip(self, other, strict=True)))


NOTHING = Amounts()


@dataclass(frozen=True)
class Posting:
    """What one event has changed of an account's month; an adjustment has no call."""

    position: int
    call: str
    account: str
    period: str
    original_period: str
    amounts: Amounts

    def entry(self, kind: str) -> Entry:
        return kind, self.call, self.account, self.period, self.original_period


Held = dict[Key, Amounts]


def summed(pairs: Iterable[tuple[Any, Amounts]]) -> dict[Any, Amounts]:
    """Add amounts up by key; what comes to nothing is left out."""
    sums: dict[Any, Amounts] = {}
    for key, amounts in pairs:
        sums[key] = sums.get(key, NOTHING).plus(amounts)
    return {key: amounts for key, amounts in sums.items() if amounts != NOTHING}


class Books:
    """All that is posted by a log."""

    def __init__(self, log: Sequence[Fact], zone: str = "UTC") -> None:
        self.log = log
        self.zone = zone
        self.postings: list[Posting] = []
        self.rows: dict[str, Posting] = {}  # By call: its CDR's row, which stays as it is once its month is closed.
        self.frozen: dict[str, dict[str, Amounts]] = {}  # By closed month and account, as it was when it was closed.
        for fact in log:
            self._take(fact)

    def _take(self, fact: Fact) -> None:
        if isinstance(fact, Closed):
            self._freeze(fact)
        elif charged := self._charge(fact):
            self._adjust(fact, charged)
        else:
            for call in self._touched(fact):
                self._post(fact, call)

    # Months

    def closed_through(self, position: int) -> str:
        """The last month that is closed before a position, empty if none."""
        return max((f.period for f in self.log if isinstance(f, Closed) and f.position < position), default="")

    def posted_to(self, month: str, position: int) -> str:
        """The month itself while it is open, else the first open one."""
        closed = self.closed_through(position)
        return month if month > closed else month_after(closed)

    def _freeze(self, closing: Closed) -> None:
        for month in {posting.period for posting in self.postings}:
            if month <= closing.period and month not in self.frozen:
                self.frozen[month] = {account: a for (account, period), a in self.billing().items() if period == month}

    # Postings

    def _post(self, fact: Fact, call: str) -> None:
        now, before = self.comes_to(call, fact.position), self.comes_to(call, fact.position - 1)
        if isinstance(fact, Recorded) or fact.shape == 1:  # type: ignore[union-attr]
            changes = self._changes_of_shape_1(fact, call, before, now)
        elif isinstance(fact, Undone) and self._fact(fact.of).shape == 1:  # type: ignore[union-attr]
            changes = changes_by_month(self._posted(call), now)
        else:
            changes = changes_by_month(before, now)
        for (account, month), amounts in changes.items():
            period = self.posted_to(month, fact.position)
            self.postings.append(Posting(fact.position, call, account, period, month, amounts))
        self._put_row(fact, call, now)

    def _put_row(self, fact: Fact, call: str, now: Held) -> None:
        """Show a call's CDR as it is by now, in the month itself while it is open, else in the first open one."""
        if call in self.rows and self.rows[call].period <= self.closed_through(fact.position):
            return
        self.rows.pop(call, None)
        for (account, month), amounts in now.items():
            period = self.posted_to(month, fact.position)
            self.rows[call] = Posting(fact.position, call, account, period, month, amounts)

    def _changes_of_shape_1(self, fact: Fact, call: str, before: Held, now: Held) -> Held:
        """As it was: once the call is in a closed month, kept by account alone, and posted for the month that it has by now.

        One that comes to nothing by now is posted for the month that it had when it was closed.
        """
        closed = self.closed_through(fact.position)
        posted = summed(((p.period, p.original_period), p.amounts) for p in self.postings if p.call == call)
        as_closed = [month for period, month in posted if period <= closed]
        if not as_closed:
            return changes_by_month(before, now)
        months = [*(month for _, month in now), as_closed[-1]]
        return changes_by_account(before, now, months[0])

    def _posted(self, call: str) -> Held:
        """What was posted of a call so far, by account and original month."""
        return summed(((p.account, p.original_period), p.amounts) for p in self.postings if p.call == call)

    def _charge(self, fact: Fact) -> Adjusted | None:
        """The charge that an adjustment makes; one that is undone is charged the other way round."""
        if isinstance(fact, Undone) and (undone := self._charge(self._fact(fact.of))):
            return replace(undone, amount=-undone.amount)
        return fact if isinstance(fact, Adjusted) else None

    def _adjust(self, fact: Fact, charge: Adjusted) -> None:
        period = self.posted_to(charge.period, fact.position)
        amounts = Amounts(price=charge.amount, margin=charge.amount)
        self.postings.append(Posting(fact.position, "", charge.account, period, charge.period, amounts))

    def _fact(self, position: int) -> Fact:
        return next(fact for fact in self.log if fact.position == position)

    def _touched(self, fact: Fact) -> list[str]:
        """The calls that an event may change."""
        if isinstance(fact, Undone):
            return self._touched(self._fact(fact.of))
        if isinstance(fact, Moved):
            return [fact.source, fact.target]
        return [fact.call] if isinstance(fact, Recorded | Rerated | Voided) else []

    # What a call comes to

    def in_force(self, position: int) -> list[Fact]:
        """What was done up to a position and is not undone by then."""
        done = [fact for fact in self.log if fact.position <= position]
        undone = {fact.of for fact in done if isinstance(fact, Undone)}
        return [fact for fact in done if fact.position not in undone]

    def comes_to(self, call: str, position: int) -> Held:
        """What a call comes to after the event at a position: nothing, or amounts of one account and own month."""
        facts = self.in_force(position)
        members, line = members_of(call, facts), line_of(call, self.log)
        own = members.cdr_event
        if own is None or line is None:
            return {}
        void = any(isinstance(fact, Voided) and fact.call == call for fact in facts)
        reratings = [fact.version for fact in facts if isinstance(fact, Rerated) and fact.call == call]
        asked = reratings[-1] if reratings else self._version_for(own)
        rating = self.rate(own, line, asked)
        month = day_of(own.notice.received_at, rating.zone)[:7]
        return {(rating.account, month): rating.amounts(members, own, void=void)}

    # Tariffs: section 9.8

    def _published(self) -> dict[int, Published]:
        return {fact.version: fact for fact in self.log if isinstance(fact, Published)}

    def _version_for(self, own: Event) -> int:
        """The latest version that was published before the CDR and of which a rule is in effect at its time; else 0."""
        before = [tariff for tariff in self._published().values() if tariff.position < own.position]
        return max((t.version for t in before if any(begun(rule, own) for rule in t.rules)), default=0)

    def rate(self, own: Event, line: Line, asked: int) -> "Rating":
        """What decides the price of a CDR, where this version is asked first (0: none is)."""
        if asked == 0:
            return Rating(line[0], self.zone, None)
        first = self._published()[asked]
        for version in range(asked, 0, -1):
            tariff = self._published()[version]
            fitting = [rule for rule in tariff.rules if fits(rule, line)]
            deciding = [rule for rule in fitting if begun(rule, own)]
            if deciding:
                account = deciding[0].get("account", line[0])
                return Rating(account, tariff.zones.get(account, tariff.zone), deciding[0])
            if not fitting or tariff.shape == 1:
                break  # The version has nothing for this call at any time, or decides finally.
        return Rating(line[0], first.zones.get(line[0], first.zone), None)

    # Answers

    def billing(self) -> dict[Key, Amounts]:
        """The sums of all postings by account and month."""
        return summed(((posting.account, posting.period), posting.amounts) for posting in self.postings)

    def entries(self) -> dict[Entry, Amounts]:
        """The sums of entries by kind, call (empty: adjustments), account, month and original month.

        What was posted of a call beside the row of its CDR are differences.
        """
        posted = [
            (posting.entry("difference" if posting.call else "adjustment"), posting.amounts)
            for posting in self.postings
        ]
        shown = [(row.entry("cdr"), row.amounts) for row in self.rows.values()]
        taken = [(row.entry("difference"), NOTHING.minus(row.amounts)) for row in self.rows.values()]
        return summed([*posted, *shown, *taken])


# Section 9.9: shapes


def changes_by_account(before: Held, now: Held, month: str) -> Held:
    """What a call comes to by account alone, as differences of one month."""
    accounts = {account for account, _ in (*before, *now)}

    def of(held: Held, account: str) -> Amounts:
        return next((amounts for (whose, _), amounts in held.items() if whose == account), NOTHING)

    return summed(((account, month), of(now, account).minus(of(before, account))) for account in accounts)


def changes_by_month(before: Held, now: Held) -> Held:
    """What a call comes to by account and own month, as differences of these months."""
    return summed((key, now.get(key, NOTHING).minus(before.get(key, NOTHING))) for key in {**before, **now})


# Calls


def members_of(call: str, facts: Sequence[Fact]) -> Call:
    """The call with the notices that it has once all moves in force are made, in order of position."""
    where = {fact.position: fact.call for fact in facts if isinstance(fact, Recorded)}
    for move in facts:
        if isinstance(move, Moved):
            where |= {position: move.target for position in move.notices if where[position] == move.source}
    found = Call(("", None), 0)
    for fact in facts:
        if isinstance(fact, Recorded) and where[fact.position] == call:
            found.events.append(replace(fact.event, rule=None))  # The own CDR is the first by position.
    return found


def line_of(call: str, facts: Sequence[Fact]) -> Line | None:
    """The line of a call: that of its first notice; a new call of a split or a release has that of the call it left."""
    for fact in facts:
        if isinstance(fact, Recorded) and fact.call == call:
            return fact.line
    for fact in facts:
        if isinstance(fact, Moved) and fact.target == call:
            return line_of(fact.source, facts)
    return None


# Ratings


@dataclass(frozen=True)
class Rating:
    """Whom a call is billed to, in which time zone, and by which rule (None: at cost)."""

    account: str
    zone: str
    rule: Rule | None

    def amounts(self, call: Call, own: Event, *, void: bool) -> Amounts:
        numbers = [millionths(own, name, 1 if name in DURATIONS else MILLIONTHS) for name in DURATIONS + CHARGES]
        src, dest, *charges = (number or 0 for number in numbers)
        cost, sip_credits = charges[0] + charges[1], charges[2] + charges[3]
        priced, rounding = price(self.rule, numbers) if self.rule else (cost, 0)
        billed = billed_seconds(self.rule, numbers) if self.rule else dest
        if void:
            billed, priced, rounding = 0, 0, 0
        answered = int(call.disposition == "ANSWERED")
        return Amounts(1, answered, src, dest, cost, sip_credits, billed or 0, priced, priced - cost, rounding)


def millionths(own: Event, name: str, scale: int) -> int | None:
    """A number of the CDR: seconds as they are, charges in millionths."""
    amount = own.notice.amount(name)
    return None if amount is None else int(amount * scale)


def fits(rule: Rule, line: Line) -> bool:
    """Whether a rule is for a tag and number; a tag here is a whole one or `*`."""
    return rule["tag"] in {"*", line[0]} and (line[1] or "").startswith(rule.get("src_prefix", ""))


def begun(rule: Rule, own: Event) -> bool:
    """Whether a rule is in effect at the CDR's time."""
    begins: int | None = rule.get("begins")
    return begins is None or own.notice.received_at >= begins


def month_after(month: str) -> str:
    """The next month."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12}-{number % 12 + 1:02}"
