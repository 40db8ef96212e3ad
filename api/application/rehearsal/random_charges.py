"""Random durations and charges as TringMe writes them: in either unit, absent or empty."""

from decimal import Decimal
from random import Random

from api.application.rehearsal.simulated_call import Pairs
from domain.amounts import ONE, plain
from domain.notices.notification import CHARGES, DURATIONS

NUMBERS = (*DURATIONS, *CHARGES)
FEE_MAX = 2 * ONE
PER_MINUTE_MAX = 9 * ONE

# Which charges apply: both legs in cents, both in SIP credits, one of each, and a free call.
TARIFFS = (
    ("srccharge", "destcharge"),
    ("srccharge", "destcharge"),
    ("srccharge", "destcharge"),
    ("srcsipcharge", "destsipcharge"),
    ("srcsipcharge", "destcharge"),
    ("destcharge",),
    (),
)

Numbers = tuple[Decimal | None, ...]


def draw_charges(random: Random, seconds: int) -> Pairs:
    """Return the durations and charges of a call with this connected time (seconds), as parameters.

    A call that was not connected has a random fee on the source leg, so that two of them do not have the same numbers.
    """
    ringing = 3 + int(random.random() * 12)
    never_rang = not seconds and random.random() < 0.3
    pairs = [("srcduration", str(seconds and seconds + ringing)), ("destduration", "" if never_rang else str(seconds))]
    applying = TARIFFS[int(random.random() * len(TARIFFS))] if seconds else ("srccharge",)
    for name in CHARGES:
        if name in applying:
            amount = int(random.random() * PER_MINUTE_MAX) * seconds // 60 or int(random.random() * FEE_MAX)
            pairs.append((name, _text(random, amount)))
        elif random.random() < 0.3:
            pairs.append((name, ""))  # An empty value means "not applicable".
    return pairs


def _text(random: Random, amount: int) -> str:
    """Return millionths as text, sometimes with trailing zeros."""
    return f"{amount // ONE}.{amount % ONE:06d}" if random.random() < 0.1 else plain(amount)


def read_charges(pairs: Pairs) -> Numbers:
    """Return the six durations and charges as numbers: None where one is absent or empty."""
    values = dict(pairs)
    return tuple(Decimal(text) if (text := values.get(name)) else None for name in NUMBERS)
