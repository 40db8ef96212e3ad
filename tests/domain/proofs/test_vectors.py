"""The published test vectors of proofs hold, byte by byte (tests/golden/proofs.json).

Go's sumdb, node's crypto and openssl accept the same bytes.
"""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from domain.proofs.base64_hashes import encode_base64
from domain.proofs.checkpoint import sign_checkpoint, verify_checkpoint
from domain.proofs.cosignature import cosign
from domain.proofs.entry import encode_entry, hash_events, hash_leaf
from domain.proofs.keys import COSIGNATURE, SigningKey, VerifierKey
from domain.proofs.merkle import verify_consistency, verify_inclusion
from domain.proofs.notes import parse_note
from domain.proofs.offline import Trust, verify_event
from domain.proofs.proof_file import encode_witness_request, parse_proof_file, parse_witness_request
from domain.proofs.tiles import decode_bundle, encode_bundle, parse_path, tiles_of
from tests.support.proof_trees import Tree

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "golden/proofs.json").read_text(encoding="utf-8"))
LEAVES = VECTORS["leaves"]
EVENTS = [(leaf["position"], leaf["stream"], leaf["version"], leaf["topic"], leaf["state"].encode()) for leaf in LEAVES]
ROOTS = {tree["size"]: b64decode(tree["root"]) for tree in VECTORS["trees"]}
KEY = SigningKey.parse(VECTORS["skey"])
COSIGNATURE_VECTOR = VECTORS["cosignature"]
WITNESS = SigningKey("witness.example/w1", bytes.fromhex(COSIGNATURE_VECTOR["seed_hex"]), COSIGNATURE)


@pytest.fixture(scope="module")
def tree() -> Tree:
    tree = Tree()
    tree.append(EVENTS)
    return tree


def hashes(texts: list[str]) -> list[bytes]:
    return [b64decode(text) for text in texts]


@pytest.mark.parametrize(("leaf", "event"), list(zip(LEAVES, EVENTS, strict=True)))
def test_an_event_has_the_entry_and_leaf_hash_of_the_vectors(leaf: dict[str, Any], event: Any) -> None:
    assert encode_entry(*event) == leaf["entry"].encode()
    assert hash_leaf(leaf["entry"].encode()).hex() == leaf["leaf_hash"]
    assert hash_events([event]) == [bytes.fromhex(leaf["leaf_hash"])]


def test_a_key_has_the_id_and_the_texts_of_the_vectors() -> None:
    assert KEY.seed.hex() == VECTORS["seed_hex"]
    assert KEY.text == VECTORS["skey"]
    assert KEY.verifier.public.hex() == VECTORS["public_hex"]
    assert KEY.verifier.key_id.hex() == VECTORS["key_id_hex"]
    assert KEY.verifier.text == VECTORS["vkey"]
    assert VerifierKey.parse(VECTORS["vkey"]) == KEY.verifier


@pytest.mark.parametrize("vector", VECTORS["trees"], ids=lambda vector: f"size {vector['size']}")
def test_a_root_and_its_signed_checkpoint_are_those_of_the_vectors(tree: Tree, vector: dict[str, Any]) -> None:
    size = vector["size"]
    growing = Tree()
    growing.append(EVENTS[:size])
    assert growing.growing.root() == tree.reader.root(size) == ROOTS[size] == bytes.fromhex(vector["root_hex"])
    checkpoint = vector["checkpoint"].encode()
    assert sign_checkpoint(size, ROOTS[size], KEY).encode() == checkpoint
    assert verify_checkpoint(checkpoint, KEY.verifier).checkpoint == (VECTORS["origin"], size, ROOTS[size])


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda vector: f"{vector['index']} in {vector['size']}")
def test_an_inclusion_proof_is_that_of_the_vectors(tree: Tree, vector: dict[str, Any]) -> None:
    index, size, proof = vector["index"], vector["size"], hashes(vector["proof"])
    assert tree.reader.prove_inclusion(index, size) == proof
    verify_inclusion(bytes.fromhex(LEAVES[index]["leaf_hash"]), index, size, proof, ROOTS[size])


WITH_FILES = [vector for vector in VECTORS["inclusion"] if "tlog_proof" in vector]


@pytest.mark.parametrize("vector", WITH_FILES, ids=lambda vector: f"{vector['index']} in {vector['size']}")
def test_a_proof_file_is_that_of_the_vectors_and_proves_its_event(vector: dict[str, Any]) -> None:
    raw = vector["tlog_proof"].encode()
    proof = parse_proof_file(raw)
    assert proof.encode() == raw
    assert list(proof.hashes) == hashes(vector["proof"])
    proven = verify_event(raw, Trust(KEY.verifier), EVENTS[vector["index"]])
    assert proven.entry.position == vector["index"] + 1
    assert proven.checkpoint.checkpoint.size == vector["size"]


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda vector: f"{vector['old']} to {vector['size']}")
def test_a_consistency_proof_is_that_of_the_vectors(tree: Tree, vector: dict[str, Any]) -> None:
    old, size, proof = vector["old"], vector["size"], hashes(vector["proof"])
    assert tree.reader.prove_consistency(old, size) == proof
    verify_consistency(old, ROOTS[old], size, ROOTS[size], proof)


def test_the_tiles_of_the_vectors_are_all_tiles_of_the_tree(tree: Tree) -> None:
    tile, bundle = VECTORS["tiles"]
    (only,) = tiles_of(len(EVENTS))
    assert only.path == tile["path"]
    assert tree.read(0, 0).hex() == tile["hex"]
    entries = [encode_entry(*event) for event in EVENTS]
    assert parse_path(bundle["path"]) == (only, True)
    assert encode_bundle(entries).hex() == bundle["hex"]
    assert decode_bundle(bytes.fromhex(bundle["hex"]), only.width) == entries


def test_a_cosignature_is_that_of_the_vectors() -> None:
    assert WITNESS.verifier.text == COSIGNATURE_VECTOR["vkey"]
    signed = sign_checkpoint(8, ROOTS[8], KEY)
    line = cosign(signed.text, WITNESS, COSIGNATURE_VECTOR["time"])
    assert line.line == COSIGNATURE_VECTOR["line"]
    raw = signed.add([line]).encode()
    assert raw == COSIGNATURE_VECTOR["checkpoint"].encode()
    verified = verify_checkpoint(raw, KEY.verifier, [VerifierKey.parse(COSIGNATURE_VECTOR["vkey"], COSIGNATURE)], 1)
    assert verified.cosigned == (("witness.example/w1", COSIGNATURE_VECTOR["time"]),)
    assert verified.note == parse_note(raw)


def test_a_request_to_a_witness_is_that_of_the_vectors(tree: Tree) -> None:
    request = COSIGNATURE_VECTOR["add_checkpoint_request"].encode()
    proof = tree.reader.prove_consistency(3, 8)
    checkpoint = sign_checkpoint(8, ROOTS[8], KEY).encode()
    assert encode_witness_request(3, proof, checkpoint) == request
    assert parse_witness_request(request) == (3, tuple(proof), checkpoint)


def test_a_root_is_base64_in_a_checkpoint() -> None:
    assert [encode_base64(ROOTS[tree["size"]]) for tree in VECTORS["trees"]] == [
        tree["root"] for tree in VECTORS["trees"]
    ]
