"""``tringledger trigger``: what it sends, what a running service makes of it, and what its answers mean."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from domain.notices import statuses
from domain.notices.signature import FORMULAS
from tests.support.command import Said, Server, run, serving
from tests.support.http_stub import http, remote
from tests.support.notices import KEY, OTHER_KEY, signature
from tests.support.ports import free_port

pytestmark = pytest.mark.only_on("sqlite")  # Nothing here depends on the store.

DONE, FINDING, USAGE, UNAVAILABLE = 0, 1, 2, 3


def trigger(*words: str, to: str = "", **environment: str) -> Said:
    where = ("--to", to) if to else ()
    said = run("trigger", *words, *where, **{"TRINGME_PRIVATE_KEY": KEY} | environment)
    assert KEY not in said.out + said.err
    return said


def made(*words: str, **environment: str) -> list[tuple[str, str]]:
    """Return the parameters that a dry run shows."""
    said = trigger(*words, "--dry-run", **environment)
    assert said.code == DONE
    return parse_qsl(urlsplit(said.out.strip()).query, keep_blank_values=True, strict_parsing=True)


class TestWhatItSends:
    @pytest.mark.parametrize("status", sorted(statuses.KNOWN))
    def test_a_status_is_a_call_status(self, status: str) -> None:
        sent = dict(made(status))
        assert (sent["f"], sent["type"], sent["status"], sent["tag"]) == ("tm", "callstatus", status, "trigger")
        assert (sent["src"], "p" in sent) == ("12025550123", status in statuses.INPUTS)

    def test_a_cdr_has_durations_and_charges_and_no_status(self) -> None:
        sent = dict(made("cdr"))
        assert (sent["type"], "status" in sent) == ("cdr", False)
        assert (sent["srcduration"], sent["destduration"], sent["srccharge"], sent["destcharge"]) == (
            "65",
            "60",
            "1.3",
            "2.4",
        )

    def test_system_notices_have_the_systems_tag(self) -> None:
        voicemail, expiry = dict(made("voicemail")), dict(made("deletechannel"))
        assert (voicemail["type"], voicemail["tag"], voicemail["email"]) == ("voicemail", "TRINGME", "user@example.com")
        assert (expiry["type"], expiry["tag"]) == ("deletechannel", "TRINGME")
        assert "status" not in voicemail | expiry

    def test_what_is_given_goes_before_what_is_usual(self) -> None:
        sent = dict(
            made("cdr", "--tag", "a b", "--src", "1", "--set", "srccharge=", "--set", "colour=x=y", "--set", "r=7")
        )
        assert (sent["tag"], sent["src"], sent["srccharge"], sent["colour"], sent["r"]) == ("a b", "1", "", "x=y", "7")
        assert sent["destcharge"] == "2.4"

    def test_a_type_of_its_own_may_carry_a_status(self) -> None:
        sent = dict(made("COMPLETED", "--type", "cdr"))
        assert (sent["type"], sent["status"], sent["srcduration"]) == ("cdr", "COMPLETED", "65")
        assert dict(made("SRCANSWERED", "--type", ""))["type"] == ""

    @pytest.mark.parametrize("formula", FORMULAS)
    def test_it_signs_as_the_service_expects_with_the_first_key(self, formula: str) -> None:
        *pairs, sig = made("cdr", TRINGLEDGER_SIGNATURE=formula, TRINGME_PRIVATE_KEY=f"{OTHER_KEY},{KEY}")
        assert sig == ("sig", signature(pairs, OTHER_KEY, formula))

    def test_a_signature_that_is_given_is_left_alone(self) -> None:
        assert [pair for pair in made("cdr", "--set", "sig=wrong") if pair[0] == "sig"] == [("sig", "wrong")]

    def test_without_signatures_it_needs_no_key(self) -> None:
        assert "sig" not in dict(made("cdr", TRINGLEDGER_SIGNATURE="off", TRINGME_PRIVATE_KEY=""))

    def test_two_of_them_are_not_the_same(self) -> None:
        assert made("cdr") != made("cdr")

    def test_an_unknown_status_is_sent_with_a_warning(self) -> None:
        said = trigger("completed", "--dry-run")
        assert (said.code, "status=completed&" in said.out) == (DONE, True)
        assert said.err.startswith(
            "WARNING: TringMe does not document the status 'completed'; the ledger keeps and flags it"
        )
        assert "COMPLETED" in said.err
        assert trigger("COMPLETED", "--dry-run").err == ""

    def test_it_goes_to_the_notify_path_of_this_machine_or_to_where_it_is_told(self) -> None:
        assert trigger("cdr", "--dry-run").out.startswith("http://127.0.0.1:8000/notify?f=tm&")
        assert trigger("cdr", "--dry-run", TRINGLEDGER_NOTIFY_PATH="/in").out.startswith(
            "http://127.0.0.1:8000/in?f=tm&"
        )
        assert trigger("cdr", "--dry-run", to="https://x.example/n?a=1").out.startswith("https://x.example/n?a=1&f=tm&")

    @pytest.mark.parametrize(
        "words", [(), ("cdr", "--set", "x"), ("cdr", "--set", "=x"), ("cdr", "--to", "x"), ("a", "b")]
    )
    def test_wrong_usage(self, words: tuple[str, ...]) -> None:
        said = trigger(*words)
        assert (said.code, said.out) == (USAGE, "")


class TestWithARunningService:
    @pytest.fixture
    def server(self, store: str, tmp_path: Path) -> Iterator[Server]:
        assert store
        with serving(tmp_path) as running:
            yield running

    def test_its_answers_come_out_and_the_ledger_has_the_call(self, server: Server) -> None:
        to = f"http://127.0.0.1:{server.port}/notify"
        for position, status in enumerate(("SRCANSWERED", "COMPLETED", "cdr"), start=1):
            said = trigger(status, to=to)
            assert (said.code, said.json(), said.err) == (
                DONE,
                {"status": "recorded", "position": position},
                "200 OK\n",
            )
        repeated = ("--set", "r=1")
        trigger("SRCANSWERED", *repeated, to=to)
        assert trigger("SRCANSWERED", *repeated, to=to).json() == {"status": "duplicate", "position": 4}
        for words, code in ((("cdr", "--set", "srccharge=x"), 202), (("cdr", "--set", "sig=x"), 403)):
            said = trigger(*words, to=to)
            assert (said.code, said.json()["status"]) == (FINDING, code)
        assert trigger("cdr", "--set", "f=x", to=to).code == FINDING
        history = run(
            "history", "--tag", "trigger", "--src", "12025550123", "--ordinal", "1", "--format", "json"
        ).json()
        assert (history["cdr"]["cost"], history["cdr"]["disposition"]) == ("3.7", "ANSWERED")


class TestWithNoneThatTakesIt:
    @pytest.mark.parametrize("status", ["503 Service Unavailable", "500 Internal Server Error", "302 Found"])
    def test_what_is_no_answer_of_a_service_is_unavailable(self, status: str) -> None:
        with remote(http(status, b"later")) as service:
            said = trigger("cdr", to=service.url)
        assert (said.code, said.out) == (UNAVAILABLE, "later")
        assert said.err == f"{status}\ntringledger: {service.url}: answered {status}\n"

    def test_nobody_there_is_unavailable(self) -> None:
        to = f"http://127.0.0.1:{free_port()}/notify"
        said = trigger("cdr", to=to)
        assert (said.code, said.out, said.err) == (UNAVAILABLE, "", f"tringledger: {to}: Connection refused\n")

    def test_an_answer_that_does_not_come_is_unavailable(self) -> None:
        with remote(b"", drip=b"") as service:
            said = trigger("cdr", "--timeout", "0.2", to=service.url)
        assert (said.code, said.err) == (UNAVAILABLE, f"tringledger: {service.url}: no complete answer within 0.2 s\n")
