"""A search for the formula by which captured notifications were signed: the named formulas first, then all variants.

One notification may fit several descriptions (sorted, or delivered in that order already), so the answer is in groups:
ways to sign that fit just the same notifications cannot be told apart by them.
"""

from collections.abc import Iterator, Sequence

import msgspec

from domain.notices.signature_variants import DIMENSIONS, NAMED, CapturedNotice, SignatureVariant, fits, fitting

SEARCHES_MAX = 20
_NAMES = {variant: name for name, variant in NAMED.items()}


class FormulaGroup(msgspec.Struct, frozen=True):
    """Ways to sign that fit the same notifications (their indexes), the named first, then the nearest to the default."""

    fits: frozenset[int]
    variants: list[SignatureVariant]

    @property
    def names(self) -> list[str]:
        """The named formulas of the group."""
        return [_NAMES[variant] for variant in self.variants if variant in _NAMES]

    def ambiguous_dimensions(self) -> dict[str, list[str]]:
        """Return the dimensions in which the variants of the group differ, each with the words of its choices."""
        chosen = {name: {getattr(each, name) for each in self.variants} for name in DIMENSIONS}
        return {
            name: [words for choice, words in DIMENSIONS[name].items() if choice in choices]
            for name, choices in chosen.items()
            if len(choices) > 1
        }


def search_formulas(notices: Sequence[CapturedNotice], keys: Sequence[bytes]) -> list[FormulaGroup]:
    """Return the groups that fit captured notifications: first the one that fits most, then the one that fits most of the rest.

    All variants are tried on the first notification, and on those that nothing has fitted so far, 20 of them at most:
    after that many failures, more of them tell nothing new.
    """
    fitted: dict[SignatureVariant, frozenset[int]] = {}

    def note(variant: SignatureVariant) -> None:
        fitted[variant] = frozenset(index for index, each in enumerate(notices) if fits(variant, each, keys))

    for variant in NAMED.values():
        note(variant)
    searches = 0
    for index, notice in enumerate(notices):
        explained = any(index in indexes for indexes in fitted.values())
        if searches < SEARCHES_MAX and not (searches and explained):
            searches += 1
            for variant in fitting(notice, keys):
                if variant not in fitted:
                    note(variant)
    return list(_smallest_cover(_grouped(fitted)))


def _smallest_cover(groups: list[FormulaGroup]) -> Iterator[FormulaGroup]:
    left = frozenset[int]().union(*(group.fits for group in groups))
    while left:
        # Of equals the first, which is nearest to the default.
        best = max(groups, key=lambda group: len(group.fits & left))
        yield best
        left -= best.fits


def _grouped(fitted: dict[SignatureVariant, frozenset[int]]) -> list[FormulaGroup]:
    alike: dict[frozenset[int], list[SignatureVariant]] = {}
    for variant, indexes in fitted.items():
        if indexes:
            alike.setdefault(indexes, []).append(variant)
    groups = [FormulaGroup(indexes, sorted(variants, key=_rank)) for indexes, variants in alike.items()]
    return sorted(groups, key=lambda group: (-len(group.fits), _rank(group.variants[0]), min(group.fits)))


def _rank(variant: SignatureVariant) -> tuple[bool, int]:
    """Return how far a variant is from the default, named variants first."""
    usual = SignatureVariant()
    return variant not in _NAMES, sum(getattr(variant, name) != getattr(usual, name) for name in DIMENSIONS)
