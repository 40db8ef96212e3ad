"""The keys of a party file and what each may hold; a reader returns the value or raises ValueError with what was expected."""

import re
from typing import Any

from domain.billing.statement_numbers import DEFAULT_SERIES, check_pattern
from domain.billing.tag_patterns import parse_glob
from domain.billing.tariff_values import Check
from domain.billing.toml_lines import Path
from domain.notices.notification import TEXT_LENGTH_MAX

LANGUAGES = ("de", "en")
DAYS_MAX = 3650
LINES_MAX, LINE_LENGTH_MAX = 12, 200
TERMS_LENGTH_MAX = 2000
LOGO_SUFFIXES = (".png", ".jpg", ".jpeg")
_LIST_NAMES = {"customers": "customer", "series": "series"}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")


def format_party_key(path: Path) -> str:
    """Return a key for messages: ``customer 2: name``, counted from 1."""
    if path[0] in _LIST_NAMES and len(path) > 1:
        assert isinstance(path[1], int)
        return ": ".join([f"{_LIST_NAMES[str(path[0])]} {path[1] + 1}", *map(str, path[2:])])
    return ".".join(map(str, path))


def _table(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("a table")  # noqa: TRY004 - the caller turns a ValueError into a finding.
    return value


def _tables(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("tables in double brackets")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > LINE_LENGTH_MAX:
        msg = f"a text of at most {LINE_LENGTH_MAX} printable characters"
        raise ValueError(msg)
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > LINES_MAX:
        msg = f"a list of at most {LINES_MAX} texts"
        raise ValueError(msg)
    return tuple(map(_text, value))


def _account(value: Any) -> str:
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX:
        msg = f"an account: a text of at most {TEXT_LENGTH_MAX} characters"
        raise ValueError(msg)
    return value


def _language(value: Any) -> str:
    if value not in LANGUAGES:
        msg = f"one of {', '.join(LANGUAGES)}"
        raise ValueError(msg)
    return str(value)


def _days(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= DAYS_MAX:
        msg = f"a number of days from 0 to {DAYS_MAX}"
        raise ValueError(msg)
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - the caller turns a ValueError into a finding.
    return value


def _logo(value: Any) -> str:
    name = _text(value)
    if not name.lower().endswith(LOGO_SUFFIXES):
        msg = f"the name of a file that ends in {', '.join(LOGO_SUFFIXES)}"
        raise ValueError(msg)
    return name


def _terms(value: Any) -> dict[str, str]:
    texts = value if isinstance(value, dict) else dict.fromkeys(LANGUAGES, value)
    for language, text in texts.items():
        _language(language)
        if not isinstance(text, str) or not text.strip() or len(text) > TERMS_LENGTH_MAX:
            msg = (
                f"a text of at most {TERMS_LENGTH_MAX} characters, or a table of one for each of {', '.join(LANGUAGES)}"
            )
            raise ValueError(msg)
    return texts


def _series_name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value) or value == DEFAULT_SERIES:
        msg = (
            f"a name of letters, digits and .-_ other than {DEFAULT_SERIES}, which is the series of all other accounts"
        )
        raise ValueError(msg)
    return value


def _pattern(value: Any) -> str:
    return check_pattern(value if isinstance(value, str) else "")


def _globs(value: Any) -> tuple[str, ...]:
    globs = _texts(value)
    if not globs:
        raise ValueError('globs of accounts, such as ["eu-*"]')
    for glob in globs:
        parse_glob(glob)
    return globs


FILE: dict[str, Check] = {"sender": _table, "terms": _table, "series": _tables, "customers": _tables}
SENDER: dict[str, Check] = {
    "name": _text,
    "address": _texts,
    "contact": _texts,
    "registration": _texts,
    "language": _language,
    "logo": _logo,
}
TERMS: dict[str, Check] = {"days": _days, "text": _terms}
SERIES: dict[str, Check] = {"name": _series_name, "pattern": _pattern, "accounts": _globs}
CUSTOMER: dict[str, Check] = {
    "account": _account,
    "name": _text,
    "address": _texts,
    "reference": _text,
    "language": _language,
    "days": _days,
    "cents": _flag,
    "calls": _flag,
}
