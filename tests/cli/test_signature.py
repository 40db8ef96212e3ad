"""``tringledger signature identify``: how captured notifications are signed, told without ever telling the key."""

import hashlib
from pathlib import Path

import pytest

from tests.support.command import Said, run
from tests.support.notices import KEY, OTHER_KEY, callstatus, encoded, line, priced_cdr, signed
from tests.support.samples import SAMPLES

DONE, FINDING, USAGE = 0, 1, 2


class TestSignatureIdentify:
    @pytest.mark.parametrize("formula", ["md5-params", "md5-r-key", "md5-key-r", "hmac-sha256-params"])
    def test_it_names_the_formula_that_fits(self, formula: str) -> None:
        said = identified(signed(callstatus(tag="a b", p=""), formula=formula))
        assert (said.code, said.out) == (DONE, f"TRINGLEDGER_SIGNATURE={formula}\n")

    def test_it_reads_a_line_of_stdin(self) -> None:
        said = run("signature", "identify", stdin=signed(callstatus()) + "\n", TRINGME_PRIVATE_KEY=KEY)
        assert said.out == "TRINGLEDGER_SIGNATURE=md5-params\n"

    def test_it_takes_a_whole_address(self) -> None:
        assert identified("https://calls.example/notify?" + signed(callstatus())).code == DONE

    def test_a_question_mark_within_a_value_is_no_beginning_of_the_query(self) -> None:
        assert identified(signed(callstatus(tag="what?")).replace("%3F", "?")).code == DONE

    def test_any_of_several_keys_may_fit(self) -> None:
        assert identified(signed(callstatus(), OTHER_KEY), f"{KEY},{OTHER_KEY}").code == DONE

    def test_what_one_notification_does_not_tell_is_said(self) -> None:
        said = identified(signed(callstatus()))
        assert "these notifications do not decide between decoded and percent-encoded as delivered\n" in said.err
        assert "decoded" not in identified(signed(callstatus(tag="a b", p=""))).err

    def test_where_none_fits_it_is_a_finding_that_says_what_was_tried(self) -> None:
        said = identified(signed(callstatus(), "yet another"), f"{KEY},{OTHER_KEY}")
        assert (said.code, said.out) == (FINDING, "")
        assert said.err.startswith(
            "no formula fits, neither md5-params, md5-r-key, md5-key-r, hmac-sha256-params nor any other of "
        )
        assert "combinations, with 2 key(s):\n  digest: MD5; SHA-1; SHA-256\n" in said.err

    def test_a_way_that_no_setting_covers_is_described_and_is_a_finding(self) -> None:
        said = identified(signed_by_sha1(callstatus(tag="a b", src="")))
        assert (said.code, said.out) == (FINDING, "")
        assert said.err == (
            "they are signed with SHA-1 (in hexadecimal digits) of the values of all parameters but sig, decoded,"
            " in the order of delivery, joined with |, then the private key, for which there is no setting yet\n"
        )

    @pytest.mark.parametrize(
        "problem", ["f=tm&r=1", "f=tm&sig=1&sig=2", "f=tm&sig=zz", "{no json", '{"query": 1}', "{}"]
    )
    def test_what_carries_no_signature_is_a_finding(self, problem: str) -> None:
        said = identified(problem)
        assert (said.code, said.out) == (FINDING, "")
        assert said.err.startswith("line 1 is not a signed notification: ")
        assert said.err.count("\n") == 1

    @pytest.mark.parametrize("words", [(), ("--file", "/no/such/file"), ("--query", "x", "--file", "-")])
    def test_nothing_and_both_are_wrong_usage(self, words: tuple[str, ...]) -> None:
        said = run("signature", "identify", *words, TRINGME_PRIVATE_KEY=KEY)
        assert (said.code, said.out, KEY in said.err) == (USAGE, "", False)

    def test_without_a_key_it_is_wrong_usage(self) -> None:
        said = identified(signed(callstatus()), "")
        assert (said.code, "TRINGME_PRIVATE_KEY is not set" in said.err) == (USAGE, True)


class TestWithSeveralCaptured:
    def test_a_log_as_import_takes_it_is_taken(self) -> None:
        said = run("signature", "identify", "--file", str(SAMPLES / "traffic.ndjson"), TRINGME_PRIVATE_KEY=KEY)
        assert (said.code, said.out, said.err) == (DONE, "TRINGLEDGER_SIGNATURE=md5-params\n", "")

    def test_all_kinds_of_lines_are_taken_together_and_empty_ones_left_out(self, tmp_path: Path) -> None:
        lines = [
            signed(callstatus(r=1)),
            "",
            "https://x.example/notify?" + signed(callstatus(r=2)) + "\r",
            line(signed(callstatus(r=3))),
        ]
        (tmp_path / "captured.txt").write_text("\n".join(lines))
        said = run("signature", "identify", "--file", "captured.txt", TRINGME_PRIVATE_KEY=KEY)
        assert (said.code, said.out) == (DONE, "TRINGLEDGER_SIGNATURE=md5-params\n")

    def test_those_that_disagree_are_named_by_line(self) -> None:
        queries = [
            signed(callstatus(r=1)),
            signed(priced_cdr(r=2)),
            signed_by_sha1(callstatus(r=3, p="")),
            signed(callstatus(r=4), "forged"),
            "f=tm",
        ]
        said = identified("\n".join(queries), stdin=True)
        assert (said.code, said.out) == (FINDING, "")
        assert said.err.splitlines()[0].startswith("line 5 is not a signed notification: it has 0 sig")
        assert "TRINGLEDGER_SIGNATURE=md5-params: fits 2 of 5: line 1, 2\n" in said.err
        assert "joined with |, then the private key: fits 1 of 5: line 3\n" in said.err
        assert said.err.endswith("no formula fits 1 of 5: line 4\n")

    def test_a_single_one_without_signature_keeps_it_from_being_done(self) -> None:
        said = identified(signed(callstatus(r=1)) + "\nf=tm", stdin=True)
        assert (said.code, said.out) == (FINDING, "")

    def test_what_is_too_much_is_left_out_saying_so(self) -> None:
        said = identified("f=tm\n" * 1001, stdin=True)
        assert said.err.startswith("only the first 1000 notifications are read\n")
        assert said.err.count("is not a signed notification") == 1000

    def test_many_lines_are_counted_not_listed(self) -> None:
        said = identified(
            "\n".join([signed(callstatus(r=r)) for r in range(15)] + [signed(callstatus(), "forged")]), stdin=True
        )
        assert "fits 15 of 16: line 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 5 more\n" in said.err


def signed_by_sha1(pairs: list[tuple[str, str]]) -> str:
    """Sign in a way that no setting covers."""
    made = hashlib.sha1(("|".join([value for _, value in pairs]) + KEY).encode(), usedforsecurity=False)
    return encoded([*pairs, ("sig", made.hexdigest())])


def identified(query: str, key: str = KEY, *, stdin: bool = False) -> Said:
    """Identify, and see that whatever comes of it the key is nowhere in it."""
    words, given = ((), query) if stdin else (("--query", query), "")
    said = run("signature", "identify", *words, stdin=given, TRINGME_PRIVATE_KEY=key)
    assert not any(secret in said.out + said.err for secret in (KEY, OTHER_KEY))
    return said
