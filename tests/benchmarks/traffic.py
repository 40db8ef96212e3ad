"""Made-up call traffic, signed, in order of time and the same for the same seed: what every benchmark feeds on.

Shaped like a real account's: several tags, many lines, calls of two to six notices that overlap with other calls, failed
calls, keyed digits, and now and then a voicemail or an expired channel.
"""

import heapq
from collections.abc import Iterator
from random import Random
from urllib.parse import quote_plus

from domain.notices import signature
from domain.times import SECOND

FORMULA = "md5-params"
KEY = "benchmark-private-key"
START = 1_790_812_800 * SECOND  # 2026-10-01T00:00:00Z

TAGS = ("sales", "support", "night shift", "Zürich Büro", *(f"dept-{number}" for number in range(1, 17)))
NUMBERS_PER_TAG = 1000
SECONDS_BETWEEN_CALLS = 3.0
FAILURES = ("SRCFAILED", "SRCNOTANSWERED")
OUTCOMES = (
    ("COMPLETED",) * 14 + ("DESTNOTANSWERED",) * 3 + ("DESTBUSY", "DESTBUSY", "DESTCONGESTED", "DESTNETWORKERROR")
)

# An odd multiplier walks through all 31-bit numbers before it repeats one: no two notices are ever the same.
R_STEP, R_MASK = 1_103_515_245, (1 << 31) - 1

Pairs = list[tuple[str, str]]


def notifications(count: int, seed: int = 1, start: int = START) -> Iterator[tuple[int, bytes]]:
    """Return so many notifications, each with its received_at (microseconds, UTC), in order of that."""
    random = Random(seed)
    waiting: list[tuple[int, int, Pairs]] = []
    number, begun = 0, start
    while True:
        begun += int(random.expovariate(1 / SECONDS_BETWEEN_CALLS) * SECOND) + 1
        while waiting and waiting[0][0] <= begun:
            if number == count:
                return
            at, _, pairs = heapq.heappop(waiting)
            number += 1
            yield at, signed(pairs, (seed * 7919 + number) * R_STEP & R_MASK)
        for order, (at, pairs) in enumerate(_happening(random, begun)):
            heapq.heappush(waiting, (at, begun * 8 + order, pairs))


def signed(pairs: Pairs, r: int) -> bytes:
    """Return the query string that TringMe would send: these parameters, the random number, the signature."""
    named = [*pairs, ("r", str(r))]
    named.append(("sig", signature.digest(FORMULA, named, KEY) or ""))
    return "&".join([f"{name}={value if value.isalnum() else quote_plus(value)}" for name, value in named]).encode()


def _happening(random: Random, at: int) -> Iterator[tuple[int, Pairs]]:
    """Return the notices of what begins at a moment: a call as a rule."""
    src = f"1858555{int(random.random() * NUMBERS_PER_TAG):04d}"
    kind = random.random()
    if kind < 0.004:
        mailbox = [("email", f"box{src[-2:]}@example.com"), ("voicemail", f"vm-{at}.wav")]
        return iter([(at, [("f", "tm"), ("type", "voicemail"), ("tag", "TRINGME"), ("src", src), *mailbox])])
    if kind < 0.006:
        return iter([(at, [("f", "tm"), ("type", "deletechannel"), ("tag", "TRINGME"), ("src", src)])])
    return call(random, at, TAGS[int(random.random() * len(TAGS))], src)


def call(random: Random, at: int, tag: str, src: str) -> Iterator[tuple[int, Pairs]]:
    """Return the notices of one call on a line, beginning at a moment, each with its received_at."""
    line = [("f", "tm"), ("tag", tag), ("src", src)]
    if random.random() < 0.08:
        failure = FAILURES[int(random.random() * 2)]
        yield at, _status(line, failure)
        yield at + SECOND, _cdr(random, line, failure, 0)
        return
    yield at, _status(line, "SRCANSWERED")
    keyed = int(random.random() * 4) if random.random() < 0.25 else 0
    for _ in range(keyed):
        at += int((2 + random.random() * 9) * SECOND)
        yield at, [*_status(line, "USERDTMPINPUT"), ("p", str(int(random.random() * 10_000)))]
    outcome = OUTCOMES[int(random.random() * len(OUTCOMES))]
    seconds = int(random.random() * 240) if outcome == "COMPLETED" else 0
    at += (10 + seconds) * SECOND + int(random.random() * SECOND)
    yield at, _status(line, outcome)
    yield at + int((0.5 + random.random()) * SECOND), _cdr(random, line, outcome, seconds)


def _status(line: Pairs, status: str) -> Pairs:
    return [*line, ("type", "callstatus"), ("status", status)]


def _cdr(random: Random, line: Pairs, status: str, seconds: int) -> Pairs:
    durations = [("srcduration", str(seconds and seconds + 7)), ("destduration", str(seconds))]
    charges = [("srccharge", _amount(random, seconds)), ("destcharge", _amount(random, seconds))]
    if random.random() < 0.2:
        charges = [("srcsipcharge", _amount(random, seconds)), ("destsipcharge", "")]
    said = status if random.random() < 0.5 else ""
    return [*line, ("type", "cdr"), ("status", said), *durations, *charges]


def _amount(random: Random, seconds: int) -> str:
    """Return a charge with as many decimals as happen to be needed, as TringMe's own are."""
    return f"{int(random.random() * 50_000) * seconds // 60 / 10_000:.4f}".rstrip("0").rstrip(".")
