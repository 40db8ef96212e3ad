"""Party files: what a whole one means, and each mistake by its line, key and what was expected (SPEC 9.13)."""

import pytest

from domain.billing.party import Customer, InvalidParty, parse_party
from domain.billing.party_record import PartyRecord, decode_party_record
from domain.billing.statement_numbers import Series

WHOLE = """
[sender]
name = "Example Telecom Ltd"
address = ["1 Main Street", "Springfield"]
language = "de"

[terms]
days = 14
text = { en = "Please pay.", de = "Bitte zahlen." }

[[series]]
name = "eu"
pattern = "EU{year}-{number:4}"
accounts = ["eu-*", "fr"]

[[customers]]
account = "eu-1"
name = "Une Société"
days = 30
cents = true

[[customers]]
account = ""
name = "Those without a tag"
"""


def test_a_whole_file_names_parties_terms_and_series() -> None:
    party = parse_party(WHOLE)
    assert (party.sender.name, party.sender.language) == ("Example Telecom Ltd", "de")
    assert party.customers["eu-1"] == Customer(account="eu-1", name="Une Société", days=30, cents=True)
    assert [party.days_for(account) for account in ("eu-1", "", "unknown")] == [30, 14, 14]
    assert party.terms == {"en": "Please pay.", "de": "Bitte zahlen."}
    assert [party.series_of(account).name for account in ("eu-7", "fr", "us")] == ["eu", "eu", "main"]
    assert party.series_of("us") == Series("main", "{year}-{number:4}")


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        ("name = ", "p.toml:1: the file: expected TOML (Invalid value"),
        ("[sender]\naddress = []\n", "p.toml:1: sender.name: expected a value"),
        ('[sender]\nname = " "', 'p.toml:2: sender.name = " ": expected a text of at most 200 printable characters'),
        ('[sender]\nname = "A"\nlanguage = "fr"', 'p.toml:3: sender.language = "fr": expected one of de, en'),
        ('[sender]\nname = "A"\nvat = 1', "p.toml:3: sender.vat = 1: expected one of the keys name, address,"),
        ('[sender]\nname = "A"\nlogo = "a.svg"', "p.toml:3: sender.logo"),
        (
            '[sender]\nname = "A"\n[terms]\ndays = -1',
            "p.toml:4: terms.days = -1: expected a number of days from 0 to 3650",
        ),
        ('[sender]\nname = "A"\n[terms]\ntext = { fr = "x" }', "p.toml:4: terms.text"),
        (
            '[sender]\nname = "A"\n[[customers]]\naccount = "a"\nname = "A"\n[[customers]]\naccount = "a"\nname = "B"',
            'p.toml:7: customer 2: account = "a": expected an account that no customer before has',
        ),
        ('[sender]\nname = "A"\n[[customers]]\naccount = "a"\n', "p.toml:3: customer 1: name: expected a value"),
        (
            '[sender]\nname = "A"\n[[customers]]\naccount = "a"\nname = "A"\ncalls = 1',
            "p.toml:6: customer 1: calls = 1: expected true or false",
        ),
        (
            '[sender]\nname = "A"\n[[series]]\nname = "b"\npattern = "{year}-{number:5}"',
            'p.toml:5: series 1: pattern = "{year}-{number:5}": expected another pattern than that of main',
        ),
        (
            '[sender]\nname = "A"\n[[series]]\nname = "main"\npattern = "{year}"',
            "p.toml:4: series 1: name",
        ),
        ('customers = 1\n[sender]\nname = "A"', "p.toml:1: customers = 1: expected tables in double brackets"),
    ],
)
def test_a_mistake_is_named_with_its_file_line_and_key(broken: str, found: str) -> None:
    with pytest.raises(InvalidParty) as refused:
        parse_party(broken, "p.toml")
    assert any(line.startswith(found) for line in refused.value.lines), refused.value.lines


def test_what_is_kept_has_a_salted_digest_so_that_equal_files_differ() -> None:
    one, other = (PartyRecord.of_text(WHOLE, b"\x89PNG", "image/png") for _ in range(2))
    assert one.digest != other.digest
    assert one.nonce("2026-0001") != one.nonce("2026-0002")
    assert decode_party_record(one.encode()) == one
    assert decode_party_record(one.encode()).digest == one.digest
