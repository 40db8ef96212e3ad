"""What several captured notifications have in common, what cannot be told apart, and which of them disagree."""

from domain.notices.notification import query
from domain.notices.signature_search import SEARCHES_MAX, identify
from domain.notices.signature_variants import NAMED, Captured, Variant, captured, fits
from tests.domain.test_signature_variants import KEY, Pairs, sig

KEYS = [KEY.encode()]
SHA = Variant(digest="sha1", separator="&")


def notices(*variants: Variant, key: str = KEY, **more: str) -> list[Captured]:
    """Return notifications that differ in r, each signed in one of these ways."""
    made = []
    for r, variant in enumerate(variants):
        pairs: Pairs = [("f", "tm"), ("tag", "a"), ("r", str(1000 + r)), *more.items()]
        made.append(captured(query([*pairs, ("sig", sig(variant, pairs, key))])))
    return made


def test_a_named_formula_comes_before_its_likes() -> None:
    for name, variant in NAMED.items():
        group, *others = identify(notices(variant, variant), KEYS)
        assert (group.fits, group.names, group.variants[0], others) == ({0, 1}, [name], variant, [])


def test_what_cannot_be_told_apart_is_told_by_dimension() -> None:
    undecided = identify(notices(Variant()), KEYS)[0].undecided()
    assert undecided["form"] == ["decoded", "percent-encoded as delivered"]
    assert undecided["empty"] == ["with empty values", "without empty values"]
    assert "digest" not in undecided


def test_one_notification_more_can_decide_it() -> None:
    plain, telling = notices(Variant()), notices(Variant(), tag2="a b", empty="")
    group = identify([*plain, *telling], KEYS)[0]
    assert (group.fits, group.undecided().keys() & {"form", "empty"}) == ({0, 1}, set())


def test_a_variant_outside_the_list_is_found_though_the_first_one_fits_the_list_as_well() -> None:
    delivered = Variant(order="delivered")
    sorted_already = captured(query([("a", "x"), ("b", "y"), ("sig", sig(Variant(), [("a", "x"), ("b", "y")]))]))
    others = notices(delivered, delivered)
    (group,) = identify([sorted_already, *others], KEYS)
    assert (group.fits, group.names, group.variants[0]) == ({0, 1, 2}, [], delivered)


def test_those_that_disagree_are_told_apart_the_most_frequent_first() -> None:
    groups = identify(notices(SHA, Variant(), Variant(), SHA, Variant()), KEYS)
    assert [group.fits for group in groups] == [{1, 2, 4}, {0, 3}]
    assert (groups[0].names, groups[1].variants[0]) == (["md5-params"], SHA)


def test_one_that_nothing_fits_is_in_no_group() -> None:
    forged = notices(Variant(), key="another")
    assert [group.fits for group in identify([*forged, *notices(SHA)], KEYS)] == [{1}]
    assert identify(forged, KEYS) == []


def test_notifications_under_two_keys_agree() -> None:
    both = notices(SHA) + notices(SHA, key="another")
    assert [group.fits for group in identify(both, [*KEYS, b"another"])] == [{0, 1}]


def test_the_named_are_tried_on_all_however_many_forgeries_come_before() -> None:
    forged = notices(*[Variant()] * (SEARCHES_MAX + 5), key="another")
    (group,) = identify([*forged, *notices(Variant())], KEYS)
    assert (group.fits, group.names) == ({SEARCHES_MAX + 5}, ["md5-params"])


def test_all_of_a_group_fits_what_the_group_fits() -> None:
    made = notices(SHA, SHA)
    for group in identify(made, KEYS):
        assert all(fits(variant, made[index], KEYS) for variant in group.variants for index in group.fits)
