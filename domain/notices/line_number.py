"""The number of a line: ``src`` without what people write between digits, by the rule of its ledger (SPEC 6, 9.2).

The rule is a fact of the ledger, written at its creation: a call's id follows from its number, so it never changes.
"""

import re
from collections.abc import Mapping

# Rule 1 is that of ledgers made before there was another one; their facts name none.
LINE_RULE_1 = 1
LINE_RULE_2 = 2
LINE_RULE_FACT = "line_rule"
HIDDEN_PASSWORD = "***"  # noqa: S105 - it stands for a password

_WRITTEN_BETWEEN = dict.fromkeys(map(ord, " -.()"))
# ASCII digits and separators, and a plus before the first digit.
_PHONE_NUMBER = re.compile(r"[ \-.()]*\+?[0-9 \-.()]*")
# ``sip:user:password@``: up to the last @ of one address, since a password may have a comma, and some write an @ in it. An
# endless one costs no endless search: a ``src`` has at most 256 characters.
_PASSWORD = re.compile(r"((?<![a-z0-9])sips?:[^:@]{0,256}:)(?:(?!,[ ]*sips?:).){0,256}@", re.IGNORECASE | re.DOTALL)


def line_rule_of(facts: Mapping[str, str]) -> int:
    """Return the line rule of a ledger by its facts."""
    return int(facts.get(LINE_RULE_FACT, LINE_RULE_1))


def line_number(src: str, rule: int) -> str:
    """Return the number of a line for a ``src`` as delivered.

    By rule 1 every text loses spaces, ``-``, ``.``, ``(``, ``)`` and then one leading ``+``. By rule 2 only a phone number
    does; any other address stays as it is, but for the password of a SIP address.
    """
    if src.isalnum():
        return src
    if is_phone_number(src, rule):
        return src.translate(_WRITTEN_BETWEEN).removeprefix("+")
    return hide_password(src)


def is_phone_number(src: str, rule: int) -> bool:
    """Return whether a ``src`` loses its separators: by rule 1 every one does."""
    return rule == LINE_RULE_1 or _PHONE_NUMBER.fullmatch(src) is not None


def hide_password(text: str) -> str:
    """Return a text with ``***`` for the password of every ``sip:user:password@host`` in it (SPEC 9.2)."""
    return _PASSWORD.sub(rf"\1{HIDDEN_PASSWORD}@", text) if "@" in text else text


def stored_src(src: str, rule: int) -> str:
    """Return a ``src`` as read models have it where they keep it as delivered: by rule 2 without a password."""
    return src if rule == LINE_RULE_1 else hide_password(src)
