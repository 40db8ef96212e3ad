"""A party file: who sends statements, to whom, on what terms and under which numbers, read from TOML (SPEC 9.13).

A published party file is kept as its text, verbatim, and every reader parses it again. So what is accepted here today must
stay accepted, with the same meaning.
"""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from domain.billing import party_schema as schema
from domain.billing.statement_numbers import DEFAULT_PATTERN, DEFAULT_SERIES, Series, scope_without_dates
from domain.billing.tag_patterns import parse_glob
from domain.billing.tariff_findings import TariffFinding
from domain.billing.tariff_values import Check
from domain.billing.toml_lines import Path
from domain.billing.toml_reader import TomlReader, syntax_finding
from domain.errors import LedgerError

SIZE_MAX_BYTES = 1024 * 1024


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends the statements; ``logo`` is the name of its file, and ``language`` that of customers without their own."""

    name: str
    address: tuple[str, ...] = ()
    contact: tuple[str, ...] = ()
    registration: tuple[str, ...] = ()
    language: str = "en"
    logo: str = ""


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets the statements of an account; ``days`` is the customer's own term of payment.

    ``cents`` adds a column of exact cents, ``calls`` the list of calls.
    """

    account: str
    name: str
    address: tuple[str, ...] = ()
    reference: str = ""
    language: str = ""
    days: int | None = None
    cents: bool = False
    calls: bool = False


class Party(msgspec.Struct, frozen=True):
    """A party file's content; ``terms`` maps languages to the text of the terms, and ``days`` is the term of payment."""

    sender: Sender
    customers: dict[str, Customer]
    series: tuple[tuple[Series, tuple[str, ...]], ...] = ()
    days: int | None = None
    terms: dict[str, str] = {}

    def series_of(self, account: str) -> Series:
        """Return the first series one of whose globs fits an account, or the series ``main``."""
        fitting = (
            series
            for series, globs in self.series
            if not globs or any(parse_glob(glob).fullmatch(account) for glob in globs)
        )
        return next(fitting, Series(DEFAULT_SERIES, DEFAULT_PATTERN))

    def days_for(self, account: str) -> int | None:
        """Return the term of payment of an account in days, None if none was named."""
        customer = self.customers.get(account)
        return self.days if customer is None or customer.days is None else customer.days


class InvalidParty(LedgerError):
    """The text is not a valid party file: ``findings``, and ``lines`` with the file's name before each."""

    def __init__(self, name: str, findings: Iterable[TariffFinding]) -> None:
        """Keep the findings in the order of their lines; ``name`` is the file's."""
        self.findings = tuple(sorted(findings))
        self.lines = [f"{name}:{finding.line}: {finding}" for finding in self.findings]
        super().__init__("\n".join([f"{name} is no party file that could be used:", *self.lines]))


def parse_party(text: str, name: str = "party") -> Party:
    """Read a party file's text; ``name`` is the file's name. Raises InvalidParty with every finding."""
    if len(text.encode(errors="surrogatepass")) > SIZE_MAX_BYTES:
        raise InvalidParty(name, [TariffFinding(1, "the file", "", f"at most {SIZE_MAX_BYTES} bytes")])
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidParty(name, [syntax_finding(str(error), text)]) from error
    except (RecursionError, ValueError) as error:
        raise InvalidParty(name, [TariffFinding(1, "the file", "", f"TOML ({error})")]) from error
    reader = _PartyReader(text, schema.format_party_key)
    party = reader.party(content)
    if party is None or reader.findings:
        raise InvalidParty(name, reader.findings)
    return party


class _PartyReader(TomlReader):
    """Turns the content of a TOML file into a Party, and collects the findings."""

    def party(self, content: dict[str, Any]) -> Party | None:
        found = self._checked(content, (), schema.FILE)
        sender = self._struct(found.get("sender", {}), ("sender",), schema.SENDER, "name")
        terms = self._checked(found.get("terms", {}), ("terms",), schema.TERMS)
        customers = self._customers(found.get("customers", ()))
        series = self._series(found.get("series", ()))
        if self.findings:
            return None
        return Party(Sender(**sender), customers, series, terms.get("days"), terms.get("text", {}))

    def _customers(self, tables: Iterable[Mapping[str, Any]]) -> dict[str, Customer]:
        customers: dict[str, Customer] = {}
        for number, table in enumerate(tables):
            path = ("customers", number)
            found = self._struct(table, path, schema.CUSTOMER, "account", "name")
            if found.get("account") in customers:
                self._find((*path, "account"), found["account"], "an account that no customer before has")
            elif {"account", "name"} <= found.keys():
                customers[found["account"]] = Customer(**found)
        return customers

    def _series(self, tables: Iterable[Mapping[str, Any]]) -> tuple[tuple[Series, tuple[str, ...]], ...]:
        read: list[tuple[Series, tuple[str, ...]]] = []
        scopes: dict[str, str] = {scope_without_dates(DEFAULT_PATTERN): DEFAULT_SERIES}
        for number, table in enumerate(tables):
            path = ("series", number)
            found = self._struct(table, path, schema.SERIES, "name", "pattern")
            if not {"name", "pattern"} <= found.keys():
                continue
            name, scope = found["name"], scope_without_dates(found["pattern"])
            if name in [series.name for series, _ in read]:
                self._find((*path, "name"), name, "a name that no series before has")
            if scopes.setdefault(scope, name) != name:
                self._find((*path, "pattern"), found["pattern"], f"another pattern than that of {scopes[scope]}")
            read.append((Series(name, found["pattern"]), found.get("accounts", ())))
        return tuple(read)

    def _struct(
        self, table: Mapping[str, Any], path: Path, checks: Mapping[str, Check], *required: str
    ) -> dict[str, Any]:
        for key in required:
            if key not in table:
                self._find((*path, key), None, "a value")
        return self._checked(table, path, checks)
