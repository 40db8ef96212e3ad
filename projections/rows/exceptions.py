"""The rows of the read models ``exceptions`` and ``resolutions``: every flag, with the notice that raised it and the money at stake (SPEC 6, 7)."""

import msgspec

from domain.calls.call import Call, CallFlag, Resolution, flags_without_call
from domain.events.notice_events import Notice


class ExceptionRow(msgspec.Struct, frozen=True, gc=False):
    """A flag, and the position of the notice that raised it; amounts are millionths, None where no money is at stake."""

    flag: str
    position: int
    received_at: int
    call_id: str
    tag: str
    src: str
    ordinal: int | None
    cost: int | None
    sip_credits: int | None
    resolved_by: str
    resolution: str


class ResolutionRow(msgspec.Struct, frozen=True, gc=False):
    """An exception of a call, or a suspect, that an operator resolved; ``resolved_at`` is microseconds, UTC."""

    flag: str
    position: int
    call_id: str
    resolved_at: int
    resolved_by: str
    resolution: str


def resolution_rows(call: Call) -> list[ResolutionRow]:
    """Return the rows of what was resolved of a call."""
    return [
        ResolutionRow(flag, position, call.id, found.at, found.by, found.reason)
        for (flag, position), found in call.resolved.items()
    ]


def exception_rows(call: Call) -> list[ExceptionRow]:
    """Return the rows of a call's flags.

    The amounts are those of the CDR that raised the flag; else, where the whole call is in doubt, of the call's CDR.
    """
    tag, src = call.line
    return [
        _row(each, call.id, (tag, src or "", call.ordinal), call.resolved.get((each.flag, each.position)))
        for each in call.call_flags
    ]


def exception_rows_of_notice(position: int, notice: Notice, *, recognised: bool) -> list[ExceptionRow]:
    """Return the rows of the flags of a notice that belongs to no call."""
    values = dict(notice.params)
    line = (values.get("tag", ""), values.get("src", ""), None)
    flags = flags_without_call(notice, recognised=recognised)
    return [_row(CallFlag(flag, position, notice.received_at, None), "", line, None) for flag in flags]


def _row(
    raised: CallFlag, call_id: str, line: tuple[str, str, int | None], resolution: Resolution | None
) -> ExceptionRow:
    flag, position, received_at, charges = raised
    tag, src, ordinal = line
    return ExceptionRow(
        flag=flag,
        position=position,
        received_at=received_at,
        call_id=call_id,
        tag=tag,
        src=src,
        ordinal=ordinal,
        cost=None if charges is None else charges.cost,
        sip_credits=None if charges is None else charges.sip_credits,
        resolved_by=resolution.by if resolution else "",
        resolution=resolution.reason if resolution else "",
    )
