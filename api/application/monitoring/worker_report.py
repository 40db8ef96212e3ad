"""What a process that takes callbacks tells of itself, and how the reports of several become one."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

RECORDED, DUPLICATE, QUARANTINED, SPOOLED = "recorded", "duplicate", "quarantined", "spooled"
REFUSED, UNKEPT = "refused", "unkept"
INTAKE, FOLLOWER, FORWARDER, PROVER = "intake", "follower", "forwarder", "prover"

# Upper bounds in seconds; what takes longer than the last one is in the bucket after it.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_REFUSAL = re.compile(r"refused with ([0-9]{3})")
_NOT_KEPT = "503"


class CallbackTimings:
    """The histogram of the seconds that answers took; ``counts`` has a number for each bound, and one for what took longer."""

    def __init__(self) -> None:
        """Begin with no answer."""
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count an answer."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class CallbackCount(msgspec.Struct, frozen=True):
    """How many callbacks had an outcome and were answered with a status code."""

    outcome: str
    code: str
    count: int


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one process since its start, or of several.

    ``timings`` are those of CallbackTimings, ``seconds`` their sum. ``waiting`` is how many callbacks wait to be recorded.
    ``parts`` says of each part that runs whether it works. No text that came from outside is in it.
    """

    callbacks: list[CallbackCount] = []
    timings: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    waiting: int = 0
    parts: dict[str, bool] = {}

    def ended(self) -> "WorkerReport":
        """Return what remains of it when the process has ended: its counts."""
        return msgspec.structs.replace(self, waiting=0, parts={})


class BrokenValues(NamedTuple):
    """How many of the quarantined, and of the spooled, notices have a broken value: the others were answered otherwise."""

    quarantined: int = 0
    spooled: int = 0


def make_report(
    counts: Mapping[str, int], broken: BrokenValues, timings: CallbackTimings, waiting: int, parts: dict[str, bool]
) -> WorkerReport:
    """Return a report from the counts of the notify endpoint."""
    return WorkerReport(
        callbacks=_by_outcome(counts, broken),
        timings=list(timings.counts),
        seconds=timings.seconds,
        waiting=waiting,
        parts=parts,
    )


def _by_outcome(counts: Mapping[str, int], broken: BrokenValues) -> list[CallbackCount]:
    found = [
        CallbackCount(RECORDED, "200", counts.get(RECORDED, 0)),
        CallbackCount(DUPLICATE, "200", counts.get(DUPLICATE, 0)),
        CallbackCount(QUARANTINED, "202", broken.quarantined),
        CallbackCount(QUARANTINED, "403", counts.get(QUARANTINED, 0) - broken.quarantined),
        CallbackCount(SPOOLED, "200", counts.get(SPOOLED, 0) - broken.spooled),
        CallbackCount(SPOOLED, "202", broken.spooled),
        CallbackCount(UNKEPT, _NOT_KEPT, 0),
    ]
    for name, count in sorted(counts.items()):
        if refusal := _REFUSAL.match(name):
            found.append(CallbackCount(UNKEPT if refusal[1] == _NOT_KEPT else REFUSED, refusal[1], count))
    return _summed(found)


def _summed(counts: Iterable[CallbackCount]) -> list[CallbackCount]:
    sums: dict[tuple[str, str], int] = {}
    for each in counts:
        key = each.outcome, each.code
        sums[key] = sums.get(key, 0) + each.count
    return [CallbackCount(*key, count) for key, count in sums.items()]


def add_reports(reports: Iterable[WorkerReport]) -> WorkerReport:
    """Return one report for several processes; a part works if it works in all of them."""
    found = list(reports)
    parts: dict[str, bool] = {}
    for each in found:
        parts |= {name: parts.get(name, True) and works for name, works in each.parts.items()}
    return WorkerReport(
        callbacks=_summed(count for each in found for count in each.callbacks),
        timings=[sum(column) for column in zip(*(each.timings for each in [WorkerReport(), *found]), strict=True)],
        seconds=sum(each.seconds for each in found),
        waiting=sum(each.waiting for each in found),
        parts=parts,
    )
