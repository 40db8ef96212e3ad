"""Files from the API: those of the command, byte for byte, of any size, and let go of when nobody reads on."""

import asyncio
import gc
import io
import itertools
import os
import threading
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import IO, Any

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from api.processes import download_worker
from api.processes.download_worker import AT_ONCE_MAX
from api.service import Service
from api.web.json_api import downloads
from api.web.json_api.downloads import MEDIA
from api.web.json_api.spooled_file import SpooledFile
from projections.schema.read_models import STORED_TABLES
from tests.support.asgi_service import on_a_loop
from tests.support.command import run
from tests.web.json_api.conftest import Asking


@pytest.mark.parametrize("model", STORED_TABLES)
@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_they_are_what_the_command_writes(service: Service, client: TestClient, model: str, form: str) -> None:
    written = run("export", model, "--format", form, "--store", service.ledger.url).out
    answer = client.get(f"/api/v1/{model}.{form}")
    assert answer.text == written
    assert answer.headers["content-type"] == MEDIA[form]
    assert answer.headers["content-disposition"] == f'attachment; filename="{model}.{form}"'


def test_head_has_the_length_of_get_for_who_takes_gzip_as_well(client: TestClient) -> None:
    path, headers = "/api/v1/calls.json", {"Accept-Encoding": "gzip"}
    described, whole = client.head(path, headers=headers).headers, client.get(path, headers=headers).headers
    names = ("content-length", "content-encoding", "content-type", "vary")
    assert [described.get(name) for name in names] == [whole.get(name) for name in names]


def test_parquet_streams_too(client: TestClient) -> None:
    table = pq.read_table(io.BytesIO(client.get("/api/v1/cdrs.parquet?tag=dept-2").content))
    rows = client.get("/api/v1/cdrs.json?tag=dept-2").json()
    assert table.column("call_id").to_pylist() == [row["call_id"] for row in rows]
    assert str(table.schema.field("cost").type) == "decimal128(18, 6)"


def test_texts_are_made_harmless_for_spreadsheets_where_asked(client: TestClient) -> None:
    assert "'18585557612" in client.get("/api/v1/cdrs.csv?excel_safe=true").text
    assert "'18585557612" not in client.get("/api/v1/cdrs.csv").text


def test_files_and_lists_have_the_columns_that_are_chosen_in_their_order(client: TestClient) -> None:
    chosen = {"cols": "price,call_id,cdr_at", "tag": "dept-2", "sort": "-cdr_at"}
    answer = client.get("/api/v1/cdrs", params=chosen | {"limit": "1000"})
    assert answer.headers["content-type"] == "application/vnd.tringledger.columns+json"
    listed = answer.json()["items"]
    assert [*listed[0]] == ["price", "call_id", "cdr_at"]
    assert client.get("/api/v1/cdrs.json", params=chosen).json() == listed
    written = client.get("/api/v1/cdrs.csv", params=chosen).text.splitlines()
    assert (written[0], len(written) - 1) == ("price,call_id,cdr_at", len(listed))
    table = pq.read_table(io.BytesIO(client.get("/api/v1/cdrs.parquet", params=chosen).content))
    assert table.column_names == ["price", "call_id", "cdr_at"]
    unknown = client.get("/api/v1/calls.csv?cols=tag,sorrow")
    assert (unknown.status_code, unknown.json()["errors"][0]["parameter"]) == (400, "cols")


def test_a_chosen_number_is_masked_as_ever(asking: Asking) -> None:
    assert all("•" in row["src"] for row in asking("export").get("/api/v1/cdrs.json?cols=src").json())


def test_they_let_go_of_what_they_read(client: TestClient) -> None:
    for _ in range(AT_ONCE_MAX + 3):
        assert client.get("/api/v1/cdrs.csv").status_code == 200
        assert client.get("/api/v1/cdrs.csv?flag=red").status_code == 400
        assert client.head("/api/v1/cdrs.csv").content == b""


def test_another_format_is_refused(client: TestClient) -> None:
    answer = client.get("/api/v1/cdrs.xls")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "format"


def test_frames_of_who_may_not_see_numbers_are_masked(asking: Asking) -> None:
    table = pq.read_table(io.BytesIO(asking("export").get("/api/v1/calls.parquet").content))
    assert all("•" in src for src in table.column("src").to_pylist() if src)


def test_large_ones_are_made_by_a_process_of_their_own_and_are_the_same(
    service: Service, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, masked = asking(), asking("export")
    paths = ["cdrs.csv", "calls.ndjson?sort=-opened_at&cols=src,opened_at"]
    made_here = [each.get(f"/api/v1/{path}") for path in paths for each in (client, masked)]
    assert service.download_worker.process_id is None
    monkeypatch.setattr(downloads, "ROWS_MADE_HERE_MAX", 0)
    made_there = [each.get(f"/api/v1/{path}") for path in paths for each in (client, masked)]
    process = service.download_worker.process_id
    assert process
    assert [answer.content for answer in made_there] == [answer.content for answer in made_here]
    assert [each.headers["ledger-position"] for each in made_there] == [
        each.headers["ledger-position"] for each in made_here
    ]
    monkeypatch.setattr(download_worker, "IDLE_SECONDS_MAX", -1.0)
    service.download_worker.let_go()
    assert service.download_worker.process_id is None, "it ends when nobody needs it"


def test_small_ones_are_not_made_either_on_a_disk_that_is_nearly_full(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = os.statvfs_result((4096, 4096, 1000, 100, 40, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "fstatvfs", lambda _descriptor: disk)
    refused = client.get("/api/v1/cdrs.csv")
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert "free for temporary files" in refused.json()["detail"]


@pytest.mark.thorough
def test_large_ones_of_an_earlier_position_too(
    service: Service, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_here = client.get("/api/v1/cdrs.csv?asof=40")
    monkeypatch.setattr(downloads, "ROWS_MADE_HERE_MAX", 0)
    made_there = client.get("/api/v1/cdrs.csv?asof=40")
    assert service.download_worker.process_id
    assert made_there.content == made_here.content
    assert made_there.headers["ledger-position"] == "40"


class TestASlowReader:
    def test_gets_what_is_there_while_more_is_made(self) -> None:
        bodies: list[bytes] = []
        sent = threading.Event()

        async def send(message: Any) -> None:
            bodies.append(message.get("body", b""))

        async def scenario() -> None:
            with TemporaryFile("w+b", buffering=0) as file:
                made = SpooledFile(file, parts_written(file, bodies), {}, "text/csv", sent=sent.set)
                await made({}, stays, send)
            assert b"".join(bodies) == b"ab" * 600_000
            assert sent.is_set()

        on_a_loop(scenario)

    def test_does_not_hold_up_what_is_made(self) -> None:
        taken, made, sent = asyncio.Event(), threading.Event(), threading.Event()

        def sizes() -> Iterator[int]:
            yield 0
            made.set()

        async def send(_message: Any) -> None:
            await taken.wait()

        async def scenario() -> None:
            with TemporaryFile() as file:
                sending = asyncio.create_task(SpooledFile(file, sizes(), {}, "", sent=sent.set)({}, stays, send))
                assert await asyncio.to_thread(made.wait, 5)
                assert not sent.is_set()
                taken.set()
                await sending
            assert sent.is_set()

        on_a_loop(scenario)

    def test_who_hangs_up_ends_it(self) -> None:
        sent = threading.Event()

        async def send(_message: Any) -> None:
            await asyncio.Event().wait()

        async def scenario() -> None:
            with TemporaryFile() as file:
                await SpooledFile(file, itertools.repeat(0), {}, "text/csv", sent=sent.set)({}, leaves, send)
            assert sent.is_set()

        on_a_loop(scenario)

    def test_what_cannot_be_made_whole_does_not_look_whole(self) -> None:
        messages: list[Any] = []

        def broken() -> Iterator[int]:
            yield 0
            raise ValueError("no more")

        async def send(message: Any) -> None:
            messages.append(message)

        async def scenario() -> None:
            with TemporaryFile() as file, pytest.raises(ValueError, match="no more"):
                await SpooledFile(file, broken(), {}, "text/csv", sent=lambda: None)({}, stays, send)
            assert all(message.get("more_body", True) for message in messages)

        on_a_loop(scenario)

    def test_what_is_never_sent_is_let_go(self) -> None:
        sent = threading.Event()
        with TemporaryFile() as file:
            SpooledFile(file, iter(()), {}, "text/csv", sent=sent.set)
            gc.collect()
        assert sent.is_set()


def parts_written(file: IO[bytes], read: list[bytes]) -> Iterator[int]:
    """Write two parts, the second one only when the first has arrived."""
    for number in (1, 2):
        file.write(b"ab" * 300_000)
        yield number * 600_000
        while number == 1 and sum(map(len, read)) < 600_000:
            yield 600_000


async def stays() -> Any:
    await asyncio.Event().wait()


async def leaves() -> Any:
    return {"type": "http.disconnect"}
