"""How two versions of a tariff differ, as the pages show it."""

from api.application.published_tariffs import diff_lines


def test_what_a_text_gained_has_no_empty_line_for_its_end() -> None:
    assert [(line.kind, line.number, line.text) for line in diff_lines("a = 1\n", "a = 1\n\nb = 2\n")] == [
        ("same", 1, "a = 1"),
        ("added", 2, ""),
        ("added", 3, "b = 2"),
    ]


def test_equal_texts_have_no_lines_that_differ() -> None:
    assert list(diff_lines("a = 1\n", "a = 1")) == []
