"""Invalid requests: notices with a wrong signature, authentic notices with a broken value, and garbage.

The first two are changed copies of genuine notices, so that a ledger that accepts them has wrong books.
"""

from random import Random

from api.application.rehearsal.plan import PlannedRequest, Signer
from api.application.rehearsal.simulated_call import Pairs
from domain.notices.notification import FORM, PARAMETERS_MAX, SIZE_MAX_BYTES, TEXT_LENGTH_MAX, encode_query
from domain.notices.signature import UNCHECKED

# One violation of SPEC 1 each: the parameter, and a value that it must not have.
BROKEN = (
    ("srccharge", "1,50"),
    ("srccharge", "-1"),
    ("destcharge", ".5"),
    ("destcharge", "5."),
    ("srcsipcharge", "1234567890"),
    ("srcduration", "1.5"),
    ("destduration", "-60"),
    ("destduration", "٣"),
    ("src", "5" * (TEXT_LENGTH_MAX + 1)),
    ("tag", "sal\0es"),
    ("tag", "caf\udce9"),
)
CONTENT_TYPE = f"Content-Type: {FORM}\r\n".encode()
HOST = b" HTTP/1.1\r\nHost: rehearsal\r\nConnection: close\r\n"
MANY = "&".join(f"a{number}=1" for number in range(PARAMETERS_MAX)).encode()
GARBAGE = (
    b"GET {path}" + HOST + b"\r\n",
    b"GET {path}?f=xx&type=cdr&srccharge=1" + HOST + b"\r\n",
    b"GET {path}?f=tm&" + MANY + HOST + b"\r\n",
    b"PUT {path}?f=tm" + HOST + b"Content-Length: 0\r\n\r\n",
    b"POST {path}" + HOST + b'Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"f":"tm"}',
    b"POST {path}" + HOST + CONTENT_TYPE + b"Content-Length: %d\r\n\r\nf=tm&x=" % (SIZE_MAX_BYTES + 1) + b"x" * (SIZE_MAX_BYTES - 6),
    b"GET {path}?f=tm&x=" + b"x" * SIZE_MAX_BYTES + HOST + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS greeting on a plain port",
    b"hello?\r\n\r\n",
)  # fmt: skip


def invalid_request(random: Random, signer: Signer, genuine: PlannedRequest, due: int) -> PlannedRequest:
    """Return an invalid copy of a genuine request, of a kind that the formula allows."""
    chance = random.random()
    if chance < 0.25:
        return PlannedRequest(due=due, what="garbage", raw=GARBAGE[int(random.random() * len(GARBAGE))])
    if chance < 0.6 and signer.formula != UNCHECKED:
        return PlannedRequest(due=due, what="wrong-signature", query=encode_query(_forged(random, signer, genuine)))
    name, pairs = _broken(random, genuine)
    return PlannedRequest(due=due, what="broken", query=encode_query(signer.sign(pairs)), at_fault=name)


def _forged(random: Random, signer: Signer, genuine: PlannedRequest) -> Pairs:
    """Return a notice as someone without the key would send it; its ``r`` is unique."""
    *pairs, (_, digits) = signer.sign(genuine.unsigned, key=f"not {signer.key}")
    forgeries: tuple[Pairs, ...] = (
        [*pairs, ("sig", digits)],
        pairs,
        [*pairs, ("sig", "")],
        [*pairs, ("sig", "nonsense")],
        [*pairs, ("sig", digits), ("sig", digits)],
    )
    return forgeries[int(random.random() * len(forgeries))]


def _broken(random: Random, genuine: PlannedRequest) -> tuple[str, Pairs]:
    """Return a notice with one value that breaks a rule, not yet signed, and the name of the parameter."""
    pairs = genuine.unsigned
    if random.random() < 0.2:
        name, value = pairs[int(random.random() * len(pairs))]
        return name, [*pairs, (name, value)]
    name, value = BROKEN[int(random.random() * len(BROKEN))]
    return name, [*(pair for pair in pairs if pair[0] != name), (name, value)]
