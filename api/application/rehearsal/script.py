"""The script: what is asked of a rehearsal, and what follows from it before anything is sent."""

import msgspec

from api.application.rehearsal.chaos import Chaos, drop_notices
from api.application.rehearsal.expected_books import ExpectedBooks
from api.application.rehearsal.plan import Chain, Signer, orderly_plan
from api.application.rehearsal.scenario import Scenario
from api.application.rehearsal.simulated_call import Kind

# What a platform in chaos never sends now and then, where nobody says which kinds: all that a call can lack.
LOSSES: tuple[Kind, ...] = ("opening", "input", "outcome", "cdr")


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What to play: so many calls, of which ``rate`` begin in a second and go on ``speed`` times as fast as in real time."""

    seed: int
    calls: int
    rate: float
    speed: float
    chaos: bool = False
    losing: tuple[Kind, ...] = ()

    def prepare(self, formula: str, key: str) -> tuple[list[Chain], ExpectedBooks]:
        """Return every request that will be made, and the books, empty; the same script gives the same bytes."""
        happenings = list(Scenario(self.seed, self.rate).happenings(self.calls))
        signer = Signer(self.seed, formula, key)
        chains = orderly_plan(happenings, self.speed, signer)
        losing = self.losing or (LOSSES if self.chaos else ())
        if losing:
            chains = drop_notices(chains, losing, self.seed)
        if self.chaos:
            chains = Chaos(self.seed, signer).disturb(chains)
        return chains, ExpectedBooks(self.seed, [call for happening in happenings for call in happening.calls])
