"""The script: the options of a rehearsal, and the plan and books that follow from them."""

import msgspec

from api.application.rehearsal.chaos import Chaos, drop_notices
from api.application.rehearsal.expected_books import ExpectedBooks
from api.application.rehearsal.plan import Chain, Signer, orderly_plan
from api.application.rehearsal.scenario import Scenario
from api.application.rehearsal.simulated_call import Kind

# The kinds of notices that chaos loses by default: all that a call can lack.
LOSSES: tuple[Kind, ...] = ("opening", "input", "outcome", "cdr")


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """The options: the number of calls, how many begin per second (``rate``), and how fast they run (``speed``)."""

    seed: int
    calls: int
    rate: float
    speed: float
    chaos: bool = False
    losing: tuple[Kind, ...] = ()

    def prepare(self, formula: str, key: str) -> tuple[list[Chain], ExpectedBooks]:
        """Return all requests, and the empty books; the same script gives the same bytes."""
        happenings = list(Scenario(self.seed, self.rate).happenings(self.calls))
        signer = Signer(self.seed, formula, key)
        chains = orderly_plan(happenings, self.speed, signer)
        losing = self.losing or (LOSSES if self.chaos else ())
        if losing:
            chains = drop_notices(chains, losing, self.seed)
        if self.chaos:
            chains = Chaos(self.seed, signer).disturb(chains)
        return chains, ExpectedBooks(self.seed, [call for happening in happenings for call in happening.calls])
