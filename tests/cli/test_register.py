"""``tringledger register``: the request that TringMe gets, and every way in which its answer can go wrong."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from urllib.parse import parse_qsl, urlsplit

import pytest

from api.application.http_get import ANSWER_MAX_BYTES
from tests.support.command import SECONDS_MAX, Said, run, spawn
from tests.support.http_stub import Remote, http, remote
from tests.support.notices import KEY, OTHER_KEY, signature
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
DONE, USAGE, UNAVAILABLE = 0, 2, 3
API_KEY = "public-api-key"
URL = "https://calls.example.com/notify"
MASKED = "?apikey=***&op=setnotifyurl&url=https%3A%2F%2Fcalls.example.com%2Fnotify&sig=***"


def register(*words: str, api: str = "http://127.0.0.1:9/api.php", **environment: str) -> Said:
    usual = {"TRINGME_API_URL": api, "TRINGME_API_KEY": API_KEY, "TRINGME_PRIVATE_KEY": KEY}
    said = run("register", *words, **usual | environment)
    assert not any(secret in text for secret in (KEY, OTHER_KEY, API_KEY) for text in (said.out, said.err))
    return said


def asked(api: Remote) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(api.target).query, keep_blank_values=True, strict_parsing=True)


def failed(said: Said, api: str, problem: str) -> bool:
    """Whether a command ended as one that found nobody, naming the masked request and the problem."""
    return said.code == UNAVAILABLE and said.err.endswith(f"tringledger: {api}{MASKED}: {problem}\n")


class TestWithATringMeThatAnswers:
    @pytest.fixture
    def api(self) -> Iterator[Remote]:
        with remote(http("200 OK", b"set")) as answering:
            yield answering

    def test_it_asks_for_setnotifyurl_signed_like_a_notification(self, api: Remote) -> None:
        assert register(URL, api=api.url).code == DONE
        *pairs, (last, sig) = asked(api)
        assert pairs == [("apikey", API_KEY), ("op", "setnotifyurl"), ("url", URL)]
        assert (last, sig) == ("sig", signature(pairs))
        assert urlsplit(api.target).path == "/api.php"
        assert api.heads[0].startswith(b"GET ")

    def test_the_answer_is_shown_byte_for_byte_and_the_status_beside_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        body = b"\xff\0set\r\n"
        with remote(http("200 Fine", body)) as api:
            for name, value in (("URL", api.url), ("KEY", API_KEY)):
                monkeypatch.setenv(f"TRINGME_API_{name}", value)
            monkeypatch.setenv("TRINGME_PRIVATE_KEY", KEY)
            out, err = spawn("register", URL, stdout=PIPE, stderr=PIPE).communicate(timeout=SECONDS_MAX)
        assert (out, err.splitlines()[-1]) == (body, b"200 Fine")

    def test_a_flag_is_passed_on(self, api: Remote) -> None:
        register(URL, "--flag", "a b", api=api.url)
        assert asked(api)[3] == ("flag", "a b")

    @pytest.mark.parametrize("formula", ["md5-r-key", "md5-key-r"])
    def test_a_formula_over_r_gets_a_new_r_each_time(self, api: Remote, formula: str) -> None:
        for _ in range(2):
            register(URL, api=api.url, TRINGME_API_SIGNATURE=formula)
        *pairs, (_, sig) = asked(api)
        assert sig == signature(pairs, formula=formula)
        assert len({head.split()[1] for head in api.heads}) == 2

    def test_the_first_of_several_keys_signs(self, api: Remote) -> None:
        register(URL, api=api.url, TRINGME_PRIVATE_KEY=f"{OTHER_KEY},{KEY}")
        *pairs, (_, sig) = asked(api)
        assert sig == signature(pairs, OTHER_KEY)

    def test_the_formula_of_the_notifications_is_another_setting(self, api: Remote) -> None:
        register(URL, api=api.url, TRINGLEDGER_SIGNATURE="off")
        assert asked(api)[-1][0] == "sig"

    def test_a_dry_run_asks_nothing_and_shows_the_request_masked(self, api: Remote) -> None:
        said = register(URL, "--dry-run", api=api.url)
        assert (said.code, said.out, api.heads) == (DONE, f"{api.url}{MASKED}\n", [])


class TestWithAnAnswerThatIsNone:
    def test_a_refused_connection(self) -> None:
        api = f"http://127.0.0.1:{free_port()}/api.php"
        assert failed(register(URL, api=api), api, "Connection refused")

    def test_silence(self) -> None:
        with remote(b"", drip=b"") as api:
            assert failed(register(URL, "--timeout", "0.3", api=api.url), api.url, "no complete answer within 0.3 s")

    def test_a_head_that_drips_without_end(self) -> None:
        with remote(b"HTTP/1.1 200 OK\r\n", drip=b"X: y\r\n") as api:
            assert failed(register(URL, "--timeout", "0.3", api=api.url), api.url, "no complete answer within 0.3 s")

    def test_a_body_that_drips_without_end_shows_what_came(self) -> None:
        with remote(b"HTTP/1.1 200 OK\r\n\r\n", drip=b"x") as api:
            said = register(URL, "--timeout", "0.3", api=api.url)
        assert failed(said, api.url, "no complete answer within 0.3 s")
        assert "200 OK\n" in said.err
        assert set(said.out) == {"x"}

    def test_a_body_that_pours_without_end_shows_its_beginning(self) -> None:
        with remote(b"HTTP/1.1 200 OK\r\n\r\n", drip=b"x" * 50_000) as api:
            said = register(URL, api=api.url)
        assert failed(said, api.url, f"the body is larger than {ANSWER_MAX_BYTES} bytes")
        assert len(said.out) == ANSWER_MAX_BYTES

    def test_a_body_that_breaks_off(self) -> None:
        with remote(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") as api:
            said = register(URL, api=api.url)
        assert said.out == "half"
        assert failed(said, api.url, "the answer broke off")

    @pytest.mark.parametrize(
        "answer",
        [b"\0\xff" * 50, b"SSH-2.0-hello\r\n", f"GET /api.php?apikey={API_KEY} HTTP/1.1\r\n\r\n".encode(), b""],
        ids=["bytes", "text", "echo", "nothing"],
    )
    def test_garbage_that_is_no_http(self, answer: bytes) -> None:
        with remote(answer) as api:
            said = register(URL, api=api.url)
        assert failed(said, api.url, "no HTTP answer came")
        assert said.out == ""

    def test_no_tls_where_https_was_meant(self) -> None:
        with remote(http("200 OK")) as api:
            said = register(URL, api=api.url.replace("http:", "https:"))
        assert (said.code, "SSL" in said.err) == (UNAVAILABLE, True)

    @pytest.mark.parametrize("status", ["500 Internal Server Error", "404 Not Found", "201 Created", "403 Forbidden"])
    def test_any_status_but_200_shows_the_body_all_the_same(self, status: str) -> None:
        with remote(http(status, b"why not")) as api:
            said = register(URL, api=api.url)
        assert failed(said, api.url, f"answered {status}, expected 200")
        assert said.out == "why not"

    def test_a_redirect_is_told_without_its_query_and_not_followed(self) -> None:
        with remote(http("302 Found", b"", f"Location: https://elsewhere.example/api.php?apikey={API_KEY}")) as api:
            said = register(URL, api=api.url)
            assert len(api.heads) == 1
        redirect = "a redirect to https://elsewhere.example/api.php, which is not followed"
        assert failed(said, api.url, f"answered 302 Found, {redirect}, expected 200")


class TestBeforeAnythingIsSent:
    def test_the_program_starts_without_the_client(self) -> None:
        code = "import sys, api.cli.main; sys.exit('httpx2' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=SECONDS_MAX, cwd=ROOT)

    @pytest.mark.parametrize(
        "url",
        [
            *("", "calls.example.com/notify", "ftp://calls.example.com", "http://", "http://[::1"),
            *("https://x.example:http/", "https://x.example/#part", "https://x.example/#", "https:///n"),
            *("https://x.example/a b", "https://x.example/\n"),
        ],
    )
    def test_what_is_no_address_is_wrong_usage(self, url: str) -> None:
        said = register(url, "--dry-run")
        assert (said.code, said.out) == (USAGE, "")
        assert "expected http:// or https:// with a host, and no fragment" in said.err

    @pytest.mark.parametrize("name", ["TRINGME_API_KEY", "TRINGME_PRIVATE_KEY"])
    def test_a_missing_key_is_wrong_usage(self, name: str) -> None:
        said = register(URL, "--dry-run", **{name: ""})
        assert (said.code, said.out) == (USAGE, "")
        assert said.err.startswith(f"tringledger: {name} is not set: expected ")

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "localhost", "10.1.2.3", "192.168.1.1:8000", "[::1]", "[fe80::1]", "intranet", "x.local"]
    )
    def test_an_address_that_tringme_cannot_reach_is_warned_of(self, host: str) -> None:
        said = register(f"https://{host}/notify", "--dry-run")
        assert said.code == DONE
        assert f"WARNING: https://{host}/notify is not a public URL: TringMe cannot reach it\n" in said.err

    def test_openness_is_warned_of_on_both_sides(self) -> None:
        said = register("http://calls.example.com/notify", "--dry-run", TRINGME_API_URL="")
        assert said.err.splitlines() == [
            "WARNING: http://calls.example.com/notify is not https: phone numbers, charges and signatures will be sent unencrypted",
            "WARNING: http://api.tringme.com/api.php is not https: the API key and the signature are sent unencrypted",
        ]

    @pytest.mark.parametrize("url", [URL, "https://93.184.216.34/notify", "https://[2606:2800::1]/n?a=b"])
    def test_a_public_address_under_https_is_not_warned_of(self, url: str) -> None:
        assert register(url, "--dry-run", api="https://api.tringme.com/api.php").err == ""
