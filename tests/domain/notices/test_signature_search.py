"""What several captured notifications have in common, what cannot be told apart, and which of them disagree."""

from domain.notices.notification import encode_query
from domain.notices.signature_search import SEARCHES_MAX, search_formulas
from domain.notices.signature_variants import NAMED, CapturedNotice, SignatureVariant, fits, parse_captured
from tests.domain.notices.test_signature_variants import KEY, Pairs, sig

KEYS = [KEY.encode()]
SHA = SignatureVariant(digest="sha1", separator="&")


def notices(*variants: SignatureVariant, key: str = KEY, **more: str) -> list[CapturedNotice]:
    """Return notifications that differ in r, each signed in one of these ways."""
    made = []
    for r, variant in enumerate(variants):
        pairs: Pairs = [("f", "tm"), ("tag", "a"), ("r", str(1000 + r)), *more.items()]
        made.append(parse_captured(encode_query([*pairs, ("sig", sig(variant, pairs, key))])))
    return made


def test_a_named_formula_comes_before_its_likes() -> None:
    for name, variant in NAMED.items():
        group, *others = search_formulas(notices(variant, variant), KEYS)
        assert (group.fits, group.names, group.variants[0], others) == ({0, 1}, [name], variant, [])


def test_what_cannot_be_told_apart_is_told_by_dimension() -> None:
    undecided = search_formulas(notices(SignatureVariant()), KEYS)[0].ambiguous_dimensions()
    assert undecided["form"] == ["decoded", "percent-encoded as delivered"]
    assert undecided["empty"] == ["with empty values", "without empty values"]
    assert "digest" not in undecided


def test_one_notification_more_can_decide_it() -> None:
    plain, telling = notices(SignatureVariant()), notices(SignatureVariant(), tag2="a b", empty="")
    group = search_formulas([*plain, *telling], KEYS)[0]
    assert (group.fits, group.ambiguous_dimensions().keys() & {"form", "empty"}) == ({0, 1}, set())


def test_a_variant_outside_the_list_is_found_though_the_first_one_fits_the_list_as_well() -> None:
    delivered = SignatureVariant(order="delivered")
    sorted_already = parse_captured(
        encode_query([("a", "x"), ("b", "y"), ("sig", sig(SignatureVariant(), [("a", "x"), ("b", "y")]))])
    )
    others = notices(delivered, delivered)
    (group,) = search_formulas([sorted_already, *others], KEYS)
    assert (group.fits, group.names, group.variants[0]) == ({0, 1, 2}, [], delivered)


def test_those_that_disagree_are_told_apart_the_most_frequent_first() -> None:
    groups = search_formulas(notices(SHA, SignatureVariant(), SignatureVariant(), SHA, SignatureVariant()), KEYS)
    assert [group.fits for group in groups] == [{1, 2, 4}, {0, 3}]
    assert (groups[0].names, groups[1].variants[0]) == (["md5-params"], SHA)


def test_one_that_nothing_fits_is_in_no_group() -> None:
    forged = notices(SignatureVariant(), key="another")
    assert [group.fits for group in search_formulas([*forged, *notices(SHA)], KEYS)] == [{1}]
    assert search_formulas(forged, KEYS) == []


def test_notifications_under_two_keys_agree() -> None:
    both = notices(SHA) + notices(SHA, key="another")
    assert [group.fits for group in search_formulas(both, [*KEYS, b"another"])] == [{0, 1}]


def test_the_named_are_tried_on_all_however_many_forgeries_come_before() -> None:
    forged = notices(*[SignatureVariant()] * (SEARCHES_MAX + 5), key="another")
    (group,) = search_formulas([*forged, *notices(SignatureVariant())], KEYS)
    assert (group.fits, group.names) == ({SEARCHES_MAX + 5}, ["md5-params"])


def test_all_of_a_group_fits_what_the_group_fits() -> None:
    made = notices(SHA, SHA)
    for group in search_formulas(made, KEYS):
        assert all(fits(variant, made[index], KEYS) for variant in group.variants for index in group.fits)
