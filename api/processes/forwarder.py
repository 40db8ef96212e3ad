"""The forwarder: a process that sends every accepted notification to the handler at TRINGLEDGER_FORWARD_URL.

It reads the log, so no callback waits for the handler, and nothing is lost while the handler is down. Notifications are
sent in order, one at a time, and retried until the handler accepts them. Delivery is at least once: the position is saved
once a second, and after a crash everything since then is sent again. If several services share a ledger, one forwards and
the others are on standby.
"""

import asyncio
from contextlib import closing, suppress
from random import random
from time import monotonic

from api.application import forwarding_position as forwarder
from api.application.process_state import ProcessState, describe_failure
from api.processes import supervised as children
from api.processes.handler_client import HandlerClient
from api.processes.supervised import RETRY_SECONDS
from domain.errors import StoreUnavailable
from domain.events.codec import UnknownEventShape, decode_notice
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.notice_events import Notice
from domain.events.operator_events import OPERATOR_EVENTS
from domain.ledger import CALLBACK, REPROCESS, Ledger
from domain.notices import notification

PURPOSE = "forward"
PAGE_SIZE = 500
POLL_SECONDS = 0.2
KEEP_SECONDS = 1.0
STAND_BY_SECONDS = 0.5
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 1.0, 60.0


class Forwarder:
    """Sends the notifications of the log to the handler, each until it is accepted."""

    def __init__(self, ledger: Ledger, handler: HandlerClient) -> None:
        """Forward from ``ledger`` to ``handler``."""
        self._ledger = ledger
        self._handler = handler
        self._alone = ledger.store.lock(PURPOSE)
        self._state = ProcessState()
        self._kept: ProcessState | None = None
        self._kept_at = 0.0

    async def run(self) -> None:
        """Forward until cancelled; any failure is reported and retried."""
        with closing(self._alone):
            while True:
                await self._run()

    async def _run(self) -> None:
        try:
            await (self._forward() if self._alone.acquire() else self._stand_by())
        except Exception as error:  # noqa: BLE001 - any failure is reported and retried
            self._alone.close()  # A standby may succeed meanwhile.
            failure = describe_failure(error)
            children.report_state(ProcessState(self._state.position, failure))
            await asyncio.sleep(RETRY_SECONDS)

    async def _stand_by(self) -> None:
        children.report_state(forwarder.load_or_start(self._ledger))
        await asyncio.sleep(STAND_BY_SECONDS)

    async def _forward(self) -> None:
        # A position that was reached but not saved is not sent again; it is saved before anything else is sent.
        self._state = ProcessState(max(self._state.position, forwarder.load_or_start(self._ledger).position))
        self._kept = None
        self._keep()
        try:
            while self._alone.acquire():  # noqa: ASYNC110 - it polls, so that a lost wake-up cannot stall it.
                await asyncio.sleep(0 if await self._forward_page() else POLL_SECONDS)
        except asyncio.CancelledError:
            with suppress(StoreUnavailable):  # It would hide the cancellation.
                self._keep()
            raise

    async def _forward_page(self) -> bool:
        """Forward a page of the log; return whether there was one."""
        page = self._ledger.store.page(self._state.position, PAGE_SIZE, POSITION_MAX)
        for row in page:
            await self._forward_one(row)
        self._note(self._state)
        return bool(page)

    async def _forward_one(self, row: LogRow) -> None:
        """Send a notification until the handler accepts it or an operator skips it."""
        pause = PAUSE_SECONDS
        while row.position > self._state.position and (refusal := await self._refusal(row)):
            failure = f"the handler refuses the notification at position {row.position}: {refusal}"
            self._note(ProcessState(self._state.position, failure))
            await self._wait(row.position, pause * (1 + random()) / 2)  # noqa: S311 - not a secret
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
        self._note(ProcessState(max(row.position, self._state.position)))

    async def _refusal(self, row: LogRow) -> str:
        """Send a row if it is to be forwarded; return why it was not accepted, empty if it was or need not be sent."""
        if row.topic in OPERATOR_EVENTS:
            return ""
        try:
            notice = decode_notice(row.state)
        except UnknownEventShape as error:
            return str(error)
        if not self._came_as_callback(row.position, notice):
            return ""
        if not self._alone.acquire():
            return "another service forwards now"
        return await self._handler.refusal(notification.encode_query(notice.params))

    def _came_as_callback(self, position: int, notice: Notice) -> bool:
        """Whether TringMe sent it here, possibly into quarantine first; imported notifications are not forwarded."""
        if notice.source != REPROCESS:
            return notice.source == CALLBACK
        entry = self._ledger.store.quarantined_at(position)
        return entry is None or entry.source == CALLBACK

    async def _wait(self, position: int, seconds: float) -> None:
        """Wait, but stop as soon as an operator skips the position."""
        until = monotonic() + seconds
        while self._state.position < position and (left := until - monotonic()) > 0:
            await asyncio.sleep(min(left, KEEP_SECONDS))
            kept = forwarder.load_position(self._ledger)
            if kept and kept.position > self._state.position:
                self._note(kept)

    def _note(self, state: ProcessState) -> None:
        """Set the state; save and report it at once when a failure begins or ends, else once a second."""
        is_news = state.failure != self._state.failure
        self._state = state
        if is_news or monotonic() >= self._kept_at + KEEP_SECONDS:
            self._keep()

    def _keep(self) -> None:
        self._kept_at = monotonic()
        if self._state != self._kept:
            self._state = self._kept = forwarder.save_position(self._ledger, self._state)
            children.report_state(self._kept)


async def _forward_until_end(store: str, url: str) -> None:
    loop = asyncio.get_running_loop()
    with Ledger(store) as ledger:
        async with HandlerClient(url) as handler:
            forwarding = asyncio.create_task(Forwarder(ledger, handler).run())
            children.on_parent_exit(lambda: loop.call_soon_threadsafe(forwarding.cancel))
            with suppress(asyncio.CancelledError):
                await forwarding


def main() -> None:
    """Forward until the service ends, and report the state to it."""
    store, url = children.read_arguments()
    asyncio.run(_forward_until_end(store, url))


if __name__ == "__main__":
    main()
