"""The rows of the read model ``calls``: one per call, live or ended (SPEC 7)."""

from domain.calls.call import Call


def call_row(call: Call, account: str, period: str) -> tuple[object, ...]:
    """Return a call as a row of the table; ``position`` is that of its first event, the account and month those it is billed to."""
    tag, src = call.line
    assert call.first is not None
    return (
        call.id,
        tag,
        src or "",
        call.ordinal,
        call.state,
        call.disposition,
        call.status,
        ";".join(sorted(call.statuses)),
        call.head.first_at,
        call.answered_at,
        call.ended_at,
        call.head.last_at,
        call.head.events,
        call.digits,
        call.flags,
        int(call.cdr is not None),
        call.first[0],
        account,
        period,
    )
