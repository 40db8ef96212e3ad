"""The callback over the ASGI app, in process: what is recorded, what is a duplicate, and what goes into quarantine."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.service import Service
from domain import times
from tests.support import asgi_service as asgi
from tests.support.callback_requests import get, is_problem, post, quarantined
from tests.support.model import wire
from tests.support.notices import KEY, OTHER_KEY, callstatus, encoded, priced_cdr, signature, signed


class TestOnAnEmptyLedger:
    def test_an_authentic_notice_becomes_the_first_event(self, client: TestClient, service: Service) -> None:
        answer = get(client, signed(callstatus()))
        assert (answer.status_code, answer.json()) == (200, {"status": "recorded", "position": 1})
        assert [event.params for event in asgi.notices(service)] == [[*callstatus(), ("sig", signature(callstatus()))]]

    def test_the_event_says_when_whence_and_how_it_was_verified(self, client: TestClient, service: Service) -> None:
        get(client, signed(callstatus()))
        (event,) = asgi.notices(service)
        assert (event.received_at, event.source, event.formula) == (asgi.NOON, "callback", "md5-params")
        assert re.fullmatch("[0-9a-f]{8}", event.key)

    def test_a_post_means_the_same(self, client: TestClient, service: Service) -> None:
        answer = post(client, signed(callstatus()))
        assert (answer.status_code, answer.json()) == (200, {"status": "recorded", "position": 1})
        assert [event.params for event in asgi.notices(service)] == [[*callstatus(), ("sig", signature(callstatus()))]]

    def test_parameters_are_kept_verbatim_in_the_order_of_delivery(self, client: TestClient, service: Service) -> None:
        pairs = [("unheard-of", "a b+c&d=e%"), *callstatus(tag="Büro ☎", src="+1 (858) 555-0001"), ("_type_", "[/]")]
        get(client, signed(pairs))
        assert asgi.notices(service)[0].params[:-1] == pairs

    def test_the_signature_may_be_written_in_capitals(self, client: TestClient) -> None:
        answer = get(client, encoded([*callstatus(), ("sig", signature(callstatus()).upper())]))
        assert answer.status_code == 200

    def test_empty_numbers_are_absent_and_no_error(self, client: TestClient) -> None:
        assert get(client, signed(priced_cdr(srccharge="", destduration=""))).status_code == 200

    def test_the_delivery_key_is_that_of_the_letter_of_the_rule(self, client: TestClient, service: Service) -> None:
        pairs = callstatus(tag="a b&ü~/", p="é=1")
        get(client, signed(pairs))
        with closing(sqlite3.connect(service.ledger.path)) as connection:
            (key,) = connection.execute("SELECT delivery_key FROM delivery_keys").fetchone()
        assert key.hex() == wire.delivery_key([*pairs, ("sig", signature(pairs))])

    def test_types_that_nobody_knows_are_recorded(self, client: TestClient) -> None:
        assert get(client, signed(callstatus(type="hologram"))).json()["status"] == "recorded"
        assert get(client, signed(callstatus(type=None))).json()["status"] == "recorded"

    def test_received_at_is_when_the_callback_entered(
        self, client: TestClient, service: Service, clock: asgi.Clock
    ) -> None:
        get(client, signed(callstatus(r=1)))
        clock.at += 61_000_007
        get(client, signed(callstatus(r=2)))
        assert [times.iso(event.received_at) for event in asgi.notices(service)] == [
            "2026-10-15T12:00:00.000000Z",
            "2026-10-15T12:01:01.000007Z",
        ]

    def test_recorded_at_never_falls_even_where_the_clock_does(
        self, client: TestClient, service: Service, clock: asgi.Clock
    ) -> None:
        get(client, signed(callstatus(r=1)))
        clock.at -= 3_600_000_000
        get(client, signed(callstatus(r=2)))
        first, second = asgi.notices(service)
        assert (second.received_at, second.recorded_at) == (asgi.NOON - 3_600_000_000, first.recorded_at)


class TestWithOneNoticeRecorded:
    @pytest.fixture(autouse=True)
    def recorded(self, client: TestClient) -> None:
        get(client, signed(callstatus(r=0)))
        get(client, signed(callstatus(r=1)))

    @pytest.mark.parametrize("way", [get, post])
    def test_the_same_again_names_the_position_of_the_first(
        self, client: TestClient, service: Service, way: Any
    ) -> None:
        answer = way(client, signed(callstatus(r=1)))
        assert (answer.status_code, answer.json()) == (200, {"status": "duplicate", "position": 2})
        assert service.ledger.head() == 2

    def test_so_do_other_order_other_encoding_and_capitals_in_sig(self, client: TestClient) -> None:
        shuffled = [("sig", signature(callstatus(r=1)).upper()), *reversed(callstatus(r=1))]
        for query in (
            encoded(shuffled),
            encoded(shuffled).replace("sales", "%73ale%73"),
            "&&" + encoded(shuffled) + "&",
        ):
            assert get(client, query).json() == {"status": "duplicate", "position": 2}

    def test_a_parameter_split_between_query_and_body_is_the_same_notice(self, client: TestClient) -> None:
        query, _, body = signed(callstatus(r=1)).partition("&tag")
        assert post(client, "tag" + body, query=query).json() == {"status": "duplicate", "position": 2}

    def test_of_a_post_with_query_and_body_the_querys_parameters_come_first(
        self, client: TestClient, service: Service
    ) -> None:
        query, _, body = signed(callstatus(r=7, p="1")).partition("&tag")
        assert post(client, "tag" + body, query=query).json() == {"status": "recorded", "position": 3}
        pairs = callstatus(r=7, p="1")
        assert asgi.notices(service)[-1].params == [*pairs, ("sig", signature(pairs))]

    def test_another_value_another_name_or_one_more_parameter_is_another_notice(self, client: TestClient) -> None:
        for number, other in enumerate(
            (callstatus(r=1, tag="Acme"), callstatus(r=1, p=""), callstatus(r=1, R="1")), start=3
        ):
            assert get(client, signed(other)).json() == {"status": "recorded", "position": number}

    def test_it_stays_so_for_ever(self, client: TestClient, clock: asgi.Clock) -> None:
        clock.at += 5 * 366 * 86_400 * times.SECOND
        assert get(client, signed(callstatus(r=1))).json() == {"status": "duplicate", "position": 2}

    def test_a_forged_copy_changes_nothing(self, client: TestClient, service: Service) -> None:
        assert get(client, signed(callstatus(r=1), OTHER_KEY)).status_code == 403
        assert service.ledger.head() == 2


class TestABrokenValueFromTringMe:
    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("srcduration", "1e3", "a whole number of seconds"),
            ("destduration", "-1", "a whole number of seconds"),
            ("destduration", "1000000000", "a whole number of seconds"),
            ("srcduration", "٣", "a whole number of seconds"),
            ("srccharge", "1,5", "a decimal"),
            ("destcharge", "-0.5", "a decimal"),
            ("srcsipcharge", "1.", "a decimal"),
            ("destsipcharge", "1E9", "a decimal"),
            ("destcharge", "1\n", "a decimal"),
            ("tag", "x" * 257, "at most 256 characters"),
            ("src", "☎" * 257, "at most 256 characters"),
            ("note", "nul\0", "no character U+0000"),
        ],
    )
    def test_it_is_kept_aside_naming_parameter_value_and_expectation(
        self, client: TestClient, service: Service, name: str, value: str, expected: str
    ) -> None:
        query = signed(priced_cdr(**{name: value}))
        answer = get(client, query)
        assert is_problem(answer, 202, name, expected)
        assert answer.json()["parameter"] == name
        assert answer.json()["value"][:80] == value[:80]
        assert expected in answer.json()["expected"]
        (entry,) = quarantined(service)
        assert (entry.id, entry.authentic, entry.raw) == (answer.json()["entry"], True, query.encode())
        assert (name in entry.reason, service.ledger.head()) == (True, 0)

    @pytest.mark.parametrize(
        ("name", "value"), [("tag", "☎" * 256), ("srcduration", "999999999"), ("srccharge", "0.000001")]
    )
    def test_at_the_limit_it_is_recorded(self, client: TestClient, name: str, value: str) -> None:
        assert get(client, signed(priced_cdr(**{name: value}))).status_code == 200

    def test_bytes_that_are_no_utf8_are_shown_in_hexadecimal(self, client: TestClient, service: Service) -> None:
        query = signed(callstatus(tag="caf\udce9"))
        assert "tag=caf%E9" in query
        answer = get(client, query)
        assert is_problem(answer, 202, "tag", "valid UTF-8")
        assert answer.json()["value"] == "caf\\xe9"
        assert quarantined(service)[0].raw == query.encode()

    def test_bytes_that_are_no_utf8_in_a_name_are_kept_aside_too(self, client: TestClient, service: Service) -> None:
        query = signed([*callstatus(), ("caf\udce9", "1")])
        answer = get(client, query)
        assert is_problem(answer, 202, "valid UTF-8")
        assert quarantined(service)[0].raw == query.encode()

    def test_so_are_raw_bytes_in_a_body(self, client: TestClient, service: Service) -> None:
        body = signed(callstatus(tag="caf\udce9")).encode().replace(b"%E9", b"\xe9")
        assert is_problem(post(client, body), 202, "valid UTF-8")
        assert quarantined(service)[0].raw == body

    def test_a_name_given_twice_is_a_broken_value_even_where_both_agree(self, client: TestClient) -> None:
        answer = get(client, signed([*callstatus(), ("tag", "sales")]))
        assert is_problem(answer, 202, "tag", "once")
        assert answer.json()["parameter"] == "tag"

    def test_so_is_f_given_twice_where_one_is_tm(self, client: TestClient) -> None:
        assert is_problem(get(client, signed([("f", "xx"), *callstatus()])), 202, "f", "once")

    def test_the_same_again_is_the_same_entry_counted(
        self, client: TestClient, service: Service, clock: asgi.Clock
    ) -> None:
        first = get(client, signed(priced_cdr(srccharge="free")))
        clock.at += 60 * times.SECOND
        again = get(client, signed(priced_cdr(srccharge="free")))
        assert first.json() == again.json()
        (entry,) = quarantined(service)
        assert (entry.times, entry.received_at, entry.last_received_at) == (2, asgi.NOON, clock.at)


class TestAWrongSignature:
    @pytest.mark.parametrize(
        "query",
        [
            signed(callstatus(), OTHER_KEY),
            encoded(callstatus()),
            encoded([*callstatus(), ("sig", "")]),
            encoded([*callstatus(), ("sig", signature(callstatus())), ("sig", signature(callstatus()))]),
            encoded([*callstatus(), ("sig", signature(callstatus()) + " ")]),
            encoded([*callstatus(), ("sig", "é" * 32)]),
            signed(callstatus()).replace("sales", "acm"),
            signed(callstatus(tag="caf\udce9"), OTHER_KEY),
            signed([*callstatus(), ("caf\udce9", "1")], OTHER_KEY),
        ],
        ids=["key", "missing", "empty", "twice", "blank", "no-ascii", "tampered", "no-utf8", "no-utf8-name"],
    )
    def test_it_is_refused_and_kept(self, client: TestClient, service: Service, query: str) -> None:
        answer = get(client, query)
        assert is_problem(answer, 403, "signature")
        assert (answer.json()["parameter"], bool(answer.json()["expected"])) == ("sig", True)
        (entry,) = quarantined(service)
        assert (entry.authentic, entry.raw, service.ledger.head()) == (False, query.encode(), 0)

    def test_the_answer_gives_no_valid_signature_away(self, client: TestClient) -> None:
        assert signature(callstatus()) not in get(client, signed(callstatus(), OTHER_KEY)).text

    def test_with_two_keys_either_is_taken(self, tmp_path: Path) -> None:
        service = asgi.service_at(tmp_path, TRINGME_PRIVATE_KEY=f"{KEY},{OTHER_KEY}")
        with asgi.running(service) as client:
            assert get(client, signed(callstatus(r=1), KEY)).status_code == 200
            assert get(client, signed(callstatus(r=2), OTHER_KEY)).status_code == 200
            assert get(client, signed(callstatus(r=3), "a third")).status_code == 403
            first, second = asgi.notices(service)
            assert first.key != second.key

    @pytest.mark.parametrize("formula", ["md5-params", "md5-r-key", "md5-key-r", "hmac-sha256-params"])
    def test_each_formula_takes_its_own_signatures_alone(self, tmp_path: Path, formula: str) -> None:
        with asgi.running(asgi.service_at(tmp_path, TRINGLEDGER_SIGNATURE=formula)) as client:
            for number, other in enumerate(("md5-params", "md5-r-key", "md5-key-r", "hmac-sha256-params")):
                expected = 200 if other == formula else 403
                assert get(client, signed(callstatus(r=number), formula=other)).status_code == expected

    def test_signatures_may_be_off(self, tmp_path: Path) -> None:
        service = asgi.service_at(tmp_path, TRINGLEDGER_SIGNATURE="off", TRINGME_PRIVATE_KEY="")
        with asgi.running(service) as client:
            assert get(client, encoded(callstatus())).status_code == 200
            assert client.get("/health").json()["signature"] == "off"
            assert asgi.notices(service)[0].formula == "off"


class TestAFullQuarantine:
    @pytest.fixture
    def service(self, tmp_path: Path) -> Service:
        return asgi.service_at(tmp_path, TRINGLEDGER_QUARANTINE_MAX="2")

    @pytest.fixture(autouse=True)
    def full(self, client: TestClient) -> None:
        for number in (1, 2):
            assert get(client, signed(callstatus(r=number), OTHER_KEY)).status_code == 403

    def test_it_drops_nothing_as_long_as_no_signature_has_ever_fitted(
        self, client: TestClient, service: Service
    ) -> None:
        answer = get(client, signed(callstatus(r=3), OTHER_KEY))
        assert is_problem(answer, 503, "no signature has ever fitted")
        assert int(answer.headers["retry-after"]) > 0
        assert [entry.id for entry in quarantined(service)] == [1, 2]

    def test_what_it_holds_already_is_counted_and_refused_as_before(self, client: TestClient, service: Service) -> None:
        assert get(client, signed(callstatus(r=2), OTHER_KEY)).status_code == 403
        assert [entry.times for entry in quarantined(service)] == [1, 2]

    def test_once_a_signature_has_fitted_the_oldest_go(self, client: TestClient, service: Service) -> None:
        assert get(client, signed(callstatus(r=4))).status_code == 200
        assert get(client, signed(callstatus(r=3), OTHER_KEY)).status_code == 403
        assert [entry.id for entry in quarantined(service)] == [2, 3]

    def test_a_broken_but_authentic_value_is_a_signature_that_fitted(
        self, client: TestClient, service: Service
    ) -> None:
        assert get(client, signed(priced_cdr(srccharge="free"))).status_code == 202
        assert get(client, signed(callstatus(r=3), OTHER_KEY)).status_code == 403
        assert [entry.authentic for entry in quarantined(service)] == [False, True, False]

    def test_authentic_notices_are_never_dropped(self, client: TestClient, service: Service) -> None:
        for number in range(5):
            assert get(client, signed(priced_cdr(r=number, srccharge="free"))).status_code == 202
        for number in range(10, 15):
            assert get(client, signed(callstatus(r=number), OTHER_KEY)).status_code == 403
        assert sum(entry.authentic for entry in quarantined(service)) == 5

    def test_it_is_remembered_after_a_restart(self, tmp_path: Path, client: TestClient) -> None:
        get(client, signed(callstatus(r=4)))
        other = asgi.service_at(tmp_path, TRINGLEDGER_QUARANTINE_MAX="2")
        with asgi.running(other) as restarted:
            assert get(restarted, signed(callstatus(r=3), OTHER_KEY)).status_code == 403
