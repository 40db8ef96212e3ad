"""The composition root: settings become a ledger, its intake, its helper processes, and the web application."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import routes as table
from api import urls as addresses
from api.application.bulk_jobs.bulk_runner import BulkRunner
from api.application.clock_check import find_clock_problem
from api.application.intake import Intake
from api.application.monitoring import worker_report as parts
from api.application.monitoring.worker_report import BrokenValues, CallbackTimings, WorkerReport, make_report
from api.application.proofs.proof_status import ProofReader, proof_status_document
from api.application.read_model_pool import ReadModelPool
from api.application.request_samples import RequestSamples, samples_file
from api.application.spool.service_spool import ServiceSpool
from api.processes import process_factory
from api.processes.bundle_worker import BundleWorker
from api.processes.download_worker import DownloadWorker
from api.processes.jobs import Jobs
from api.processes.past_read_models import PastReadModels
from api.processes.process_factory import follower_process
from api.processes.supervised import HelperProcess
from api.service_health import FAILING, content_without_store, forwarding_content
from api.settings import Settings, with_current_keys
from api.web import security_headers as headers
from api.web.auth import guard
from api.web.auth.authenticator import Authenticator
from api.web.callbacks import NotifyEndpoint
from api.web.hidden_address import hide_addresses
from api.web.live.feed import LiveFeed
from api.web.live.poller import LivePoller
from api.web.pages import refusal
from api.web.pages.lost import not_that_method, nothing_there, without_slash
from api.web.problems import RETRY_AFTER_SECONDS
from domain import times
from domain.errors import LedgerError, StoreUnavailable
from domain.ledger import Ledger
from domain.notices.signature import fingerprint

COUNTS_LOGGED_SECONDS = 60.0
LET_GO_SECONDS = 3.0

_log = logging.getLogger(__name__)


class TringledgerApp(Starlette):
    """The web application: callbacks go straight to their endpoint, everything else through the router and the guard."""

    def __init__(
        self, settings: Settings, notify: NotifyEndpoint, routes: list[Route], lifespan: Lifespan[Starlette]
    ) -> None:
        """Route callbacks at ``notify`` around the router; believe the given proxies."""
        handlers = {404: self._nothing_there, 405: not_that_method}
        super().__init__(routes=routes, lifespan=lifespan, exception_handlers=handlers)
        # Its own way would name the host that the client named.
        self.router.redirect_slashes = False
        self._notify_path = settings.notify_path
        self._notify = notify
        self.timings = CallbackTimings()
        self._behind_proxy: Any = ProxyHeadersMiddleware(super().__call__, list(settings.trusted_proxies))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and (
            scope["path"] == self._notify_path or addresses.plain_path(scope["path"]) == self._notify_path
        ):
            began = perf_counter()
            await self._notify(scope, receive, send)
            self.timings.add(perf_counter() - began)
        else:
            await self._behind_proxy(scope, receive, headers.secured(send))

    async def _nothing_there(self, request: Request, _error: Exception) -> Response:
        """Count it as well: it may be a callback, if TringMe was given a wrong path."""
        if redirect := without_slash(request, self.router.routes):
            return redirect
        self._notify.counts["refused with 404"] += 1
        if self._is_near(request):
            await self._notify.note_refusal(request.scope, 404, f"expected {self._notify_path}")
        return await nothing_there(request, self._notify_path)

    def _is_near(self, request: Request) -> bool:
        """Whether a path that leads nowhere may be meant for callbacks."""
        name = self._notify_path.rpartition("/")[2].casefold()
        return request.query_params.get("f") == "tm" or bool(name and name in request.url.path.casefold())


class Service:
    """Everything that runs while callbacks are accepted."""

    def __init__(self, settings: Settings, clock: Callable[[], int] = times.now) -> None:
        """Open the ledger, or create one in a file; raises what Ledger and the settings' keyring raise."""
        self.settings = settings
        self._clock, self._clock_problem = clock, ""
        self.ledger = Ledger(
            settings.store, settings.keyring(), settings.ledger_options, create=settings.creates, clock=clock
        )
        self.spool = ServiceSpool(settings.spool, settings.spool_max_bytes, self.ledger) if settings.spool else None
        self.intake = Intake(
            self.ledger.recording,
            settings.queue_max,
            is_remote=self.ledger.store.is_remote,
            spool=self.spool.callbacks if self.spool else None,
        )
        self.follower: HelperProcess = follower_process(self.ledger.url)
        url = settings.forward_url
        self.forwarder = process_factory.forwarder_process(self.ledger, url) if url else None
        self.prover = process_factory.prover_process(self.ledger.url, settings)
        self.helpers: list[HelperProcess] = [self.follower, self.prover, *([self.forwarder] if self.forwarder else [])]
        self.proofs = ProofReader(self.ledger, settings.checkpoint_seconds)
        self.samples_file = samples_file(self.ledger.url, settings.samples)
        self.samples = RequestSamples(self.samples_file)
        self.notify = NotifyEndpoint(self.ledger, self.intake, clock, self.samples)
        self.authenticator = Authenticator(self.ledger.url, clock)
        # These two are public, since load balancers and orchestrators ask for them; all other routes are behind the guard.
        routes = [
            Route("/health", self.health),
            Route("/ready", self.ready),
            *guard.guard_routes(table.guarded(), self.authenticator, refusal.answer_refusal),
        ]
        self.app = TringledgerApp(settings, self.notify, routes, self._lifespan)
        self.app.state.service, self.app.state.ledger, self.app.state.settings = self, self.ledger, settings
        self.app.state.authenticator = self.authenticator
        self.read_models = self.app.state.read_models = ReadModelPool(self.ledger)
        self.app.state.proofs, self.app.state.clock = self.proofs, clock
        self.past = self.app.state.past = PastReadModels(self.ledger)
        self.app.state.live_poller = LivePoller(self.read_models, self.ledger, clock)
        self.feed = self.app.state.feed = LiveFeed(self.app.state.live_poller, settings.store)
        self.jobs = self.app.state.jobs = Jobs(self.ledger, clock)
        self.bundle_worker = self.app.state.bundle_worker = BundleWorker(self.ledger, self.read_models)
        self.download_worker = self.app.state.download_worker = DownloadWorker(self.ledger)
        self.bulk = self.app.state.bulk = BulkRunner(self.ledger, self.read_models.session, clock)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        if self.spool:
            await asyncio.to_thread(self.spool.open)
        self.intake.start()
        await asyncio.to_thread(self._reserve_connection)
        if self.spool:
            self.spool.start()
        for helper in self.helpers:
            helper.start()
        self.bulk.open()
        tasks = [asyncio.create_task(self._log_counts()), asyncio.create_task(self._let_go_of_read_models())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            self.feed.close()
            await self.intake.stop()
            if self.spool:
                await asyncio.to_thread(self.spool.stop)
            await asyncio.gather(*(asyncio.to_thread(helper.stop) for helper in self.helpers))
            _log.info("stopped; since start: %s", self.counts())
            for each in (self.jobs, self.bulk, self.bundle_worker, self.download_worker, self.past):
                await asyncio.to_thread(each.close)
            self.read_models.close()
            self.proofs.close()
            self.authenticator.close()
            self.ledger.close()
            await asyncio.to_thread(self.samples.close)

    def _reserve_connection(self) -> None:
        with suppress(StoreUnavailable):  # It is opened with the first callback then.
            self.ledger.store.reserve_writer()

    async def _log_counts(self) -> None:
        logged = self.counts()
        while True:
            await asyncio.sleep(COUNTS_LOGGED_SECONDS)
            if self.counts() != logged:
                logged = self.counts()
                _log.info("since start: %s", logged)
            with suppress(StoreUnavailable):
                await asyncio.to_thread(self.log_clock_problem)

    def log_clock_problem(self) -> None:
        """Log what the last event tells of the clock, unless it was logged."""
        problem = find_clock_problem(self.ledger, self._clock())
        if problem and not self._clock_problem:
            _log.warning("%s", problem)
        self._clock_problem = problem

    async def _let_go_of_read_models(self) -> None:
        while True:
            await asyncio.sleep(LET_GO_SECONDS)
            with suppress(LedgerError):
                await asyncio.to_thread(self.read_models.let_go)
                await asyncio.to_thread(self.past.let_go)
                await asyncio.to_thread(self.download_worker.let_go)

    def counts(self) -> str:
        """Return the counts of callbacks since the start, as one line."""
        named = [f"{count} {name}" for name, count in sorted(self.notify.counts.items())]
        if dropped := self.ledger.dropped_from_quarantine:
            named.append(f"{dropped} dropped from the quarantine")
        return ", ".join(named) or "no callbacks"

    def reload_keys(self, environment: Mapping[str, str] | None = None, *, is_told: bool = True) -> None:
        """Read TringMe's keys again, from their files, and log that; if they cannot be used, the old ones stay.

        Where nobody has told the service to do so, only a failure is logged.
        """
        try:
            read = with_current_keys(self.settings, environment)
        except LedgerError as error:
            _log.error("the keys stay as they were: %s", error)
            return
        self.ledger.change_keyring(read.keyring())
        self.settings = self.app.state.settings = read
        if not is_told:
            return
        active, retired = (
            ", ".join(map(fingerprint, keys)) or "none" for keys in (read.private_keys, read.retired_keys)
        )
        _log.info("keys were read again: active %s; retired %s", active, retired)

    def report(self) -> WorkerReport:
        """Return what the metrics say of this process."""
        works = {
            parts.INTAKE: not self.intake.recent_failure(),
            parts.FOLLOWER: not self.follower.state.failure,
            parts.PROVER: not self.prover.state.failure,
        }
        if self.forwarder:
            works[parts.FORWARDER] = not self.forwarder.state.failure
        notify = self.notify
        broken = BrokenValues(notify.broken_values, notify.spooled_broken_values)
        return make_report(notify.counts, broken, self.app.timings, self.intake.waiting, works)

    async def ready(self, _request: Request) -> Response:
        """Answer whether callbacks can be taken right now (otherwise 503), whatever else fails; it says no more to strangers."""
        try:
            await asyncio.to_thread(self.ledger.head)
            takes = not self.intake.recent_failure()
        except StoreUnavailable:
            takes = self._can_spool()
        is_ready = takes and self.intake.waiting < self.settings.queue_max
        headers = {} if is_ready else {"Retry-After": RETRY_AFTER_SECONDS}
        return JSONResponse({"ready": is_ready, "waiting": self.intake.waiting}, 200 if is_ready else 503, headers)

    async def health(self, _request: Request) -> Response:
        """Answer whether callbacks can be accepted (otherwise 503), and how far the read models lag."""
        try:
            content = await asyncio.to_thread(self._content_of_health)
        except StoreUnavailable as error:
            content = await asyncio.to_thread(content_without_store, str(error), self.spool, takes=self._can_spool())
        return JSONResponse(hide_addresses(content, self.ledger.url), 503 if content["status"] == FAILING else 200)

    def _can_spool(self) -> bool:
        return self.spool is not None and self.spool.can_take and not self.intake.recent_failure()

    def _content_of_health(self) -> dict[str, Any]:
        head, locked, following = self.ledger.head(), self.intake.lock_wait(), self.follower.state
        failure = "" if locked else self.intake.recent_failure()
        standstill = following.failure or self.read_models.damage()
        content: dict[str, Any] = {
            "status": FAILING if failure else "degraded" if standstill else "ok",
            "head": head,
            "signature": self.settings.signature,
            "failure": failure or None,
            "locked": locked or None,
            "read_models": {
                "position": following.position,
                "lag": max(head - following.position, 0),
                "failure": standstill or None,
                "standing_by": following.stands_by,
                **({"held_by": following.held_by} if following.held_by else {}),
            },
        }
        if self.forwarder and self.settings.forward_url:
            content["forwarding"] = forwarding_content(self.ledger, self.forwarder.state, self.settings.forward_url)
            if self.forwarder.state.failure and not failure:
                content["status"] = "degraded"
        proofs = self.proofs.status(times.now(), self.prover.state.failure)
        content["proofs"] = proof_status_document(proofs)
        clock = find_clock_problem(self.ledger, self._clock())
        content["clock"] = clock or None
        durability = self.ledger.store.durability_problem()
        content["durability"] = durability or None
        if self.spool:
            content["spool"] = self.spool.health()
            standstill = standstill or content["spool"]["callbacks"] or content["spool"]["failure"]
        if (proofs.problem or clock or durability or standstill or locked) and not failure:
            content["status"] = "degraded"
        return content
