"""``tringledger import`` of files that are not what was said, and of access logs with JSON lines and of IIS."""

import json

import pytest

from domain import times
from domain.ledger import Ledger
from tests.support.access_logs import got, logged
from tests.support.command import Said, run
from tests.support.ledger_inspection import head
from tests.support.notices import callstatus, line, signed

DONE, FINDING, USAGE = 0, 1, 2
OTHER_KEY = "another key"
QUERY = signed(callstatus())
NDJSON = line(QUERY)
TABLE = "received_at,type,tag,sig\n2026-10-15 12:00:00,cdr,sales,0\n"
IIS = (
    "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2026-10-15 11:00:00\n"
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs(User-Agent) sc-status\n"
)
pytestmark = pytest.mark.usefixtures("store")

AT_NOON = times.parse("2026-10-15T12:00:00Z")


def imported(kind: str, text: str | bytes) -> Said:
    return run("import", "--format", kind, "-", stdin=text)


class TestAFileOfAnotherFormat:
    @pytest.mark.parametrize(
        ("kind", "text", "what"),
        [
            ("ndjson", TABLE, "this looks like CSV: `--format csv`"),
            ("ndjson", TABLE.replace(",", ";"), "this looks like CSV: `--format csv`"),
            ("ndjson", got(QUERY), "this looks like an access log: `--format access-log`"),
            ("ndjson", IIS, "this looks like an access log: `--format access-log`"),
            ("ndjson", f"[{NDJSON}]", "this looks like a JSON array; expected one JSON object a line"),
            ("ndjson", NDJSON.encode("utf-16"), "the file is UTF-16"),
            ("csv", NDJSON, "this looks like one JSON object a line: `--format ndjson`"),
            ("csv", got(QUERY), "this looks like an access log: `--format access-log`"),
            ("access-log", NDJSON, "this looks like one JSON object a line: `--format ndjson`"),
            ("access-log", TABLE, "this looks like CSV: `--format csv`"),
        ],
    )
    def test_is_named_with_its_option_and_nothing_is_recorded(
        self, kind: str, text: str | bytes, what: str, store: str
    ) -> None:
        said = imported(kind, text)
        assert (said.code, what in said.err, head(store)) == (USAGE, True, 0), said.err

    @pytest.mark.parametrize(
        "text", ["", "\n", "garbage\n", "12,5\n", '2026-10-01T00:00:00Z","query":"f=tm"}\n' + NDJSON]
    )
    def test_is_not_seen_in_garbage_or_in_the_rest_of_a_line_that_was_cut(self, text: str) -> None:
        assert imported("ndjson", text).code != USAGE


class TestLinesOfJson:
    def test_may_begin_with_a_mark_and_have_blank_lines_between_them(self, store: str) -> None:
        said = imported("ndjson", b"\xef\xbb\xbf" + f"\r\n{NDJSON}\n \n{line(signed(callstatus(r=2)))}".encode())
        assert (said.code, said.err) == (DONE, "2 recorded, 0 duplicate, 0 quarantined (0 new), 0 unreadable\n")
        assert head(store) == 2

    def test_with_wrong_signatures_alone_are_refused_with_a_hint(self, store: str) -> None:
        said = imported("ndjson", line(signed(callstatus(), OTHER_KEY)))
        assert (said.code, "no signature fits: the key or the formula is wrong" in said.err) == (FINDING, True)
        assert head(store) == 0


class TestAnAccessLogOfJson:
    @pytest.mark.parametrize(
        "members",
        [
            {"time_local": "15/Oct/2026:14:00:00 +0200", "request": f"GET /notify?{QUERY} HTTP/1.1", "status": 200},
            {"time": "2026-10-15T12:00:00+0000", "method": "GET", "uri": f"/notify?{QUERY}"},
            {"@timestamp": "2026-10-15T12:00:00Z", "request_method": "GET", "uri": "/notify", "args": QUERY},
            {"time": "2026-10-15T12:00:00Z", "method": "GET", "path": "/notify", "query_string": f"?{QUERY}"},
            {
                "ts": 1792065600.0000001,
                "request": {"method": "GET", "uri": f"/notify?{QUERY}"},
                "msg": "handled request",
            },
            {"StartUTC": "2026-10-15T12:00:00.000000001Z", "RequestMethod": "GET", "RequestPath": f"/notify?{QUERY}"},
            {"msec": 1792065600.0, "request": f"GET http://x.example.com/notify?{QUERY} HTTP/1.1"},
        ],
        ids=["nginx", "Apache", "time stamp", "path", "Caddy", "Traefik", "seconds"],
    )
    def test_is_taken_as_servers_write_it(self, members: dict[str, object], store: str) -> None:
        said = imported("access-log", json.dumps(members) + "\n" + json.dumps({**members, "request": "GET / HTTP/1.1"}))
        assert (said.code, said.err.splitlines()[-1]) == (
            DONE, "1 recorded, 0 duplicate, 0 quarantined (0 new), 0 unreadable",
        )  # fmt: skip
        with Ledger(store) as ledger:
            assert ledger.notice_at(1).received_at == AT_NOON

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (
                '{"time": "2026-10-15T12:00:00", "request": "GET /notify?f=tm HTTP/1.1"}',
                "expected a time with its offset",
            ),
            ('{"request": "GET /notify?f=tm HTTP/1.1"}', "time=''"),
            ('{"time": ', "expected a JSON object with the time and the request"),
        ],
    )
    def test_is_unreadable_where_a_line_lacks_something(self, text: str, why: str) -> None:
        said = imported("access-log", text)
        assert (said.code, why in said.err) == (FINDING, True), said.err


class TestAnAccessLogOfIis:
    def test_is_taken_with_its_times_in_utc_and_its_fields_in_any_order(self, store: str) -> None:
        said = imported(
            "access-log",
            f"{IIS}2026-10-15 12:00:00 10.0.0.1 GET /notify {QUERY} 443 TringMe/1.0 200\n"
            "2026-10-15 12:00:01 10.0.0.1 GET / - 443 x 200\n2026-10-15 12:00:02 10.0.0.1 POST /notify - 443 x 200\n"
            f"#Fields: cs-uri-query cs-uri-stem cs-method time date\n{signed(callstatus(r=2))} /notify GET 12:00:03 2026-10-15\n",
        )
        assert (said.code, said.err.splitlines()[1:]) == (
            FINDING,
            ["1 other requests skipped", "2 recorded, 0 duplicate, 0 quarantined (0 new), 1 unreadable"],
        )
        with Ledger(store) as ledger:
            assert [ledger.notice_at(position).received_at - AT_NOON for position in (1, 2)] == [0, 3_000_000]

    def test_is_unreadable_where_it_lacks_the_query_or_a_value(self) -> None:
        said = imported("access-log", "#Fields: date time cs-method cs-uri-stem\n2026-10-15 12:00:00 GET /notify\n")
        assert "the log lacks cs-uri-query" in said.err
        said = imported("access-log", IIS + "2026-10-15 12:00:00 GET\n")
        assert (said.code, "it has 3 values: expected 9" in said.err) == (FINDING, True)


def test_lines_of_both_kinds_may_stand_in_one_log(store: str) -> None:
    text = got(QUERY) + logged(b"GET / HTTP/1.1")
    text += json.dumps(
        {"time": "2026-10-15T12:00:00Z", "request": f"GET /notify?{signed(callstatus(r=2))} HTTP/1.1"}
    ).encode()
    assert (imported("access-log", text).code, head(store)) == (DONE, 2)
