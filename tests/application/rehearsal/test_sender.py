"""The platform sends each notice until it is answered, in every manner, and keeps in order what must be in order."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from api.application.rehearsal import sender as sending_module
from api.application.rehearsal import target_url as target
from api.application.rehearsal.expected_books import ExpectedBooks
from api.application.rehearsal.plan import Chain, Manner, NoticeRef, PlannedRequest
from api.application.rehearsal.sender import RequestSender, TargetUnreachable
from api.application.rehearsal.simulated_call import SimulatedCall, SimulatedNotice
from api.application.rehearsal.target_url import InvalidTarget, TargetUrl
from tests.support.asgi_service import on_a_loop
from tests.support.ports import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Service:
    """A service that answers as a test says, request after request, and remembers what it was sent."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.fragments: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while request := await self._read(reader):
                self.requests.append(request)
                answer = self.answers.pop(0) if self.answers else OK
                writer.write(answer)
                await writer.drain()
                if not answer or answer == CLOSING:
                    break
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(line[15:]) for line in head.splitlines() if line.startswith(b"Content-Length:")), 0)
            return head + await reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            self.fragments.append(error.partial)
            return b""


@asynccontextmanager
async def listening(serve: Serve) -> Any:
    """Serve on a free port and give its URL; the connections are over at the end."""
    served: set[asyncio.Task[Any] | None] = set()

    async def remembered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        await serve(reader, writer)
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(remembered, "127.0.0.1", 0)
    async with server:
        yield target.read_target_url(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/notify", anywhere=False)
    await asyncio.gather(*(task for task in served if task))


def notice(number: int = 0, *, manner: Manner = "plain", posted: bool = False, due: int = 0) -> PlannedRequest:
    query = f"f=tm&r={number}".encode()
    return PlannedRequest(due=due, notified=NoticeRef(0, number, "input"), query=query, manner=manner, posted=posted)


def books() -> ExpectedBooks:
    return ExpectedBooks(7, [SimulatedCall("single", "sales", "1", [SimulatedNotice("input", 0, [("f", "tm")])] * 100)])


def sent(service: Service, *plan: Chain, kept: ExpectedBooks | None = None, patience: float = 20) -> RequestSender:
    """Send a plan to a service to its end."""
    platforms: list[RequestSender] = []

    async def scenario() -> None:
        async with listening(service.serve) as where:
            platforms.append(RequestSender(where, plan, kept or books(), patience_seconds=patience))
            await platforms[0].run()

    on_a_loop(scenario)
    return platforms[0]


class TestANotice:
    def test_is_sent_as_a_query_or_as_a_form(self) -> None:
        service = Service()
        sent(service, [notice(1), notice(2, posted=True)])
        query, form = service.requests
        assert query.startswith(b"GET /notify?f=tm&r=1 HTTP/1.1\r\nHost: 127.0.0.1:")
        assert form.startswith(b"POST /notify HTTP/1.1\r\n")
        assert form.endswith(
            b"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\nf=tm&r=2"
        )

    def test_comes_again_after_no_answer_and_after_a_503(self) -> None:
        service, kept = Service(b"", BUSY % 0, BUSY % 0, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), books()
        platform = sent(service, [notice()], kept=kept)
        assert len(service.requests) == 5
        assert len(set(service.requests)) == 1
        assert (platform.again, platform.given_up, dict(kept.answers)) == (4, 0, {200: 1})

    def test_waits_as_long_as_it_is_told_to(self) -> None:
        service = Service(BUSY % 1)
        moments: list[float] = []

        async def scenario() -> None:
            async with listening(service.serve) as where:
                began = asyncio.get_running_loop().time()
                await RequestSender(where, [[notice()]], books()).run()
                moments.append(asyncio.get_running_loop().time() - began)

        on_a_loop(scenario)
        assert moments[0] >= 1

    def test_that_gets_no_answer_in_time_comes_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sending_module, "ANSWER_SECONDS_MAX", 0.2)
        asked: list[bytes] = []

        async def sluggish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.IncompleteReadError):
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                await asyncio.sleep(0 if len(asked) > 2 else 0.5)
                writer.write(CLOSING)
            writer.close()

        async def scenario() -> None:
            async with listening(sluggish) as where:
                platform = RequestSender(where, [[notice()]], books())
                await platform.run()
                assert (platform.sent, platform.again) == (1, 2)

        on_a_loop(scenario)

    def test_is_given_up_when_patience_ends_and_what_follows_it_is_not_sent(self) -> None:
        service, kept = Service(*[BUSY % 0] * 1000), books()
        platform = sent(service, [notice(1), notice(2)], kept=kept, patience=0.2)
        assert (platform.given_up, platform.sent, kept.unanswered) == (1, 0, 1)
        assert not any(b"r=2" in request for request in service.requests)

    @pytest.mark.parametrize("status", [200, 202, 403, 404])
    def test_is_done_with_any_final_answer(self, status: int) -> None:
        service, kept = Service(b"HTTP/1.1 %d Done\r\nContent-Length: 0\r\n\r\n" % status), books()
        platform = sent(service, [notice()], kept=kept)
        assert (platform.again, dict(kept.answers), bool(kept.unexpected)) == (0, {status: 1}, status != 200)


class TestAManner:
    def test_half_sends_half_of_it_and_then_all_of_it(self) -> None:
        service = Service()
        sent(service, [notice(manner="half", posted=True)])
        assert len(service.requests) == 1
        assert any(service.requests[0].startswith(part) and part for part in service.fragments)

    def test_impatient_sends_all_of_it_twice(self) -> None:
        service = Service()
        platform = sent(service, [notice(manner="impatient")])
        assert 1 <= len(service.requests) <= 2, "the network may lose the first"
        assert platform.sent == 1

    def test_slow_sends_it_in_pieces(self) -> None:
        pieces: list[bytes] = []

        async def watching(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while not b"".join(pieces).endswith(b"\r\n\r\n"):
                piece = await reader.read(10_000)
                if not piece:
                    break
                pieces.append(piece)
            writer.write(CLOSING)
            writer.close()

        async def scenario() -> None:
            async with listening(watching) as where:
                await RequestSender(where, [[notice(manner="slow")]], books()).run()

        on_a_loop(scenario)
        assert len(pieces) > 2

    @pytest.mark.parametrize(
        "answer", [CLOSING, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]
    )
    def test_of_answering_is_understood_whatever_proxies_make_of_it(self, answer: bytes) -> None:
        service, kept = Service(answer, answer), books()
        platform = sent(service, [notice(1), notice(2), notice(3)], kept=kept)
        assert (platform.again, dict(kept.answers)) == (0, {200: 3})


class TestGarbage:
    def test_is_sent_once_as_it_is(self) -> None:
        service, kept = Service(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"), books()
        sent(service, [PlannedRequest(due=0, what="garbage", raw=b"GET {path}?f=xx HTTP/1.1\r\n\r\n")], kept=kept)
        assert service.requests == [b"GET /notify?f=xx HTTP/1.1\r\n\r\n"]
        assert (dict(kept.answers), bool(kept.unexpected)) == ({400: 1}, False)

    def test_that_is_taken_is_told(self) -> None:
        kept = books()
        sent(Service(), [PlannedRequest(due=0, what="garbage", raw=b"hello?\r\n\r\n")], kept=kept)
        assert dict(kept.unexpected) == {"200 to what was garbage": 1}

    def test_waits_for_a_service_that_is_away(self) -> None:
        service, kept, port = (
            Service(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            books(),
            free_port(),
        )
        where = TargetUrl("127.0.0.1", port, "/notify", tls=False, name="x")
        garbage = PlannedRequest(due=200_000, what="garbage", raw=b"PUT {path} HTTP/1.1\r\n\r\n")

        async def scenario() -> None:
            async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port):
                sending = asyncio.create_task(RequestSender(where, [[garbage]], kept).run())
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.3)
            async with await asyncio.start_server(service.serve, "127.0.0.1", port):
                await sending

        on_a_loop(scenario)
        assert (dict(kept.answers), len(service.requests)) == ({405: 1}, 1)


class TestOrder:
    def test_within_a_chain_each_waits_for_the_one_before(self) -> None:
        service = Service(b"", b"", OK, b"")
        sent(service, [notice(number) for number in range(5)])
        numbers = [request.partition(b"&r=")[2][:1] for request in service.requests]
        assert numbers == sorted(numbers)

    def test_each_is_sent_when_it_is_due(self) -> None:
        service = Service()
        sent(service, [notice(3, due=300_000)], [notice(1)], [notice(2, due=150_000)])
        assert [request.partition(b"&r=")[2][:1] for request in service.requests] == [b"1", b"2", b"3"]


class TestNobodyThere:
    def test_is_told_before_anything_is_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sending_module, "START_SECONDS_MAX", 0.1)
        kept, port = books(), free_port()
        platform = RequestSender(TargetUrl("127.0.0.1", port, "/", tls=False, name="x"), [[notice()]], kept)
        with pytest.raises(TargetUnreachable, match=f"no service at 127.0.0.1 port {port}"):
            asyncio.run(platform.run())
        assert kept.unanswered == 0


class TestTheTarget:
    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:8000/notify", "http://localhost/notify", "http://[::1]:80/", "https://127.0.0.2/x/y"]
    )
    def test_may_be_this_machine(self, url: str) -> None:
        target.read_target_url(url, anywhere=False)

    @pytest.mark.parametrize("url", ["http://192.0.2.1/notify", "http://[2001:db8::1]/", "http://0.0.0.0/notify"])
    def test_must_not_be_another_one_unless_said(self, url: str) -> None:
        with pytest.raises(InvalidTarget, match="is not this machine"):
            target.read_target_url(url, anywhere=False)
        target.read_target_url(url, anywhere=True)

    @pytest.mark.parametrize(
        "url",
        ["", "8000", "127.0.0.1:8000/notify", "ftp://127.0.0.1/", "http:///notify", "http://127.0.0.1:port/",
         "http://127.0.0.1/a b", "http://127.0.0.1/#x"],
    )  # fmt: skip
    def test_must_be_a_url(self, url: str) -> None:
        with pytest.raises(InvalidTarget, match=r"cannot be called: expected http:// or https:// with a host"):
            target.read_target_url(url, anywhere=True)

    @pytest.mark.parametrize("url", ["http://127.0.0.1/notify?x=1", "http://127.0.0.1/ü", "http://me:pw@127.0.0.1/"])
    def test_must_be_nothing_but_host_and_path_in_ascii(self, url: str) -> None:
        with pytest.raises(InvalidTarget, match="without a query"):
            target.read_target_url(url, anywhere=True)
