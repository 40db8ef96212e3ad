"""Witnesses: other people's services that cosign a checkpoint once they saw that it continues all they saw before.

The protocol is C2SP tlog-witness. All witnesses together have COSIGN_SECONDS_MAX; a checkpoint is then kept and published
with the cosignatures that came.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import httpx2

from domain.proofs.base64_hashes import decode_decimal
from domain.proofs.checkpoint import parse_checkpoint
from domain.proofs.cosignature import verify_cosignature
from domain.proofs.keys import COSIGNATURE, VerifierKey
from domain.proofs.notes import NoteSignature, SignedNote, parse_note, parse_signature
from domain.proofs.proof_file import encode_witness_request
from domain.proofs.refusals import ProofRefused

COSIGN_SECONDS_MAX = 5.0
ANSWER_BYTES_MAX = 16 * 1024
OK, CONFLICT = 200, 409
_MEANINGS = {
    403: "it does not know the key of this log",
    404: "it does not know this log",
    422: "it says that the checkpoint does not continue the one it has",
}

# Returns the consistency proof from a size to the checkpoint's; raises ProofRefused where there is none.
Prove = Callable[[int], Sequence[bytes]]


class Witness(NamedTuple):
    """A witness: its URL, to which ``/add-checkpoint`` is added, and its key."""

    url: str
    key: VerifierKey

    @classmethod
    def parse(cls, text: str) -> "Witness":
        """Read ``URL VKEY``; raises KeyRefused."""
        url, _, key = text.partition(" ")
        return cls(url.rstrip("/"), VerifierKey.parse(key.strip(), COSIGNATURE))


class Cosigned(NamedTuple):
    """A checkpoint's note with the cosignatures that came, and, by the witness's name, why others did not."""

    note: SignedNote
    failures: dict[str, str]

    @property
    def failure(self) -> str:
        """The failures as one text."""
        return "; ".join(f"{name}: {why}" for name, why in sorted(self.failures.items()))


class WitnessClient:
    """The witnesses of one log; it remembers which size each of them has."""

    def __init__(self, witnesses: Sequence[Witness], seconds_max: float = COSIGN_SECONDS_MAX) -> None:
        """Use these witnesses; all of them together have ``seconds_max``."""
        self._witnesses = witnesses
        self._seconds_max = seconds_max
        self._sizes: dict[tuple[str, VerifierKey], int] = {}

    def cosign(self, checkpoint: bytes, size: int, prove: Prove) -> Cosigned:
        """Show a checkpoint of a size to all witnesses at once; return it with what they answered."""
        return asyncio.run(self._cosign(checkpoint, size, prove))

    async def _cosign(self, checkpoint: bytes, size: int, prove: Prove) -> Cosigned:
        lines: list[NoteSignature] = []
        failures: dict[str, str] = {}
        note = parse_note(checkpoint)
        async with httpx2.AsyncClient(timeout=None, trust_env=False) as client:

            async def ask(witness: Witness) -> None:
                try:
                    async with asyncio.timeout(self._seconds_max):
                        lines.append(await self._ask(client, witness, note, size, prove))
                except TimeoutError:
                    failures[witness.key.name] = f"no whole answer within {self._seconds_max:g} s"
                except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                    failures[witness.key.name] = f"no answer ({type(error).__name__}: {error})"
                except ProofRefused as error:
                    failures[witness.key.name] = str(error)

            # A checkpoint that is shown again has some of them already.
            await asyncio.gather(*(ask(each) for each in self._witnesses if note.find(each.key) is None))
        return Cosigned(note.add(lines), failures)

    async def _ask(
        self, client: httpx2.AsyncClient, witness: Witness, note: SignedNote, size: int, prove: Prove
    ) -> NoteSignature:
        """Ask one witness, once more where it has another size than we thought; return its cosignature, verified."""
        place = (parse_checkpoint(note.text).origin, witness.key)
        old = self._sizes.get(place, 0)
        status, body = await _post(client, witness, encode_witness_request(old, prove(old), note.encode()))
        if status == CONFLICT:
            old = decode_decimal(body.decode("ascii", "replace").strip(), "the size that the witness has")
            if old > size:
                msg = f"it has seen a checkpoint of size {old}, and ours has {size}: events were lost, or two logs are signed"
                raise ProofRefused(msg)
            status, body = await _post(client, witness, encode_witness_request(old, prove(old), note.encode()))
        if status != OK:
            msg = f"the answer is {status}" + (f": {_MEANINGS[status]}" if status in _MEANINGS else "")
            raise ProofRefused(msg)
        line = _cosignature(witness, note, body)
        self._sizes[place] = size
        return line


async def _post(client: httpx2.AsyncClient, witness: Witness, body: bytes) -> tuple[int, bytes]:
    received = b""
    async with client.stream("POST", f"{witness.url}/add-checkpoint", content=body) as answer:
        async for chunk in answer.aiter_raw():
            received += chunk
            if len(received) > ANSWER_BYTES_MAX:
                msg = f"the answer has over {ANSWER_BYTES_MAX} bytes; expected signature lines"
                raise ProofRefused(msg)
        return answer.status_code, received


def _cosignature(witness: Witness, note: SignedNote, body: bytes) -> NoteSignature:
    for text in body.decode("utf-8", "replace").splitlines():
        line = parse_signature(text)
        if line.is_of(witness.key):
            verify_cosignature(note.text, witness.key, line)
            return line
    msg = f"the answer has no cosignature of {witness.key.name}"
    raise ProofRefused(msg)
