"""The scenario: the calls, their times and how they end; the same for the same seed.

Tags contain the seed, so that rehearsals with different seeds do not share lines or totals in a ledger. Each number is
called once, except on lines that are meant to have several calls.
"""

from collections.abc import Iterator
from random import Random

from api.application.rehearsal import random_charges as cdr
from api.application.rehearsal.simulated_call import CallSequence, Kind, Pairs, SimulatedCall, SimulatedNotice
from domain.notices.line_number import LINE_RULE_2, line_number
from domain.notices.statuses import ANSWERED, FAILED_OPENINGS, INPUTS
from domain.times import SECOND

TAGS = ("sales", "support", "night shift", "Zürich Büro", "dept 1 & 2", "returns")
BULK_TAG, FLASH_TAG, SYSTEM_TAG = "campaign", "web", "TRINGME"
BULK_MIN, BULK_MAX = 8, 20
AGAIN_MAX = 4
PAUSE_SECONDS_MAX = 90
SPELLINGS = ("+{0}{1}{2}{3}", "+{0} ({1}) {2}-{3}", "{0}.{1}.{2}.{3}", "{0}-{1} {2} {3}", "{0}{1}{2}{3}")
# How TringMe's page writes what is no phone number; a number makes each of them the only one of its kind.
ADDRESSES = (
    "sip:u.{0}@pbx-1.example.com",
    "sip:u{0}:pass.word-1@pbx.example.com:5060",
    "gtalk:jo.ann{0}@example.com",
    "gtalk:joann.{0}@example.com",
)
ADDRESS_SHARE = 0.15
LIST_SHARE = 0.2
OUTCOMES = ("COMPLETED",) * 14 + ("DESTNOTANSWERED",) * 3 + ("DESTBUSY",) * 2 + ("DESTCONGESTED", "DESTNETWORKERROR")
SYSTEM_SHARE = 0.04
FAILED_SHARE = 0.1
KEYED_SHARE = 0.25
SPELT_SHARE = 0.1
MEAN_SECONDS, SECONDS_MAX = 90, 600


class Scenario:
    """Draws random calls; ``rate`` is how many begin per second of real time."""

    def __init__(self, seed: int, rate: float) -> None:
        """Draw from ``seed``."""
        self._seed = seed
        self._rate = rate
        self._random = Random(f"scenario {seed}")
        self._of_addresses = Random(f"addresses {seed}")
        self._placed = 0
        self._numbers: set[str] = set()

    def happenings(self, calls: int) -> Iterator[CallSequence]:
        """Yield lines with this number of calls in all, in the order in which they begin; a bulk call is first."""
        while self._placed < calls:
            begins = round(self._placed / self._rate * SECOND)
            left = calls - self._placed
            for happening in self._next(begins, left):
                self._placed += len(happening.calls)
                yield happening
            if self._random.random() < SYSTEM_SHARE:
                yield CallSequence(begins, [self._system_notice()])

    def _next(self, begins: int, left: int) -> Iterator[CallSequence]:
        chance = self._random.random() if self._placed else 0
        if chance < 0.02:
            count = BULK_MIN + int(self._random.random() * (BULK_MAX - BULK_MIN))
            tag = self._tag(f"{BULK_TAG} {self._placed + 1}")
            for _ in range(min(count, left)):
                yield CallSequence(begins, [self._call("bulk", tag, self._number_or_list())])
        elif chance < 0.12:
            yield CallSequence(begins, self._again(min(2 + int(self._random.random() * (AGAIN_MAX - 1)), left)))
        elif chance < 0.25:
            # A browser has no number: each of these calls has a tag of its own.
            yield CallSequence(begins, [self._call("flash", self._tag(f"{FLASH_TAG} {self._placed + 1}"), "")])
        else:
            yield CallSequence(begins, [self._call("single", self._any_tag(), self._address())])

    def _tag(self, name: str) -> str:
        return f"{name} r{self._seed}"

    def _any_tag(self) -> str:
        return self._tag(TAGS[int(self._random.random() * len(TAGS))])

    def _number(self) -> str:
        while True:
            number = f"1{self._random.randrange(200, 1000)}555{self._random.randrange(10_000):04d}"
            if number not in self._numbers:
                self._numbers.add(number)
                return number

    def _address(self) -> str:
        """Return a number, or an address of a SIP phone or a messenger."""
        number = self._number()
        if self._of_addresses.random() < ADDRESS_SHARE:
            return self._of_addresses.choice(ADDRESSES).format(number)
        return number

    def _number_or_list(self) -> str:
        """Return a number, or several that a bulk call rings together."""
        number = self._number()
        return (
            f"{number},{number[:-1]}{(int(number[-1]) + 1) % 10}"
            if self._of_addresses.random() < LIST_SHARE
            else number
        )

    def _again(self, count: int) -> list[SimulatedCall]:
        """Return consecutive calls of one line; no two have a CDR with the same numbers."""
        tag, src = self._any_tag(), self._number()
        calls: list[SimulatedCall] = []
        begins = 0
        while len(calls) < count:
            call = self._call("again", tag, src, begins)
            if any(_numbers(call) == _numbers(earlier) for earlier in calls):
                continue  # The ledger would rightly treat the second CDR as a repetition of the first.
            calls.append(call)
            begins = call.notices[-1].after + self._seconds(2, PAUSE_SECONDS_MAX)
        return calls

    def _call(self, sort: str, tag: str, src: str, begins: int = 0) -> SimulatedCall:
        leg = _SimulatedLeg(self._random, tag, src)
        if sort == "flash":
            notices = self._flash(leg, begins)
        elif self._random.random() < FAILED_SHARE:
            notices = self._failed(leg, begins)
        else:
            notices = self._answered(leg, begins)
        return SimulatedCall(sort, tag, line_number(src, LINE_RULE_2), list(notices))

    def _failed(self, leg: "_SimulatedLeg", at: int) -> Iterator[SimulatedNotice]:
        status = list(FAILED_OPENINGS)[int(self._random.random() * len(FAILED_OPENINGS))]
        yield leg.status("opening", at, status)
        yield self._cdr(leg, at + SECOND, status, 0)

    def _answered(self, leg: "_SimulatedLeg", at: int) -> Iterator[SimulatedNotice]:
        yield leg.status("opening", at, ANSWERED)
        for _ in range(int(self._random.random() * 4) if self._random.random() < KEYED_SHARE else 0):
            at += self._seconds(1, 9)
            keyed = ("p", f"{int(self._random.random() * 10_000)}{'#' * (self._random.random() < 0.3)}")
            yield leg.status("input", at, INPUTS[self._random.random() < 0.2], keyed)
        yield from self._ended(leg, at + self._seconds(3, 15), self._outcome())

    def _flash(self, leg: "_SimulatedLeg", at: int) -> Iterator[SimulatedNotice]:
        """Return a call from a browser: its source is answered only when it is connected to the destination."""
        outcome = self._outcome()
        at += self._seconds(3, 15)
        if outcome == "COMPLETED":
            yield leg.status("opening", at, ANSWERED)
        yield from self._ended(leg, at, outcome)

    def _ended(self, leg: "_SimulatedLeg", at: int, outcome: str) -> Iterator[SimulatedNotice]:
        seconds = int(self._random.expovariate(1 / MEAN_SECONDS)) % SECONDS_MAX if outcome == "COMPLETED" else 0
        at += seconds * SECOND
        yield leg.status("outcome", at, outcome)
        yield self._cdr(leg, at + self._seconds(0.5, 1.5), outcome, seconds)

    def _outcome(self) -> str:
        return OUTCOMES[int(self._random.random() * len(OUTCOMES))]

    def _seconds(self, least: float, most: float) -> int:
        """Return a random time between two numbers of seconds, in microseconds."""
        return int((least + self._random.random() * (most - least)) * SECOND)

    def _cdr(self, leg: "_SimulatedLeg", at: int, status: str, seconds: int) -> SimulatedNotice:
        numbers = cdr.draw_charges(self._random, seconds)
        chance = self._random.random()
        said = [("status", status)] if chance < 0.5 else [("status", "")] if chance < 0.75 else []
        return SimulatedNotice("cdr", at, [*leg.head(), ("type", "cdr"), *said, *numbers])

    def _system_notice(self) -> SimulatedCall:
        src = self._number()
        kind: Kind = "voicemail" if self._random.random() < 0.6 else "deletechannel"
        pairs = [("f", "tm"), ("tag", SYSTEM_TAG), ("src", src), ("type", kind)]
        if kind == "voicemail":
            pairs += [
                ("email", f"box{src[-2:]}-r{self._seed}@example.com"),
                ("voicemail", f"vm-r{self._seed}-{src}.wav"),
            ]
        return SimulatedCall(kind, SYSTEM_TAG, src, [SimulatedNotice(kind, 0, pairs)])


class _SimulatedLeg:
    """The leg of a call: its tag, and its number, which some calls spell differently in each notice."""

    def __init__(self, random: Random, tag: str, number: str) -> None:
        self._random = random
        self._tag = tag
        self._number = number
        self._varies = bool(number) and random.random() < SPELT_SHARE

    def head(self) -> Pairs:
        src = self._spelt() if self._varies else self._number
        if not self._number.isdigit():
            src = self._number  # Only phone numbers are spelt in many ways.
        return [("f", "tm"), ("tag", self._tag), *([("src", src)] if src else [])]

    def _spelt(self) -> str:
        form, number = SPELLINGS[int(self._random.random() * len(SPELLINGS))], self._number
        return form.format(number[0], number[1:4], number[4:7], number[7:])

    def status(self, kind: Kind, at: int, status: str, *more: tuple[str, str]) -> SimulatedNotice:
        return SimulatedNotice(kind, at, [*self.head(), ("type", "callstatus"), ("status", status), *more])


def _numbers(call: SimulatedCall) -> cdr.Numbers:
    return cdr.read_charges(call.notices[-1].pairs)
