"""Keys are read strictly, keep their secret, and their files are the owner's alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.proofs.keys import COSIGNATURE, NOTE, SigningKey, VerifierKey, read_key_file, write_key_file
from domain.proofs.refusals import KeyRefused
from tests.support.proof_trees import LOG, WITNESS

VKEY = LOG.verifier.text


def test_a_new_key_signs_what_its_public_half_verifies() -> None:
    key = SigningKey.generate("tringledger/abc")
    signature = key.sign(b"text")
    verifier = VerifierKey.parse(key.verifier.text)
    assert verifier.verifies(b"text", signature)
    assert not verifier.verifies(b"texts", signature)
    assert not LOG.verifier.verifies(b"text", signature)
    assert SigningKey.parse(key.text) == key


def test_two_new_keys_differ() -> None:
    assert SigningKey.generate("a").seed != SigningKey.generate("a").seed


@given(st.integers(0, len(VKEY) - 1), st.characters(codec="utf-8"))
def test_a_public_key_with_any_character_changed_is_refused(at: int, char: str) -> None:
    wrong = VKEY[:at] + char + VKEY[at + 1 :]
    if wrong == VKEY:
        return
    with pytest.raises(KeyRefused):
        VerifierKey.parse(wrong)


def test_a_changed_public_key_says_which_id_was_expected() -> None:
    with pytest.raises(KeyRefused, match=r"has the id 58f3a94e; expected 58f3a94d"):
        VerifierKey.parse(VKEY.replace("58f3a94d", "58f3a94e"))


def test_a_witness_key_is_not_taken_for_a_log_key() -> None:
    assert VerifierKey.parse(WITNESS.verifier.text, COSIGNATURE).kind == COSIGNATURE
    with pytest.raises(KeyRefused, match="of kind 4; expected 1"):
        VerifierKey.parse(WITNESS.verifier.text)
    with pytest.raises(KeyRefused, match="of kind 1; expected 4"):
        VerifierKey.parse(VKEY, COSIGNATURE)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb", "a\u2003", "a\x7f"])
def test_a_name_that_would_break_a_note_is_refused(name: str) -> None:
    with pytest.raises(KeyRefused, match="cannot name a key"):
        SigningKey.generate(name)
    with pytest.raises(KeyRefused, match="cannot name a key"):
        LOG.named(name)


def test_a_key_under_another_name_has_another_id_and_the_same_secret() -> None:
    forked = LOG.named("tringledger.example/test/2")
    assert forked.seed == LOG.seed
    assert forked.verifier.key_id != LOG.verifier.key_id


def test_a_secret_is_shown_by_no_message_and_no_repr() -> None:
    secret = LOG.text.rpartition("+")[2]
    assert secret not in repr(LOG)
    assert str(LOG.seed) not in repr(LOG)
    for wrong in (LOG.text[:-4], LOG.text.replace("58f3a94d", "00000000"), LOG.text.removeprefix("PRIVATE+")):
        with pytest.raises(KeyRefused) as refused:
            SigningKey.parse(wrong)
        assert secret[:20] not in str(refused.value)


class TestAKeyFile:
    def test_is_readable_by_its_owner_alone_and_gives_back_the_key(self, tmp_path: Path) -> None:
        path = tmp_path / "log.key"
        write_key_file(path, LOG)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_text() == LOG.text + "\n"
        assert read_key_file(path) == LOG

    def test_is_never_overwritten(self, tmp_path: Path) -> None:
        path = tmp_path / "log.key"
        path.write_text("precious")
        with pytest.raises(KeyRefused, match="File exists; expected a path where nothing is yet"):
            write_key_file(path, LOG)
        assert path.read_text() == "precious"

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601, 0o666])
    def test_that_others_can_reach_is_refused_with_the_cure(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "log.key"
        write_key_file(path, LOG)
        path.chmod(mode)
        with pytest.raises(KeyRefused, match=f"has mode {mode:04o}; expected 0600.*chmod 600 {path}"):
            read_key_file(path)

    @pytest.mark.parametrize("mode", [0o600, 0o400])
    def test_of_the_owner_alone_is_read(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "log.key"
        write_key_file(path, LOG)
        path.chmod(mode)
        assert read_key_file(path) == LOG

    @pytest.mark.parametrize(
        "content", [b"", b"\xff", VKEY.encode(), LOG.text.encode()[:-1], LOG.text.encode() + b"\n\n"]
    )
    def test_that_holds_no_key_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "log.key"
        path.touch(0o600)
        path.write_bytes(content)
        with pytest.raises(KeyRefused, match=f"the log's key {path} cannot be used"):
            read_key_file(path)

    def test_that_is_missing_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(KeyRefused, match=r"nothing\.key cannot be read: No such file"):
            read_key_file(tmp_path / "nothing.key")


def test_a_private_key_of_a_witness_is_not_taken_for_a_log_key() -> None:
    assert SigningKey.parse(WITNESS.text, COSIGNATURE) == WITNESS
    with pytest.raises(KeyRefused, match="has kind 4"):
        SigningKey.parse(WITNESS.text, NOTE)
