"""What makes up an account's month, as a document: the sums by rule of a tariff, the postings, and the total."""

from typing import Any

from api.application.masking import masked_row
from api.application.price_explanation import AMOUNTS, entry_document
from domain import amounts
from projections.queries.account_breakdown import SUMMED, AccountMonth


def account_document(found: AccountMonth, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an account's month as JSON has it; amounts are exact decimals in US cents or SIP credits.

    ``documents`` are the statement and notes that have a number.
    """
    return {
        "account": found.account,
        "period": found.period,
        "closed_at_position": found.closed or None,
        "rules": [
            sums_document(group) | {"tariff": group.tariff, "rule": group.rule or None} for group in found.groups
        ],
        "postings": [entry_document(posting) for posting in found.postings],
        "drafts": [entry_document(draft) for draft in found.drafts],
        "documents": documents,
        "total": {name: plain_sum(name, value) for name, value in found.total.items()},
    }


def masked_account_document(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document as users without the role ``pii`` see it."""
    return document | {"postings": [masked_row(posting) for posting in document["postings"]]}


def sums_document(sums: Any) -> dict[str, object]:
    """Return the sums of a group of entries, or the amounts of one entry."""
    return {name: plain_sum(name, getattr(sums, name)) for name in SUMMED}


def plain_sum(name: str, value: int) -> object:
    """Return a sum: an amount as a plain decimal, a count or seconds as a number."""
    return amounts.plain(value) if name in AMOUNTS else value
