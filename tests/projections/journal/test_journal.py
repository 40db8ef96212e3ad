"""Journals: they balance for any entries and any texts, and the programs they are made for take them."""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from beancount import loader
from beancount.core import data
from hypothesis import given
from hypothesis import strategies as st

from projections.journal.account_names import account_component
from projections.journal.syntax import Language, journal_texts
from projections.journal.transactions import INCOME, journal_transactions
from projections.rows.entry import Entry, level_totals, statement_roundings
from tests.support import random_entries as made
from tests.support.effort import examples

logs = st.lists(made.entries(), max_size=8)
closed = st.sampled_from(("", "2026-09", "2026-12"))

ONE = Entry(
    7, 0, "cdr", "acme", "2026-10", "2026-10", "2026-10-03", "317c4008", "acme-000123", "18585550001", "ANSWERED",
    1, 1, 60, 50, 1_500_000, 2_000_000, 60, 73_598_600, 72_098_600, 0, "half-up:0", "3", 2, "", "",
)  # fmt: skip
CHARGED = ONE._replace(
    position=9, number=1, kind="adjustment", call_id="", tag="", src="", cost=0, sip_credits=0, price=-5_000_000,
    margin=-5_000_000, level="", tariff="", posted_by="kim", reason='goodwill; "sorry"',
)  # fmt: skip


def journal(language: Language, entries: list[Entry], closed_through: str = "") -> str:
    days: dict[str, str] = {}
    for entry in entries:
        days[entry.account] = min(entry.day, days.get(entry.account, entry.day))
    incomes = {INCOME[entry.kind]: "2026-01-01" for entry in entries if entry.kind in INCOME}
    return "".join(journal_texts(language, days, incomes, journal_transactions(entries, closed_through)))


def hledger(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which("hledger"):
        assert not os.environ.get("CI"), "hledger is missing: .ci/run installs it"
        pytest.skip("hledger is not installed")
    return subprocess.run(
        ["hledger", "-f", "-", *arguments], input=text, capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    )  # fmt: skip


def test_a_cdr_is_owed_by_its_account_and_owed_to_tringme_and_the_rest_is_margin() -> None:
    assert journal(Language.BEANCOUNT, [ONE]).partition("\n\n")[2].partition("\n\n")[2] == (
        '2026-10-03 * "acme" "ANSWERED 18585550001"\n'
        '    code: "7.0"\n'
        '    call: "317c4008"\n'
        '    tag: "acme-000123"\n'
        '    tariff: "3 rule 2"\n'
        "    Assets:Receivable:A-acme               0.735986 USD\n"
        "    Liabilities:TringMe                      -0.015 USD\n"
        "    Income:Margin                         -0.720986 USD\n"
        "    Expenses:SIP-Credits:A-acme                   2 SIPCREDIT\n"
        "    Liabilities:TringMe                          -2 SIPCREDIT\n"
    )


def test_a_fee_and_a_top_up_are_income_of_their_own() -> None:
    fee = CHARGED._replace(kind="fee", price=500_000_000, margin=500_000_000, tariff="3", reason="Line rental")
    text = journal(
        Language.BEANCOUNT, [fee, fee._replace(kind="minimum", number=2, reason="minimum 2000, less fee 500")]
    )
    assert "2026-01-01 open Income:Fees USD\n2026-01-01 open Income:Minimum USD\n" in text
    assert (
        '2026-10-03 * "acme" "fee: Line rental"\n    code: "9.1"\n    tariff: "3"\n    by: "kim"\n'
        "    Assets:Receivable:A-acme                5.00 USD\n"
        "    Income:Fees                            -5.00 USD\n"
    ) in text
    assert '"minimum: minimum 2000, less fee 500"' in text
    assert re.search(r"Income:Minimum +-5.00 USD", text)
    assert hledger(journal(Language.HLEDGER, [fee]), "balance", "-N", "Income:Fees").stdout.split()[0] == "-5.00000000"


def test_hledger_has_the_same_in_its_own_words() -> None:
    text = journal(Language.HLEDGER, [ONE, CHARGED])
    assert "2026-10-03 * (7.0) acme | ANSWERED 18585550001\n    ; call: 317c4008\n" in text
    assert '2026-10-03 * (9.1) acme | adjustment: goodwill, "sorry"\n    ; by: kim\n' in text
    assert hledger(text, "balance", "-N", "--flat", "acme", "cur:USD").stdout.split() == [
        "0.68598600",
        "USD",
        "Assets:Receivable:A-acme",
    ]


def test_a_closed_month_has_its_rounding_and_an_open_one_does_not() -> None:
    assert "rounding" not in journal(Language.BEANCOUNT, [ONE, CHARGED], "2026-09")
    text = journal(Language.BEANCOUNT, [ONE, CHARGED], "2026-10")
    assert '2026-10-31 * "acme" "rounding of 2026-10"\n    code: "2026-10 half-up:0"\n' in text
    assert re.search(r"Income:Rounding +-0\.004014 USD", text)


def test_names_of_accounts_tell_every_two_texts_apart() -> None:
    assert account_component("acme-000123") == "A-acme-000123"
    names = [account_component(account) for account in (*made.ACCOUNTS, "a b", "a_b", "a  b", "A-acme", "X-acme")]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[AX]-[A-Za-z0-9-]+", name) for name in names)


@given(logs, closed)
@examples(60)
def test_beancount_takes_any_books_and_finds_them_balanced_to_the_last_digit(entries: list[Entry], until: str) -> None:
    found, errors, _ = loader.load_string(journal(Language.BEANCOUNT, entries, until))
    assert errors == []
    booked = [each for each in found if isinstance(each, data.Transaction)]
    for transaction in booked:
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for posting in transaction.postings:
            assert posting.units is not None
            sums[posting.units.currency] += posting.units.number or 0
        assert set(sums.values()) <= {Decimal()}
    codes = [each.meta["code"] for each in booked if "rounding" not in each.meta]
    assert sorted(codes) == sorted(f"{entry.position}.{entry.number}" for entry in entries)


@given(logs, closed)
@examples(60)
def test_each_account_owes_what_its_statements_ask_for(entries: list[Entry], until: str) -> None:
    found, _, _ = loader.load_string(journal(Language.BEANCOUNT, entries, until))
    owed: defaultdict[str, Decimal] = defaultdict(Decimal)
    for transaction in found:
        for posting in transaction.postings if isinstance(transaction, data.Transaction) else ():
            assert posting.units is not None
            if posting.account.startswith("Assets:Receivable:"):
                owed[posting.account.removeprefix("Assets:Receivable:")] += posting.units.number or 0
    for account in {entry.account for entry in entries}:
        own = [entry for entry in entries if entry.account == account]
        due = sum(entry.price for entry in own)
        for period in {entry.period for entry in own if entry.period <= until}:
            due += sum(statement_roundings(level_totals([entry for entry in own if entry.period == period])).values())
        assert owed[account_component(account)] == Decimal(due).scaleb(-8)


@given(logs, closed)
@examples(15)
def test_hledger_takes_any_books_even_strictly(entries: list[Entry], until: str) -> None:
    said = hledger(journal(Language.HLEDGER, entries, until), "check", "--strict")
    assert (said.returncode, said.stderr) == (0, "")


@given(logs, closed)
@examples(10)
def test_hledger_and_beancount_agree(entries: list[Entry], until: str) -> None:
    text = journal(Language.HLEDGER, entries, until)
    said = hledger(text, "print", "-O", "csv")
    assert said.returncode == 0, said.stderr
    shown = hledger(text, "balance", "--flat", "-N", "cur:USD", "Assets:Receivable", "-O", "csv").stdout
    total = sum((Decimal(number) for number in re.findall(r'"(-?[0-9.]+) USD', shown)), Decimal())
    rounding = sum((sum(statement_roundings(totals).values()) for totals in _closed_totals(entries, until)), 0)
    assert total == Decimal(sum(entry.price for entry in entries) + rounding).scaleb(-8)


def _closed_totals(entries: list[Entry], until: str) -> list[dict[str, int]]:
    keys = {(entry.account, entry.period) for entry in entries if entry.period <= until}
    return [level_totals([entry for entry in entries if (entry.account, entry.period) == key]) for key in keys]


def test_bean_check_takes_a_file_with_every_kind_of_account(tmp_path: Path) -> None:
    file = tmp_path / "books.beancount"
    entries = [each._replace(account=account) for account in made.ACCOUNTS for each in (ONE, CHARGED)]
    file.write_text(journal(Language.BEANCOUNT, entries, "2026-10"), encoding="utf-8")
    program = Path(sys.executable).with_name("bean-check")
    said = subprocess.run([program, file], capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
