"""``tringledger rehearse`` against real services: what it says, what it refuses, and what Ctrl-C leaves."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.application.rehearsal import expected_books as booking
from api.application.rehearsal import sender as sending
from tests.support import http_client as caller
from tests.support.asgi_service import eventually
from tests.support.command import SECONDS_MAX, Server, run, serving, spawn
from tests.support.ports import free_port
from tests.support.rehearsal_process import rehearsing

pytestmark = pytest.mark.only_on("sqlite")  # Nothing here depends on the store.

DONE, FINDING, USAGE, UNAVAILABLE, INTERRUPTED = 0, 1, 2, 3, 130
QUICK = ("--calls", "30", "--rate", "100", "--speed", "2000")


@pytest.fixture
def service(tmp_path: Path, store: str) -> Iterator[Server]:
    assert store
    with serving(tmp_path) as server:
        yield server


def notify_url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}/notify"


class TestARehearsal:
    # What a formula is, tests of signatures say: the others have their turn in the thorough run.
    @pytest.mark.parametrize(
        "formula",
        [
            "hmac-sha256-params",
            *(pytest.param(name, marks=pytest.mark.thorough) for name in ("md5-params", "md5-r-key", "off")),
        ],
    )
    def test_agrees_with_the_ledger_under_any_formula(
        self, tmp_path: Path, store: str, formula: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRINGLEDGER_SIGNATURE", formula)
        with serving(tmp_path) as server:
            said = run("rehearse", "--to", notify_url(server), *QUICK, "--chaos", "--verify", store)
        assert (said.code, said.out) == (DONE, ""), said.out + said.err
        assert re.search(r"^30 calls, \d+ requests, seed \d+$", said.err, re.MULTILINE)
        assert "the ledger agrees with the expected books" in said.err

    def test_is_the_same_again_with_its_seed(self, service: Server, store: str) -> None:
        first, again = (
            run("rehearse", "--to", notify_url(service), *QUICK, "--seed", "5", "--verify", store) for _ in range(2)
        )
        assert first.err == again.err
        head = caller.health(service.port)["head"]
        assert f"({head} answered 200)" in again.err, "the second time nothing was new"

    def test_that_is_refused_is_a_finding(self, service: Server, store: str) -> None:
        said = run("rehearse", "--to", notify_url(service), *QUICK, "--verify", store, TRINGME_PRIVATE_KEY="another")
        assert said.code == FINDING
        assert re.search(r"403 .*genuine", said.err)
        assert "differences between the ledger and the expected books" in said.err

    @pytest.mark.thorough
    def test_is_sent_to_whom_a_user_registers(self, service: Server, store: str, tmp_path: Path) -> None:
        with rehearsing(*QUICK, "--verify", store, "--books", str(tmp_path / "books.json")) as platform:
            assert "192.0.2.1 is not this machine" in platform.register("http://192.0.2.1/notify")
            assert platform.register(notify_url(service)) == "OK\n"
            said = platform.said()
        assert (platform.process.returncode, "the ledger agrees" in said) == (DONE, True), said
        assert run("rehearse", "--books", str(tmp_path / "books.json"), "--verify", store).code == DONE


class TestCtrlC:
    def test_leaves_the_books_of_what_was_sent(self, service: Server, store: str, tmp_path: Path) -> None:
        file = tmp_path / "books.json"
        slow = ("--calls", "2000", "--rate", "100", "--speed", "500", "--chaos", "--books", str(file))
        process = spawn("rehearse", "--to", notify_url(service), *slow, stderr=subprocess.PIPE)
        eventually(lambda: caller.health(service.port)["head"] > 100)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=SECONDS_MAX)
        assert (process.returncode, b"interrupted" in said, b"Traceback" in said) == (INTERRUPTED, True, False), said
        assert 20 < len(booking.load_books(file).calls) < 2000
        verified = run("rehearse", "--books", str(file), "--verify", store)
        assert verified.code == DONE, verified.out

    def test_ends_the_waiting_for_a_url(self, store: str) -> None:
        assert store
        with rehearsing() as platform:
            platform.process.send_signal(signal.SIGINT)
            said = platform.said()
        assert (platform.process.returncode, "interrupted" in said, "Traceback" in said) == (INTERRUPTED, True, False)


class TestAMistake:
    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            ((), "expected --to URL or --listen PORT, or else --books FILE with --verify WHERE"),
            (("--verify", "cdrs.csv"), "or else --books FILE with --verify WHERE"),
            (("--to", "http://127.0.0.1:1/", "--listen", "1"), "expected either --to or --listen"),
            (("--to", "nonsense"), "'nonsense' cannot be called: expected http:// or https://"),
            (("--to", "http://192.0.2.1/notify"), "192.0.2.1 is not this machine"),
            (("--to", "http://127.0.0.1:1/", "--verify", "cdrs.csv"), "cannot have calls that are yet to be placed"),
            (
                ("--to", "http://127.0.0.1:1/", "--books", "nowhere/books.json"),
                "expected a file in an existing folder",
            ),
            (("--to", "http://127.0.0.1:1/", "--calls", "0"), "--calls"),
            (("--to", "http://127.0.0.1:1/", "--rate", "0"), "--rate"),
            (("--to", "http://127.0.0.1:1/", "--lose", "money"), "--lose"),
            (("--books", "nowhere.json", "--verify", "cdrs.csv"), "nowhere.json cannot be read as the books"),
        ],
    )
    def test_is_told_before_anything_is_sent(self, store: str, arguments: tuple[str, ...], why: str) -> None:
        assert store
        said = run("rehearse", *arguments)
        assert (said.code, said.out) == (USAGE, "")
        assert why in said.err

    def test_a_missing_key_is_named(self) -> None:
        said = run("rehearse", "--to", "http://127.0.0.1:1/")
        assert (said.code, "TRINGME_PRIVATE_KEY is not set" in said.err) == (USAGE, True)

    def test_a_missing_store_is_told_before_anything_is_sent(self, store: str) -> None:
        said = run("rehearse", "--to", "http://127.0.0.1:1/", "--verify", store)
        assert (said.code, "there is no ledger at" in said.err) == (UNAVAILABLE, True)

    def test_a_service_that_is_not_there_is_told(self, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
        assert store
        monkeypatch.setattr(sending, "START_SECONDS_MAX", 0.1)
        said = run("rehearse", "--to", f"http://127.0.0.1:{free_port()}/notify")
        assert (said.code, "no service at 127.0.0.1" in said.err) == (UNAVAILABLE, True)
