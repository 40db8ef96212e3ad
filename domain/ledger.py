"""The ledger: the only way to the log. Notifications become events, and the history of a call is read back.

Every notification is decided inside the transaction that keeps it: lock, read, decide, insert. So any number of
processes may record into one store, and none of them opens an ordinal twice or takes a delivery key twice.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, Mapper
from eventsourcing.utils import Environment, EnvType

from domain import times
from domain.billing import billing_context as books
from domain.billing.billing_context import BillingContext
from domain.calls import correlation
from domain.errors import LedgerError, NoLedger, StoreUnavailable, WrongUsage
from domain.events.codec import NoticeMapper, decode_notice, decode_recorded_at
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.notice_events import Notice
from domain.events.streams import CLOSINGS, TARIFFS, line_key
from domain.ledger_options import LedgerOptions
from domain.log import open as address
from domain.log import urls
from domain.log.claimed_signatures import claim_signatures, teach_signatures
from domain.log.contract import Log, QuarantineEntry
from domain.log.tables import COPYING, check_not_copying
from domain.notices import notification
from domain.notices.call_notice import LineKey
from domain.notices.line_number import LINE_RULE_2, LINE_RULE_FACT, line_rule_of
from domain.notices.signature import Keyring, Pairs, SignatureVerdict
from domain.operators.author import Author
from domain.operators.draft import DraftTransaction
from domain.operators.session import OperatorSession
from domain.outcomes import RecordOutcome
from domain.recording import SIGNATURE_FITTED, Delivery, Recording, RecordingRules

CALLBACK = "callback"
REPROCESS = "reprocess"
VERSION_MAX = (1 << 63) - 1  # Above that of any event: stores keep whole numbers of 64 bits.


class Ledger(Application[UUID]):
    """The log of one TringMe account in one store, and the rules for recording notifications in it."""

    name = "tringledger"

    def __init__(
        self,
        url: str,
        keyring: Keyring | None = None,
        options: LedgerOptions | None = None,
        *,
        create: bool = False,
        clock: Callable[[], int] = times.now,
    ) -> None:
        """Open the ledger at a store's URL; without a keyring, for reading only.

        ``create`` makes it where there is none, and brings an older schema up to date. Raises NoLedger where there is
        none and none is to be created, LedgerSettingsMismatch where it was created on other terms, UnknownStore for an address
        that names no store, StoreUnavailable where the store cannot be used. ``found_schema`` is the schema's number
        that was found, 0 where there was no ledger. ``dropped_from_quarantine`` counts what this process
        dropped to make room.
        """
        self.url = url
        self.options = options or LedgerOptions()
        self._keyring = keyring
        self._clock = clock
        self.dropped_from_quarantine = 0
        self.options.check()
        if not create and not address.may_exist(url):
            raise _no_ledger(url)
        super().__init__({})
        self.store = cast("Log", self.recorder)
        try:
            facts = self._open(create=create)
        except BaseException:
            self.close()
            raise
        self.id, self.correlation, self.timezone = facts["id"], facts["correlation"], facts["timezone"]
        self.line_rule = line_rule_of(facts)
        self._signature_fitted = SIGNATURE_FITTED in facts

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Return an environment without the process's variables: only the settings read those."""
        return Environment(name, env)

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:  # noqa: ARG002
        """Return the factory of this ledger's log."""
        return address.log_factory(self.url, self.options.connections_max)

    def construct_mapper(self) -> Mapper[UUID]:
        """Return the mapper of notices."""
        return NoticeMapper()

    @property
    def path(self) -> str:
        """The path of the SQLite file; raises UnknownStore for any other store."""
        return urls.sqlite_path(self.url)

    @property
    def shown_url(self) -> str:
        """The store's URL without the password."""
        return urls.redacted(self.url)

    def _open(self, *, create: bool) -> dict[str, str]:
        facts = self.store.facts()
        check_not_copying(facts.get(COPYING))
        self.found_schema = int(facts.get("schema", 0))
        if create and self.found_schema < self.store.schema:
            self.store.create()
            facts = self._found()
        if not facts:
            raise _no_ledger(self.url)
        schema = int(facts["schema"])
        if schema != self.store.schema:
            is_older = schema < self.store.schema
            remedy = "run `tringledger migrate`" if is_older else "use the newer tringledger that made it so"
            msg = (
                f"the ledger at {self.shown_url} has schema {schema}, and this version of tringledger knows"
                f" {self.store.schema}: {remedy}"
            )
            raise (LedgerError if is_older else WrongUsage)(msg)
        self.options.check_against(facts)
        return facts

    def _found(self) -> dict[str, str]:
        """Write the ledger's own facts, unless another process was first, and the number of the log schema."""
        facts = {
            "id": str(uuid4()),
            "created_at": times.iso(self._clock()),
            "correlation": self.options.correlation or correlation.BY_TAG_AND_SRC,
            "timezone": self.options.timezone or "UTC",
            LINE_RULE_FACT: str(LINE_RULE_2),
        }
        taught = teach_signatures(self.store) if 0 < self.found_schema < self.store.schema else 0
        with self.store.transaction() as log:
            if taught:
                claim_signatures(log, self.store.page(taught, POSITION_MAX, POSITION_MAX))
            if log.get_fact("id") is None:
                for name, value in facts.items():
                    log.set_fact(name, value)
            if int(log.get_fact("schema") or 0) < self.store.schema:
                log.set_fact("schema", str(self.store.schema))
        return self.store.facts()

    def verify_delivery(self, raw: bytes, received_at: int, source: str = CALLBACK) -> Delivery:
        """Parse and verify a notification that was received at ``received_at`` (microseconds, UTC).

        Raises NotANotification for what SPEC 2 answers with 400.
        """
        return self._verified(raw, received_at, source, self._keyring_for_recording().verify)

    def verify_earlier_delivery(self, raw: bytes, received_at: int) -> Delivery:
        """Do the same for a callback that was verified when it came, and waited since: keys that are retired now count, too."""
        return self._verified(raw, received_at, CALLBACK, self._keyring_for_recording().verify_earlier)

    def _verified(
        self, raw: bytes, received_at: int, source: str, verify: Callable[[Pairs], SignatureVerdict | None]
    ) -> Delivery:
        received = notification.read_notification(raw, received_at)
        verdict = verify(received.pairs)
        misfit = "" if verdict else self._keyring_for_recording().explain_misfit(received.pairs)
        return Delivery(received, verdict, source, misfit=misfit)

    def _keyring_for_recording(self) -> Keyring:
        if self._keyring is None:
            msg = "this ledger was opened without a keyring, for reading only"
            raise LedgerError(msg)
        return self._keyring

    def change_keyring(self, keyring: Keyring) -> None:
        """Verify the signatures of later deliveries with another keyring."""
        self._keyring = keyring

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Open a transaction that records deliveries; at the end it is committed durably.

        Raises StoreUnavailable, and then nothing of them was kept.
        """
        with self.store.transaction() as log:
            if (found := log.get_fact("id")) != self.id:
                msg = f"the store {self.shown_url} now has ledger {found}, no longer {self.id}: start again"
                raise StoreUnavailable(msg)
            fitted = self._signature_fitted or log.get_fact(SIGNATURE_FITTED) is not None
            options = self.options
            rules = RecordingRules(
                self.correlation, self.line_rule, options.window, options.quarantine_max, options.quarantine_bytes
            )
            recording = Recording(log, rules, self._clock(), fitted=fitted)
            yield recording
        self._signature_fitted = recording.signature_ever_fitted
        self.dropped_from_quarantine += recording.dropped

    def record(self, deliveries: Sequence[Delivery]) -> list[RecordOutcome]:
        """Record deliveries in one durable transaction; return the outcome of each, in the same order.

        Raises StoreUnavailable, and then nothing of them was kept.
        """
        with self.recording() as recording:
            return recording.record_all(deliveries)

    @contextmanager
    def operator_session(self, by: str, reason: str) -> Iterator[OperatorSession]:
        """Open an operator's transaction; at the end it is committed durably, and on any error it is rolled back.

        Raises CommandRejected unless it says who acts and why; StoreUnavailable.
        """
        with self.store.transaction() as log:
            yield OperatorSession(log, self.store, self.billing_context(), self._clock(), Author(by, reason))

    def draft_session(self, by: str, reason: str) -> OperatorSession:
        """Return an operator's session whose commands are tried and write nothing; nobody waits for it.

        Raises CommandRejected unless it says who acts and why; StoreUnavailable.
        """
        head = self.head()
        draft = DraftTransaction(self.store, head, self.recorded_at(head) if head else 0)
        return OperatorSession(draft, self.store, self.billing_context(), self._clock(), Author(by, reason))

    def reprocess(self, entry: QuarantineEntry) -> RecordOutcome:
        """Reprocess a quarantined notice, with its original ``received_at``, once the cause is fixed (SPEC 2)."""
        delivery = self.verify_delivery(entry.raw, entry.received_at, REPROCESS)
        with self.recording() as recording:
            return recording.reprocess(entry.id, delivery)

    def head(self) -> int:
        """Return the position of the last event, or 0."""
        return self.store.head()

    def position_at(self, at: int) -> int:
        """Return the last position that was recorded at or before a moment, or 0 (SPEC 4)."""
        before, after = 0, self.head() + 1
        while after - before > 1:
            middle = (before + after) // 2
            if self.recorded_at(middle) <= at:
                before = middle
            else:
                after = middle
        return before

    def lag(self, position: int, now: int) -> tuple[int, int]:
        """Return the number of events after a position, and the age of the first of them in seconds."""
        lag = self.head() - position
        return (lag, max((now - self.recorded_at(position + 1)) // times.SECOND, 0)) if lag > 0 else (0, 0)

    def notice_at(self, position: int) -> Notice:
        """Return the notice at a position, which must exist."""
        return decode_notice(self.store.page(position - 1, 1, position)[0].state)

    def recorded_at(self, position: int) -> int:
        """Return when the event at a position, which must exist, was recorded (microseconds, UTC)."""
        return decode_recorded_at(self.store.page(position - 1, 1, position)[0].state)

    def events_at(self, positions: list[int]) -> list[LogRow]:
        """Return the events at these positions."""
        return [row for position in positions for row in self.store.page(position - 1, 1, position)]

    def billing_context(self, until: int = POSITION_MAX) -> BillingContext:
        """Return the tariffs and closings up to a position; raises UnknownEventShape."""
        tariffs, closings = (self.store.stream(stream, until) for stream in (TARIFFS, CLOSINGS))
        return books.from_streams(self.timezone, self.line_rule, tariffs, closings)

    def history(self, stream: UUID, until: int = POSITION_MAX) -> list[LogRow]:
        """Return a stream's events up to a position, in order."""
        return self.store.stream(stream, until)

    def histories(self, streams: Sequence[UUID]) -> dict[UUID, list[LogRow]]:
        """Return the events of each of these streams, in order: with few queries, as one for each would take most of the time."""
        found: dict[UUID, list[LogRow]] = {stream: [] for stream in streams}
        by_name = {stream.hex: rows for stream, rows in found.items()}
        for row in self.store.events_before_versions([(name, VERSION_MAX) for name in by_name]):
            by_name[row.stream].append(row)
        return found

    def last_ordinal(self, line: LineKey) -> int:
        """Return how many calls a line has had."""
        return self.store.last_ordinal(line_key(line))


def _no_ledger(url: str) -> NoLedger:
    makers = "`tringledger migrate` creates"
    if not urls.is_postgres(url):
        makers = "`tringledger serve` and `tringledger import` create"
    return NoLedger(f"there is no ledger at {urls.redacted(url)}: {makers} one")
