"""The check of a span's events by themselves: their leaf hashes, and what each notice shows without a tree.

It needs nothing but the log, so that processes can share the work; comparing the hashes with the tree is quick.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from domain.log.contract import Log
from projections.proofs.log_spans import LogFinding, Span, hash_span
from projections.proofs.notice_check import NoticeCheck


class CheckedSpan(NamedTuple):
    """A span with the leaf hash of each of its positions, and the problems of its notices.

    ``signed`` signatures were checked, of ``unchecked`` ones the key is not at hand; ``key_sum`` is the sum of delivery keys.
    """

    span: Span
    leaves: list[bytes]
    findings: Sequence[LogFinding] = ()
    signed: int = 0
    unchecked: int = 0
    key_sum: int = 0


# Checks spans, in their order.
CheckSpans = Callable[[Iterable[Span]], Iterator[CheckedSpan]]


def hash_spans(log: Log) -> CheckSpans:
    """Return a check of spans that only hashes their events."""

    def hashed(spans: Iterable[Span]) -> Iterator[CheckedSpan]:
        for span in spans:
            first, count = span
            yield CheckedSpan(span, hash_span(span, log.page(first, count, first + count)))

    return hashed


def check_notices(log: Log, private_keys: Sequence[str] = ()) -> CheckSpans:
    """Return a check of spans that also checks each notice, and its signature where its private key is among these."""
    notices = NoticeCheck(private_keys)

    def checked(spans: Iterable[Span]) -> Iterator[CheckedSpan]:
        for span in spans:
            first, count = span
            events = log.page(first, count, first + count)
            yield CheckedSpan(span, hash_span(span, events), *notices.check(events))

    return checked
