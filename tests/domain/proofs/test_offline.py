"""Whoever has a proof, a public key and an event can verify it alone; anything changed is refused with what did not fit."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.proofs.checkpoint import sign_checkpoint, verify_checkpoint
from domain.proofs.cosignature import cosign
from domain.proofs.entry import TOPIC, encode_entry, hash_events, hash_leaf, parse_entry
from domain.proofs.keys import SigningKey
from domain.proofs.merkle import hash_perfect
from domain.proofs.notes import NoteSignature, parse_note
from domain.proofs.offline import Trust, verify_continuation, verify_event
from domain.proofs.proof_file import ProofFile, encode_hashes, parse_consistency_file, parse_proof_file
from domain.proofs.refusals import KeyRefused, ProofRefused
from domain.proofs.tile_set import VerifiedTiles, tiles_for
from domain.proofs.tiles import TileId
from tests.support.effort import examples
from tests.support.proof_trees import COSIGNED_AT, LOG, OTHER_WITNESS, TRUST, WITNESS, Tree, event, tree_of

TREE = tree_of(600)
PROOF = TREE.proof(300).encode()
CHECKPOINT = TREE.checkpoint()
ROOT = TREE.reader.root(600)


def replaced(raw: bytes, at: int, byte: int) -> bytes:
    return raw[:at] + bytes((byte,)) + raw[at + 1 :]


class TestAProofFile:
    def test_proves_its_event(self) -> None:
        proven = verify_event(PROOF, TRUST, event(300))
        assert proven.entry == parse_entry(encode_entry(*event(300)))
        assert proven.checkpoint.checkpoint == (LOG.name, 600, ROOT)
        assert proven.checkpoint.cosigned == ((WITNESS.name, COSIGNED_AT),)

    def test_proves_its_own_entry_where_no_event_is_at_hand(self) -> None:
        assert verify_event(PROOF, TRUST).entry.position == 300

    def test_without_an_entry_needs_the_event(self) -> None:
        raw = TREE.proof(300, extra=False).encode()
        assert verify_event(raw, TRUST, event(300)).entry.position == 300
        with pytest.raises(ProofRefused, match="carries no entry; expected the event"):
            verify_event(raw, TRUST)

    @examples(400)
    @given(st.integers(0, len(PROOF) - 1), st.integers(0, 255))
    def test_with_any_byte_changed_is_refused(self, at: int, byte: int) -> None:
        wrong = replaced(PROOF, at, byte)
        if wrong == PROOF:
            return
        for given_event in (None, event(300)):
            with pytest.raises(ProofRefused):
                verify_event(wrong, TRUST, given_event)

    @given(st.integers(0, len(PROOF) - 1), st.integers(1, 40))
    def test_with_bytes_missing_is_refused(self, at: int, count: int) -> None:
        with pytest.raises(ProofRefused):
            verify_event(PROOF[:at] + PROOF[at + count :], TRUST, event(300))

    @pytest.mark.parametrize("more", [b"\n", b" ", b"x", PROOF])
    def test_with_bytes_added_is_refused(self, more: bytes) -> None:
        with pytest.raises(ProofRefused):
            verify_event(PROOF + more, TRUST, event(300))
        with pytest.raises(ProofRefused):
            verify_event(more + PROOF, TRUST, event(300))

    @pytest.mark.parametrize(
        ("place", "value", "said"),
        [
            (0, 301, "position: got 301; expected 300"),
            (1, "f" * 32, "stream: got ffff"),
            (2, 99, "version: got 99; expected 43"),
            (3, "tringledger:call-voided", "topic: got tringledger:call-voided; expected tringledger:cdr-recorded"),
            (4, b"state 301", "digest: got"),
        ],
    )
    def test_names_what_differs_in_another_event(self, place: int, value: object, said: str) -> None:
        changed = list(event(300))
        changed[place] = value
        with pytest.raises(ProofRefused, match=said):
            verify_event(PROOF, TRUST, tuple(changed))  # type: ignore[arg-type]

    def test_without_an_entry_refuses_another_event_by_its_root(self) -> None:
        raw = TREE.proof(300, extra=False).encode()
        with pytest.raises(ProofRefused, match="the leaf of index 299 is not in the tree of size 600"):
            verify_event(raw, TRUST, event(300, b"forged"))
        with pytest.raises(ProofRefused, match="the event is at position 301; expected 300"):
            verify_event(raw, TRUST, event(301))

    def test_whose_entry_was_forged_is_refused_though_it_claims_the_same_place(self) -> None:
        forged = parse_proof_file(PROOF)._replace(extra=encode_entry(*event(300, b"forged")))
        for given_event in (None, event(300, b"forged")):
            with pytest.raises(ProofRefused, match="the leaf of index 299 is not in the tree"):
                verify_event(forged.encode(), TRUST, given_event)

    def test_with_a_stray_bit_in_base64_is_refused(self) -> None:
        # The last character of a hash carries two bits that no byte holds.
        line = encode_hashes([TREE.proof(300).hashes[0]])
        stray = line[:-3] + chr(ord(line[-3]) + 1) + line[-2:]
        with pytest.raises(ProofRefused, match="hash 1 of the proof is not base64"):
            verify_event(PROOF.replace(line.encode(), stray.encode()), TRUST, event(300))

    @pytest.mark.parametrize("index", ["-1", "+1", "01", "", "1e3", "٣", "9" * 20, " 1"])
    def test_has_one_way_to_write_its_index(self, index: str) -> None:
        with pytest.raises(ProofRefused):
            parse_proof_file(PROOF.replace(b"index 299", f"index {index}".encode()))

    def test_of_too_many_hashes_or_bytes_is_refused_before_it_is_worked_through(self) -> None:
        with pytest.raises(ProofRefused, match="has 65 hashes; expected at most 64"):
            parse_proof_file(ProofFile(0, (bytes(32),) * 65, CHECKPOINT).encode())
        with pytest.raises(ProofRefused, match="expected at most 262144"):
            parse_proof_file(bytes(300_000))


class TestACheckpoint:
    @examples(400)
    @given(st.integers(0, len(CHECKPOINT) - 1), st.integers(0, 255))
    def test_with_any_byte_changed_is_refused(self, at: int, byte: int) -> None:
        wrong = replaced(CHECKPOINT, at, byte)
        if wrong == CHECKPOINT:
            return
        with pytest.raises(ProofRefused):
            TRUST.verify(wrong)

    def test_of_another_log_is_refused_with_both_names(self) -> None:
        other = SigningKey("tringledger.example/other", LOG.seed)
        with pytest.raises(
            ProofRefused, match=r"is of the log 'tringledger\.example/other'; expected 'tringledger\.example"
        ):
            verify_checkpoint(sign_checkpoint(600, ROOT, other).encode(), LOG.verifier)

    def test_signed_by_another_key_of_the_same_name_is_refused_with_both_ids(self) -> None:
        impostor = SigningKey(LOG.name, bytes(32))
        with pytest.raises(ProofRefused, match=rf"{impostor.verifier.key_id.hex()}\); expected .*58f3a94d"):
            verify_checkpoint(sign_checkpoint(600, ROOT, impostor).encode(), LOG.verifier)

    def test_that_names_the_key_but_was_signed_by_another_is_refused(self) -> None:
        note = sign_checkpoint(600, ROOT, SigningKey(LOG.name, bytes(32)))
        lying = note._replace(signatures=(note.signatures[0]._replace(key_id=LOG.verifier.key_id),))
        with pytest.raises(ProofRefused, match="does not fit the note: its text or its signature was changed"):
            verify_checkpoint(lying.encode(), LOG.verifier)

    def test_with_two_signatures_of_one_key_is_refused(self) -> None:
        note = sign_checkpoint(600, ROOT, LOG)
        with pytest.raises(ProofRefused, match=r"2 signatures of tringledger\.example/test; expected one"):
            verify_checkpoint(note.add(note.signatures).encode(), LOG.verifier)

    def test_leaves_signatures_of_unknown_keys_alone(self) -> None:
        unknown = NoteSignature("someone.example", b"1234", bytes(2420))
        note = parse_note(CHECKPOINT).add([unknown])
        assert TRUST.verify(note.encode()).note == note

    @pytest.mark.parametrize("text", ["a\n1\n", "a\n1\nAAAA\n", "a\n1\nAAAA\nextension\n", "a\n01\nAAAA\n", "\n\n\n"])
    def test_is_three_lines_and_a_root(self, text: str) -> None:
        note = parse_note(CHECKPOINT)._replace(text=text)
        with pytest.raises(ProofRefused):
            TRUST.verify(note.encode())

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"text\n",
            b"text\n\n",
            b"text\n\nno mark\n",
            CHECKPOINT[:-1],
            CHECKPOINT + b"\r\n",
            b"\xff" + CHECKPOINT,
        ],
    )
    def test_that_is_not_a_signed_note_is_refused(self, raw: bytes) -> None:
        with pytest.raises(ProofRefused):
            parse_note(raw)

    def test_of_too_many_bytes_or_signatures_is_refused(self) -> None:
        with pytest.raises(ProofRefused, match="expected at most 65536"):
            parse_note(bytes(70_000))
        note = sign_checkpoint(1, ROOT, LOG)
        with pytest.raises(ProofRefused, match="65 signatures; expected at most 64"):
            parse_note(note.add(note.signatures * 64).encode())


class TestAQuorumOfWitnesses:
    BOTH = Trust(LOG.verifier, (WITNESS.verifier, OTHER_WITNESS.verifier), 2)

    def test_counts_the_witnesses_that_are_known(self) -> None:
        with pytest.raises(
            ProofRefused, match=r"cosigned by 1 of the given witnesses \(witness.example/w1\); expected at least 2"
        ):
            self.BOTH.verify(CHECKPOINT)
        note = parse_note(CHECKPOINT)
        both = note.add([cosign(note.text, OTHER_WITNESS, COSIGNED_AT + 1)])
        assert len(self.BOTH.verify(both.encode()).cosigned) == 2

    def test_is_not_reached_by_one_key_under_two_names(self) -> None:
        alias = WITNESS.named("witness.example/alias")
        note = parse_note(CHECKPOINT)
        twice = note.add([cosign(note.text, alias, COSIGNED_AT)])
        trust = Trust(LOG.verifier, (WITNESS.verifier, alias.verifier), 2)
        with pytest.raises(ProofRefused, match="cosigned by 1 of the given"):
            trust.verify(twice.encode())

    def test_is_not_reached_by_one_key_given_twice(self) -> None:
        with pytest.raises(ProofRefused, match="cosigned by 1 of the given"):
            Trust(LOG.verifier, (WITNESS.verifier, WITNESS.verifier), 2).verify(CHECKPOINT)

    def test_refuses_a_cosignature_of_another_checkpoint(self) -> None:
        earlier = parse_note(TREE.checkpoint(500))
        stolen = parse_note(CHECKPOINT)._replace(
            signatures=(parse_note(CHECKPOINT).signatures[0], earlier.signatures[1])
        )
        with pytest.raises(ProofRefused, match=r"cosignature of witness\.example/w1 does not fit the checkpoint"):
            TRUST.verify(stolen.encode())

    def test_is_not_needed_where_none_is_asked_for(self) -> None:
        assert Trust(LOG.verifier).verify(sign_checkpoint(600, ROOT, LOG).encode()).cosigned == ()

    def test_takes_no_cosignature_by_a_log_key(self) -> None:
        with pytest.raises(KeyRefused, match="is of kind 1; expected 4"):
            cosign("text\n", LOG, COSIGNED_AT)


class TestTwoCheckpoints:
    OLD = TREE.checkpoint(400)
    HASHES = tuple(TREE.reader.prove_consistency(400, 600))

    def test_of_one_log_continue_each_other(self) -> None:
        assert verify_continuation(self.OLD, CHECKPOINT, self.HASHES, TRUST).checkpoint.size == 600

    def test_of_two_histories_do_not(self) -> None:
        other = tree_of(399)
        other.append([event(400, b"forged"), *(event(position) for position in range(401, 601))])
        hashes = other.reader.prove_consistency(400, 600)
        with pytest.raises(ProofRefused, match="leads to the root"):
            verify_continuation(self.OLD, other.checkpoint(), hashes, TRUST)
        with pytest.raises(ProofRefused, match="leads to the root"):
            verify_continuation(self.OLD, CHECKPOINT, hashes, TRUST)

    def test_have_a_proof_that_a_file_keeps(self) -> None:
        raw = encode_hashes(self.HASHES).encode()
        assert parse_consistency_file(raw) == self.HASHES
        assert parse_consistency_file(b"") == ()
        for wrong in (raw[:-1], raw + b"\n", raw.replace(b"=", b""), b"\xff\n", b"\n"):
            with pytest.raises(ProofRefused):
                parse_consistency_file(wrong)


class TestASetOfTiles:
    def test_proves_the_leaves_it_was_chosen_for(self) -> None:
        chosen = {tile: TREE.published()[tile] for tile in tiles_for([299, 599], 600)}
        verified = VerifiedTiles(chosen, 600, ROOT)
        verified.check_leaves(299, hash_events([event(300)]))
        verified.check_leaves(598, hash_events([event(599), event(600)]))
        with pytest.raises(
            ProofRefused, match=r"the event at position 1 is not the one in the log.*its tile is missing"
        ):
            verified.check_leaves(0, hash_events([event(1)]))

    def test_refuses_a_forged_entry_whose_tile_was_made_to_match(self) -> None:
        # What Go's TileHashReader returned as proven (CVE-2026-56865): entry and leaf tile changed together.
        forged = event(300, b"forged")
        tiles = TREE.published()
        leaf_tile = TileId(0, 1, 256)
        place = (299 - 256) * 32
        hashes = tiles[leaf_tile]
        tiles[leaf_tile] = hashes[:place] + hash_leaf(encode_entry(*forged)) + hashes[place + 32 :]
        with pytest.raises(ProofRefused, match="tile/0/001 does not fit the tile above it"):
            VerifiedTiles(tiles, 600, ROOT)

    def test_refuses_a_forged_path_up_to_the_root(self) -> None:
        forged = Tree()
        forged.append([event(position, b"forged" if position == 300 else b"") for position in range(1, 601)])
        with pytest.raises(ProofRefused, match="the tiles at the edge of the tree of size 600 make the root"):
            VerifiedTiles(forged.published(), 600, ROOT)

    def test_refuses_a_forged_entry_at_the_edge(self) -> None:
        tiles = TREE.published()
        edge = TileId(0, 2, 88)
        tiles[edge] = tiles[edge][:-32] + hash_leaf(encode_entry(*event(600, b"forged")))
        with pytest.raises(ProofRefused, match="make the root"):
            VerifiedTiles(tiles, 600, ROOT)

    @examples(100)
    @given(st.data())
    def test_with_any_bit_changed_is_refused(self, data: st.DataObject) -> None:
        tiles = TREE.published()
        tile = data.draw(st.sampled_from(sorted(tiles)))
        at = data.draw(st.integers(0, len(tiles[tile]) - 1))
        tiles[tile] = replaced(tiles[tile], at, tiles[tile][at] ^ data.draw(st.integers(1, 255)))
        with pytest.raises(ProofRefused):
            VerifiedTiles(tiles, 600, ROOT)

    def test_is_refused_where_a_tile_above_is_missing(self) -> None:
        tiles = TREE.published()
        del tiles[TileId(1, 0, 2)]
        with pytest.raises(ProofRefused, match="tile 0 of level 1 has 0 hashes"):
            VerifiedTiles(tiles, 600, ROOT)

    @pytest.mark.parametrize("size", [1, 255, 256, 257, 512, 600])
    def test_holds_at_every_earlier_size(self, size: int) -> None:
        root = TREE.reader.root(size)
        tiles = {tile: TREE.published(size)[tile] for tile in tiles_for([0, size - 1], size)}
        VerifiedTiles(tiles, size, root).check_leaves(size - 1, hash_events([event(size)]))

    def test_of_another_width_is_refused(self) -> None:
        tiles = TREE.published()
        tiles[TileId(0, 0, 255)] = tiles.pop(TileId(0, 0, 256))[:-32]
        with pytest.raises(ProofRefused, match="expected a tile of 256 hashes in a tree of size 600"):
            VerifiedTiles(tiles, 600, ROOT)

    def test_of_two_levels_of_full_tiles_is_verified_level_by_level(self) -> None:
        # 256 full tiles of level 0 make one of level 1, which level 2 has the root of.
        tree = Tree()
        tree.append([event(position) for position in range(1, 65_537 + 300)])
        size = tree.size
        chosen = {tile: tree.published()[tile] for tile in tiles_for([1000, 65_600], size)}
        assert {(tile.level, tile.number) for tile in chosen} >= {(0, 3), (1, 0), (2, 0), (0, 256), (1, 1)}
        root = tree.reader.root(size)
        VerifiedTiles(chosen, size, root).check_leaves(1000, hash_events([event(1001)]))
        hashes = chosen[TileId(0, 3, 256)]
        changed = hash_leaf(encode_entry(*event(1001, b"forged"))).join((hashes[: 232 * 32], hashes[233 * 32 :]))
        above = chosen[TileId(1, 0, 256)]
        forged = chosen | {
            TileId(0, 3, 256): changed,
            TileId(1, 0, 256): above[: 3 * 32] + hash_perfect(changed) + above[4 * 32 :],
        }
        with pytest.raises(ProofRefused, match="tile/1/000 does not fit the tile above it"):
            VerifiedTiles(forged, size, root)


class TestAnEntry:
    def test_is_read_as_it_was_made(self) -> None:
        entry = parse_entry(encode_entry(7, "ab" * 16, 3, "tringledger:cdr-recorded", b"{}"))
        assert entry[:4] == (7, "ab" * 16, 3, "tringledger:cdr-recorded")

    @pytest.mark.parametrize(
        "entry",
        [
            b"",
            encode_entry(7, "ab" * 16, 3, "tringledger:cdr-recorded", b"{}") + b"\n",
            encode_entry(7, "AB" * 16, 3, "tringledger:cdr-recorded", b"{}"),
            encode_entry(0, "ab" * 16, 3, "tringledger:cdr-recorded", b"{}"),
            encode_entry(7, "ab" * 16, 3, "tringledger:x\ny", b"{}"),
            encode_entry(7, "ab" * 16, 3, "", b"{}"),
            encode_entry(7, "ab" * 16, 3, "tringledger:cdr-recorded", b"{}").replace(b"\n", b"\r\n"),
            encode_entry(7, "ab" * 16, 3, "tringledger:cdr-recorded", b"{}").replace(b"event/1", b"event/2"),
            b"\xff" + encode_entry(7, "ab" * 16, 3, "tringledger:cdr-recorded", b"{}"),
        ],
    )
    def test_of_any_other_form_is_refused(self, entry: bytes) -> None:
        with pytest.raises(ProofRefused, match="does not have the six lines of one"):
            parse_entry(entry)

    def test_fits_every_stored_topic(self) -> None:
        golden = Path(__file__).parents[2] / "golden"
        files = [*golden.glob("events-*.ndjson"), *golden.glob("operator-events-*.ndjson")]
        lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
        topics = {json.loads(line)["topic"] for line in lines}
        assert len(topics) >= 14
        assert [topic for topic in topics if not TOPIC.fullmatch(topic)] == []
