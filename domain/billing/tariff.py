"""Tariff: an ordered list of rules, read from TOML, that give a call its account and its price.

A published tariff is stored as its text, verbatim, and every reader parses it again. So what is accepted here today must
stay accepted, with the same meaning. Checks may be added for new keys only.
"""

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from domain.amounts import PLACES
from domain.billing import band_tables, tariff_values
from domain.billing import tag_patterns as tariff_patterns
from domain.billing import tariff_schema as tariff_keys
from domain.billing.monthly_prices import MonthlyPrices
from domain.billing.rounding import CALL, NONE
from domain.billing.tariff_findings import InvalidTariff, TariffFinding, format_key
from domain.billing.tariff_schema import ACCOUNTS, BANDS, FEE, HOLIDAYS, MINIMUM, RULES, SPLITS, TIMEZONE
from domain.billing.tariff_values import Check
from domain.billing.toml_lines import Path
from domain.billing.toml_reader import TomlReader, syntax_finding
from domain.billing.weekly_bands import WeeklyBands

__all__ = ["InvalidTariff", "Rule", "Tariff", "TariffFinding", "parse_tariff"]

SIZE_MAX_BYTES = 256 * 1024


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule; the amounts are millionths of a cent, the markup millionths of a percent, moments microseconds.

    ``number`` counts from 1. ``glob`` is the text of a pattern that is one. Without ``account`` the pattern's group ``account`` is billed, or else the tag. With ``per_minute`` or
    ``bands`` there is an own price, for the seconds of ``legs`` (places in the CDR's numbers) counted in ``increment``; the first minute of
    each has a price of its own if there is a ``first_minute``.
    """

    number: int
    line: int
    since: int
    pattern: re.Pattern[str]
    glob: str = ""
    group: int = 0
    src_prefix: str = ""
    account: str = ""
    markup_percent: int = 0
    fixed: int = 0
    per_minute: int | None = None
    first_minute: int | None = None
    bands: WeeklyBands | None = None
    increment: tuple[int, int] = (1, 1)
    connection_fee: int = 0
    legs: tuple[int, ...] = tariff_values.LEGS["dest"]
    greater: bool = False
    minimum: int | None = None
    maximum: int | None = None
    sip_prices: tuple[tuple[int, int], ...] = ()
    rounding: tuple[str, int, str] = (NONE, PLACES, CALL)

    @property
    def has_own_price(self) -> bool:
        """Whether the seconds of a call have a price."""
        return self.per_minute is not None or self.bands is not None


class Tariff(msgspec.Struct, frozen=True):
    """A tariff: its rules in order, in effect ``since`` a moment, the time zones of billing days, and monthly charges by account.

    A number's beginning is compared as lines of ``line_rule`` have it.
    """

    version: int
    rules: tuple[Rule, ...]
    timezone: str
    timezones: dict[str, str]
    since: int
    line_rule: int
    charges: dict[str, MonthlyPrices] = {}

    @property
    def accounts(self) -> set[str]:
        """The accounts that the file names."""
        return {*self.timezones, *self.charges, *(rule.account for rule in self.rules)}

    def timezone_of(self, account: str) -> str:
        """Return the time zone of an account's billing days."""
        return self.timezones.get(account, self.timezone)


def parse_tariff(text: str, version: int, *, timezone: str, line_rule: int, name: str = "tariff") -> Tariff:
    """Read a tariff's text. ``name`` is the file's name.

    ``timezone`` and ``line_rule`` are the ledger's; the file may name another time zone. Raises InvalidTariff with every finding.
    """
    if len(text.encode(errors="surrogatepass")) > SIZE_MAX_BYTES:
        raise InvalidTariff(name, [TariffFinding(1, "the file", "", f"at most {SIZE_MAX_BYTES} bytes")])
    try:
        content = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise InvalidTariff(name, [syntax_finding(str(error), text)]) from error
    except (RecursionError, ArithmeticError, ValueError) as error:
        raise InvalidTariff(name, [TariffFinding(1, "the file", "", f"TOML ({error})")]) from error
    reader = _Reader(text, format_key)
    tariff = reader.tariff(content, version, timezone, line_rule)
    if reader.findings:
        raise InvalidTariff(name, reader.findings)
    return tariff


class _FileValues(NamedTuple):
    """The values of a file that count in each of its rules."""

    timezone: str
    since: int
    holidays: frozenset[int]


class _Reader(TomlReader):
    """Turns the content of a TOML file into a tariff, and collects the findings."""

    def tariff(self, content: dict[str, Any], version: int, timezone: str, line_rule: int) -> Tariff:
        timezone = _timezone(content, timezone)
        found = self._checked(content, (), tariff_keys.file_checks(timezone))
        if RULES not in content:
            self._find((RULES,), None, "at least one [[rules]]")
        checks = tariff_keys.rule_checks(timezone, line_rule)
        context = _FileValues(timezone, found.get("effective_from", 0), found.get(HOLIDAYS, frozenset()))
        read = [self._rule(number, table, checks, context) for number, table in enumerate(found.get(RULES, ()), 1)]
        rules = tuple(rule for rule in read if rule)
        if HOLIDAYS in content and not any(BANDS in table for table in found.get(RULES, ())):
            self._find((HOLIDAYS,), content[HOLIDAYS], "a rule with bands beside them")
        accounts = {account: self._account(account, table) for account, table in found.get(ACCOUNTS, {}).items()}
        timezones = {account: each[TIMEZONE] for account, each in accounts.items() if TIMEZONE in each}
        charges = {
            account: MonthlyPrices(each.get(FEE, ()), each.get(MINIMUM, ()))
            for account, each in accounts.items()
            if FEE in each or MINIMUM in each
        }
        begins = min((rule.since for rule in rules), default=0)
        return Tariff(version, rules, timezone, timezones, begins, line_rule, charges)

    def _account(self, account: str, table: Mapping[str, Any]) -> dict[str, Any]:
        path = (ACCOUNTS, account)
        if not table.keys() & tariff_keys.ACCOUNT_CHECKS.keys():
            self._find(path, None, f'a timezone such as "Europe/Berlin", a {FEE} or a {MINIMUM}')
        return self._checked(table, path, tariff_keys.ACCOUNT_CHECKS)

    def _rule(
        self, number: int, table: Mapping[str, Any], checks: Mapping[str, Check], file: "_FileValues"
    ) -> Rule | None:
        path = (RULES, number - 1)
        before = len(self.findings)
        found = self._checked(table, path, checks)
        for key, expected in tariff_keys.conflicting_keys(table, found):
            self._find((*path, key) if key else path, table.get(key), expected)
        if BANDS in found:
            found[BANDS] = self._bands(table, found, (*path, BANDS), file)
        if len(self.findings) > before:
            return None
        return _build_rule(number, self._lines.line_of(path), file.since, {"glob": table.get("tag", ""), **found})

    def _bands(
        self, table: Mapping[str, Any], found: dict[str, Any], path: Path, file: "_FileValues"
    ) -> WeeklyBands | None:
        before, tables = len(self.findings), found[BANDS]
        read = [self._checked(each, (*path, place), band_tables.band_checks()) for place, each in enumerate(tables)]
        for place, each in enumerate(tables):
            for key in band_tables.REQUIRED:
                if key not in each:
                    self._find((*path, place), None, f"a {key}")
        if len(self.findings) > before:
            return None
        for place_, key, expected in band_tables.band_conflicts(read, holidays=bool(file.holidays)):
            where: Path = path if place_ is None else (*path, place_, key) if key else (*path, place_)
            value = table[BANDS] if place_ is None else tables[place_].get(key)
            self._find(where, value, expected)
        if len(self.findings) > before:
            return None
        splits = found.pop(SPLITS, False)
        return band_tables.build_bands(read, file.holidays, file.timezone, splits=splits)


def _timezone(content: Mapping[str, Any], default: str) -> str:
    """Return the file's time zone, in which its dates are read; an invalid one is reported later, with the other keys."""
    try:
        return tariff_values.read_timezone(content.get("timezone", default))
    except ValueError:
        return default


def _build_rule(number: int, line: int, since: int, found: dict[str, Any]) -> Rule:
    pattern = found.pop("tag_regex", None) or found.pop("tag")
    renamed = {"effective_from": "since", "leg": "legs", "sip_credit_price": "sip_prices"}
    values = {"since": since} | {renamed.get(key, key): value for key, value in found.items()}
    group = pattern.groupindex.get(tariff_patterns.ACCOUNT, 0)
    return Rule(number=number, line=line, pattern=pattern, group=group, **values)
