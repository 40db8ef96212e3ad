"""Suspects as a document, for programs and for the page of exceptions."""

from typing import Any

from domain import times
from domain.amounts import plain
from projections.queries.suspects import FoundSuspects, Suspect, SuspectRun

_UNITS = (("d", times.DAY), ("h", 3600 * times.SECOND), ("min", 60 * times.SECOND))


def suspect_document(found: FoundSuspects) -> dict[str, Any]:
    """Return suspects as JSON has them: the runs, and those in no run; amounts are exact decimals."""
    return {"runs": [_run(run) for run in found.runs], "alone": [_suspect(each) for each in found.alone]}


def shift_shown(shift: int) -> str:
    """Return a time span (microseconds) as people read it: ``7 d``, ``1 h 30 min``, ``12 s``."""
    parts = []
    for unit, size in _UNITS:
        if shift >= size:
            parts.append(f"{shift // size} {unit}")
            shift %= size
    seconds = shift // times.SECOND
    return " ".join(parts + ([f"{seconds} s"] if seconds or not parts else []))


def _run(run: SuspectRun) -> dict[str, Any]:
    return {
        "shift_seconds": plain(run.shift),
        "cost": plain(run.cost),
        "sip_credits": plain(run.sip_credits),
        "suspects": [_suspect(each) for each in run.suspects],
    }


def _suspect(suspect: Suspect) -> dict[str, Any]:
    document = suspect._asdict()
    document |= {name: plain(document[name]) for name in ("cost", "sip_credits")}
    return document | {name: times.iso(document[name]) for name in ("cdr_at", "twin_at")}
