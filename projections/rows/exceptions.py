"""The read model ``exceptions``: every flag, with the notice that raised it and the money at stake (SPEC 6, 7)."""

from domain.calls.call import Call, CallFlag, Resolution, flags_without_call
from domain.events.notice_events import Notice


def exception_rows(call: Call) -> list[tuple[object, ...]]:
    """Return the rows of a call's flags.

    The amounts are those of the CDR that raised the flag; else, where the whole call is in doubt, of the call's CDR.
    """
    if not call.flags:
        return []
    tag, src = call.line
    return [
        _row(finding, call.id, tag, src or "", call.ordinal, call.resolved.get((finding.flag, finding.position)))
        for finding in call.call_flags
    ]


def exception_rows_of_notice(position: int, notice: Notice, *, recognised: bool) -> list[tuple[object, ...]]:
    """Return the rows of a notice that is no call's."""
    values = dict(notice.params)
    flags = flags_without_call(notice, recognised=recognised)
    found = [CallFlag(flag, position, notice.received_at, None) for flag in flags]
    return [_row(finding, "", values.get("tag", ""), values.get("src", ""), None) for finding in found]


def _row(  # noqa: PLR0917  # The columns, in their order.
    finding: CallFlag, call_id: str, tag: str, src: str, ordinal: int | None, resolution: Resolution | None = None
) -> tuple[object, ...]:
    flag, position, at, charges = finding
    amounts = (None, None) if charges is None else (charges.cost, charges.sip_credits)
    resolved = (resolution.by, resolution.reason) if resolution else ("", "")
    return (flag, position, at, call_id, tag, src, ordinal, *amounts, *resolved)
