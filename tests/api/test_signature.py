"""``tringledger signature identify``: which formula fits a captured notification."""

import pytest

from tests.api.command import Said, run
from tests.api.tringme import KEY, OTHER_KEY, notice, signed

DONE, FINDING, USAGE = 0, 1, 2


class TestSignatureIdentify:
    @pytest.mark.parametrize("formula", ["md5-params", "md5-r-key", "md5-key-r", "hmac-sha256-params"])
    def test_it_names_the_formula_that_fits(self, formula: str) -> None:
        said = identified(signed(notice(), formula=formula))
        assert (said.code, said.out, said.err) == (DONE, f"TRINGLEDGER_SIGNATURE={formula}\n", "")

    def test_it_reads_a_line_of_stdin(self) -> None:
        said = run("signature", "identify", stdin=signed(notice()) + "\n", TRINGME_PRIVATE_KEY=KEY)
        assert said.out == "TRINGLEDGER_SIGNATURE=md5-params\n"

    def test_it_takes_a_whole_address(self) -> None:
        assert identified("https://calls.example/notify?" + signed(notice())).code == DONE

    def test_a_question_mark_within_a_value_is_no_beginning_of_the_query(self) -> None:
        assert identified(signed(notice(tag="what?")).replace("%3F", "?")).code == DONE

    def test_any_of_several_keys_may_fit(self) -> None:
        assert identified(signed(notice(), OTHER_KEY), f"{KEY},{OTHER_KEY}").code == DONE

    def test_where_none_fits_it_is_a_finding_and_the_key_stays_secret(self) -> None:
        said = identified(signed(notice(), "yet another"))
        assert (said.code, said.out, KEY in said.err) == (FINDING, "", False)
        assert "none fits; tried md5-params, md5-r-key, md5-key-r, hmac-sha256-params" in said.err

    def test_without_a_key_it_is_wrong_usage(self) -> None:
        said = identified(signed(notice()), "")
        assert (said.code, "TRINGME_PRIVATE_KEY is not set" in said.err) == (USAGE, True)


def identified(query: str, key: str = KEY) -> Said:
    return run("signature", "identify", "--query", query, TRINGME_PRIVATE_KEY=key)
