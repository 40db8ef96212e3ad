"""The scenario: which calls are placed, when, and how each goes; the same for the same seed.

Tags carry the seed, so that rehearsals with different seeds never share a line, nor a tag's total, in one ledger. Numbers are
called once, except where a line is meant to carry several calls.
"""

from collections.abc import Iterator
from random import Random

from api.rehearsal import cdr
from api.rehearsal.call import Call, Happening, Kind, Notice, Pairs
from domain.statuses import ANSWERED, FAILED_OPENINGS, INPUTS
from domain.times import SECOND

TAGS = ("sales", "support", "night shift", "Zürich Büro", "dept 1 & 2", "returns")
BULK_TAG, FLASH_TAG, SYSTEM_TAG = "campaign", "web", "TRINGME"
BULK_MIN, BULK_MAX = 8, 20
AGAIN_MAX = 4
PAUSE_SECONDS_MAX = 90
SPELLINGS = ("+{0}{1}{2}{3}", "+{0} ({1}) {2}-{3}", "{0}.{1}.{2}.{3}", "{0}-{1} {2} {3}", "{0}{1}{2}{3}")
OUTCOMES = ("COMPLETED",) * 14 + ("DESTNOTANSWERED",) * 3 + ("DESTBUSY",) * 2 + ("DESTCONGESTED", "DESTNETWORKERROR")
SYSTEM_SHARE = 0.04
FAILED_SHARE = 0.1
KEYED_SHARE = 0.25
MEAN_SECONDS, SECONDS_MAX = 90, 600


class Scenario:
    """Draws calls one after another; ``rate`` is how many begin in a second of real time."""

    def __init__(self, seed: int, rate: float) -> None:
        """Take the seed of all chances, and the rate."""
        self._seed = seed
        self._rate = rate
        self._random = Random(f"scenario {seed}")
        self._placed = 0
        self._numbers: set[str] = set()

    def happenings(self, calls: int) -> Iterator[Happening]:
        """Yield the lines with their calls, so many calls in all, in the order in which they begin; a bulk call is first."""
        while self._placed < calls:
            begins = round(self._placed / self._rate * SECOND)
            left = calls - self._placed
            for happening in self._next(begins, left):
                self._placed += len(happening.calls)
                yield happening
            if self._random.random() < SYSTEM_SHARE:
                yield Happening(begins, [self._system_notice()])

    def _next(self, begins: int, left: int) -> Iterator[Happening]:
        chance = self._random.random() if self._placed else 0
        if chance < 0.02:
            count = BULK_MIN + int(self._random.random() * (BULK_MAX - BULK_MIN))
            tag = self._tag(f"{BULK_TAG} {self._placed + 1}")
            for _ in range(min(count, left)):
                yield Happening(begins, [self._call("bulk", tag, self._number())])
        elif chance < 0.12:
            yield Happening(begins, self._again(min(2 + int(self._random.random() * (AGAIN_MAX - 1)), left)))
        elif chance < 0.25:
            # A browser has no number: each of these calls is a line by its tag alone.
            yield Happening(begins, [self._call("flash", self._tag(f"{FLASH_TAG} {self._placed + 1}"), "")])
        else:
            yield Happening(begins, [self._call("single", self._any_tag(), self._number())])

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

    def _again(self, count: int) -> list[Call]:
        """Return calls of one line, one after another; no two of them have a CDR of the same numbers."""
        tag, src = self._any_tag(), self._number()
        calls: list[Call] = []
        begins = 0
        while len(calls) < count:
            call = self._call("again", tag, src, begins)
            if any(_numbers(call) == _numbers(earlier) for earlier in calls):
                continue  # The ledger would rightly take the second CDR for a repeat of the first.
            calls.append(call)
            begins = call.notices[-1].after + self._seconds(2, PAUSE_SECONDS_MAX)
        return calls

    def _call(self, sort: str, tag: str, src: str, begins: int = 0) -> Call:
        spelt = _Spelling(self._random, src)
        if sort == "flash":
            notices = self._flash(tag, spelt, begins)
        elif self._random.random() < FAILED_SHARE:
            notices = self._failed(tag, spelt, begins)
        else:
            notices = self._answered(tag, spelt, begins)
        return Call(sort, tag, src, list(notices))

    def _failed(self, tag: str, spelt: "_Spelling", at: int) -> Iterator[Notice]:
        status = list(FAILED_OPENINGS)[int(self._random.random() * len(FAILED_OPENINGS))]
        yield _status("opening", at, tag, spelt, status)
        yield self._cdr(at + SECOND, tag, spelt, status, 0)

    def _answered(self, tag: str, spelt: "_Spelling", at: int) -> Iterator[Notice]:
        yield _status("opening", at, tag, spelt, ANSWERED)
        for _ in range(int(self._random.random() * 4) if self._random.random() < KEYED_SHARE else 0):
            at += self._seconds(1, 9)
            keyed = ("p", f"{int(self._random.random() * 10_000)}{'#' * (self._random.random() < 0.3)}")
            yield _status("input", at, tag, spelt, INPUTS[self._random.random() < 0.2], keyed)
        yield from self._ended(tag, spelt, at + self._seconds(3, 15), self._outcome())

    def _flash(self, tag: str, spelt: "_Spelling", at: int) -> Iterator[Notice]:
        """Return a call from a browser: its source counts as answered only once it is connected to the destination."""
        outcome = self._outcome()
        at += self._seconds(3, 15)
        if outcome == "COMPLETED":
            yield _status("opening", at, tag, spelt, ANSWERED)
        yield from self._ended(tag, spelt, at, outcome)

    def _ended(self, tag: str, spelt: "_Spelling", at: int, outcome: str) -> Iterator[Notice]:
        seconds = int(self._random.expovariate(1 / MEAN_SECONDS)) % SECONDS_MAX if outcome == "COMPLETED" else 0
        at += seconds * SECOND
        yield _status("outcome", at, tag, spelt, outcome)
        yield self._cdr(at + self._seconds(0.5, 1.5), tag, spelt, outcome, seconds)

    def _outcome(self) -> str:
        return OUTCOMES[int(self._random.random() * len(OUTCOMES))]

    def _seconds(self, least: float, most: float) -> int:
        """Return some time between so many seconds, in microseconds."""
        return int((least + self._random.random() * (most - least)) * SECOND)

    def _cdr(self, at: int, tag: str, spelt: "_Spelling", status: str, seconds: int) -> Notice:
        numbers = cdr.draw(self._random, seconds)
        chance = self._random.random()
        said = [("status", status)] if chance < 0.5 else [("status", "")] if chance < 0.75 else []
        return Notice("cdr", at, [*_head(tag, spelt), ("type", "cdr"), *said, *numbers])

    def _system_notice(self) -> Call:
        src, chance = self._number(), self._random.random()
        kind: Kind = "voicemail" if chance < 0.6 else "deletechannel"
        mailbox = [("email", f"box{src[-2:]}-r{self._seed}@example.com"), ("voicemail", f"vm-r{self._seed}-{src}.wav")]
        pairs = [*_head(SYSTEM_TAG, _Spelling(self._random, src, often=0)), ("type", kind)]
        return Call(kind, SYSTEM_TAG, src, [Notice(kind, 0, [*pairs, *mailbox] if kind == "voicemail" else pairs)])


class _Spelling:
    """How a number is written: mostly in digits, for some lines in another way on every notice."""

    def __init__(self, random: Random, number: str, often: float = 0.1) -> None:
        self._random = random
        self._number = number
        self._varies = bool(number) and random.random() < often

    def __str__(self) -> str:
        if not self._varies:
            return self._number
        form = SPELLINGS[int(self._random.random() * len(SPELLINGS))]
        number = self._number
        return form.format(number[0], number[1:4], number[4:7], number[7:])


def _head(tag: str, spelt: _Spelling) -> Pairs:
    src = str(spelt)
    return [("f", "tm"), ("tag", tag), *([("src", src)] if src else [])]


def _status(kind: Kind, at: int, tag: str, spelt: _Spelling, status: str, *more: tuple[str, str]) -> Notice:
    return Notice(kind, at, [*_head(tag, spelt), ("type", "callstatus"), ("status", status), *more])


def _numbers(call: Call) -> cdr.Numbers:
    return cdr.numbers(call.notices[-1].pairs)
