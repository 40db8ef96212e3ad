"""``tringledger serve``: how it starts, what it says, and how it ends. What it promises is in test_crash."""

import re
import signal
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.support.command import SECONDS_MAX, run, run_alone, serving, spawn
from tests.support.notices import KEY
from tests.support.ports import free_port

pytestmark = pytest.mark.only_on("sqlite")  # Nothing here depends on the store.

DONE, USAGE, UNAVAILABLE = 0, 2, 3


@pytest.mark.usefixtures("store")
class TestServe:
    def test_without_a_key_it_refuses_to_start(self, tmp_path: Path) -> None:
        said = run("serve", TRINGME_PRIVATE_KEY="")
        assert (said.code, said.out) == (USAGE, "")
        assert "TRINGME_PRIVATE_KEY is not set" in said.err
        assert list(tmp_path.iterdir()) == []

    def test_it_says_where_the_store_is_and_that_signatures_are_checked(self, tmp_path: Path, store: str) -> None:
        with serving(tmp_path) as server:
            said = server.said
        assert f"ledger {store} (0 events)" in said
        assert "signatures are checked: formula md5-params, 1 active key(s)" in said
        assert f"http://127.0.0.1:{server.port}/notify" in said
        assert KEY not in said

    def test_metrics_have_a_listener_of_their_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        where = f"127.0.0.1:{free_port()}"
        monkeypatch.setenv("TRINGLEDGER_METRICS", where)
        with serving(tmp_path) as server:
            with urlopen(f"http://{where}/metrics", timeout=SECONDS_MAX) as answer:
                told = answer.read().decode()
            with pytest.raises(HTTPError) as not_there:
                urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=SECONDS_MAX).close()
            not_there.value.close()
            said = run_alone("serve", "--port", "0")
        assert f"metrics at http://{where}/metrics" in server.said
        assert (not_there.value.code, "tringledger_log_position 0.0" in told) == (404, True)
        assert 'tringledger_up{part="intake"} 1.0' in told
        assert said.code == UNAVAILABLE
        assert f"cannot listen on 127.0.0.1 port {where.partition(':')[2]} for metrics: " in said.err

    def test_with_signatures_off_it_starts_and_says_so_loudly(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRINGLEDGER_SIGNATURE", "off")
        monkeypatch.delenv("TRINGME_PRIVATE_KEY")
        with serving(tmp_path) as server:
            assert "WARNING: signatures are NOT checked" in server.said

    def test_it_stops_when_told_and_then_tells_its_counts(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            server.terminate()
            assert "stopped; since start: no callbacks" in server.said
            assert "Traceback" not in server.said

    def test_ctrl_c_is_an_ordinary_end(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            server.process.send_signal(signal.SIGINT)
            assert server.process.wait(SECONDS_MAX) == DONE
            assert "Traceback" not in server.said

    @pytest.mark.thorough
    def test_a_port_that_is_taken_is_named_and_no_finding(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server:
            said = run_alone("serve", "--port", str(server.port), "--store", f"sqlite:///{tmp_path}/other.db")
        assert (said.code, "Traceback" in said.err, str(server.port) in said.err) == (
            UNAVAILABLE,
            False,
            True,
        )

    @pytest.mark.thorough
    def test_any_free_port_is_told(self) -> None:
        process = spawn("serve", "--port", "0", stderr=subprocess.PIPE)
        assert process.stderr is not None
        try:
            said = [process.stderr.readline().decode() for _ in range(3)]
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS_MAX)
        assert re.search(r"http://127\.0\.0\.1:[1-9]\d*/notify", "".join(said)), said
