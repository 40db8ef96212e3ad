"""The statuses of SPEC 5: what each says about a call.

TringMe's page prints SRCFAILED twice and calls SRCANSWERED failed; the evident meaning stands here.
"""

ANSWERED = "SRCANSWERED"
FAILED_OPENINGS = {"SRCFAILED": "FAILED", "SRCNOTANSWERED": "NO ANSWER"}
OPENINGS = (ANSWERED, *FAILED_OPENINGS)

# In the order in which they decide a call whose notices contradict each other.
OUTCOMES = {
    "COMPLETED": "ANSWERED",
    "DESTBUSY": "BUSY",
    "DESTNOTANSWERED": "NO ANSWER",
    "DESTCONGESTED": "CONGESTION",
    "DESTNETWORKERROR": "FAILED",
}
# The page prints the first; the second is what it evidently means. Both are taken.
INPUTS = ("USERDTMPINPUT", "USERDTMFINPUT")

DISPOSITIONS = FAILED_OPENINGS | OUTCOMES
KNOWN = frozenset((*OPENINGS, *OUTCOMES, *INPUTS))
_RANK = {status: rank for rank, status in enumerate(OUTCOMES)}


def ranked(outcomes: set[str]) -> tuple[str, ...]:
    """Return outcomes with the deciding one first."""
    return tuple(sorted(outcomes, key=_RANK.__getitem__))
