"""What the columns of read models mean, for the JSON API's documents and the reference (SPEC 7).

A name means the same in every table; a read model whose column means something else, or more, declares its meaning.
"""

from projections.schema.read_models import READ_MODELS

_ANYWHERE = {
    "about": "What the event is about, in a few words: a version, a month, a flag with its position, other calls.",
    "accepted": "The open items that were accepted when the month was closed, joined with `; `.",
    "account": "The account to which the call is billed.",
    "answered": "The number of answered calls.",
    "answered_at": "When SRCANSWERED was received.",
    "billed_seconds": "Seconds that are billed, after increments; without a price per minute those of the destination leg.",
    "call_id": "The call's id; empty if there is none.",
    "calls": "The number of calls.",
    "cdr_at": "When the CDR was received.",
    "closed_at": "When the month was closed.",
    "closed_by": "The operator who closed the month.",
    "cost": "What TringMe charges for both legs, in US cents.",
    "day": "The day `YYYY-MM-DD` in the billing time zone of the account.",
    "dest_charge": "TringMe's charge for the destination leg, in US cents.",
    "dest_duration": "Seconds of the destination leg.",
    "dest_seconds": "Seconds of the destination legs.",
    "dest_sip_charge": "TringMe's charge for the destination leg, in SIP credits.",
    "digits": "The digits that the caller keyed, in the order of receipt.",
    "disposition": "How the call ended: ANSWERED, BUSY, NO ANSWER, CONGESTION, FAILED or UNKNOWN.",
    "email": "The owner of the mailbox.",
    "done_by": "The operator.",
    "ended_at": "When the first notice that ended the call was received.",
    "events": "The number of notices of the call.",
    "flag": "The flag.",
    "flags": "The call's flags, sorted, joined with `;`.",
    "has_cdr": "Whether the call has its CDR.",
    "kind": "`cdr`, `difference`, `adjustment`, `fee` or `minimum`.",
    "last_at": "When the latest notice was received.",
    "level": "How a statement rounds the total of these entries, `MODE:PLACES`; empty for no rounding.",
    "margin": "Price less cost, in US cents.",
    "moved": "By how much the event changed the price of its call or the account's bill, in US cents; empty if it cannot.",
    "number": "The number of the posting among those of its event, from 1; 0 for a CDR.",
    "opened_at": "When the earliest notice was received.",
    "ordinal": "The number of the call on its line.",
    "original_period": "The month `YYYY-MM` that the entry is about.",
    "period": "The month `YYYY-MM` in the billing time zone of the account.",
    "position": "The position of the event in the log.",
    "posted_by": "The operator who made the posting, or closed the month that it charges; empty if none did.",
    "price": "The price for the account, in US cents.",
    "published_at": "When the version was published.",
    "published_by": "The operator who published the version.",
    "reason": "The reason that the operator gave, why the difference was posted, or how the fee or the top-up to a minimum was made.",
    "received_at": "When the notice was received.",
    "recorded_at": "When the event was recorded.",
    "resolution": "Why the exception was resolved; empty while it is open.",
    "resolved_at": "When the exception was resolved.",
    "resolved_by": "The operator who resolved the exception; empty while it is open.",
    "reverses": "The position of the event that this one undid; empty if it undid none.",
    "rounding": "The part of the price that rounding of the call has added, in US cents.",
    "rule": "The number of the tariff's rule; 0 if none priced the call.",
    "sip_credits": "What TringMe charges for both legs, in SIP credits.",
    "src": "The source's phone number.",
    "src_charge": "TringMe's charge for the source leg, in US cents.",
    "src_duration": "Seconds of the source leg.",
    "src_seconds": "Seconds of the source legs.",
    "src_sip_charge": "TringMe's charge for the source leg, in SIP credits.",
    "state": "`in-progress` or `ended`.",
    "status": "The status that decides the disposition.",
    "statuses": "The statuses that were received, sorted, joined with `;`.",
    "tag": "The tag that the API user gave the call.",
    "tariff": "The version of the tariff that priced the call; empty if none did.",
    "version": "The version's number.",
    "voicemail": "The name of the voicemail's file.",
}
_MEANINGS = {model.table.name: model.meanings for model in READ_MODELS}


def meaning_of(table: str, column: str) -> str:
    """Return what a column of a read model means; raises KeyError for a column without a description."""
    return _MEANINGS[table].get(column) or _ANYWHERE[column]
