"""Witnesses over real sockets: cosignatures are taken where they fit, and whatever a witness does, an end is put to it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import pytest

from api.application.proofs.witness_client import Cosigned, Witness, WitnessClient
from domain.proofs.checkpoint import parse_checkpoint, verify_checkpoint
from domain.proofs.cosignature import cosign
from domain.proofs.keys import SigningKey
from domain.proofs.merkle import verify_consistency
from domain.proofs.notes import parse_note
from domain.proofs.proof_file import parse_witness_request
from domain.proofs.refusals import ProofRefused
from tests.support.proof_trees import COSIGNED_AT, LOG, OTHER_WITNESS, WITNESS, Tree, event, tree_of
from tests.support.stub_server import StubServer


@dataclass
class WitnessStub:
    """A witness of our own writing: it keeps the last size and root, and cosigns what continues them."""

    key: SigningKey = WITNESS
    size: int = 0
    root: bytes = b""
    requests: list[bytes] = field(default_factory=list)

    def answer(self, body: bytes) -> tuple[int, bytes]:
        self.requests.append(body)
        old, hashes, note = parse_witness_request(body)
        checkpoint = verify_checkpoint(note, LOG.verifier).checkpoint
        if old != self.size:
            return 409, f"{self.size}\n".encode()
        try:
            if old:
                verify_consistency(old, self.root, checkpoint.size, checkpoint.root, hashes)
        except ProofRefused:
            return 422, b""
        self.size, self.root = checkpoint.size, checkpoint.root
        return 200, cosign(checkpoint.text, self.key, COSIGNED_AT).line.encode()


@contextmanager
def listening(answer: Callable[[bytes], tuple[int, bytes]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/w/add-checkpoint"
            status, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = StubServer(0, Handler)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/w"
    finally:
        server.stop()


def own_checkpoint(tree: Tree) -> bytes:
    """Return the last checkpoint with the log's signature alone."""
    note = parse_note(tree.checkpoint())
    return note._replace(signatures=note.signatures[:1]).encode()


def shown(client: WitnessClient, tree: Tree, note: bytes = b"") -> Cosigned:
    return client.cosign(
        note or own_checkpoint(tree), tree.size, lambda old: tree.reader.prove_consistency(old, tree.size)
    )


def client_of(url: str, key: SigningKey = WITNESS, seconds: float = 5.0) -> WitnessClient:
    return WitnessClient([Witness(url, key.verifier)], seconds)


def test_a_growing_log_is_cosigned_each_time_with_one_request_once_sizes_are_known() -> None:
    stub, tree = WitnessStub(), tree_of(5)
    with listening(stub.answer) as url:
        client = client_of(url)
        for size in (5, 9, 300):
            tree.append([event(position) for position in range(tree.size + 1, size + 1)])
            found = shown(client, tree)
            assert found.failures == {}
            assert verify_checkpoint(found.note.encode(), LOG.verifier, [WITNESS.verifier], 1).cosigned == (
                (WITNESS.name, COSIGNED_AT),
            )
    assert len(stub.requests) == 3


def test_a_witness_that_knows_another_size_is_asked_once_more_from_there() -> None:
    tree = tree_of(20)
    stub = WitnessStub(size=7, root=tree.reader.root(7))
    with listening(stub.answer) as url:
        assert shown(client_of(url), tree).failures == {}
    assert [parse_witness_request(body)[0] for body in stub.requests] == [0, 7]


def test_a_witness_that_has_seen_a_larger_checkpoint_tells_that_events_were_lost() -> None:
    stub = WitnessStub(size=30, root=b"r" * 32)
    with listening(stub.answer) as url:
        found = shown(client_of(url), tree_of(20))
    assert "it has seen a checkpoint of size 30, and ours has 20" in found.failure


def test_a_checkpoint_that_is_cosigned_already_is_not_shown_again() -> None:
    stub, tree = WitnessStub(), tree_of(5)
    with listening(stub.answer) as url:
        found = shown(client_of(url), tree, tree.checkpoint())
    assert stub.requests == []
    assert len(found.note.signatures) == 2


def other_text(body: bytes) -> tuple[int, bytes]:
    checkpoint = parse_checkpoint(parse_note(parse_witness_request(body)[2]).text)
    return 200, cosign(checkpoint._replace(size=99).text, WITNESS, COSIGNED_AT).line.encode()


def other_key(body: bytes) -> tuple[int, bytes]:
    return 200, cosign(parse_note(parse_witness_request(body)[2]).text, OTHER_WITNESS, COSIGNED_AT).line.encode()


def hanging(_body: bytes) -> tuple[int, bytes]:
    time.sleep(0.4)
    return 200, b""


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda _: (403, b""), "the answer is 403: it does not know the key of this log"),
        (lambda _: (404, b""), "the answer is 404: it does not know this log"),
        (lambda _: (422, b""), "the answer is 422: it says that the checkpoint does not continue"),
        (lambda _: (500, b"oops"), "the answer is 500"),
        (lambda _: (200, b""), "the answer has no cosignature of"),
        (lambda _: (200, b"rubbish\n"), "a signature line is malformed"),
        (lambda _: (200, b"x" * 20_000), "the answer has over 16384 bytes"),
        (lambda _: (409, b"many"), "the size that the witness has is not a number"),
        (lambda _: (409, b"3\n"), "the answer is 409"),
        (other_text, "does not fit the checkpoint"),
        (other_key, "the answer has no cosignature of"),
        (hanging, "no whole answer within 0.3 s"),
    ],
)
def test_whatever_else_a_witness_answers_is_told_and_no_cosignature(
    answer: Callable[[bytes], tuple[int, bytes]], told: str
) -> None:
    tree = tree_of(5)
    with listening(answer) as url:
        found = shown(client_of(url, seconds=0.3), tree)
    assert told in found.failure
    assert found.note.encode() == own_checkpoint(tree)


def test_one_that_is_away_does_not_keep_another_from_cosigning() -> None:
    stub, tree = WitnessStub(), tree_of(5)
    with listening(stub.answer) as url:
        away = Witness("http://127.0.0.1:9", OTHER_WITNESS.verifier)
        found = WitnessClient([away, Witness(url, WITNESS.verifier)]).cosign(
            own_checkpoint(tree), 5, lambda old: tree.reader.prove_consistency(old, 5)
        )
    assert [*found.failures] == [OTHER_WITNESS.name]
    assert found.note.find(WITNESS.verifier)
