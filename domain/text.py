"""Texts from outside: made safe to show on one line, and recognised as numbers."""

WHOLE_DIGITS_MAX = 18


def printable(text: str) -> str:
    """Return a text with its control characters escaped, so that it cannot move a terminal's cursor."""
    if text.isprintable():
        return text  # As nearly all are.
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def escape_undecodable(text: str) -> str:
    """Return a text that was read with ``surrogateescape``, with each byte that is not UTF-8 escaped."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def is_whole_number(text: str) -> bool:
    """Whether a text is a whole number, 0 or more, that every store can keep: at most 18 digits."""
    return text.isascii() and text.isdigit() and len(text) <= WHOLE_DIGITS_MAX
