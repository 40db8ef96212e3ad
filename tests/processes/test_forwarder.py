"""Beside an existing handler: real services forward to a real handler that fails, hangs, dies, and comes back."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from api.application import forwarding_position as forwarder
from api.application.process_state import ProcessState
from api.processes import forwarder as forwarding_process
from api.processes import supervised as children
from api.processes.forwarder import Forwarder
from api.processes.handler_client import HandlerClient
from domain.errors import StoreUnavailable
from domain.events.codec import decode_notice
from domain.ledger import Ledger
from domain.notices import notification
from domain.notices.signature import Keyring
from tests.support import handler_stub as their_handler
from tests.support import http_client as caller
from tests.support.asgi_service import eventually
from tests.support.command import SECONDS_MAX, Server, run, serving
from tests.support.handler_stub import Behaviour, TheirHandler
from tests.support.http_client import Replies, ask, deliver, get, post
from tests.support.notices import KEY, OTHER_KEY, callstatus, encoded, line, priced_cdr, signature, signed

FINDING, USAGE = 1, 2
STOPPED_SECONDS_MAX = 4
# Runs what follows on its command line as a service without follower and prover, two processes that most tests here can spare.
FORWARDING_ALONE = """
import sys
from api.service import Service

def without_others(self, *arguments):
    begin(self, *arguments)
    self.helpers = [helper for helper in self.helpers if helper is self.forwarder]

begin, Service.__init__ = Service.__init__, without_others
import tringledger
sys.argv = sys.argv[1:]
tringledger.main()
"""

# On PostgreSQL other things fail: a module of its own has them.
pytestmark = [pytest.mark.usefixtures("store"), pytest.mark.only_on("sqlite")]


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[TheirHandler]:
    """Run a handler, and name it in the settings."""
    with their_handler.their_handler() as running:
        monkeypatch.setenv("TRINGLEDGER_FORWARD_URL", running.url)
        yield running


def notices(numbers: Iterable[int]) -> list[str]:
    return [signed(callstatus(r=number)) for number in numbers]


def send(server: Server, *queries: str) -> None:
    """Send notices as callbacks, one after the other; each must be taken."""
    replies = Replies()
    asyncio.run(deliver(server.port, queries, replies, connections=1))
    assert [replies[query].status for query in queries] == [200] * len(queries)


def forwarding(server: Server) -> Any:
    return caller.health(server.port)["forwarding"]


def failure(server: Server) -> str:
    return str(forwarding(server)["failure"] or "")


def logged(store: str) -> list[str]:
    with Ledger(store) as ledger:
        rows = ledger.store.page(0, ledger.head() + 1, ledger.head())
    return [encoded(decode_notice(row.state).params) for row in rows]


def first_occurrences(queries: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(queries))


def helpers(server: Server) -> list[int]:
    """Return the ids of the processes of follower, prover and forwarder, whichever thread started them."""
    found: list[int] = []
    for thread in Path(f"/proc/{server.process.pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # A thread may end while we look.
            found += map(int, thread.read_text().split())
    assert len(found) == 3
    return found


def kill_with_helpers(server: Server) -> None:
    """End the service and its helper processes at once, as a power cut would."""
    for pid in (*helpers(server), server.process.pid):
        os.kill(pid, signal.SIGKILL)
    server.process.wait(SECONDS_MAX)


def serving_and_forwarding(directory: Path) -> AbstractContextManager[Server]:
    """Run a service that has no other process beside it than the forwarder."""
    return serving(directory, wrapper=(sys.executable, "-c", FORWARDING_ALONE))


class TestWhileAllIsWell:
    def test_callbacks_are_forwarded_verbatim_in_order_whatever_their_kind(
        self, tmp_path: Path, handler: TheirHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRINGLEDGER_FORWARD_URL", handler.url + "?app=7&x=%2F")
        odd = [("z", "1 & 2=3+%"), *callstatus(r=2, tag="Zürich Büro ☎"), ("a", ""), ("email", "a@b.c")]
        sent = [
            signed(priced_cdr(r=1)),
            signed(odd),
            signed(callstatus(r=3, type="voicemail", status=None)),
            signed(callstatus(r=4, type="new")),
        ]
        with serving_and_forwarding(tmp_path) as server:
            send(server, *sent)
            assert asyncio.run(ask(server.port, post(signed(callstatus(r=5))))).status == 200
            eventually(lambda: len(handler.taken) == 5)
        assert [query.partition("&f=tm")[0] for query in handler.taken[:1]] == ["app=7&x=%2F"]
        came = [notification.parse_pairs(query.removeprefix("app=7&x=%2F&").encode()) for query in handler.taken]
        assert came == [notification.parse_pairs(query.encode()) for query in (*sent, signed(callstatus(r=5)))]
        assert ("sig", signature(odd)) in came[1], "it still fits, for the handler to check"

    @pytest.mark.thorough
    def test_one_connection_is_kept_and_no_cookie(self, tmp_path: Path, handler: TheirHandler) -> None:
        with serving_and_forwarding(tmp_path) as server:
            send(server, *notices(range(50)))
            eventually(lambda: len(handler.taken) == 50)
        assert len(handler.connections) < 10
        assert handler.cookies == []

    @pytest.mark.thorough
    def test_what_came_before_it_was_switched_on_is_not_forwarded(
        self, tmp_path: Path, handler: TheirHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, after = notices(range(3)), notices(range(3, 6))
        with monkeypatch.context() as off:
            off.delenv("TRINGLEDGER_FORWARD_URL")
            with serving_and_forwarding(tmp_path) as server:
                send(server, *before)
                assert "forwarding" not in caller.health(server.port)
        with serving_and_forwarding(tmp_path) as server:
            assert f"forwarding to {handler.url}, after position 3" in server.said
            send(server, *after)
            eventually(lambda: len(handler.taken) == 3)
        assert handler.heard == after

    def test_the_first_callback_ever_is_forwarded_however_soon_it_comes(
        self, tmp_path: Path, handler: TheirHandler
    ) -> None:
        with serving_and_forwarding(tmp_path) as server:
            send(server, *notices([1]))
            eventually(lambda: handler.taken == notices([1]))

    @pytest.mark.thorough
    def test_repeats_refusals_imports_and_rebuilds_forward_nothing(
        self, tmp_path: Path, handler: TheirHandler, store: str
    ) -> None:
        file = tmp_path / "calls.ndjson"
        file.write_text("".join(line(query) for query in notices(range(700))))
        with serving_and_forwarding(tmp_path) as server:
            assert run("import", str(file)).code == 0
            send(server, *notices([5, 1000, 1000]))
            assert asyncio.run(ask(server.port, get(signed(callstatus(r=1001), OTHER_KEY)))).status == 403
            assert run("rebuild").code == 0
            send(server, *notices([1002]))
            eventually(lambda: forwarding(server)["lag"] == 0)
        assert handler.heard == notices([1000, 1002])
        assert len(logged(store)) == 702

    def test_what_was_mended_in_quarantine_is_forwarded_if_it_came_as_a_callback(
        self, tmp_path: Path, handler: TheirHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called, imported = signed(callstatus(r=1), OTHER_KEY), signed(callstatus(r=2), OTHER_KEY)
        file = tmp_path / "calls.ndjson"
        file.write_text(line(imported))
        with serving_and_forwarding(tmp_path) as server:
            assert asyncio.run(ask(server.port, get(called))).status == 403
            run("import", str(file))
            monkeypatch.setenv("TRINGME_PRIVATE_KEY", f"{KEY},{OTHER_KEY}")
            assert run("quarantine", "reprocess", "--all").code == 0
            eventually(lambda: forwarding(server)["position"] == 2)
        assert handler.heard == [called]


class TestWhileTheHandlerFails:
    @pytest.mark.parametrize(
        ("behaviour", "told"),
        [
            (their_handler.failing, "the answer is 500"),
            pytest.param(their_handler.redirecting, "the answer is 302", marks=pytest.mark.thorough),
            (their_handler.dropping, "no complete answer (RemoteProtocolError"),
            pytest.param(
                their_handler.answering_by_half, "no complete answer (RemoteProtocolError", marks=pytest.mark.thorough
            ),
        ],
    )
    def test_it_is_said_everywhere_and_the_same_one_is_tried_until_it_is_taken(
        self, tmp_path: Path, handler: TheirHandler, behaviour: Behaviour, told: str
    ) -> None:
        handler.behaviour = behaviour
        queries = notices(range(4))
        with serving_and_forwarding(tmp_path) as server:
            send(server, *queries)
            eventually(lambda: told in failure(server))
            expected = f"the handler refuses the notification at position 1: {told}"
            assert failure(server).startswith(expected)
            health = caller.health(server.port)
            assert (health["status"], health["forwarding"]["lag"]) == ("degraded", 4)
            assert f"forwarding stopped at position 0: {expected}" in server.said
            assert f"forwarding stopped at position 0: {expected}" in run("status").err
            check = ("status", "--check", "--lag-seconds", "0", "--quarantine", "9")
            eventually(lambda: run(*check, TRINGLEDGER_FORWARD_URL="").code == FINDING)
            assert (
                "TRINGLEDGER_FORWARD_URL is not set here, at position 0" in run(*check, TRINGLEDGER_FORWARD_URL="").out
            )
            handler.behaviour = their_handler.taking
            eventually(lambda: handler.taken == queries)
            eventually(lambda: caller.health(server.port)["status"] == "ok")
            assert "forwarding continues at position" in server.said
            assert "forwarding stopped" not in run("status").err
        assert set(handler.heard[: -len(queries)]) == {queries[0]}, "nothing went before the one that was refused"

    @pytest.mark.thorough
    def test_killed_it_gets_all_in_order_once_it_is_back(self, tmp_path: Path, handler: TheirHandler) -> None:
        queries = notices(range(60))
        with serving_and_forwarding(tmp_path) as server:
            send(server, *queries[:20])
            eventually(lambda: len(handler.taken) == 20)
            handler.stop()
            send(server, *queries[20:40])
            eventually(lambda: "position 21: no complete answer (ConnectError" in failure(server))
            handler.start()
            send(server, *queries[40:])
            eventually(lambda: len(handler.taken) == 60)
        assert handler.taken == queries

    def test_callbacks_are_answered_as_ever_while_it_hangs_and_the_service_stops_at_once(
        self, tmp_path: Path, handler: TheirHandler
    ) -> None:
        handler.behaviour = handler.hanging
        queries = notices(range(100))
        with serving_and_forwarding(tmp_path) as server:
            send(server, queries[0])
            eventually(lambda: len(handler.heard) == 1)
            send(server, *queries[1:])
            begun = time.monotonic()
            server.terminate()
            assert time.monotonic() - begun < STOPPED_SECONDS_MAX
            assert "Traceback" not in server.said
        handler.behaviour = their_handler.taking
        with serving_and_forwarding(tmp_path) as server:
            eventually(lambda: handler.taken == queries)

    @pytest.mark.thorough
    def test_an_answer_without_end_is_not_read_to_its_end(self, tmp_path: Path, handler: TheirHandler) -> None:
        handler.behaviour = their_handler.talking_without_end
        with serving_and_forwarding(tmp_path) as server:
            send(server, *notices(range(3)))
            eventually(lambda: forwarding(server)["position"] == 3)
        assert handler.heard == notices(range(3))

    @pytest.mark.thorough
    def test_no_password_no_number_and_no_signature_is_shown(
        self, tmp_path: Path, handler: TheirHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handler.behaviour = their_handler.failing
        url = f"http://ann:s3cr3t@127.0.0.1:{handler.port}/their.php?token=t0k3n"
        monkeypatch.setenv("TRINGLEDGER_FORWARD_URL", url)
        with serving_and_forwarding(tmp_path) as server:
            send(server, *notices([1]))
            eventually(lambda: failure(server) != "")
            shown = f"http://***@127.0.0.1:{handler.port}/their.php?***"
            assert forwarding(server)["to"] == shown
            status = run("status")
            assert f"to {shown}, at position 0, 1 events" in status.out
            commands = subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, text=True, check=True).stdout
            everything = server.said + str(caller.health(server.port)) + str(status) + commands
        assert [secret for secret in ("s3cr3t@", "t0k3n", "18585550001", "sig=") if secret in everything] == []


class TestWhenTheServiceIsKilled:
    @pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.thorough)])
    def test_the_handler_sees_every_callback_in_order_of_first_occurrence(
        self, tmp_path: Path, handler: TheirHandler, store: str, kills: int
    ) -> None:
        random, numbers = Random(6), count()
        accepted: set[str] = set()
        for _ in range(kills):
            with serving(tmp_path) as server:
                accepted |= asyncio.run(self.load_and_kill(server, numbers, random))
            handler.behaviour = random.choice((their_handler.taking, their_handler.failing))
        handler.behaviour = their_handler.taking
        with serving(tmp_path) as server:
            eventually(lambda: forwarding(server)["lag"] == 0, SECONDS_MAX)
        assert len(accepted) > 20 * kills
        assert accepted <= set(handler.taken)
        assert first_occurrences(handler.taken) == logged(store)

    async def load_and_kill(self, server: Server, numbers: Iterator[int], random: Random) -> set[str]:
        replies = Replies()
        load = asyncio.ensure_future(deliver(server.port, notices(islice(numbers, 300)), replies))
        await asyncio.sleep(random.uniform(0.3, 1.3))
        kill_with_helpers(server)
        await load
        return {query for query, reply in replies.items() if reply.status == 200}

    @pytest.mark.thorough
    def test_told_to_stop_it_keeps_its_position_to_the_notification(
        self, tmp_path: Path, handler: TheirHandler
    ) -> None:
        queries = notices(range(600))
        for start in range(0, 600, 200):
            with serving(tmp_path) as server:
                send(server, *queries[start : start + 200])
                server.terminate()
        with serving(tmp_path) as server:
            eventually(lambda: forwarding(server)["lag"] == 0, SECONDS_MAX)
        assert first_occurrences(handler.taken) == queries
        assert len(handler.taken) <= 600 + 3, "at most the one under way at each end comes again"

    @pytest.mark.thorough
    def test_the_forwarder_alone_is_started_again(self, tmp_path: Path, handler: TheirHandler) -> None:
        with serving(tmp_path) as server:
            send(server, *notices([1]))
            eventually(lambda: forwarding(server)["position"] == 1)
            for pid in helpers(server):
                os.kill(pid, signal.SIGKILL)
            send(server, *notices([2]))
            eventually(lambda: handler.taken[-1] == notices([2])[0])
            assert "the process api.processes.forwarder ended; restarting it" in server.said
            eventually(lambda: caller.health(server.port)["status"] == "ok")


class TestWhenThePositionCannotBeKept:
    @pytest.mark.thorough
    def test_nothing_more_is_sent_until_it_can_be_nothing_again_and_it_ends_when_told(
        self, handler: TheirHandler, store: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[ProcessState] = []
        monkeypatch.setattr(children, "report_state", told.append)
        monkeypatch.setattr(forwarding_process, "KEEP_SECONDS", 0)
        monkeypatch.setattr(forwarding_process, "RETRY_SECONDS", 0.01)

        async def scenario(ledger: Ledger) -> None:
            async with HandlerClient(handler.url) as sending:
                task = asyncio.create_task(Forwarder(ledger, sending).run())
                await until(lambda: bool(told) and told[-1] == ProcessState(2))
                with monkeypatch.context() as full:
                    full.setattr(forwarder, "save_position", unavailable)
                    ledger.record([ledger.verify_delivery(query.encode(), 0) for query in notices(range(2, 6))])
                    await until(lambda: len([state for state in told if state.failure]) > 10)
                    assert handler.taken == notices(range(3))
                    assert told[-1].failure == "the disk is full"
                await until(lambda: told[-1] == ProcessState(6))
                monkeypatch.setattr(forwarding_process, "KEEP_SECONDS", 100)
                ledger.record([ledger.verify_delivery(query.encode(), 0) for query in notices([6])])
                await until(lambda: len(handler.taken) == 7)
                handler.behaviour = handler.hanging
                ledger.record([ledger.verify_delivery(query.encode(), 0) for query in notices([7])])
                await until(lambda: len(handler.heard) == 8)
                monkeypatch.setattr(forwarder, "save_position", unavailable)
                task.cancel()
                await until(task.done)
                assert task.cancelled()

        with Ledger(store, Keyring("md5-params", [KEY]), create=True) as ledger:
            forwarder.load_or_start(ledger)
            ledger.record([ledger.verify_delivery(query.encode(), 0) for query in notices(range(2))])
            asyncio.run(scenario(ledger))
        assert handler.taken == notices(range(7))


def unavailable(*_: object) -> ProcessState:
    raise StoreUnavailable("the disk is full")


async def until(holds: Callable[[], bool]) -> None:
    """Wait on the event loop until something holds."""
    async with asyncio.timeout(SECONDS_MAX):
        while not holds():  # noqa: ASYNC110 - another thread makes it so
            await asyncio.sleep(0.01)


class TestSeveralServicesOnOneLedger:
    @pytest.mark.thorough
    def test_one_forwards_and_another_takes_over(self, tmp_path: Path, handler: TheirHandler) -> None:
        (tmp_path / "second").mkdir()
        queries = notices(range(400))
        with serving(tmp_path) as first, serving(tmp_path / "second") as second:
            for start in range(0, 200, 20):
                send(first, *queries[start : start + 10])
                send(second, *queries[start + 10 : start + 20])
            eventually(lambda: len(handler.taken) == 200)
            eventually(lambda: forwarding(first)["lag"] == forwarding(second)["lag"] == 0)
            assert handler.taken == queries[:200]
            first.terminate()
            send(second, *queries[200:])
            eventually(lambda: len(handler.taken) == 400, SECONDS_MAX)
            eventually(lambda: forwarding(second)["lag"] == 0)
        assert handler.taken == queries


class TestPassedOver:
    def test_what_is_refused_for_ever_is_passed_over_with_a_trace(self, tmp_path: Path, handler: TheirHandler) -> None:
        queries = notices(range(4))

        def refusing_the_first(request: their_handler.Request) -> None:
            refused = request.path.endswith(queries[0])
            handler.taken += [] if refused else [request.path.partition("?")[2]]
            their_handler.answer(request, 422 if refused else 200)

        handler.behaviour = refusing_the_first
        with serving_and_forwarding(tmp_path) as server:
            send(server, *queries)
            eventually(lambda: "position 1: the answer is 422" in failure(server))
            said = run("forward", "skip", "1", "--reason", "it knows no such tag")
            assert (said.code, said.err) == (0, "skipped positions 1 to 1\n")
            eventually(lambda: handler.taken == queries[1:])
            eventually(lambda: forwarding(server)["lag"] == 0)
        assert "at position 4, up to date, skipped by operators: 1" in run("status").out
        (trace,) = run("forward", "skipped", "--format", "json").json()
        assert (trace["first"], trace["last"], trace["reason"]) == (1, 1, "it knows no such tag")
        assert "it knows no such tag" in run("forward", "skipped").out

    @pytest.mark.thorough
    def test_everything_that_waits_can_be_passed_over_while_no_service_runs(
        self, tmp_path: Path, handler: TheirHandler
    ) -> None:
        handler.behaviour = their_handler.failing
        with serving_and_forwarding(tmp_path) as server:
            send(server, *notices(range(3)))
            eventually(lambda: failure(server) != "")
        assert run("forward", "skip", "3", "--reason", "too late").code == 0
        handler.behaviour = their_handler.taking
        with serving_and_forwarding(tmp_path) as server:
            send(server, *notices([3]))
            eventually(lambda: handler.taken == notices([3]))

    @pytest.mark.parametrize("position", ["2", "4"])
    def test_only_what_waits_can_be_passed_over(self, tmp_path: Path, handler: TheirHandler, position: str) -> None:
        with serving_and_forwarding(tmp_path) as server:
            send(server, *notices(range(3)))
            eventually(lambda: forwarding(server)["lag"] == 0)
        said = run("forward", "skip", position, "--reason", "a mistake")
        assert said.code == USAGE
        assert f"cannot skip position {position}; expected one after 3" in said.err
        assert len(handler.taken) == 3
        assert run("forward", "skipped", "--format", "json").json() == []


class TestStatus:
    def test_without_the_setting_nothing_is_shown(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            send(server, *notices([1]))
            assert "forwarding" not in caller.health(server.port)
            assert "forward" not in server.said
        said = run("status")
        assert "forward" not in said.out + said.err
        assert "forwarding" not in run("status", "--format", "json").json()

    @pytest.mark.thorough
    def test_before_a_service_began_it_says_so(self, tmp_path: Path, handler: TheirHandler) -> None:
        file = tmp_path / "calls.ndjson"
        file.write_text(line(signed(callstatus())))
        run("import", str(file))
        assert f"to {handler.url}, not started yet; the service starts it" in run("status").out
        assert run("status", "--check").code == 0

    @pytest.mark.thorough
    def test_a_lag_beyond_the_limit_is_a_finding(self, tmp_path: Path, handler: TheirHandler) -> None:
        handler.behaviour = their_handler.failing
        with serving_and_forwarding(tmp_path) as server:
            send(server, *notices(range(3)))
            eventually(lambda: failure(server) != "")
            assert run("status", "--check").code == 0
            eventually(lambda: forwarding(server)["lag_seconds"] >= 1)
            said = run("status", "--check", "--lag-seconds", "0")
        assert said.code == FINDING
        assert "forwarding is 3 events and" in said.err
        assert ": the answer is 500)" in said.err
        shown = run("status", "--format", "json").json()["forwarding"]
        assert (shown["to"], shown["position"], shown["lag"], shown["skipped"]) == (handler.url, 0, 3, 0)


class TestTheSetting:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
    def test_the_services_own_address_is_refused(self, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
        monkeypatch.setenv("TRINGLEDGER_FORWARD_URL", f"http://{host}:8123/notify?x=1")
        said = run("serve", "--port", "8123", "--host", "0.0.0.0")  # noqa: S104 - it does not start
        assert said.code == USAGE
        assert f"TRINGLEDGER_FORWARD_URL=http://{host}:8123/notify?*** cannot be used" in said.err

    def test_the_service_itself_does_not_load_what_the_forwarder_needs(self) -> None:
        code = "import sys, api.cli.main, api.service; sys.exit('httpx2' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False, timeout=SECONDS_MAX).returncode == 0
