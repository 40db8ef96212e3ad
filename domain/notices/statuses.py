"""The statuses of SPEC 5: what each says about a call.

TringMe's page prints SRCFAILED twice and calls SRCANSWERED failed; this module has the evident meaning.
"""

ANSWERED = "SRCANSWERED"
FAILED_OPENINGS = {"SRCFAILED": "FAILED", "SRCNOTANSWERED": "NO ANSWER"}
OPENINGS = (ANSWERED, *FAILED_OPENINGS)

# In the order in which they decide when a call's notices contradict each other.
OUTCOMES = {
    "COMPLETED": "ANSWERED",
    "DESTBUSY": "BUSY",
    "DESTNOTANSWERED": "NO ANSWER",
    "DESTCONGESTED": "CONGESTION",
    "DESTNETWORKERROR": "FAILED",
}
# The page prints the first and evidently means the second; both are accepted.
INPUTS = ("USERDTMPINPUT", "USERDTMFINPUT")

DISPOSITIONS = FAILED_OPENINGS | OUTCOMES
KNOWN = frozenset((*OPENINGS, *OUTCOMES, *INPUTS))
_RANK = {status: rank for rank, status in enumerate(OUTCOMES)}


def ranked(outcomes: set[str]) -> tuple[str, ...]:
    """Return outcomes with the deciding one first."""
    return tuple(sorted(outcomes, key=_RANK.__getitem__))
