"""Tariffs for tests: rules as plain dicts, drawn at random or given, and their text."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from domain.notices.call_notice import Charges

Rule = dict[str, Any]

increments = st.tuples(st.integers(1, 120), st.integers(1, 120)).map(lambda pair: f"{pair[0]}/{pair[1]}")


def cents(most: int) -> st.SearchStrategy[Decimal]:
    """An amount, with few digits more often than with many."""
    return st.one_of(
        st.integers(0, most).map(Decimal),
        st.decimals(0, most, places=1),
        st.decimals(0, most, places=6),
    )


@st.composite
def roundings(draw: st.DrawFn) -> Rule:
    """How a rule rounds."""
    mode = draw(st.sampled_from(("none", "up", "down", "half-up", "half-even")))
    if mode == "none":
        return {"mode": mode}
    level = draw(st.sampled_from(({}, {"level": "call"}, {"level": "statement"})))
    return {"mode": mode, "places": draw(st.integers(0, 6))} | level


@st.composite
def rules(draw: st.DrawFn, tag: str = "*") -> Rule:
    """A rule for these tags: cost-plus, an own price, or the greater of both."""
    rule: Rule = {"tag": tag}
    kind = draw(st.sampled_from(("cost-plus", "own", "greater")))
    if kind != "own":
        rule |= draw(st.fixed_dictionaries({}, optional={"markup_percent": cents(10_000), "fixed": cents(50)}))
    if kind != "cost-plus":
        rule["per_minute"] = draw(cents(9_999))
        leg = st.sampled_from(("src", "dest", "both"))
        rule |= draw(
            st.fixed_dictionaries(
                {},
                optional={"increment": increments, "connection_fee": cents(50), "leg": leg, "first_minute": cents(99)},
            )
        )
    if kind == "greater":
        rule["greater"] = True
    limits = sorted((draw(cents(500)), draw(cents(5_000))))
    named = zip(("minimum", "maximum"), limits, strict=True)
    rule |= {name: limit for name, limit in named if draw(st.booleans())}
    optional = {"sip_credit_price": cents(200), "rounding": roundings(), "account": st.sampled_from(("acme", "büro"))}
    return rule | draw(st.fixed_dictionaries({}, optional=optional))


def charges() -> st.SearchStrategy[Charges]:
    """The durations and charges of a CDR: absent, zero, small, and the greatest there are."""
    seconds = st.one_of(st.none(), st.just(0), st.integers(0, 300), st.just(999_999_999))
    charge = st.one_of(st.none(), st.just(0), st.integers(0, 3_000_000), st.just(999_999_999_999_999))
    return st.builds(Charges, seconds, seconds, charge, charge, charge, charge)


def text(*given: Mapping[str, Any], head: str = "") -> str:
    """The text of a tariff with these rules."""
    parts = [
        head,
        *("\n".join(["[[rules]]", *(f"{key} = {toml(value)}" for key, value in rule.items())]) for rule in given),
    ]
    return "\n".join(parts) + "\n"


def toml(value: object) -> str:
    """A value as a TOML file has it."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
