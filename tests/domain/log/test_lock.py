"""Who alone does a thing for a ledger: one at a time, until it gives that up, dies, or is cut off from the store."""

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from domain.errors import StoreUnavailable
from tests.support.ledgers import opened
from tests.support.postgres_server import Postgres

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys
from domain.ledger import Ledger
with Ledger(sys.argv[1]) as ledger:
    alone = ledger.store.lock("forward")
    print(alone.acquire(), flush=True)
    sys.stdin.read()
"""


def test_one_does_it_until_it_gives_it_up(store_url: str) -> None:
    with opened(store_url) as ledger, opened(store_url) as another:
        first, second = ledger.store.lock("forward"), another.store.lock("forward")
        assert [first.acquire(), second.acquire(), first.acquire(), second.acquire()] == [True, False, True, False]
        first.close()
        assert [second.acquire(), first.acquire()] == [True, False]
        second.close()
        assert first.acquire(), "what was given up can be taken again"
        first.close()


def test_different_things_do_not_hinder_each_other(store_url: str) -> None:
    with (
        opened(store_url) as ledger,
        closing(ledger.store.lock("forward")) as forwarding,
        closing(ledger.store.lock("copy")) as copying,
    ):
        assert forwarding.acquire()
        assert copying.acquire()


def test_a_process_that_is_killed_does_it_no_more(store_url: str) -> None:
    with opened(store_url) as ledger, closing(ledger.store.lock("forward")) as ours:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", HOLDER, store_url]
        with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as holder:
            assert holder.stdout
            assert holder.stdout.readline() == "True\n"
            assert not ours.acquire()
            holder.kill()
            holder.wait()
            until = time.monotonic() + 5
            while not ours.acquire() and time.monotonic() < until:
                time.sleep(0.05)
            assert ours.acquire()


def test_a_file_is_one_store_by_whatever_name(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")
    with opened(f"sqlite:///{tmp_path}/ledger.db") as ledger, opened(f"sqlite:///{tmp_path}/link.db") as linked:
        with closing(ledger.store.lock("forward")) as first, closing(linked.store.lock("forward")) as second:
            assert [first.acquire(), second.acquire()] == [True, False]
        assert [file.name for file in tmp_path.glob("*.lock")] == ["ledger.db.forward.lock"]


def test_who_is_cut_off_learns_it_before_it_does_more(database: str, postgres: Postgres) -> None:
    with opened(database) as ledger, closing(ledger.store.lock("forward")) as alone:
        assert alone.acquire()
        postgres.kill_backends(database)
        with pytest.raises(StoreUnavailable, match="cannot be used now"):
            alone.acquire()
        assert alone.acquire(), "asked again, it takes it anew, since nobody has it"


def test_a_server_that_is_down_is_said_and_then_healed(database: str, postgres: Postgres) -> None:
    with opened(database) as ledger, closing(ledger.store.lock("forward")) as alone:
        assert alone.acquire()
        postgres.stop()
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="cannot be used now"):
                alone.acquire()
        postgres.start()
        assert alone.acquire()
