"""Journals as texts: the same transactions in the languages of hledger and of beancount."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum

from domain.text import printable
from projections.journal.account_names import account_component
from projections.journal.transactions import (
    CREDIT,
    CREDITS,
    DOLLAR,
    MARGIN,
    PAYABLE,
    RECEIVABLE,
    ROUNDING,
    Posting,
    Transaction,
)

NUMBER_WIDTH = 18


class Language(StrEnum):
    """The languages in which a journal can be written."""

    HLEDGER = "hledger"
    BEANCOUNT = "beancount"


def journal_texts(
    language: str, accounts: Mapping[str, str], incomes: Mapping[str, str], transactions: Iterable[Transaction]
) -> Iterator[str]:
    """Yield a journal piece by piece; ``accounts`` maps each billed account to the day of its first entry.

    ``incomes`` maps the accounts of income besides that of calls, if there is any, to the day of their first entry.
    """
    head, one = _LANGUAGES[Language(language)]
    yield head(accounts, incomes)
    for transaction in transactions:
        yield one(transaction)


def _postings(postings: Iterable[Posting]) -> str:
    names = [posting.account for posting in postings]
    width = max(map(len, names))
    return "".join(
        f"    {posting.account:<{width}}  {posting.number:>{NUMBER_WIDTH}} {posting.commodity}\n"
        for posting in postings
    )


def _hledger_head(accounts: Mapping[str, str], incomes: Mapping[str, str]) -> str:
    lines = ["; The books of tringledger, in US dollars and SIP credits."]
    # hledger balances and shows amounts with as many places as these have.
    lines += [f"commodity 1000.00000000 {DOLLAR}", f"commodity 1000.000000 {CREDIT}"]
    lines += [f"account {name}" for name in (PAYABLE, MARGIN, ROUNDING, *incomes)]
    for account in accounts:
        named = f"  ; {printable(account)}"
        lines += [f"account {parent}:{account_component(account)}{named}" for parent in (RECEIVABLE, CREDITS)]
    return "\n".join([*lines, ""])


def _hledger(transaction: Transaction) -> str:
    what = f"{transaction.payee} | {transaction.narration}"
    # A semicolon would begin a comment.
    heading = f"{transaction.day} * ({transaction.code}) {printable(what).replace(';', ',')}".rstrip()
    told = "".join(f"    ; {name}: {printable(text)}\n" for name, text in transaction.told.items())
    return f"\n{heading}\n{told}{_postings(transaction.postings)}"


def _beancount_head(accounts: Mapping[str, str], incomes: Mapping[str, str]) -> str:
    lines = ['option "title" "tringledger"', f'option "operating_currency" "{DOLLAR}"', ""]
    first = min(accounts.values(), default="")
    if first:
        lines += [f"{first} open {PAYABLE} {DOLLAR},{CREDIT}"]
        lines += [f"{first} open {name} {DOLLAR}" for name in (MARGIN, ROUNDING)]
    lines += [f"{day} open {name} {DOLLAR}" for name, day in incomes.items()]
    for account, day in accounts.items():
        for parent, commodity in ((RECEIVABLE, DOLLAR), (CREDITS, CREDIT)):
            lines += [f"{day} open {parent}:{account_component(account)} {commodity}", f"    name: {_quoted(account)}"]
    return "\n".join([*lines, ""])


def _beancount(transaction: Transaction) -> str:
    heading = f"{transaction.day} * {_quoted(transaction.payee)} {_quoted(transaction.narration)}"
    told = {"code": transaction.code} | transaction.told
    metadata = "".join(f"    {name}: {_quoted(text)}\n" for name, text in told.items())
    return f"\n{heading}\n{metadata}{_postings(transaction.postings)}"


def _quoted(text: str) -> str:
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_LANGUAGES: dict[
    Language, tuple[Callable[[Mapping[str, str], Mapping[str, str]], str], Callable[[Transaction], str]]
] = {
    Language.HLEDGER: (_hledger_head, _hledger),
    Language.BEANCOUNT: (_beancount_head, _beancount),
}
