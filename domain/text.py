"""Texts as they are safe to show on one line."""


def printable(text: str) -> str:
    """Return a text, some of which came over the wire, so that it moves no cursor."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
