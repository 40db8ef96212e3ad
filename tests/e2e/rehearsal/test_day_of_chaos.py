"""A day of 5,000 calls with every kind of chaos, against a service that is killed again and again: the books agree.

The comparison is made twice: by the command, and here, by sums of another make.
"""

import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from tests.support import http_client as caller
from tests.support.asgi_service import eventually
from tests.support.command import run, serving
from tests.support.ports import free_port
from tests.support.rehearsal_process import Rehearsal, rehearsing

CALLS_PER_SECOND = 300
TIMES_AS_FAST = 5000  # A day in 17 seconds.
DAY_SECONDS_MAX = 200
SUMMED = ("calls", "answered", "src_seconds", "dest_seconds", "cost", "sip_credits")


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(("calls", "wanted_kills"), [(900, 1), pytest.param(5000, 6, marks=pytest.mark.thorough)])
def test_a_day_of_chaos_and_kills_is_billed_as_the_platform_says(
    tmp_path: Path, store: str, calls: int, wanted_kills: int
) -> None:
    books = tmp_path / "books.json"
    script = ("--calls", str(calls), "--rate", str(CALLS_PER_SECOND), "--speed", str(TIMES_AS_FAST), "--seed", "2026")
    with rehearsing(*script, "--chaos", "--books", str(books)) as platform:
        kills = serve_and_kill(tmp_path, platform, wanted_kills)
        said = platform.said()
    assert platform.process.returncode == 0, said
    assert kills == wanted_kills
    assert " 0 notices without an answer" in said

    ledger = run("rehearse", "--books", str(books), "--verify", store)
    assert (ledger.code, ledger.out) == (0, ""), ledger.out + ledger.err
    exported = tmp_path / "cdrs.csv"
    assert run("export", "cdrs", "-o", str(exported)).code == 0
    assert run("rehearse", "--books", str(books), "--verify", str(exported)).code == 0
    agrees(msgspec.json.decode(books.read_bytes()), calls)


def serve_and_kill(folder: Path, platform: Rehearsal, wanted_kills: int) -> int:
    """Serve on one port until the platform is done, with kills and restarts on the way; return how many."""
    random, port, kills = Random(2026), free_port(), 0
    deadline = time.monotonic() + DAY_SECONDS_MAX
    with serving(folder, port=port):
        assert platform.register(f"http://127.0.0.1:{port}/notify") == "OK\n"
        eventually(lambda: caller.health(port)["head"] > 0)
        time.sleep(random.uniform(0, 1))
    while platform.is_running:
        assert time.monotonic() < deadline, "the day did not end"
        kills += 1  # Leaving the service kills it.
        with serving(folder, port=port):
            until = time.monotonic() + random.uniform(0.5, 1.5)
            while platform.is_running and (kills == wanted_kills or time.monotonic() < until):
                time.sleep(0.02)
                assert time.monotonic() < deadline, "the day did not end"
    return kills


def agrees(books: Any, calls: int) -> None:
    """Compare the saved books with what the ledger exports."""
    assert len(books["calls"]) > calls * 0.99, "but for those of which every notice was lost"
    assert {total["tag"]: [total[name] for name in SUMMED] for total in books["totals"]} == billed()
    charged = [call for call in books["calls"] if call["row"]]
    assert len(run("export", "cdrs", "--format", "json").json()) == len(charged)
    entries = run("quarantine", "list", "--format", "json").json()
    reasons = Counter("sig" if not entry["authentic"] else entry["reason"].partition("=")[0] for entry in entries)
    assert reasons == Counter(each["parameter"] for each in books["unfit"])
    assert min(reasons["sig"], reasons["srccharge"], reasons["tag"], reasons["src"]) > calls // 1000
    voicemails = [row["voicemail"] for row in run("export", "voicemails", "--format", "json").json()]
    assert sorted(voicemails) == sorted(books["voicemails"])
    assert {"200", "202", "400", "403", "405", "413", "414", "415"} <= books["answers"].keys()


def billed() -> dict[str, list[str]]:
    """Return each account's billing over all months."""
    sums: dict[str, list[Decimal]] = {}
    for row in run("export", "billing", "--format", "json").json():
        before = sums.get(row["account"], [Decimal(0)] * len(SUMMED))
        sums[row["account"]] = [value + Decimal(row[name]) for name, value in zip(SUMMED, before, strict=True)]
    return {tag: [f"{value:f}" for value in values] for tag, values in sums.items()}
