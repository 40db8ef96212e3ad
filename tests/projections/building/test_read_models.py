"""The ledger and its read models against the slow model, whatever comes in, in whatever order (SPEC 4 to 8)."""

import csv
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import times
from domain.calls.correlation import CorrelationWindow
from domain.errors import NotANotification
from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.outcomes import Duplicate, Quarantined, Recorded, RecordOutcome
from domain.recording import Delivery
from projections.building import catch_up as catching_up
from projections.building.catch_up import catch_up
from projections.building.rebuild import check_read_models, rebuild
from projections.stores.generations import ReadStore, open_current
from tests.support import strategies
from tests.support.ledgers import opened, record, tables
from tests.support.model.ledger import Model, Outcome
from tests.support.model.wire import Pairs, query, sign
from tests.support.notices import FORMULA, GRACE, KEY, SECOND, START, SentNotice, callstatus, cdr, notice, signed
from tests.support.read_model_rows import Shown

SAMPLES = Path(__file__).parents[2] / "samples"
NAMES = ("traffic", "adverse", "edges", "busy-lines")

Raw = tuple[int, bytes]


class Rules(NamedTuple):
    """The settings under which a log is recorded."""

    correlation: str = "tag-src"
    timezone: str = "UTC"
    grace: int = 300
    max_age: int = 86_400
    formula: str = FORMULA

    @property
    def terms(self) -> LedgerOptions:
        return LedgerOptions(
            self.correlation, self.timezone, CorrelationWindow(self.grace * SECOND, self.max_age * SECOND)
        )

    @property
    def model(self) -> Model:
        correlation, timezone, grace, max_age, formula = self
        return Model(
            keys=[KEY],
            formula=formula,
            correlation=correlation,
            grace_seconds=grace,
            max_age_seconds=max_age,
            timezone=timezone,
        )


rules = st.builds(
    Rules,
    st.sampled_from(("tag-src", "tag")),
    st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")),
    st.sampled_from((300, 300, 1, 0)),
    st.sampled_from((86_400, 86_400, 300)),
    st.sampled_from((FORMULA, FORMULA, "md5-r-key", "off")),
)


@st.composite
def traffic(draw: st.DrawFn, formula: str) -> list[Raw]:
    """Return a log as it comes over the wire, with some among it that is broken, forged, or no notification."""
    found: list[Raw] = []
    for at, pairs in draw(strategies.logs(nonces=draw(st.sampled_from((3, 1000))))):
        found.append((at, signed(pairs, KEY, formula).encode()))
        match draw(st.sampled_from(("fine",) * 8 + ("broken", "forged", "no notification"))):
            case "broken":
                broken = draw(strategies.broken(pairs)).pairs
                found.append((at, query([*broken, (b"sig", sign(broken, KEY, formula or FORMULA).encode())])))
            case "forged":
                found.append((at, signed(pairs, "another key", formula).encode()))
            case "no notification":
                found.append((at, query([("f", "TM"), *pairs[1:]]).replace(b"f=tm&", b"")))
    return found


@contextmanager
def fresh(rules: Rules = Rules()) -> Iterator[tuple[Ledger, ReadStore]]:  # noqa: B008
    """Open a new ledger and its read models, for one example."""
    with (
        tempfile.TemporaryDirectory() as folder,
        opened(f"sqlite:///{folder}/ledger.db", rules.terms, formula=rules.formula) as ledger,
    ):
        store = open_current(ledger)
        try:
            yield ledger, store
        finally:
            store.close()


def pages(size: int) -> AbstractContextManager[object]:
    """Let read models follow by pages of so many events."""
    return mock.patch.object(catching_up, "PAGE_SIZE", size)


def take(ledger: Ledger, batch: Sequence[Raw]) -> list[RecordOutcome | None]:
    """Record a batch in one transaction; None stands for what is no notification."""
    deliveries: list[Delivery | None] = []
    for at, raw in batch:
        try:
            deliveries.append(ledger.verify_delivery(raw, at))
        except NotANotification:
            deliveries.append(None)
    answers = iter(ledger.record([delivery for delivery in deliveries if delivery]))
    return [next(answers) if delivery else None for delivery in deliveries]


def batches(log: Sequence[Raw], sizes: Sequence[int]) -> Iterator[Sequence[Raw]]:
    """Divide a log into batches of these sizes, over and over."""
    start, turn = 0, 0
    while start < len(log):
        yield log[start : start + sizes[turn % len(sizes)]]
        start, turn = start + sizes[turn % len(sizes)], turn + 1


def outcome(ledger: Ledger, answer: RecordOutcome | None) -> Outcome:
    """Return an answer as the model gives it."""
    if answer is None:
        return Outcome("refused")
    if isinstance(answer, Recorded | Duplicate):
        notice = ledger.notice_at(answer.position)
        kind = type(answer).__name__.lower()
        return Outcome(kind, answer.position, notice.line, notice.ordinal or None, notice.rule or None)
    assert isinstance(answer, Quarantined)
    return Outcome("quarantined", reason="signature" if answer.problem is None else "value")


def expected(outcome: Outcome) -> Outcome:
    """Return the model's outcome without the words of its reason."""
    reason = None
    if outcome.kind == "quarantined":
        reason = "signature" if outcome.reason == "signature" else "value"
    return Outcome(outcome.kind, outcome.position, outcome.line, outcome.ordinal, outcome.rule, reason)


def assert_shown(ledger: Ledger, model: Model) -> None:
    """The current read models show just what the model does."""
    shown = Shown(ledger)
    assert shown.calls() == [{**row, "src": row["src"] or "", "has_cdr": int(row["has_cdr"])} for row in model.calls()]
    assert shown.cdrs() == model.cdrs()
    assert shown.billing() == model.billing()
    assert shown.billing_days() == model.billing_days()
    assert shown.exceptions() == model.exceptions()


# Any log


@given(st.data())
def test_any_log_is_answered_and_shown_as_the_model_says(data: st.DataObject) -> None:
    chosen = data.draw(rules)
    log = data.draw(traffic(chosen.formula))
    sizes = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    model = chosen.model
    with fresh(chosen) as (ledger, store), pages(data.draw(st.sampled_from((1, 2, 3, 7, 4000)))):
        for batch in batches(log, sizes):
            answers = [outcome(ledger, answer) for answer in take(ledger, batch)]
            assert answers == [expected(model.deliver(*delivery)) for delivery in batch]
            if data.draw(st.booleans()):
                catch_up(ledger, store)
        catch_up(ledger, store)
        assert ledger.head() == model.counts["recorded"]
        assert_shown(ledger, model)


@given(st.data())
def test_however_read_models_come_to_be_they_are_the_same(data: st.DataObject) -> None:
    chosen = data.draw(rules)
    log = data.draw(traffic(chosen.formula))
    with fresh(chosen) as (ledger, store):
        for batch in batches(log, data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))):
            take(ledger, batch)
            with pages(data.draw(st.integers(1, 5))):
                until = data.draw(st.none() | st.integers(0, ledger.head()))
                catch_up(ledger, store, until)
        catch_up(ledger, store)
        followed = tables(ledger)
        assert check_read_models(ledger).found == 0
        report = rebuild(ledger)
        assert (report.found, report.position) == (0, ledger.head())
        rebuilt = tables(ledger)
        assert rebuilt == followed
        assert all(type(mine) is type(other) for mine, other in zip(flat(rebuilt), flat(followed), strict=True))


def flat(rows: dict[str, list[tuple[object, ...]]]) -> Iterator[object]:
    """Return every value of every table."""
    return (value for table in rows.values() for row in table for value in row)


def charge_of(text: str | None) -> Decimal:
    """Return a charge as the ledger takes it: rounded half-even to a millionth (SPEC 9.1)."""
    return Decimal(text or 0).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)


@given(st.data())
def test_every_accepted_cdr_is_one_row_or_one_repetition_and_their_charges_add_up(data: st.DataObject) -> None:
    chosen = data.draw(rules)
    log = [(at, signed(pairs, KEY, chosen.formula).encode()) for at, pairs in data.draw(strategies.logs(nonces=5))]
    with fresh(chosen) as (ledger, store):
        take(ledger, log)
        catch_up(ledger, store)
        notices = [(position, dict(ledger.notice_at(position).params)) for position in range(1, ledger.head() + 1)]
        shown = Shown(ledger)
    accepted = {position: values for position, values in notices if values.get("type") == "cdr"}
    repeated = [row for row in shown.exceptions_with_amounts() if row["flag"] == "repeated-cdr"]
    rows = shown.cdrs()
    assert Counter([int(row["position"]) for row in rows] + [row["position"] for row in repeated]) == Counter(
        list(accepted)
    )
    for column, names in (("cost", ("srccharge", "destcharge")), ("sip_credits", ("srcsipcharge", "destsipcharge"))):
        paid = sum(charge_of(values.get(name)) for values in accepted.values() for name in names)
        billed = sum(Decimal(row[column]) for row in rows)
        at_stake = [row[column] for row in repeated]
        assert all(type(amount) is int for amount in at_stake)
        assert paid == billed + Decimal(sum(amount for amount in at_stake if isinstance(amount, int))).scaleb(-6)
        assert billed == sum(Decimal(row[column]) for row in shown.billing())
        assert billed == sum(Decimal(row[column]) for row in shown.billing_days())


# One call, in whatever order

SAME = (
    "disposition",
    "status",
    "flags",
    "opened_at",
    "answered_at",
    "cdr_at",
    "period",
    "cost",
    "sip_credits",
    "account",
)
NUMBERS = ("src_duration", "dest_duration", "src_charge", "dest_charge", "src_sip_charge", "dest_sip_charge")
OF_THE_CALL = ("ordinal", "state", "statuses", "ended_at", "last_at", "events", "has_cdr", "call_id")


def before(pairs: Pairs) -> st.SearchStrategy[list[SentNotice]]:
    """Return what the line may have heard before: nothing, or calls of which the last is done, silent for over grace."""
    line = {name: value for name, value in pairs if name in ("tag", "src")} | {"src": dict(pairs).get("src")}
    last = strategies.START - GRACE - 1 - START
    done = [callstatus("SRCANSWERED", last - 9, **line), callstatus("DESTBUSY", last - 1, **line), cdr(last, **line)]
    failed = [callstatus("SRCNOTANSWERED", last, **line)]
    lone = [cdr(last, "COMPLETED", **line, srccharge="1.5")]
    open_before = [callstatus("SRCANSWERED", last - 3 * GRACE, **line), *failed]
    return st.sampled_from(([], done, failed, lone, open_before))


def seen(earlier: list[SentNotice], log: Sequence[tuple[int, Pairs]]) -> tuple[list[dict[str, object]], Counter[bytes]]:
    """Return the calls and CDRs that a line shows after ``earlier``, and the delivery keys that it holds."""
    with fresh() as (ledger, store):
        record(ledger, *earlier)
        start = ledger.head()
        take(ledger, [(at, signed(pairs).encode()) for at, pairs in log])
        with pages(3):
            catch_up(ledger, store)
        shown = Shown(ledger)
        keys = Counter(repr(sorted(ledger.notice_at(p).params)).encode() for p in range(start + 1, ledger.head() + 1))
    first = {row["call_id"]: row for row in shown.cdrs()}
    rows = [row for row in shown.calls() if row["opened_at"] >= strategies.START - GRACE]  # type: ignore[operator]
    picked = [
        {name: row[name] for name in (*OF_THE_CALL, *SAME[:5])}
        | {name: first.get(str(row["call_id"]), {}).get(name) for name in (*SAME, *NUMBERS)}
        | {"digits": row["digits"]}
        for row in rows
    ]
    return picked, keys


@given(st.data())
def test_the_notices_of_one_call_give_the_same_call_in_whatever_order_and_however_often(data: st.DataObject) -> None:
    in_order, shuffled = data.draw(strategies.single_calls())
    earlier = data.draw(before(in_order[0][1]))
    (call,), keys = seen(earlier, in_order)
    (again,), keys_again = seen(earlier, shuffled)
    moments = [at for at, pairs in in_order if dict(pairs).get("p")]
    if len(set(moments)) < len(moments):
        # Digits received at the very same moment stand in the order of their positions.
        call["digits"], again["digits"] = sorted(str(call["digits"])), sorted(str(again["digits"]))
    assert again == call
    assert keys_again == keys
    assert call["events"] == len(in_order) == keys.total()


# The samples


def lines(name: str) -> list[Raw]:
    """Return a sample's notifications."""
    rows = [json.loads(line) for line in (SAMPLES / f"{name}.ndjson").read_text(encoding="utf-8").splitlines()]
    return [(times.parse(row["received_at"]), row["query"].encode()) for row in rows]


def sheet(name: str) -> list[dict[str, str]]:
    """Return the rows of a sample's CSV file."""
    with (SAMPLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_yields_its_counts_cdrs_and_bills_value_for_value(name: str) -> None:
    with fresh() as (ledger, store), pages(100):
        answers = [answer for batch in batches(lines(name), [50, 1, 7]) for answer in take(ledger, batch)]
        catch_up(ledger, store)
        shown = Shown(ledger)
        kinds = Counter(type(answer).__name__.lower() for answer in answers)
        notices = [ledger.notice_at(position) for position in range(1, ledger.head() + 1)]
        no_calls = Counter(dict(notice.params).get("type", "") for notice in notices if notice.line is None)
        assert check_read_models(ledger).found == 0
    wanted = sheet(f"{name}-cdrs.csv")
    counts = kinds + no_calls + Counter({"calls": len(shown.calls())})
    assert counts == json.loads((SAMPLES / f"{name}-counts.json").read_text(encoding="utf-8"))
    assert [{column: row[column] for column in wanted[0]} for row in shown.cdrs()] == wanted
    bills = sheet(f"{name}-billing.csv")
    assert [{column: row[column] for column in bills[0]} for row in shown.billing()] == bills


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_recorded_twice_changes_nothing(name: str) -> None:
    with fresh() as (ledger, store):
        take(ledger, lines(name))
        catch_up(ledger, store)
        once, head = tables(ledger), ledger.head()
        again = Counter(type(answer).__name__ for answer in take(ledger, lines(name)))
        catch_up(ledger, store)
        assert (tables(ledger), ledger.head()) == (once, head)
        assert again["Recorded"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_by_tag_alone_and_in_another_zone_is_shown_as_the_model_says(name: str) -> None:
    chosen = Rules("tag", "America/New_York", 60, 3600)
    model, log = chosen.model, lines(name)[:500]
    for delivery in log:
        model.deliver(*delivery)
    with fresh(chosen) as (ledger, store), pages(37):
        take(ledger, log)
        catch_up(ledger, store)
        assert_shown(ledger, model)


# Following


def test_read_models_begin_empty_and_follow_up_to_a_position() -> None:
    with fresh() as (ledger, store):
        assert catch_up(ledger, store) == 0
        assert not any(tables(ledger).values())
        record(ledger, callstatus("SRCANSWERED"), callstatus("COMPLETED", 1), cdr(2))
        assert catch_up(ledger, store, 1) == 1
        assert [row["state"] for row in Shown(ledger).calls()] == ["in-progress"]
        assert catch_up(ledger, store, 1) == 1
        assert catch_up(ledger, store) == 3
        assert [row["state"] for row in Shown(ledger).calls()] == ["ended"]


def test_events_that_concern_no_row_still_move_the_position() -> None:
    with fresh() as (ledger, store):
        record(ledger, notice(type="voicemail", r="1"), notice(type="deletechannel", r="2"))
        assert catch_up(ledger, store) == 2


def test_progress_is_told_after_each_page() -> None:
    told: list[int] = []
    with fresh() as (ledger, store), pages(2):
        record(ledger, *[cdr(number, srcduration=str(number)) for number in range(5)])
        catch_up(ledger, store, progress=told.append)
    assert told == [0, 2, 4, 5]


def test_voicemails_and_channels_have_a_row_each_and_an_unknown_type_is_an_exception() -> None:
    with fresh() as (ledger, store):
        record(
            ledger,
            notice(7, type="voicemail", tag="TRINGME", email="bob@example.com", voicemail="a b.wav", src="+1"),
            notice(8, type="voicemail", r="1"),
            notice(9, type="deletechannel", tag="TRINGME", src="+1 858"),
            notice(10, type="fax", tag="t", src="+1 2", status="RINGING"),
        )
        catch_up(ledger, store)
        found = tables(ledger)
    assert found["voicemails"] == [
        (1, START + 7, "bob@example.com", "a b.wav", "TRINGME", "+1"),
        (2, START + 8, "", "", "", ""),
    ]
    assert found["channels"] == [(3, START + 9, "+1 858", "TRINGME")]
    assert found["exceptions"] == [
        ("unrecognised-status", 4, START + 10, "", "t", "+1 2", None, None, None, "", ""),
        ("unrecognised-type", 4, START + 10, "", "t", "+1 2", None, None, None, "", ""),
    ]
    assert not found["calls"]


def test_a_repeated_cdr_is_shown_with_the_money_at_stake() -> None:
    amounts = {"srccharge": "1.5", "destcharge": "0.25", "destsipcharge": "3"}
    with fresh() as (ledger, store):
        record(ledger, callstatus("SRCANSWERED"), cdr(1, **amounts), cdr(2, **amounts, r="again"))
        catch_up(ledger, store)
        (row,) = Shown(ledger).exceptions_with_amounts()
        (bill,) = Shown(ledger).billing()
    assert (row["flag"], row["position"], row["cost"], row["sip_credits"]) == ("repeated-cdr", 3, 1_750_000, 3_000_000)
    assert (bill["calls"], bill["cost"], bill["sip_credits"]) == ("1", "1.75", "3")


def test_sums_beyond_what_a_float_holds_stay_exact() -> None:
    huge = {"srccharge": "999999999.999999", "destcharge": "999999999.999999"}
    with fresh() as (ledger, store), pages(50):
        record(ledger, *[cdr(number, srcduration=str(number), **huge) for number in range(101)])
        catch_up(ledger, store)
        (bill,) = Shown(ledger).billing()
        assert bill["cost"] == bill["price"] == str(Decimal("999999999.999999") * 202)
        assert check_read_models(ledger).found == 0


def test_followers_at_once_beside_a_writer_leave_the_read_models_as_one_would() -> None:
    log = lines("busy-lines")[:600]
    with fresh() as (ledger, _), pages(5), ThreadPoolExecutor(3) as threads:
        done: list[bool] = []

        def follow(_: int) -> None:
            store = open_current(ledger)
            try:
                while not done:
                    catch_up(ledger, store)
                catch_up(ledger, store)
            finally:
                store.close()

        followers = threads.map(follow, range(3))
        for batch in batches(log, [17, 3]):
            take(ledger, batch)
        done.append(True)
        list(followers)
        followed = tables(ledger)
        rebuild(ledger)
        assert tables(ledger) == followed
        assert len(followed["calls"]) > 100
