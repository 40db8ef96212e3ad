"""What operators do to a ledger that has calls: one act of every kind, for tests of what carries events about."""

from uuid import UUID

from domain.billing.party_record import PartyRecord
from domain.billing.statement_numbers import Series
from domain.calls.call_stream import CallStream
from domain.events.operator_events import OPERATOR_EVENTS, LogForked
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from domain.operators.session import OperatorSession
from domain.operators.statement_numbering import NumberedDocument

BY, WHY = "ann", "as agreed"
PARTY = PartyRecord(salt="00", text='[sender]\nname = "Us"\n', logo=b"\x89PNG", logo_type="image/png")
STATEMENT = NumberedDocument(
    kind="statement",
    account="acme",
    period="2026-10",
    series=Series("main", "{year}-{number:4}"),
    party=1,
    form="statement/1",
    exact=1,
    due=0,
    write=lambda number, at: f"{number} {at}".encode(),
)
TARIFF = '[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = 6\nincrement = "30/6"\nrounding = { mode = "up", places = 0 }\n'


def number_and_reissue(session: OperatorSession, document: NumberedDocument) -> None:
    """Number a document, and print it anew."""
    numbered = session.number_document(document)
    session.reissue_document(numbered.number, 1, "reissue/1", lambda ordinal, at: f"{ordinal} {at}".encode())


def act_in_every_way(ledger: Ledger) -> None:
    """Publish, close, correct and undo; the ledger has some calls with CDRs and with several notices."""
    rows = [row for row in ledger.store.page(0, 100_000, ledger.head()) if is_of_call(row)]
    streams = [
        CallStream(ledger.history(UUID(stream)), ledger.events_at)
        for stream in dict.fromkeys(row.stream for row in rows)
    ]
    billed = [UUID(stream.id) for stream in streams if stream.call_at(stream.last).cdr]
    long = next(stream for stream in streams if len(stream.notices) > 1 and UUID(stream.id) not in billed[:3])
    finding = next(finding for stream in streams for finding in stream.call_at(stream.last).call_flags)
    with ledger.operator_session(BY, WHY) as session:
        session.publish_tariff(TARIFF)
        session.close_month("2026-10", ["what was open"])
        session.publish_party(PARTY)
        number_and_reissue(session, STATEMENT)
    with ledger.operator_session(BY, WHY) as session:
        session.rerate_call(billed[0], 1)
        session.void_call(billed[1])
        session.merge_calls(billed[2], billed[0])
        session.split_call(UUID(long.id), [long.positions[-1]])
        session.resolve_exception(finding.flag, finding.position)
        taken_back = session.adjust_account("acme", 2_500_000, "2026-10")
        void = session.void_call(billed[3])
    with ledger.operator_session(BY, WHY) as session:
        session.undo(taken_back)
        session.undo(void)
    for entry in list(ledger.store.quarantined(settled=False))[:1]:
        with ledger.operator_session(BY, WHY) as session:
            session.resolve_quarantined(entry.id)
    done = {row.topic for row in ledger.store.page(0, 100_000, ledger.head())} & set(OPERATOR_EVENTS)
    assert done >= set(OPERATOR_EVENTS) - {"tringledger:quarantine-resolved", LogForked.TOPIC}, (
        "a fork follows a restore"
    )
