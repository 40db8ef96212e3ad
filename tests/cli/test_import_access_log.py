"""``tringledger import --format access-log``: what the notify path was asked, as TringMe asked it, and when."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.application.importing import access_log
from api.application.importing.rows import ImportedRow, MissedPath, SkippedLine, UnreadableRow
from domain import times
from domain.ledger import Ledger
from tests.support.access_logs import NOON, apache, clock, got, logged, nginx
from tests.support.command import Said, run
from tests.support.ledger_inspection import exported, head
from tests.support.notices import callstatus, line, priced_cdr, signed
from tests.support.samples import SAMPLE_NAMES, sample

DONE, FINDING, USAGE = 0, 1, 2
AT_NOON = times.parse("2026-10-15T12:00:00Z")
QUERY = signed(callstatus()).encode()


def imported(*lines: bytes, arguments: tuple[str, ...] = ()) -> Said:
    return run("import", "--format", "access-log", *arguments, "-", stdin=b"".join(lines))


def items(*lines: bytes, path: str = "/notify") -> list[object]:
    return list(access_log.access_log_rows(lines, path))


def only(line: bytes) -> tuple[int, bytes]:
    """Return the time and the query of a line that must hold a notification."""
    (item,) = items(line)
    assert isinstance(item, ImportedRow), item
    return item.notification.received_at, item.notification.raw


@pytest.mark.usefixtures("store")
class TestImportOfAnAccessLog:
    @pytest.mark.parametrize("name", SAMPLE_NAMES)
    def test_a_sample_as_a_log_yields_what_it_yields_with_times_in_whole_seconds(
        self, name: str, tmp_path: Path
    ) -> None:
        rows = sample(name).lines
        log, same = tmp_path / "access.log", tmp_path / "same.ndjson"
        log.write_bytes(b"".join([got(query, clock(at)) for at, query in rows]))
        same.write_text("".join([line(query, f"{at[:19]}Z") for at, query in rows]))
        other = ("--store", f"sqlite:///{tmp_path}/same.db")
        said, wanted = run("import", "--format", "access-log", str(log)), run("import", str(same), *other)
        assert (said.code, said.err) == (wanted.code, wanted.err)
        assert exported() == exported(*other)

    def test_other_requests_are_passed_over_and_counted(self, store: str) -> None:
        said = imported(
            got(QUERY),
            logged(b"GET / HTTP/1.1"),
            logged(b"GET /notify/more?x=1 HTTP/1.1"),
            logged(b"HEAD /notify?%s HTTP/1.1" % QUERY),
            logged(b"\\x16\\x03\\x01\\x02"),
            logged(b"-"),
            logged(b""),
        )
        assert (said.code, head(store)) == (DONE, 1)
        assert said.err == ("6 other requests skipped\n1 recorded, 0 duplicate, 0 quarantined (0 new), 0 unreadable\n")

    def test_posts_to_the_notify_path_are_counted_as_unreadable_and_said_once(self) -> None:
        said = imported(*[logged(b"POST /notify HTTP/1.1")] * 3, logged(b"POST /login HTTP/1.1"), got(QUERY))
        assert said.code == FINDING
        assert said.err == (
            "3 POST requests are unreadable, because an access log does not have their bodies\n1 other requests skipped\n"
            "1 recorded, 0 duplicate, 0 quarantined (0 new), 3 unreadable\n"
        )

    def test_two_notices_in_one_second_stay_two(self, store: str) -> None:
        imported(got(signed(callstatus(r=1))), got(signed(callstatus(r=2))), got(signed(callstatus(r=1))))
        assert head(store) == 2

    def test_the_path_is_the_services_or_the_one_given(self, store: str) -> None:
        old = got(QUERY, path="/tringme/handler.php")
        assert imported(old).err.startswith("1 other requests skipped\n0 recorded")
        assert run(
            "import", "--format", "access-log", "-", stdin=old, TRINGLEDGER_NOTIFY_PATH="/tringme/handler.php"
        ).err.startswith("1 recorded")
        imported(got(signed(callstatus(r=2)), path="/x"), arguments=("--path", "/x"))
        assert head(store) == 2

    @pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
    def test_where_nothing_was_to_the_path_it_names_it_and_hints_at_the_option(
        self, arguments: tuple[str, ...]
    ) -> None:
        elsewhere = logged(b"GET /handler.php?f=x HTTP/1.1") + logged(b"POST /login HTTP/1.1")
        hint = "no notification to '/notify' found; if TringMe called another path, set --path\n"
        said = imported(elsewhere, arguments=arguments)
        assert (said.code, said.err.endswith(f" 0 unreadable\n{hint}")) == (DONE, True)
        for there in (got(QUERY), got(signed(callstatus(), "other")), logged(b"POST /notify HTTP/1.1")):
            assert hint not in imported(elsewhere, there, arguments=arguments).err
        assert hint not in imported(arguments=arguments).err

    def test_notices_to_other_paths_are_named_with_the_option_that_takes_them(self, store: str) -> None:
        lines = [got(signed(callstatus(r=r)), path="/tringme/notify") for r in range(3)]
        said = imported(got(QUERY), *lines, got(QUERY, path="/old notify"), logged(b"GET /?f=x HTTP/1.1"))
        assert said.code == DONE
        assert said.err.splitlines()[-2:] == [
            "3 requests with f=tm were to another path: if TringMe called it, import again with --path /tringme/notify",
            "1 requests with f=tm were to another path: if TringMe called it, import again with --path '/old notify'",
        ]
        assert "5 other requests skipped" in said.err
        imported(*lines, arguments=("--path", "*/notify"))
        assert head(store) == 3

    def test_empty_lines_are_passed_over_and_yet_numbered(self) -> None:
        said = imported(b"\n", got(QUERY), b" \r\n", b"x\n", b"\n")
        assert said.code == FINDING
        assert said.err.startswith("stdin, line 4 is unreadable: expected a line of an access log")
        assert said.err.endswith("\n1 recorded, 0 duplicate, 0 quarantined (0 new), 1 unreadable\n")

    def test_an_event_has_the_lines_time_and_names_the_file(self, store: str, tmp_path: Path) -> None:
        (tmp_path / "access.log").write_bytes(got(QUERY, "15/Oct/2026:14:00:00 +0200"))
        run("import", "--format", "access-log", str(tmp_path / "access.log"))
        with Ledger(store) as ledger:
            event = ledger.notice_at(1)
        assert (event.source, event.received_at) == ("import:access.log", AT_NOON)

    def test_wrong_signatures_are_quarantined_as_ever(self) -> None:
        said = imported(got(QUERY.replace(b"sales", b"other")), got(signed(priced_cdr(srccharge="free"))))
        assert (said.code, said.err) == (DONE, "0 recorded, 0 duplicate, 2 quarantined (2 new), 0 unreadable\n")

    def test_a_line_of_something_else_is_reported_by_number(self) -> None:
        said = imported(got(QUERY), b"2026/10/15 12:00:00 [error] 7#7: *1 open() failed\n")
        assert said.code == FINDING
        assert said.err.startswith("stdin, line 2 is unreadable: expected a line of an access log")

    def test_a_path_begins_with_a_stroke_and_is_for_this_format(self, log: Callable[..., str]) -> None:
        assert run("import", "--path", "/x", log()).code == USAGE
        assert run("import", "--format", "access-log", "--path", "handler.php", log()).code == USAGE


class TestALineOfAnAccessLog:
    @given(st.binary(max_size=60), st.sampled_from((nginx, apache)))
    def test_what_a_server_escapes_comes_back_byte_for_byte(
        self, text: bytes, escaped: Callable[[bytes], bytes]
    ) -> None:
        query = b"f=tm&tag=" + text
        assert only(logged(escaped(b"GET /notify?%s HTTP/1.1" % query))) == (AT_NOON, query)

    @given(st.binary(max_size=40))
    def test_whatever_it_says_nothing_breaks(self, text: bytes) -> None:
        for whole in (text, logged(text), logged(b"GET /notify?" + text), logged(b"GET " + text, user=text)):
            (item,) = items(whole)
            assert isinstance(item, ImportedRow | SkippedLine | UnreadableRow | MissedPath)

    @given(st.text("[]\"\\ :/ab'", max_size=30), st.sampled_from((nginx, apache)))
    def test_who_logged_in_cannot_pretend_another_time_or_request(
        self, name: str, escaped: Callable[[bytes], bytes]
    ) -> None:
        user = escaped(f'{name} [01/Jan/2001:00:00:00 +0000] "GET /notify?f=tm HTTP/1.1" '.encode())
        (item,) = items(logged(b"GET /notify?%s HTTP/1.1" % QUERY, user=user))
        assert isinstance(item, UnreadableRow) or (
            isinstance(item, ImportedRow) and (item.notification.received_at, item.notification.raw) == (AT_NOON, QUERY)
        )

    def test_nginx_which_escapes_every_quotation_mark_leaves_no_such_line_unread(self) -> None:
        user = nginx(b'x [01/Jan/2001:00:00:00 +0000] "GET /notify?f=tm HTTP/1.1" ')
        assert only(logged(b"GET /notify?%s HTTP/1.1" % QUERY, user=user)) == (AT_NOON, QUERY)

    @pytest.mark.parametrize(
        "request_line",
        [
            b"GET /notify?%s HTTP/1.0",
            b"GET /notify?%s HTTP/2.0",
            b"GET /notify?%s",
            b"GET http://calls.example.com/notify?%s HTTP/1.1",
            b"GET HTTPS://calls.example.com:8443/notify?%s HTTP/1.1",
            b"GET /%%6eotify?%s HTTP/1.1",
        ],
    )
    def test_a_request_may_be_written_in_several_ways(self, request_line: bytes) -> None:
        assert only(logged(request_line % QUERY)) == (AT_NOON, QUERY)

    @pytest.mark.parametrize(
        "target", [b"", b"*", b"/", b"http://calls.example.com", b"/Notify?f=tmx", b"/notifyx", b"/notify/x?f="]
    )
    def test_what_only_looks_like_the_path_is_passed_over(self, target: bytes) -> None:
        assert items(logged(b"GET %s HTTP/1.1" % target)) == [SkippedLine.ELSEWHERE]

    @pytest.mark.parametrize("target", [b"/Notify?f=tm", b"/x/notify?tag=1&f=tm", b"/notify/x?f=tm&r=1"])
    def test_a_notice_to_another_path_is_passed_over_by_its_path(self, target: bytes) -> None:
        assert items(logged(b"GET %s HTTP/1.1" % target)) == [MissedPath(target.partition(b"?")[0].decode())]

    @pytest.mark.parametrize("path", [b"/notify/", b"//notify", b"/%6Eotify/", b"///notify//", b"/notif%79"])
    def test_the_path_may_be_written_as_the_service_takes_it(self, path: bytes) -> None:
        assert only(logged(b"GET %s?%s HTTP/1.1" % (path, QUERY))) == (AT_NOON, QUERY)

    @pytest.mark.parametrize(
        ("given", "path", "is_taken"),
        [
            ("*/notify", b"/tringme/notify", True),
            ("*/notify", b"/a/b/notify/", True),
            ("*/notify", b"/notify", True),
            ("*/notify", b"/notify/more", False),
            ("/v*/notify", b"/v2/notify", True),
            ("/v*/notify", b"/x/v2/notify", False),
            ("/notify.php", b"/notifyxphp", False),
            ("/notify/", b"/notify", True),
        ],
    )
    def test_a_star_in_the_path_stands_for_any_text(self, given: str, path: bytes, *, is_taken: bool) -> None:
        (item,) = items(logged(b"GET %s?%s HTTP/1.1" % (path, QUERY)), path=given)
        assert isinstance(item, ImportedRow) == is_taken

    def test_spaces_that_a_careless_client_left_are_part_of_the_query(self) -> None:
        assert only(logged(b"GET /notify?f=tm&tag=a b HTTP/x HTTP/1.1"))[1] == b"f=tm&tag=a b HTTP/x"

    @pytest.mark.parametrize(
        "whole",
        [
            b'203.0.113.7 - - [%s] "GET /notify?%s HTTP/1.1" 200 17\n',
            b'calls.example.com:443 203.0.113.7 - - [%s] "GET /notify?%s HTTP/1.1" 200 17 "-" "x"\r\n',
            b'2001:db8::7 - - [%s] "GET /notify?%s HTTP/1.1" 502 0 "-" "x" "[x]" 0.004',
        ],
    )
    def test_common_lines_and_those_with_more_before_or_behind_are_read(self, whole: bytes) -> None:
        assert only(whole % (NOON.encode(), QUERY)) == (AT_NOON, QUERY)

    @pytest.mark.parametrize(
        ("time", "wanted"),
        [
            ("15/Oct/2026:14:00:00 +0200", "2026-10-15T12:00:00Z"),
            ("31/Dec/2026:20:30:59 -0330", "2027-01-01T00:00:59Z"),
            ("29/Feb/2028:00:00:00 +0000", "2028-02-29T00:00:00Z"),
        ],
    )
    def test_its_time_has_an_offset(self, time: str, wanted: str) -> None:
        assert only(got(QUERY, time))[0] == times.parse(wanted)

    @pytest.mark.parametrize(
        "time",
        [
            "30/Feb/2026:00:00:00 +0000",
            "15/Okt/2026:00:00:00 +0000",
            "15/Oct/2026:24:00:00 +0000",
            "15/Oct/2026:::::::: +0000",
            "15/Oct/2026:00:00:00 +9999",
            "15/Oct/0001:00:00:00 +0000",
            "15/Oct/2026:00:00:00",
        ],
    )
    def test_a_time_that_there_is_not_is_unreadable(self, time: str) -> None:
        (item,) = items(got(QUERY, time))
        assert isinstance(item, UnreadableRow)

    def test_a_request_without_a_notification_is_unreadable(self) -> None:
        for query in (b"", b"x=1", b"f=tm&" + b"x" * 20_000):
            (item,) = items(got(query))
            assert isinstance(item, UnreadableRow)
