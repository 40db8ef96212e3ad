"""Hypothesis strategies for notifications, broken ones, logs of them, and single calls.

They draw from few lines, few amounts and the instants at which a rule turns, because the rules are
about notices that nearly fit: uniform noise would open a new call every time.
"""

from typing import NamedTuple

from hypothesis import strategies as st

from tests.support.model.call import ANSWERED, FAILED_OPENINGS, INPUTS, OPENINGS, OUTCOMES
from tests.support.model.wire import CHARGES, DURATIONS, BytePairs, as_bytes

Pairs = list[tuple[str, str]]
Log = list[tuple[int, Pairs]]


class Broken(NamedTuple):
    """A notice that breaks section 1, as decoded bytes without `sig`, and the name at fault."""

    pairs: BytePairs
    name: str


SECOND = 1_000_000
GRACE = 300 * SECOND
MAX_AGE = 86_400 * SECOND
# 2026-10-31T23:58:00Z: the end of a month, of a day and of the European summer are near.
START = 1_793_491_080 * SECOND

TAGS = ("sales", "Zürich Büro")
# Three spellings of one number, another number, and lines without one.
ADDRESSES = (
    "gtalk:jo.ann@example.com",
    "gtalk:joann@example.com",
    "sip:bob@pbx-1.example.com",
    "1858,1859",
    "1+858",
    "++1",
)
SOURCES = ("18585550001", "+1 (858) 555-0001", "1.858.555.0001", "18585550002", "", None, *ADDRESSES)
UNKNOWN_STATUSES = ("RINGING", "completed", "SRCANSWERED ", "")
EXTRAS = (("colour", "blue"), ("_type_", "x"), ("Type", "cdr"), ("é", "=&;+% \r\n"), ("empty", ""))
TOO_LONG = "é" * 257
BAD_INTEGERS = (
    *("1.5", "-1", "+1", "1e3", "1 ", " ", "٣", "²", "1234567890"),
    *("0x1", "1_0", "\n1", "1\n"),
)
BAD_DECIMALS = (
    *("-1", "+1", "1e", "NaN", "Infinity", ".5", "1.", "1,5", "1e100", "1234567890", "٣.5"),
    *("1.5\n", "1_0.0", "0x1", "1.2.3", "-0"),
)

nonces = st.integers(1_000_000, 2**31).map(str)
durations = st.sampled_from(("60", "60", "060", "50", "0", "000", "", "1", "999999999", None))
charges = st.sampled_from(
    (
        "1.5",
        "1.5",
        "01.50",
        "2",
        "2.000",
        "0",
        "0.000000",
        "",
        "0.000001",
        "999999999.999999",
        "1.50000000",
        "1.8333333333333",
        "1.0E-5",
        None,
    )
)
# One notice in five is lost on its way.
arrives = st.sampled_from((True, True, True, True, False))
# Amounts seen more often than others, so that CDRs come to equal each other.
USUAL_AMOUNTS = (("srcduration", "60"), ("destduration", "50"), ("srccharge", "1.5"))


# One notification


def sources() -> st.SearchStrategy[str | None]:
    """A number in some spelling, mostly the first one."""
    return st.sampled_from(SOURCES[:1] * 4 + SOURCES)


def present(**values: str | None) -> Pairs:
    """The parameters that are there at all."""
    return [(name, value) for name, value in values.items() if value is not None]


@st.composite
def heads(draw: st.DrawFn) -> Pairs:
    """What any notification carries, `r` included: identification and line."""
    tag = draw(st.sampled_from(TAGS[:1] * 3 + TAGS))
    return present(f="tm", tag=tag, src=draw(sources()), r=draw(nonces))


@st.composite
def callstatuses(draw: st.DrawFn) -> Pairs:
    """A `callstatus` notice: mostly of the table, the likeliest first."""
    likely = (ANSWERED, ANSWERED, "COMPLETED", "DESTBUSY", "SRCFAILED")
    others = (*OPENINGS, *OUTCOMES, *INPUTS, *UNKNOWN_STATUSES, None)
    status = draw(st.sampled_from((*likely, *others)))
    p = draw(st.sampled_from(("1", "*9#", "", None))) if status in INPUTS else None
    return draw(heads()) + present(type="callstatus", status=status, p=p)


@st.composite
def amounts(draw: st.DrawFn) -> Pairs:
    """The six durations and charges, often the usual ones."""
    if draw(st.booleans()):
        return list(USUAL_AMOUNTS)
    seconds = {name: draw(durations) for name in DURATIONS}
    money = {name: draw(charges) for name in CHARGES}
    return present(**seconds, **money)


@st.composite
def cdrs(draw: st.DrawFn) -> Pairs:
    """A `cdr` notice; without a status in half of the cases."""
    statuses = (*OPENINGS, *OUTCOMES, *INPUTS, *UNKNOWN_STATUSES)
    status = draw(st.one_of(st.none(), st.sampled_from(statuses)))
    return draw(heads()) + present(type="cdr", status=status) + draw(amounts())


@st.composite
def strangers(draw: st.DrawFn) -> Pairs:
    """A notice that is no call's: voicemail, channel, or a type that nobody knows."""
    kind = draw(st.sampled_from(("voicemail", "deletechannel", "fax", "CDR", "", None)))
    mailbox = present(email="bob@example.com", voicemail="a b.wav") if kind == "voicemail" else []
    status = draw(st.sampled_from((None, None, ANSWERED, "RINGING")))
    return draw(heads()) + present(type=kind, status=status) + mailbox


@st.composite
def notices(draw: st.DrawFn) -> Pairs:
    """One well-formed notification without its `sig`, in any order of parameters."""
    kinds = (callstatuses(), callstatuses(), callstatuses(), cdrs(), cdrs(), strangers())
    pairs = draw(st.sampled_from(kinds).flatmap(lambda kind: kind))
    extras = draw(st.sampled_from(((), (), (), EXTRAS, EXTRAS[:1], EXTRAS[3:])))
    return draw(shuffled([*pairs, *extras]))


def shuffled(pairs: Pairs) -> st.SearchStrategy[Pairs]:
    """The pairs as they are, or in another order."""
    return st.one_of(st.just(pairs), st.permutations(pairs))


# Broken notifications


def broken(pairs: Pairs) -> st.SearchStrategy[Broken]:
    """The notice with one thing in it that section 1 refuses, each kind of thing alike."""
    return st.one_of(
        broken_numbers(pairs),
        broken_texts(pairs),
        broken_zeros(pairs),
        broken_encodings(pairs),
        broken_twice(pairs),
    )


def with_value(pairs: Pairs, name: str, value: str) -> Pairs:
    """The pairs with one value in place of any that the name had."""
    return [pair for pair in pairs if pair[0] != name] + [(name, value)]


def breaking(pairs: Pairs, name: str, value: str) -> Broken:
    """The notice broken by one value."""
    return Broken(as_bytes(with_value(pairs, name, value)), name)


def broken_numbers(pairs: Pairs) -> st.SearchStrategy[Broken]:
    """A duration or charge that is no number as section 1 spells them."""
    bad = [(name, value) for name in DURATIONS for value in BAD_INTEGERS]
    bad += [(name, value) for name in CHARGES for value in BAD_DECIMALS]
    return st.sampled_from(bad).map(lambda pair: breaking(pairs, *pair))


def broken_texts(pairs: Pairs) -> st.SearchStrategy[Broken]:
    """A tag or number of 257 code points."""
    return st.sampled_from(("tag", "src")).map(lambda name: breaking(pairs, name, TOO_LONG))


def broken_zeros(pairs: Pairs) -> st.SearchStrategy[Broken]:
    """U+0000 in a value or a name."""
    bad = (("tag", "a\0b"), ("p", "\0"), ("status", "COMPLETED\0"), ("na\0me", "x"), ("\0", ""))
    return st.sampled_from(bad).map(lambda pair: breaking(pairs, *pair))


def broken_encodings(pairs: Pairs) -> st.SearchStrategy[Broken]:
    """Bytes that are not UTF-8, in a value or a name: stray, overlong, surrogate, cut short."""
    bad = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82")
    rest = as_bytes([pair for pair in pairs if pair[0] != "tag"])
    values = [Broken([*rest, (b"tag", b"a" + text)], "tag") for text in bad]
    names = [Broken([*as_bytes(pairs), (text, b"x")], "") for text in bad]
    return st.sampled_from(values + names)


def broken_twice(pairs: Pairs) -> st.SearchStrategy[Broken]:
    """A parameter given twice, with the same value or another."""
    again = [(name, text) for name, value in pairs for text in (value, value + "0")]
    return st.sampled_from(again).map(lambda pair: Broken(as_bytes([*pairs, pair]), pair[0]))


# Logs


def steps() -> st.SearchStrategy[int]:
    """From one notice to another, in microseconds: where the rules turn, and nothing between."""
    near = (0, 0, 1, SECOND, 10 * SECOND)
    edges = (GRACE - 1, GRACE, GRACE + 1, MAX_AGE - 1, MAX_AGE, MAX_AGE + 1)
    forward = near * 4 + edges
    return st.sampled_from(forward + forward + tuple(-step for step in forward))


@st.composite
def logs(draw: st.DrawFn, max_size: int = 40, nonces: int = 1000) -> Log:
    """Notices with received_at in the order of recording, which is not that of time.

    Each has an `r` of its own, except where the very same notification comes again, or where a test
    of colliding random numbers asks for few of them.
    """
    log: Log = []
    for index in range(draw(st.integers(1, max_size))):
        log.append(draw(entries(log, str(1000 + index % nonces))))
    return log


@st.composite
def entries(draw: st.DrawFn, log: Log, nonce: str) -> tuple[int, Pairs]:
    """One more entry: a notice of its own, an earlier one again, or an earlier one re-signed."""
    before, pairs = draw(st.sampled_from(log)) if log else (START, [])
    received_at = before + draw(steps())
    match draw(st.sampled_from(("new", "new", "new", "new", "again", "re-signed"))):
        case "again" if log:
            return received_at, draw(shuffled(pairs))
        case "re-signed" if log:
            return received_at, with_value(pairs, "r", nonce)
    return received_at, with_value(draw(notices()), "r", nonce)


# Single calls


@st.composite
def single_calls(draw: st.DrawFn, start: int = START) -> tuple[Log, Log]:
    """The notices of one call in order of time, and the same shuffled with repeats.

    None contradicts another, any two are within `grace`, and none was signed twice. A repeat comes
    after its first, at whatever time; a first keeps its received_at, so that times can be compared.
    """
    line = present(f="tm", tag=draw(st.sampled_from(TAGS)), src=draw(sources()))
    parts = draw(st.one_of(ordinary_parts(), failed_parts()))
    offsets = sorted(draw(st.sampled_from((0, 1, SECOND, GRACE - 1, GRACE))) for _ in parts)
    notes = [[*line, ("r", str(1000 + index)), *part] for index, part in enumerate(parts)]
    in_order = [(start + offset, pairs) for offset, pairs in zip(offsets, notes, strict=True)]
    return in_order, draw(repeated(draw(st.permutations(in_order))))


def statuses(*names: str) -> st.SearchStrategy[str | None]:
    """The status of a CDR that contradicts nothing: one of these, or one that says nothing."""
    return st.sampled_from((*names, *names, None, None, "", INPUTS[0], "RINGING"))


@st.composite
def ordinary_parts(draw: st.DrawFn) -> list[Pairs]:
    """Answered at the source: inputs, one outcome, and the CDR. Any may be lost, but not all."""
    outcome = draw(st.sampled_from(OUTCOMES))
    opening = present(type="callstatus", status=ANSWERED)
    ending = present(type="callstatus", status=outcome)
    record = present(type="cdr", status=draw(statuses(outcome))) + draw(amounts())
    kept = [part for part in (opening, *draw(input_parts()), ending, record) if draw(arrives)]
    return kept or [opening]


@st.composite
def failed_parts(draw: st.DrawFn) -> list[Pairs]:
    """Failed at the source: the opening, inputs if any, and a CDR of just that status or none."""
    status = draw(st.sampled_from(FAILED_OPENINGS))
    record = present(type="cdr", status=draw(statuses(status))) + draw(amounts())
    opening = present(type="callstatus", status=status)
    return [opening, *draw(input_parts())] + ([record] if draw(st.booleans()) else [])


def input_parts() -> st.SearchStrategy[list[Pairs]]:
    """Some inputs and unrecognised statuses, which say nothing of how the call went."""
    parts = [present(type="callstatus", status=INPUTS[1], p=digit) for digit in "129"]
    parts += [present(type="callstatus", status="RINGING")]
    return st.lists(st.sampled_from(parts), max_size=3)


@st.composite
def repeated(draw: st.DrawFn, log: Log) -> Log:
    """The log with some entries delivered again later on, their parameters in any order."""
    result: Log = []
    for entry in log:
        result.append(entry)
        again = draw(st.lists(st.sampled_from(result), max_size=2))
        result += [(at + draw(steps()), draw(shuffled(pairs))) for at, pairs in again]
    return result
